"""Fields between separators, .csv and .tsv, as people have them: with semicolons for commas, with quotes that mean
nothing, without a line of names. What is guessed is noted."""

from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import islice
from typing import Any, NamedTuple

from minitune.data.reading import SEPARATORS, BadRow, Layout, Reading
from minitune.errors import UserError

DELIMITERS = {".csv": ",", ".tsv": "\t"}  # what usually separates the fields
TRIED = 50  # lines that a separator is guessed from
USUAL_NAMES = ("text", "label")
EVEN = 0.9  # the share of lines with the same number of fields from which a file is taken for a table
Lines = list[tuple[int, list[str]]]  # the fields of each line, with its number


class Delimited(NamedTuple):
    delimiter: str
    columns: list[str]
    rows: list[tuple[str, dict[str, Any]]]  # with the line that each ends on


def delimited(reading: Reading, text: str) -> Delimited:
    """The fields of a file under the names of their columns.

    Raises:
        UserError: a quote that is not closed, or is followed by something else than a new field; two columns with one
            name; rows that cannot be used, or none.
    """
    delimiter = separator_of(reading, text)
    lines = fields_of(reading, text, delimiter)
    full = [(number, fields) for number, fields in lines if any(value.strip() for value in fields)]
    if len(full) < len(lines):
        reading.notes.append(f"empty rows that are skipped: {len(lines) - len(full)}")
    has_names = reading.layout.header
    columns = names_of(full.pop(0)[1], full) if has_names else list(map(str, range(1, usual_width(full)[0] + 1)))
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UserError(f"{reading.path} has the column {twice[0]!r} twice; give each column a name of its own")
    if not full:
        raise UserError(
            f"{reading.path} has a first line and no rows below it; is the line with the names of the columns missing? "
            "(--no-header reads a file without one)"
        )

    def named(fields: list[str]) -> dict[str, Any]:
        if len(fields) < len(columns) or any(fields[len(columns) :]):
            names = f"the first line names {len(columns)} columns ({', '.join(columns)})"
            raise BadRow(
                f"{len(fields)} fields, and {names if has_names else f'most lines have {len(columns)}'}",
                f"put a text with a {delimiter!r} in it between double quotes",
                "another number of fields",
            )
        return dict(zip(columns, fields, strict=False))

    rows = reading.each([(f"line {number}", fields) for number, fields in full], named)
    return Delimited(delimiter, columns, rows)


def names_of(first: list[str], rows: Lines) -> list[str]:
    """The columns' names. One without a name is called by its place, and at the end, with no content either, as in
    "text,label,,", it is no column."""
    names = [" ".join(name.split()) for name in first]  # a name is one line
    while len(names) > 1 and not names[-1] and not any(any(fields[len(names) - 1 :]) for _, fields in rows):
        names.pop()
    return [name or str(place) for place, name in enumerate(names, start=1)]


def separator_of(reading: Reading, text: str) -> str:
    """The one that is given, or else a guess."""
    layout, usual = reading.layout, DELIMITERS[reading.path.suffix.lower()]
    if layout.separator:
        return layout.separator
    found = find_separator(text, usual, layout)
    if found != usual:
        name = next(name for name, mark in SEPARATORS.items() if mark == found)
        reading.notes.append(f"the columns are separated by {name}s")
    return found


def find_separator(text: str, usual: str, layout: Layout) -> str:
    """The usual one, unless the file's first lines speak for another one: it parts them alike, and makes columns of the
    expected names, or without names a column of few values that come again and again, as labels do."""
    lines = [line for line in islice(io.StringIO(text, newline=None), TRIED) if line.strip()]
    others = [mark for mark in SEPARATORS.values() if mark != usual and mark in lines[0]]
    if not others or (usual == "\t" and "\t" in lines[0]):  # few texts hold tabs
        return usual
    expected = {name for name in (layout.text, layout.label, layout.text_b) if name} or {*USUAL_NAMES}

    def speaks(mark: str) -> tuple:
        """The higher, the more."""
        rows = list(csv.reader(lines, delimiter=mark, quotechar=layout.quote, quoting=quoting_of(layout.quoting)))
        is_even = len(set(map(len, rows))) == 1 and len(rows[0]) > 1
        if layout.header:
            return len(expected & {name.strip() for name in rows[0]}), len(rows[0]) > 1, is_even, mark == usual
        columns = zip(*rows, strict=False) if is_even else ()
        fewest = min((len(set(values)) for values in columns), default=len(rows))
        return is_even, fewest <= max(1, len(rows) // 2), mark == usual, -fewest

    return max((usual, *others), key=speaks)


def fields_of(reading: Reading, text: str, delimiter: str) -> Lines:
    """By the rules of quoting; between tabs without them, where they do not close or run over the ends of lines, and
    most lines are alike without them: few programs that write tabs write quotes."""
    layout = reading.layout
    if not layout.quoting:
        return csv_lines(reading, text, delimiter, quoting=False)
    plain = csv_lines(reading, text, delimiter, quoting=False) if delimiter == "\t" and layout.quote in text else []
    is_even = usual_width(plain)[1] > EVEN
    try:
        quoted = csv_lines(reading, text, delimiter, quoting=True)
    except UserError:
        if not is_even:
            raise
    else:
        if not is_even or not any("\n" in value for _, fields in quoted for value in fields):
            return quoted
    reading.notes.append("its quotes do not close, so a quote is read as a letter, as --no-quoting does")
    return plain


def usual_width(lines: Lines) -> tuple[int, float]:
    """How many fields most lines have, and the share of the lines that have so many."""
    counts = Counter(len(fields) for _, fields in lines if fields)
    width, many = counts.most_common(1)[0] if counts else (0, 0)
    return width, many / max(1, counts.total())


def csv_lines(reading: Reading, text: str, delimiter: str, quoting: bool) -> Lines:
    """Raises:
    UserError: a quote that is not closed, or is followed by something else than a new field.
    """
    csv.field_size_limit(2**31 - 1)  # a text may be long; it is cut later, and counted
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=reading.layout.quote,
        quoting=quoting_of(quoting),
        strict=quoting,
    )
    try:
        return [(reader.line_num, fields) for fields in reader]
    except csv.Error as error:
        raise UserError(
            f"{reading.path}, line {reader.line_num}: {error}; mend the line's quotes, or read quotes as letters with "
            "--no-quoting"
        ) from None


def quoting_of(quoting: bool) -> int:
    return csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
