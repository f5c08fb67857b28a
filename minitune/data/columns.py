"""Which column of a user's file is which: the text, perhaps a second one, and the label."""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from minitune.data.reading import Reading
from minitune.data.rows import Table
from minitune.errors import UserError

SECOND_TEXT = 3  # words on average: a column like this may be a second text
USUAL = (  # what the text, the second text and the label are called: of classes and numbers, of tags, of instructions
    ("text", "text_b", "label"),
    ("tokens", None, "tags"),
    ("instruction", "input", "output"),
)
OF_KIND = {"classes": USUAL[:1], "number": USUAL[:1], "tags": USUAL[1:2], "instructions": USUAL[2:], None: USUAL}
OPTIONS = ("--text-column", "--text-b-column", "--label-column")


class Columns(NamedTuple):
    text: str
    text_b: str | None  # None where there is no second text
    label: str


class Fields(NamedTuple):
    """A row, as it is in the file."""

    text: Any
    text_b: Any
    label: Any


def find_columns(table: Table, reading: Reading) -> Columns:
    """The columns that are named, and for the rest those that are called as usual, or that their content tells.

    Raises:
        UserError: a column that is not there, or is named for two purposes.
    """
    layout = reading.layout
    named = Columns(layout.text, layout.text_b, layout.label)
    if table.has_names:
        columns = by_name(table, named, layout.kind)
    else:
        columns = (of_tagged if holds_lists(table) else by_length)(table, named, reading)
    check_one_purpose(columns)
    check_columns(table, columns, layout.kind)
    note_unused(table, columns, reading)
    return columns


def by_name(table: Table, named: Columns, kind: str | None) -> Columns:
    """The usual names that the file has, those of the first kind where it has none; a second text only if there is one
    in any row."""
    text, text_b, label = next(
        (
            usual
            for usual in OF_KIND[kind]
            if (named.text or usual[0]) in table.columns and (named.label or usual[2]) in table.columns
        ),
        OF_KIND[kind][0],
    )
    has_second = text_b is not None and any(row.get(text_b) is not None for _, row in table.rows)
    second = (text_b if has_second else None) if named.text_b is None else named.text_b or None
    return Columns(named.text or text, second, named.label or label)


def check_columns(table: Table, columns: Columns, kind: str | None) -> None:
    """Raises:
    UserError: a column that is not there.
    """
    mend = (
        "name yours with --text-column and --label-column, and a second text's with --text-b-column"
        + " (a file whose first line names no columns is read with --no-header)" * bool(table.delimiter)
    )
    if kind == "instructions":
        mend = "name the fields with --fields"
    for column in filter(None, columns):
        if column not in table.columns:
            raise UserError(
                f"{table.path} has no column {column!r}, only {', '.join(map(repr, table.columns))}: {mend}"
            )


def of_tagged(table: Table, named: Columns, reading: Reading) -> Columns:
    """Of words and tags: the last column is the tag's.

    Raises:
        UserError: there is one column only.
    """
    if len(table.columns) < 2:
        place, row = table.rows[0]
        raise UserError(
            f"{table.path} has one column, and {place} is {' '.join(row['1'])!r}: a word and its tag were expected on "
            "each line"
        )
    return Columns(named.text or column_of_words(table, reading), named.text_b, named.label or table.columns[-1])


def column_of_words(table: Table, reading: Reading) -> str:
    """Of lines of words: the first column, unless it counts them."""
    first, *others = table.columns
    if len(others) < 1 or not all(is_count(row[first]) for _, row in table.rows):
        return first
    reading.notes.append(f"column {first} counts the words, so column {others[0]} is taken for the words")
    return others[0]


def by_length(table: Table, named: Columns, reading: Reading) -> Columns:
    """Of two columns, the one with the longer fields is the text.

    Raises:
        UserError: not two columns, and it is not said which is which.
    """
    free = [column for column in table.columns if column not in named]
    missing = (named.text is None) + (named.label is None)
    if missing and (missing != len(free) or (missing == 2 and named.text_b)):
        raise UserError(
            f"{table.path} has {len(table.columns)} columns without names, called {', '.join(table.columns)}: say "
            "which is which, as in --text-column 1 --label-column 2"
        )
    free.sort(key=lambda column: sum(len(row[column]) for _, row in table.rows))
    text = named.text or free.pop()
    label = named.label or free.pop()
    if missing:
        reading.notes.append(f"column {text} is taken for the text, column {label} for the label")
    return Columns(text, named.text_b, label)


def holds_lists(table: Table) -> bool:
    return isinstance(table.rows[0][1][table.columns[0]], list)


def is_count(words: list[str]) -> bool:
    """Whether they are 1, 2, 3, ... or 0, 1, 2, ..."""
    return any(words == [str(place + start) for place in range(len(words))] for start in (0, 1))


def check_one_purpose(columns: Columns) -> None:
    """Raises:
    UserError: a column is named twice.
    """
    for place, column in enumerate(columns):
        if column is not None and column in columns[:place]:
            first = OPTIONS[columns.index(column)]
            raise UserError(
                f"the column {column!r} is named by {first} and by {OPTIONS[place]}; a column has one purpose: name "
                "another"
            )


def note_unused(table: Table, columns: Columns, reading: Reading) -> None:
    unused = [column for column in table.columns if column not in columns]
    if unused and (table.has_names or table.delimiter):
        reading.notes.append(f"columns that are not used: {', '.join(unused)}")
        seconds = [column for column in unused if is_text(table, column)]
        if seconds and columns.text_b is None:
            reading.notes.append(
                f"{seconds[0]} looks like a text: if it is a second one, name it with --text-b-column {seconds[0]}"
            )


def is_text(table: Table, column: str) -> bool:
    values = [row.get(column) for _, row in table.rows]
    words = [len(value.split()) for value in values if isinstance(value, str)]
    return bool(words) and statistics.fmean(words) >= SECOND_TEXT
