"""From bytes to the rows of a user's file, in whichever form: .csv, .tsv, .jsonl, .json, or lines of words and tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minitune.data.conll import CONLL, conll_rows
from minitune.data.delimited import DELIMITERS, delimited
from minitune.data.reading import BadRow, Layout, Reading
from minitune.errors import UserError
from minitune.files import REPLACING, note_on_replaced, read_text

JSON_NAMES = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True)
class Table:
    """The rows of a file; from here on it does not matter which form it had.

    Args:
        rows: each with its place, as in "line 3" (the line that it ends on) or "record 3".
        delimiter: what separates the fields; "" where nothing does.
        has_names: the file names its columns; otherwise they are called 1, 2, 3, ...
    """

    path: Path
    columns: list[str]
    rows: list[tuple[str, dict[str, Any]]]
    delimiter: str = ""
    has_names: bool = True


def read_table(reading: Reading) -> Table:
    """Raises:
    UserError: another file ending; a file that is missing, empty, of another encoding or without rows; rows that
        cannot be used.
    """
    path, layout = reading.path, reading.layout
    form = form_of(path, layout)
    text = read_text(path, layout.encoding).removeprefix("\ufeff")  # a mark is no part of the first column's name
    if layout.encoding == REPLACING:
        reading.notes += note_on_replaced(path)
    if not text.strip():
        raise UserError(f"{path} is empty; rows were expected")
    return form(reading, text)


def form_of(path: Path, layout: Layout) -> Callable[[Reading, str], Table]:
    """How a file with this ending is read. Words and their tags may be in a .txt or .tsv file too, if it is said.

    Raises:
        UserError: another ending.
    """
    suffix, ending = path.suffix.lower(), path.suffix or "nothing"
    if layout.kind == "tags" and suffix in TAGGED:
        return tagged_table
    if layout.kind == "tags" and suffix not in (".json", ".jsonl"):
        raise UserError(
            f"{path} ends in {ending}; tags are read from {', '.join(TAGGED)}, a word and a tag on each line, or from "
            ".jsonl and .json with tokens and tags"
        )
    if suffix in FORMS:
        return FORMS[suffix]
    raise UserError(f"{path} ends in {ending}; a .csv, .tsv or .jsonl file was expected, or .json, or .conll for tags")


# ---- fields between separators ----


def delimited_table(reading: Reading, text: str) -> Table:
    file = delimited(reading, text)
    return Table(reading.path, file.columns, file.rows, file.delimiter, reading.layout.header)


# ---- words and tags ----


def tagged_table(reading: Reading, text: str) -> Table:
    """A row for each sentence; its columns are called 1, 2, 3, ..., and hold lists."""
    rows = conll_rows(reading, text)
    if not rows:
        raise UserError(f"{reading.path} has no sentences; a word and its tag on each line were expected")
    return Table(reading.path, list(rows[0][1]), rows, has_names=False)


# ---- JSON ----


def json_lines_table(reading: Reading, text: str) -> Table:
    lines = [(f"line {number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return json_table(reading.path, reading.each(lines, lambda line: as_object(json_value(line), reading.layout)))


def json_list_table(reading: Reading, text: str) -> Table:
    """Raises:
    UserError: no JSON (with its line and column), or something else than a list of objects.
    """
    try:
        content = json.loads(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{reading.path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; restore it"
        ) from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
        raise UserError(f"{reading.path} holds JSON that cannot be read ({error}); restore it") from None
    if isinstance(content, Pairs) or not isinstance(content, list) or not content:
        held = "an empty list" if content == [] and not isinstance(content, Pairs) else held_by(content)
        raise UserError(f"{reading.path} holds {held}; a list of records like [{like(reading.layout)}] was expected")
    records = [(f"record {number}", record) for number, record in enumerate(content, start=1)]
    return json_table(reading.path, reading.each(records, lambda record: as_object(record, reading.layout)))


def json_table(path: Path, rows: list[tuple[str, dict[str, Any]]]) -> Table:
    return Table(path, list(dict.fromkeys(name for _, row in rows for name in row)), rows)


class Pairs(list):
    """An object as JSON writes it: (name, value), of which a name may come twice."""


def json_value(line: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        raise BadRow(f"no valid JSON ({error.msg} at column {error.colno})", cause="no valid JSON") from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
        raise BadRow(f"JSON that cannot be read ({error})", cause="JSON that cannot be read") from None


def as_object(content: Any, layout: Layout) -> dict[str, Any]:
    if not isinstance(content, Pairs):
        raise BadRow(f"{held_by(content)} where an object like {like(layout)} was expected")
    return from_pairs(content)


def like(layout: Layout) -> str:
    """How a record looks."""
    names = ("instruction", "input", "output") if layout.kind == "instructions" else ("text", "label")
    return "{" + ", ".join(f'"{name}": ...' for name in names) + "}"


def from_pairs(content: Any) -> Any:
    """Objects as dicts, whatever they are in."""
    if isinstance(content, Pairs):
        values = {name: from_pairs(value) for name, value in content}
        if len(values) < len(content):
            names = [name for name, _ in content]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadRow(f"the field {twice!r} is there twice", "keep one of them", "a field that is there twice")
        return values
    return [from_pairs(value) for value in content] if isinstance(content, list) else content


def held_by(content: Any) -> str:
    """What kind of JSON value it is, in words."""
    return "an object" if isinstance(content, Pairs) else JSON_NAMES[type(content)]


FORMS: dict[str, Callable[[Reading, str], Table]] = {
    **dict.fromkeys(DELIMITERS, delimited_table),
    ".jsonl": json_lines_table,
    ".json": json_list_table,
    **dict.fromkeys(CONLL, tagged_table),
}
TAGGED = (*CONLL, ".txt", ".tsv")  # where words and tags may be
