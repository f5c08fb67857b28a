"""Rows as lines of a file: comma or tab separated, or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNSAFE = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # controls and half characters that json leaves as they are


def json_line(row: dict[str, Any], ascii_only: bool = False) -> str:
    """A row as JSON in one line, other alphabets as they are written; control and half characters as \\u escapes."""
    return HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(row, ensure_ascii=ascii_only))


@dataclass(frozen=True)
class Form:
    """How rows are written in a .csv or .tsv file.

    Args:
        header: a first line names the columns.
        quoting: without it, a quote is a letter like any other where a line can do without.
        safe: a cell that a spreadsheet would run as a formula gets a ' before it, a plain number excepted.
    """

    delimiter: str = ","
    header: bool = True
    quoting: bool = True
    safe: bool = False


def delimited(rows: Sequence[dict[str, Any]], form: Form) -> str:
    """A line for each row, with the columns in the order in which they first occur."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names] * form.header + [[cell(row.get(name)) for name in names] for row in rows]
    return "".join(delimited_line(list(map(harmless, line)) if form.safe else line, form) for line in lines)


def delimited_line(cells: Sequence[str], form: Form) -> str:
    if not form.quoting and not any(mark in cell for cell in cells for mark in (form.delimiter, "\r", "\n")):
        return form.delimiter.join(cells) + "\n"
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=form.delimiter, lineterminator="\r\n").writerow(cells)  # so both are put in quotes
    return line.getvalue().removesuffix("\r\n") + "\n"


def cell(value: Any) -> str:
    """A text as it is, nothing as an empty cell, anything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def harmless(text: str) -> str:
    return f"'{text}" if text.startswith(UNSAFE) and not is_number(text) else text


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.ASCII | re.IGNORECASE) is not None
