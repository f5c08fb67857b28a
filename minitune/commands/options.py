"""What several commands take: options on data and models, and numbers that are checked as they are read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from minitune.errors import UserError


class Parser(argparse.ArgumentParser):
    """A wrong option is one sentence, and no option may be abbreviated."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options, allow_abbrev=False)

    def error(self, message: str):
        meant = self.meant_by(message)
        hint = f"; did you mean {meant}?" if meant else ""
        self.exit(2, f"{self.prog}: {message}{hint}; {self.prog} --help lists what it takes\n")

    def meant_by(self, message: str) -> str:
        """The options that an unknown one, which `message` names, is a part of or nearly is."""
        unknown = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
        if not unknown:
            return ""
        known = [option for option in self._option_string_actions if option.startswith("--")]
        longer = [option for option in known if option.startswith(unknown[1])]
        return " or ".join(longer or get_close_matches(unknown[1], known, 1))


def add_data(parser: argparse.ArgumentParser) -> None:
    """What is asked of which model: for every command that trains on a task or a file."""
    parser.add_argument("--task", help="a task of the toy world (default: sentiment)")
    own = parser.add_argument_group("your own data")
    own.add_argument("--data", type=Path, metavar="FILE", help="your own .csv, .tsv, .jsonl or .conll file")
    own.add_argument("--test-data", type=Path, metavar="FILE", help="its test part; else some of --data is kept")
    own.add_argument("--kind", metavar="classes|number|tags", help="of its labels; guessed, and said, where not given")
    own.add_argument("--text-column", metavar="C", help="default: text; of tags: tokens")
    own.add_argument("--text-b-column", metavar="C", help="of a second text, where there is one (default: text_b)")
    own.add_argument("--label-column", metavar="C", help="default: label; of tags: tags")
    own.add_argument(
        "--no-header", action="store_true", help="the first line is a row; columns are called 1, 2, 3, ..."
    )
    own.add_argument("--no-quoting", action="store_true", help="a double quote is a letter like any other")
    own.add_argument("--encoding", metavar="NAME", help="such as latin-1 (default: UTF-8, or UTF-16 with its mark)")
    parser.add_argument("--model", default="bert", metavar="bert|gpt|DIR")
    parser.add_argument("--template", help='how the question is asked, as in "{text} it was {mask} ."')
    parser.add_argument("--label-words", metavar="WORDS", help='as in "positive=great,good;negative=bad"')
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")


def data_asked_for(options: argparse.Namespace, shots: int | None, folder: Path | None = None):
    """What --task or --data and what belongs to them name, as `TaskData`.

    Args:
        folder: of the tasks of another world.
    """
    from minitune.data.rows import Layout
    from minitune.methods.from_file import file_data
    from minitune.methods.from_task import task_data

    of_file = (
        "test_data",
        "kind",
        "text_column",
        "text_b_column",
        "label_column",
        "no_header",
        "no_quoting",
        "encoding",
    )
    given = [f"--{name.replace('_', '-')}" for name in of_file if getattr(options, name)]
    if given and not options.data:
        raise UserError(f"{given[0]} belongs to --data; a task has files of its own")
    if options.task and options.data:
        raise UserError(f"--task {options.task} and --data {options.data} were given; leave one of them out")
    if not options.data:
        return task_data(options.task or "sentiment", folder)
    columns = (options.text_column, options.text_b_column, options.label_column)
    layout = Layout(*columns, not options.no_header, not options.no_quoting, options.encoding)
    return file_data(options.data, options.test_data, shots, layout, options.kind)


def split_list(text: str) -> list[str]:
    """Names of methods, separated by commas, each once."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("the list of methods is empty; write what@asked+read, separated by commas")
    return list(dict.fromkeys(names))


# ---- numbers ----


def whole_number(text: str) -> int:
    return checked(text, int, lambda n: 0 <= n < 2**31, "a whole number from 0 on")


def one_or_more(text: str) -> int:
    return checked(text, int, lambda n: 1 <= n < 2**31, "a whole number from 1 on")


def one_or_all(text: str) -> int | None:
    return None if text == "all" else one_or_more(text)


def above_zero(text: str) -> float:
    return checked(text, float, lambda n: 0 < n < 1e6, "a number above 0")


def list_of(read: Callable, what: str) -> Callable[[str], list]:
    """A reader of values separated by commas, each once, in the order that they are written in."""

    def read_list(text: str) -> list:
        values = list(dict.fromkeys(read(part.strip()) for part in text.split(",") if part.strip()))
        if not values:
            raise argparse.ArgumentTypeError(f"the list is empty; {what}, separated by commas, were expected")
        return values

    return read_list


def checked(text: str, convert: Callable, is_good: Callable, expected: str):
    try:
        number = convert(text)
    except ValueError:
        number = None
    if number is None or not is_good(number):
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; {expected} was expected")
    return number
