"""Rows as lines: what is written is what is read again."""

import csv
import io
import json

import pytest

from minitune.data.written import Form, delimited, json_line

CELLS = ["plain", "", " a ", 'a "b"', "a,b\tc;d", "a\nb", "a\rb", "a\r\nb\n", "'", '"', "猫 é", "\x00\x1b", "\u2028"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_cells_come_back_as_they_were(delimiter):
    rows = [{"a": cell, "b, c": cell * 2} for cell in CELLS]
    text = delimited(rows, Form(delimiter))
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    assert found == [["a", "b, c"], *([row["a"], row["b, c"]] for row in rows)]
    assert delimited([{"a": 1, "b": "x"}], Form(delimiter)) == f"a{delimiter}b\n1{delimiter}x\n", "lines end in one \\n"


def test_other_values_are_json_and_what_is_missing_is_empty():
    rows = [{"a": None, "b": True}, {"b": [1, "é"], "c": 2.5}]
    assert delimited(rows, Form()) == 'a,b,c\n,true,\n,"[1, ""é""]",2.5\n'


def test_a_file_is_written_as_it_was_read():
    rows = [{"1": 'say "so"', "2": "x"}, {"1": "a\nb", "2": ""}]
    assert delimited(rows, Form("\t", header=False, quoting=False)) == 'say "so"\tx\n"a\nb"\t\n'
    assert delimited(rows, Form(";", header=False)) == '"say ""so""";x\n"a\nb";\n'


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_line_of_json_is_one_printable_line(ascii_only):
    row = {cell: [cell, None] for cell in [*CELLS, "\ud83c", "\x7f\x9f", "😀"]}
    line = json_line(row, ascii_only)
    assert json.loads(line) == row and len(line.splitlines()) == 1 and line.isprintable()
    line.encode("ascii" if ascii_only else "utf-8")
    assert ("猫" in line) == (not ascii_only)
