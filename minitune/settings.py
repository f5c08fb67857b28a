"""Settings written as text, `rank=8`, and the dataclasses that they belong to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from minitune.errors import UserError
from minitune.given import called, plain


def apply_settings(
    method: str, given: Sequence[str] | Mapping[str, Any], own: Sequence[Any], training: Any
) -> tuple[list[Any], dict[str, Any]]:
    """A method's own settings with what was given, and what was given of the training's.

    Args:
        given: by name, or written as "name=value".
        own: the settings of the answers that make the method, each a dataclass or None; a name that several have is the
            first one's, and the training's comes last.

    Raises:
        UserError: something not of the form name=value, a name that none has, a value of the wrong kind.
    """
    trained: dict[str, Any] = {}
    changed: list[dict[str, Any]] = [{} for _ in own]
    defaults = [{f.name: getattr(its, f.name) for f in fields(its)} if is_dataclass(its) else {} for its in own]
    of_training = {f.name: getattr(training, f.name) for f in fields(training)}
    for name, value in given.items() if isinstance(given, Mapping) else map(parted, given):
        place = next((place for place, its in enumerate(defaults) if name in its), None)
        if place is not None:
            changed[place][name] = value_like(name, value, defaults[place][name])
        elif name in of_training:
            trained[name] = value_like(name, value, of_training[name])
        else:
            of_method = ", ".join(names_of(own)) or "none of its own"
            raise UserError(
                f"{method} has no setting {name!r}; it has {of_method}; its training has {', '.join(of_training)}"
            )
    replace(training, **trained)  # refuses what is out of range
    return [replace(its, **new) if new else its for its, new in zip(own, changed, strict=True)], trained


def names_of(configs: Sequence[Any]) -> list[str]:
    """The names of all their settings; one may be None."""
    return list(dict.fromkeys(f.name for config in configs if is_dataclass(config) for f in fields(config)))


def parted(setting: str) -> tuple[str, str]:
    """ "name=value" -> (name, value)

    Raises:
        UserError: there is no equals sign.
    """
    name, equals, value = (part.strip() for part in setting.partition("="))
    if not equals:
        raise UserError(f"cannot read the setting {setting!r}; write name=value, as in lr=0.001")
    return name, value


def value_like(name: str, value: Any, default: Any) -> Any:
    """`value` as one of the same kind as `default`: text is read, a number or a list is checked. A number or an array
    of numpy or torch counts as what it says.

    Raises:
        UserError: it is of another kind.
    """
    given = plain(value)
    parts = given if isinstance(given, (list, tuple)) and isinstance(default, tuple) else [given]
    if isinstance(default, str) and not isinstance(given, str):
        raise UserError(f"{name} is {called(value)}; a text was expected")
    if any(not isinstance(part, (bool, int, float, str)) for part in parts):
        expected = "a list" if isinstance(default, tuple) else "one value"
        raise UserError(f"{name} is {called(value)}; {expected} was expected, as in {name}={show(default)}")
    try:
        text = ",".join(map(str, parts))
    except ValueError:  # Python writes no whole number of thousands of digits
        raise UserError(f"{name} is {called(value)}; a smaller one was expected") from None
    return read_value(name, text, default)


def read_value(name: str, text: str, default: Any) -> Any:
    """`text` as a value of the same kind as `default`.

    Raises:
        UserError: it is none.
    """
    kind = type(default)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is tuple:
            inner = type(default[0])
            return tuple(inner(part.strip()) for part in text.split(",") if part.strip())
        number = kind(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a list a,b,c")
        raise UserError(
            f"{name}={text} cannot be read: {expected} was expected, as in {name}={show(default)}"
        ) from None
    if kind is float and not math.isfinite(number):
        raise UserError(f"{name}={text} is out of range: a finite number was expected, as in {name}={show(default)}")
    return number


def show(value: Any) -> str:
    """A value as it is written behind --set."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings_of(config: Any) -> list[str]:
    """Each setting with its value: rank=4."""
    return [f"{f.name}={show(getattr(config, f.name))}" for f in fields(config)] if is_dataclass(config) else []
