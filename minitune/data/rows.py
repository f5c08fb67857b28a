"""The rows of a user's own file: .csv, .tsv or .jsonl, and what is wrong with a file told with its line."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from minitune.errors import UserError
from minitune.files import read_text

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a .csv, .tsv or .jsonl file, with the number of the line it ends on.

    Raises:
        UserError: another file ending; a file that is missing, empty, not UTF-8 or without rows; a row with too few
            or too many fields; a line that is no JSON object.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, ".jsonl"):
        raise UserError(f"{path} ends in {suffix or 'nothing'}; a .csv, .tsv or .jsonl file was expected")
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path} is empty; a first line with the names of the columns and rows below it were expected")
    rows = json_rows(path, text) if suffix == ".jsonl" else delimited_rows(path, text, DELIMITERS[suffix])
    first = next(rows, None)
    if first is None:
        raise UserError(
            f"{path} has a first line and no rows below it; is the line with the names of the columns missing?"
        )
    yield first
    yield from rows


def delimited_rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(2**31 - 1)  # a text may be long; it is cut later, and counted
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if not header:
                header = [field.strip() for field in fields]
                twice = [name for name, count in Counter(header).items() if count > 1]
                if twice:
                    raise UserError(f"{path} has the column {twice[0]!r} twice; give each column a name of its own")
                continue
            if len(fields) != len(header):
                raise UserError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields, and the first line names {len(header)} "
                    f"columns ({', '.join(header)}); put a text with a {delimiter!r} in it between double quotes"
                )
            yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}; mend the line's quotes") from None


def json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number}: no valid JSON ({error.msg} at column {error.colno})") from None
        except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
            raise UserError(f"{path}, line {number}: JSON that cannot be read ({error})") from None
        if not isinstance(row, dict):
            raise UserError(f'{path}, line {number}: a JSON object like {{"text": ..., "label": ...}} was expected')
        yield number, row


def read_examples(
    path: Path, text_column: str = "text", label_column: str = "label", text_b_column: str = "text_b"
) -> list[tuple[str, str | None, str]]:
    """The (text, second text or None, label) of each row.

    Raises:
        UserError: all that `read_rows` raises; a column that is not there; a text or label that is empty or no text.
    """
    examples = []
    for line, row in read_rows(path):
        for column in (text_column, label_column):
            if column not in row:
                where = f"{path}, line {line}," if path.suffix.lower() == ".jsonl" else path
                raise UserError(
                    f"{where} has no column {column!r}, only {', '.join(map(repr, row))}: name yours with "
                    "--text-column and --label-column (and see that the first line names the columns)"
                )
        text, text_b, label = row[text_column], row.get(text_b_column), row[label_column]
        if isinstance(label, (int, float, bool)):
            label = str(label)
        for column, value in ((text_column, text), (label_column, label), (text_b_column, text_b)):
            if value is None and column == text_b_column:
                continue
            if not isinstance(value, str) or not value.strip():
                raise UserError(
                    f"{path}, line {line}: the column {column!r} is empty or no text; fill it or remove the row"
                )
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise UserError(
                    f"{path}, line {line}: the column {column!r} holds half a character (a lone surrogate like "
                    "\\ud83c); write it whole or remove it"
                )
        examples.append((text, text_b, label.strip()))
    return examples
