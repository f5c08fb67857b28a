"""A row of a user's file, checked: a text and its class or number, words and their tags, or a record of instructions.

Each function takes the columns, what is in them, and whether a comma in a number is its decimal point; of a row that
cannot be used it raises `BadRow`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minitune.data.columns import Columns, Fields
from minitune.data.labels import LARGEST, label_text, number_of
from minitune.data.reading import BadRow
from minitune.data.rows import JSON_NAMES
from minitune.data.words import character_fault


class Labelled(NamedTuple):
    """A row that was checked."""

    text: Any  # a text, or the words of a sentence
    text_b: str | None
    label: Any  # a name, a number, a name for each word, or a text
    where: str = ""  # its file and its place there


def as_text(value: Any, column: str) -> str:
    """A text with something in it that any program can write."""
    if not isinstance(value, str) or not value.strip():
        raise BadRow(f"the column {column!r} is empty or no text", "fill it or remove the row")
    if fault := character_fault(value):
        raise BadRow(f"the column {column!r} holds {fault}", "write it whole or remove it")
    return value


def text_and_label(columns: Columns, fields: Fields, decimal_comma: bool) -> Labelled:
    text = as_text(fields.text, columns.text)
    if columns.text_b is not None and fields.text_b is None:
        raise BadRow(
            f"there is no second text in {columns.text_b!r}, and other rows have one", "add it or remove the row"
        )
    text_b = None if columns.text_b is None else as_text(fields.text_b, columns.text_b)
    return Labelled(text, text_b, as_text(label_text(fields.label), columns.label))


def text_and_number(columns: Columns, fields: Fields, decimal_comma: bool) -> Labelled:
    row = text_and_label(columns, fields, decimal_comma)
    number = number_of(row.label, decimal_comma)
    if number is None:
        raise BadRow(
            f"the label {row.label!r} is no number (as 3.7, -12 or 1e3 are, up to {LARGEST:g})",
            "mend it, or take the labels as classes with --kind classes",
            "a label that is no number",
        )
    return row._replace(label=number)


def words_and_tags(columns: Columns, fields: Fields, decimal_comma: bool) -> Labelled:
    for column, value in ((columns.text, fields.text), (columns.label, fields.label)):
        if not isinstance(value, list) or not value:
            raise BadRow(f'a list was expected in {column!r}, as in "tokens": ["a"], "tags": ["O"]', "write one")
    if len(fields.text) != len(fields.label):
        raise BadRow(
            f"there are {len(fields.text)} {columns.text} and {len(fields.label)} {columns.label}",
            "give each word one tag",
            "not as many tags as words",
        )
    return Labelled(tuple(map(as_word, fields.text)), None, tuple(as_word(as_name(tag)) for tag in fields.label))


def as_name(tag: Any) -> Any:
    """Tags that are numbers are names like any other."""
    return str(tag) if isinstance(tag, int) else tag


def as_word(word: Any) -> str:
    if not isinstance(word, str) or not word.strip() or character_fault(word):
        raise BadRow(f"{word!r} is no word and no tag", "write a text", "a word or a tag that is no text")
    return word.strip()


def record(columns: Columns, fields: Fields, decimal_comma: bool) -> Labelled:
    """An instruction, its input (which may be missing) and the output that is wanted."""
    for column, value in zip(columns, fields, strict=True):
        if value is not None and not isinstance(value, str):
            raise BadRow(
                f"the field {column!r} is {JSON_NAMES[type(value)]}; a text between double quotes was expected",
                "mend it or remove the record",
            )
    for column, value in ((columns.text, fields.text), (columns.label, fields.label)):
        if not (value or "").strip():
            raise BadRow(f"the field {column!r} is empty", "fill it or remove the record")
    for column, value in zip(columns, fields, strict=True):
        if fault := character_fault(value or ""):
            raise BadRow(f"the field {column!r} holds {fault}", "write it whole or remove it")
    return Labelled(fields.text, fields.text_b or "", fields.label)
