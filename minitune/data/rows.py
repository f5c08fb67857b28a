"""The rows of a user's own file: .csv, .tsv or .jsonl, and what is wrong with a file told with its line.

Files come as people have them: with semicolons for commas, with quotes that mean nothing, without a line of names. What
is guessed is said, in the table's notes.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitune.errors import UserError
from minitune.files import read_text

DELIMITERS = {".csv": ",", ".tsv": "\t"}
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Layout:
    """How a user's file is laid out.

    Args:
        text, text_b, label: names of columns; None is text, text_b (if there is one) and label.
        header: the first line names the columns; without it they are called 1, 2, 3, ...
        quoting: a field may stand between double quotes; without it a quote is a letter like any other.
        encoding: None is UTF-8, or UTF-16 with its mark.
    """

    text: str | None = None
    text_b: str | None = None
    label: str | None = None
    header: bool = True
    quoting: bool = True
    encoding: str | None = None


@dataclass
class Table:
    """The rows of a file.

    Args:
        rows: each with the number of the line it ends on.
        notes: what was guessed or left out, in sentences.
        delimiter: what stands between the fields; "" in JSON Lines.
    """

    path: Path
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    delimiter: str = ""


def read_rows(path: Path, layout: Layout | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row of a .csv, .tsv or .jsonl file, with the number of the line it ends on.

    Raises:
        UserError: whatever `read_table` finds wrong.
    """
    yield from read_table(path, layout or Layout()).rows


def read_table(path: Path, layout: Layout) -> Table:
    """Raises:
    UserError: another file ending; a file that is missing, empty, of another encoding or without rows; a row with too
        few or too many fields; a line that is no JSON object.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, ".jsonl"):
        raise UserError(f"{path} ends in {suffix or 'nothing'}; a .csv, .tsv or .jsonl file was expected")
    text = read_text(path, layout.encoding).removeprefix("\ufeff")  # a mark is none of the first column's name
    if not text.strip():
        raise UserError(f"{path} is empty; a first line with the names of the columns and rows below it were expected")
    table = Table(path)
    if suffix == ".jsonl":
        read_json(table, text)
    else:
        table.delimiter = find_delimiter(text, DELIMITERS[suffix], layout.header)
        if table.delimiter != DELIMITERS[suffix]:
            table.notes.append(f"the columns are separated by {NAMES[table.delimiter]}")
        named_rows(table, fields_of(table, text, layout), layout.header)
    if not table.rows:
        raise UserError(
            f"{path} has a first line and no rows below it; is the line with the names of the columns missing? "
            "(--no-header reads a file without one)"
        )
    return table


# ---- fields between commas, semicolons or tabs ----


def find_delimiter(text: str, usual: str, header: bool) -> str:
    """The usual one, unless the first line lacks it and has another; without names, unless another parts all lines
    alike and the usual one does not."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    for other in ";\t" if usual == "," else "":
        if other not in lines[0]:
            continue
        alike = [len({line.count(mark) for line in lines}) == 1 for mark in (usual, other)]
        if usual not in lines[0] or (not header and alike == [False, True]):
            return other
    return usual


def fields_of(table: Table, text: str, layout: Layout) -> list[tuple[int, list[str]]]:
    """By the rules of quoting; of a .tsv without them, where they do not close or run over the ends of lines, and the
    file is even without them: few programs that write tabs write quotes."""
    if not layout.quoting:
        return csv_lines(table, text, quoting=False)
    plain = csv_lines(table, text, quoting=False) if table.path.suffix.lower() == ".tsv" and '"' in text else []
    is_even = len({len(fields) for _, fields in plain if fields}) == 1
    try:
        quoted = csv_lines(table, text, quoting=True)
    except UserError:
        if not is_even:
            raise
    else:
        if not is_even or not any("\n" in value for _, fields in quoted for value in fields):
            return quoted
    table.notes.append("its quotes do not close, so a quote is read as a letter, as --no-quoting does")
    return plain


def csv_lines(table: Table, text: str, quoting: bool) -> list[tuple[int, list[str]]]:
    """The fields of each line, with the number of the line.

    Raises:
        UserError: a quote that is not closed, or is followed by something else than a new field.
    """
    csv.field_size_limit(2**31 - 1)  # a text may be long; it is cut later, and counted
    how = {"strict": True} if quoting else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter, **how)
    try:
        return [(reader.line_num, fields) for fields in reader]
    except csv.Error as error:
        raise UserError(
            f"{table.path}, line {reader.line_num}: {error}; mend the line's quotes, or read quotes as letters with "
            "--no-quoting"
        ) from None


def named_rows(table: Table, lines: list[tuple[int, list[str]]], header: bool) -> None:
    """Fields under the names of their columns."""
    full = [(line, fields) for line, fields in lines if any(value.strip() for value in fields)]
    if len(full) < len(lines):
        table.notes.append(f"empty rows that are skipped: {len(lines) - len(full)}")
    if header:
        table.columns = [" ".join(value.split()) for value in full.pop(0)[1]]  # a name is one line
    else:
        table.columns = [str(place + 1) for place in range(len(full[0][1]))]
    twice = [name for name, count in Counter(table.columns).items() if count > 1]
    if twice:
        raise UserError(f"{table.path} has the column {twice[0]!r} twice; give each column a name of its own")
    told = f"names {len(table.columns)} columns ({', '.join(table.columns)})" if header else f"has {len(table.columns)}"
    for line, fields in full:
        if len(fields) != len(table.columns):
            raise UserError(
                f"{table.path}, line {line}: {len(fields)} fields, and the first line {told}; put a text with a "
                f"{table.delimiter!r} in it between double quotes"
            )
        table.rows.append((line, dict(zip(table.columns, fields, strict=True))))


# ---- JSON Lines ----


def read_json(table: Table, text: str) -> None:
    names: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = json_row(line, f"{table.path}, line {number}:")
        names.update(dict.fromkeys(row))
        table.rows.append((number, row))
    table.columns = list(names)


def json_row(line: str, where: str) -> dict[str, Any]:
    """Raises:
    UserError: a line that is no JSON object.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} no valid JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
        raise UserError(f"{where} JSON that cannot be read ({error})") from None
    if not isinstance(row, dict):
        raise UserError(f'{where} a JSON object like {{"text": ..., "label": ...}} was expected')
    return row
