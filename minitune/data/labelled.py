"""From the rows of a user's file to labelled texts: which column is which, and what looks wrong."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from minitune.data.rows import Layout, Table
from minitune.data.words import has_half_character
from minitune.errors import UserError

SECOND_TEXT = 3  # words on average: a column like this may be a second text
LARGEST = 1e30  # a number that float32 still squares the standardized distance of


class Labelled(NamedTuple):
    text: str
    text_b: str | None
    label: str
    line: int


def find_columns(table: Table, layout: Layout) -> Layout:
    """The layout with every column's name; `text_b` stays None where there is no second text. Says what is not used.

    Raises:
        UserError: a column that is not there, or is named for two purposes.
    """
    layout = by_place(table, layout) if not layout.header else layout
    text, label = layout.text or "text", layout.label or "label"
    has_second = any(row.get("text_b") is not None for _, row in table.rows)
    text_b = layout.text_b or ("text_b" if has_second else None)
    purposes = {"--text-column": text, "--label-column": label, "--text-b-column": text_b}
    for option, column in purposes.items():
        same = [other for other in purposes if other != option and purposes[other] == column]
        if same and column is not None:
            raise UserError(
                f"the column {column!r} is named by {option} and by {same[0]}; a column has one purpose: name another"
            )
    for column in filter(None, purposes.values()):
        if column not in table.columns:
            raise UserError(
                f"{table.path} has no column {column!r}, only {', '.join(map(repr, table.columns))}: name yours with "
                "--text-column and --label-column, and a second text's with --text-b-column"
                + (" (a file whose first line names no columns is read with --no-header)" if table.delimiter else "")
            )
    unused = [column for column in table.columns if column not in purposes.values()]
    if unused:
        table.notes.append(f"columns that are not used: {', '.join(unused)}")
        seconds = [column for column in unused if is_text(table, column)]
        if seconds and text_b is None:
            table.notes.append(
                f"{seconds[0]} looks like a text: if it is a second one, name it with --text-b-column {seconds[0]}"
            )
    return replace(layout, text=text, label=label, text_b=text_b)


def by_place(table: Table, layout: Layout) -> Layout:
    """Columns that have no names: of two, the one with the longer fields is the text.

    Raises:
        UserError: not two columns, and it is not told which is which.
    """
    free = [column for column in table.columns if column not in (layout.text, layout.label, layout.text_b)]
    missing = (layout.text is None) + (layout.label is None)
    if missing and (missing != len(free) or (missing == 2 and layout.text_b)):
        raise UserError(
            f"{table.path} has {len(table.columns)} columns without names, called {', '.join(table.columns)}: say "
            "which is which, as in --text-column 1 --label-column 2"
        )
    by_length = sorted(free, key=lambda column: sum(len(row[column]) for _, row in table.rows))
    text = layout.text or by_length.pop()
    label = layout.label or by_length.pop()
    if missing:
        table.notes.append(f"column {text} is taken for the text, column {label} for the label")
    return replace(layout, text=text, label=label)


def is_text(table: Table, column: str) -> bool:
    values = [row.get(column) for _, row in table.rows]
    words = [len(value.split()) for value in values if isinstance(value, str)]
    return bool(words) and statistics.fmean(words) >= SECOND_TEXT


def read_labelled(table: Table, columns: Layout) -> list[Labelled]:
    """The text, second text and label of each row.

    Args:
        columns: with names, as of `find_columns`.

    Raises:
        UserError: a text or label that is missing, empty or no text; second texts in some rows only.
    """
    rows = []
    for line, row in table.rows:
        where = f"{table.path}, line {line}"
        for column in (columns.text, columns.label):
            if column not in row:
                raise UserError(f"{where}, has no column {column!r}, only {', '.join(map(repr, row))}")
        text = as_text(row[columns.text], columns.text, where)
        label = as_text(label_of(row[columns.label]), columns.label, where).strip()
        text_b = None
        if columns.text_b is not None:
            if row.get(columns.text_b) is None:
                raise UserError(
                    f"{where}: there is no second text in {columns.text_b!r}, and other rows have one; add it or "
                    "remove the row"
                )
            text_b = as_text(row[columns.text_b], columns.text_b, where)
        rows.append(Labelled(text, text_b, label, line))
    return rows


def label_of(value: Any) -> Any:
    """JSON's numbers and truth values as text; its NaN, which is written for what is missing, as nothing."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, (int, float, bool)) else value


def as_text(value: Any, column: str, where: str) -> str:
    """Raises:
    UserError: an empty value, or one that is no text.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: the column {column!r} is empty or no text; fill it or remove the row")
    if has_half_character(value):
        raise UserError(
            f"{where}: the column {column!r} holds half a character (a lone surrogate like \\ud83c); write it whole "
            "or remove it"
        )
    return value


# ---- labels ----


def number_of(label: str, decimal_comma: bool) -> float | None:
    """The number that a label is, or None. Words for no number, such as nan, are none."""
    text = label.replace(",", ".") if decimal_comma and "." not in label else label
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST and "_" not in text else None


def numbers_of(rows: Sequence[Labelled], table: Table) -> list[float]:
    """The labels as numbers.

    Raises:
        UserError: a label that is no number.
    """
    numbers, comma = [], table.delimiter == ";"
    for row in rows:
        number = number_of(row.label, comma)
        if number is None:
            raise UserError(
                f"{table.path}, line {row.line}: the label {row.label!r} is no number (as 3.7, -12 or 1e3 are, up to "
                f"{LARGEST:g}); mend it, or take the labels as classes with --kind classes"
            )
        numbers.append(number)
    if comma and any("," in row.label for row in rows):
        table.notes.append("a comma in a label is read as the decimal point")
    return numbers


def are_numbers(rows: Sequence[Labelled], comma: bool) -> bool:
    """Whether labels are rather numbers than classes: many different ones, for which there are hardly two examples
    each. Stars from 1 to 5 are classes, and so are the numbers of 77 topics.
    """
    numbers = {row.label: number_of(row.label, comma) for row in rows}
    if None in numbers.values() or len(numbers) < 3:
        return False
    is_whole = all(number == int(number) for number in numbers.values())
    return len(numbers) > len(rows) / 2 or (len(numbers) > 10 and not is_whole)


def odd_labels(rows: Sequence[Labelled]) -> list[str]:
    """Classes that may be meant as one, and labels that may stand for a missing one, in sentences."""
    counts = Counter(row.label for row in rows)
    alike: dict[Any, list[str]] = defaultdict(list)
    for label in counts:
        number = number_of(label, False)
        alike["".join(label.casefold().split()) if number is None else number].append(label)
    notes = [
        "these labels are taken as different classes, and may be meant as one: "
        + ", ".join(f"{label!r} {counts[label]}" for label in group)
        for group in alike.values()
        if len(group) > 1
    ]
    notes += [
        f"{counts[label]} rows have the label {label!r}: if that stands for a label that is missing, remove them"
        for label in counts
        if label.casefold() in ("nan", "none", "null", "na", "n/a", "#n/a")
    ]
    return notes
