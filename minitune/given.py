"""What is given in Python: made plain at the door, or refused in one sentence before any work.

numpy's and torch's numbers, texts and arrays are taken for what they say; what is kept and saved is plain. Neither
library is imported for it.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minitune.errors import UserError

LARGEST = 2**63 - 1  # a seed that PyTorch takes
LONGEST = 80  # characters of a wrong value in a sentence
PLAIN = (bool, int, float, str)  # in this order: a bool is an int too
CALLED = {  # types by the names that a user knows them by
    "Checkpoint": "a model",
    "TaskData": "a task or a file that was read",
    "TunedMethod": "a tuned method",
}
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60


def plain(value: Any) -> Any:
    """The same in Python's own numbers, texts, lists, tuples and dictionaries; what is none of them stays as it is."""
    if hasattr(value, "tolist") and not isinstance(value, type):  # numpy's and torch's scalars and arrays
        try:
            value = value.tolist()
        except (RuntimeError, TypeError, NotImplementedError):  # a tensor without numbers of its own
            return value
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass the letters, not what it would print
    for kind in PLAIN:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return value


def called(value: Any) -> str:
    """A value in a sentence: what it says, or of what type it is."""
    if value is None or isinstance(value, (*PLAIN, bytes, list, tuple, dict, set, frozenset)):
        try:
            shown = SHORT.repr(value)
            return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
        except ValueError:
            return "a number of very many digits"
    name = type(value).__name__
    return CALLED.get(name) or an(name)


def an(name: str) -> str:
    """A name with its article."""
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def wrong(name: str, value: Any, expected: str) -> UserError:
    return UserError(f"{name} is {called(value)}; {expected}")


# ---- one of a kind ----


def whole_number(name: str, value: Any, least: int = 0, most: int = LARGEST, other: str = "") -> int:
    """Args:
        other: what else may be given, for the sentence.

    Raises:
        UserError: it is not a whole number from `least` to `most`.
    """
    number = plain(value)
    if type(number) is not int or not least <= number <= most:
        upper = f" to {most:,}" if type(number) is int and number > most else " on"
        raise wrong(name, value, f"a whole number from {least}{upper} was expected{other}")
    return number


def shots_of(name: str, value: Any) -> int | None:
    """A number of examples; None is all.

    Raises:
        UserError: it is neither.
    """
    return None if value is None else whole_number(name, value, 1, other=", or None for all examples")


def true_or_false(name: str, value: Any) -> bool:
    """Raises:
    UserError: it is neither; "false" is a text, and would count as true.
    """
    truth = plain(value)
    if type(truth) is not bool:
        raise wrong(name, value, "True or False was expected")
    return truth


def text(name: str, value: Any, expected: str = "a text was expected") -> str:
    """Raises:
    UserError: it is not a text.
    """
    string = plain(value)
    if type(string) is not str:
        raise wrong(name, value, expected)
    return string


def text_or_none(name: str, value: Any, expected: str) -> str | None:
    """Raises:
    UserError: it is not a text, or an empty one.
    """
    string = None if value is None else text(name, value, f"{expected}, or None")
    if string is not None and not string.strip():
        raise wrong(name, value, f"{expected}, or None")
    return string


def path(name: str, value: Any, expected: str) -> str | Path:
    """Raises:
    UserError: it is not a text or a path, or an empty one.
    """
    place = os.fspath(value) if isinstance(value, os.PathLike) else plain(value)
    if type(place) is not str or not place.strip():
        raise wrong(name, value, expected)
    return place if isinstance(value, str) else Path(place)


def path_or_none(name: str, value: Any, expected: str) -> str | Path | None:
    return None if value is None else path(name, value, f"{expected}, or None")


def model(name: str, value: Any, kind: type) -> None:
    """Raises:
    UserError: it is not a model that was loaded.
    """
    if not isinstance(value, kind):
        example = called(value) if isinstance(value, (str, os.PathLike)) else '"bert"'
        raise wrong(name, value, f"a model was expected, as minitune.load({example}) gives it")


def data(name: str, value: Any, kind: type) -> None:
    """Raises:
    UserError: it is not what a task or a file gives.
    """
    if isinstance(value, kind):
        return
    task, file = '"sentiment"', '"mine.csv"'
    if isinstance(value, (str, os.PathLike)):
        is_file = "." in str(value)
        task, file = (task, repr(str(value))) if is_file else (repr(str(value)), file)
    raise wrong(name, value, f"a task or a file was expected, as minitune.task({task}) or minitune.read({file}) gives")


# ---- several ----


def several(name: str, value: Any, expected: str) -> list[Any]:
    """Anything that gives its parts one by one in an order: a list, a tuple, an array, a column, a generator.

    Raises:
        UserError: it is one text, or a number, or None; it has no order (a set), or gives its keys (a dictionary).
    """
    parts = plain(value)
    is_one = isinstance(parts, (str, bytes, bytearray, set, frozenset)) or hasattr(parts, "keys")
    try:
        if not is_one:
            return list(parts)
    except TypeError:  # a number, None, an array without a length
        pass
    raise wrong(name, value, expected)


def names(name: str, value: Any, expected: str) -> list[str]:
    """Names in a list, or in one text with commas between them, as on the command line.

    Raises:
        UserError: there is none, or something else is among them.
    """
    one = plain(value)
    is_text = isinstance(one, str)
    parts = [part.strip() for part in one.split(",")] if is_text else several(name, value, expected)
    found = [text(f"{name}[{place}]", part, expected) for place, part in enumerate(parts)]
    if not found or not all(map(str.strip, found)):
        raise wrong(name, value, expected)
    return found


def each_shots(name: str, value: Any) -> list[int | None]:
    """One number of examples or several, each once; None is all.

    Raises:
        UserError: something else, or nothing.
    """
    numbers = plain(value)
    if numbers is None or isinstance(numbers, PLAIN):
        return [shots_of(name, value)]
    parts = several(name, value, "a whole number was expected, or a list of them, as in [4, 16]")
    if not parts:
        raise UserError(f"{name} is empty; give a number of examples, as in [4, 16]")
    return list(dict.fromkeys(shots_of(f"{name}[{place}]", part) for place, part in enumerate(parts)))
