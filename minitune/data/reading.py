"""A user's file on its way from bytes to examples: how it is to be read, and what there is to say of it.

    bytes -> rows -> columns -> kind -> examples -> split -> question

Each step takes what the one before it gave, and none looks back. What a step guesses it notes here, and a row that it
cannot use it sets aside here; both are told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from minitune.errors import UserError

NAMED_ONE_BY_ONE = 3  # rows that cannot be used
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

Row = TypeVar("Row")
Read = TypeVar("Read")


@dataclass(frozen=True)
class Layout:
    """How a user's file is laid out, as far as the user says so.

    Args:
        text, text_b, label: names of columns; None is what is usual for the kind. A `text_b` of "" is none.
        header: the first line names the columns; without it they are called 1, 2, 3, ...
        quoting: a field may be between quotes; without it a quote is a letter like any other.
        encoding: None is UTF-8, or UTF-16 with its mark.
        separator: one character, or a name of `SEPARATORS`; None is guessed.
        quote: the one character that quotes are.
        kind: of the labels: classes, number, tags or instructions; None is guessed.
        skip_bad: rows that cannot be used are left out and counted; otherwise they are refused.

    Raises:
        UserError: a separator or a quote that is not one character, or is the other one too.
    """

    text: str | None = None
    text_b: str | None = None
    label: str | None = None
    header: bool = True
    quoting: bool = True
    encoding: str | None = None
    separator: str | None = None
    quote: str = '"'
    kind: str | None = None
    skip_bad: bool = False

    def __post_init__(self):
        if self.separator is not None:
            object.__setattr__(self, "separator", SEPARATORS.get(self.separator, self.separator))
        for name, mark in (("separator", self.separator), ("quote", self.quote)):
            if mark is not None and (len(mark) != 1 or mark in "\r\n\0"):
                raise UserError(
                    f"the {name} {mark!r} is not one character; write one, as in --{name} ';'"
                    + (f", or one of {', '.join(SEPARATORS)}" if name == "separator" else "")
                )
        if self.separator == self.quote:
            raise UserError(f"{self.quote!r} cannot be the separator and the quote; name another one of them")


class BadRow(Exception):
    """A row that cannot be used.

    Args:
        found: what is wrong with it.
        mend: how to mend it.
        cause: the kind of fault, under which rows are counted; what was found, where that names nothing of its own.
    """

    def __init__(self, found: str, mend: str = "mend it or remove the row", cause: str = ""):
        super().__init__(found)
        self.found, self.mend, self.cause = found, mend, cause or found


@dataclass
class Reading:
    """One file that is read.

    Args:
        notes: what was guessed, in sentences.
        bad: the place of each row that cannot be used ("line 3"), and why.
    """

    path: Path
    layout: Layout = field(default_factory=Layout)
    notes: list[str] = field(default_factory=list)
    bad: list[tuple[str, BadRow]] = field(default_factory=list)

    def each(self, rows: Iterable[tuple[str, Row]], read: Callable[[Row], Read]) -> list[tuple[str, Read]]:
        """What `read` makes of each row, with its place; rows of which it raises `BadRow` are set aside.

        Raises:
            UserError: there are such rows, and they are not to be left out; or no row is left.
        """
        good = []
        for place, row in rows:
            try:
                good.append((place, read(row)))
            except BadRow as why:
                self.bad.append((place, why))
        if self.bad and not (self.layout.skip_bad and good):
            raise UserError(self.refusal())
        return good

    def refusal(self) -> str:
        """The first rows that cannot be used, in a sentence."""
        if len(self.bad) == 1 or self.layout.skip_bad:
            place, why = self.bad[0]
            end = " (--skip-bad leaves such rows out)" * (not self.layout.skip_bad)
            end += "; of all the other rows none can be used, either" * (len(self.bad) > 1)
            return f"{self.path}, {place}: {why.found}; {why.mend}{end}"
        named = first_few([f"{place}: {why.found}" for place, why in self.bad])
        return (
            f"{self.path} has {len(self.bad)} rows that cannot be used: {named}; mend them, or leave such rows out "
            "with --skip-bad"
        )

    def report(self) -> list[str]:
        """All that there is to say of the file: the notes, and how many rows were left out for which cause."""
        counts = Counter(why.cause for _, why in self.bad)
        causes = [f"{count} x {cause}" for cause, count in counts.most_common()]
        return [*self.notes, *([f"rows that are left out: {len(self.bad)} ({'; '.join(causes)})"] if causes else [])]


def first_few(faults: Sequence[str]) -> str:
    """The first of many faults, and how many more there are."""
    more = len(faults) - NAMED_ONE_BY_ONE
    return "; ".join([*faults[:NAMED_ONE_BY_ONE], *([f"and {more} more"] if more > 0 else [])])
