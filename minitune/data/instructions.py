"""The records of an instruction file: what is asked, of which input, and the output that is wanted.

The fields are those of Alpaca, under any names: a .json file with a list of objects, or a .jsonl file with an object a
line. An input may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minitune.data.rows import Layout, read_table
from minitune.data.words import has_half_character
from minitune.errors import UserError
from minitune.files import read_json

FIELDS = ("instruction", "input", "output")
JSON_NAMES = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True)
class Record:
    instruction: str
    input: str  # "" where there is none
    output: str
    where: str  # its file and its place in it


def parse_fields(text: str) -> tuple[str, ...]:
    """The fields' names, as in "instruction,input,output", or of records without an input "question,answer".

    Raises:
        UserError: other than two or three names, or one of them twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    if len(names) not in (2, 3) or not all(names) or len(set(names)) < len(names):
        raise UserError(
            f"the fields {text!r} are not two or three different names; write them as in instruction,input,output, or "
            "instruction,output where there is no input"
        )
    return names


def read_records(path: Path, fields: Sequence[str] = FIELDS, encoding: str | None = None) -> list[Record]:
    """The records of a .json or .jsonl file, in their order.

    Args:
        fields: what the instruction, the input (it may be left out) and the output are called there.

    Raises:
        UserError: another ending; a file that is missing or no JSON (line and column), or holds no list of objects; a
            record that lacks a field, or whose field is no text; an empty instruction or output.
    """
    if path.suffix.lower() == ".jsonl":
        rows = [(f"{path}, line {line}", row) for line, row in read_table(path, Layout(encoding=encoding)).rows]
    elif path.suffix.lower() == ".json":
        rows = [(f"{path}, record {number}", row) for number, row in enumerate(read_list(path, encoding), start=1)]
    else:
        raise UserError(f"{path} ends in {path.suffix or 'nothing'}; a .json or .jsonl file of records was expected")
    return [record_of(row, fields, where) for where, row in rows]


def read_list(path: Path, encoding: str | None) -> list[Any]:
    """Raises:
    UserError: the file holds something else than a list, or an empty one.
    """
    content = read_json(path, encoding)
    if not isinstance(content, list) or not content:
        held = "an empty list" if content == [] else JSON_NAMES.get(type(content), "a text")
        raise UserError(
            f'{path} holds {held}; a list of records like [{{"instruction": ..., "input": ..., "output": ...}}] was '
            "expected"
        )
    return content


def record_of(row: Any, fields: Sequence[str], where: str) -> Record:
    if not isinstance(row, dict):
        raise UserError(f"{where}: {JSON_NAMES.get(type(row), 'a text')} stands where an object was expected")
    for name in fields:
        if name not in row:
            raise UserError(
                f"{where}: it has no field {name!r}, only {', '.join(map(repr, row)) or 'none at all'}; add it, or "
                "name the fields with --fields"
            )
    instruction, *given, output = (text_of(row, name, where) for name in fields)
    for name, text in ((fields[0], instruction), (fields[-1], output)):
        if not text.strip():
            raise UserError(f"{where}: the field {name!r} is empty; fill it or remove the record")
    return Record(instruction, "".join(given), output, where)


def text_of(row: dict[str, Any], name: str, where: str) -> str:
    """A field's text; null is no text.

    Raises:
        UserError: it is no text, or holds half a character.
    """
    value = "" if row[name] is None else row[name]
    if not isinstance(value, str):
        raise UserError(
            f"{where}: the field {name!r} is {JSON_NAMES[type(value)]}; a text between double quotes was expected"
        )
    if has_half_character(value):
        raise UserError(
            f"{where}: the field {name!r} holds half a character (a lone surrogate like \\ud83c); write it whole or "
            "remove it"
        )
    return value
