"""From bytes to rows: every form of a file gives the same table, and JSON that says a thing twice is refused."""

import json

import pytest

from minitune.data.columns import Columns, find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
ROWS = [{"text": "good, very good", "label": "pos"}, {"text": 'a "dull"\nfilm', "label": "neg"}]
FORMS = {
    "a.csv": 'text,label\n"good, very good",pos\n"a ""dull""\nfilm",neg\n',
    "a.tsv": 'text\tlabel\ngood, very good\tpos\n"a ""dull""\nfilm"\tneg\n',
    "a.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "a.json": json.dumps(ROWS, indent=1),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(write, name):
    table = read_table(Reading(write(FORMS[name], name)))
    assert [row for _, row in table.rows] == ROWS and table.columns == ["text", "label"] and table.has_names


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_field_that_is_there_twice_is_refused_however_deep(write, name):
    for second in ('{"text": "b", "text": "c"}', '{"text": {"x": 1, "x": 2}}'):
        rows = f'{{"text": "a"}}\n{second}' if name == "a.jsonl" else f'[{{"text": "a"}}, {second}]'
        with pytest.raises(UserError, match=r"2: the field '(text|x)' is there twice; keep one of them"):
            read_table(Reading(write(rows, name)))


@pytest.mark.parametrize(
    ("names", "layout", "expected"),
    [
        (["text", "label"], Layout(), Columns("text", None, "label")),
        (["text", "text_b", "label"], Layout(), Columns("text", "text_b", "label")),
        (["text", "text_b", "label"], Layout(text_b=""), Columns("text", None, "label")),
        (["instruction", "input", "output"], Layout(), Columns("instruction", "input", "output")),
        (["instruction", "output"], Layout(), Columns("instruction", None, "output")),
        (["instruction", "output", "text", "label"], Layout(), Columns("text", None, "label")),
        (
            ["instruction", "output", "text", "label"],
            Layout(kind="instructions"),
            Columns("instruction", None, "output"),
        ),
        (["tokens", "tags", "id"], Layout(), Columns("tokens", None, "tags")),
        (["q", "a"], Layout("q", None, "a", kind="instructions"), Columns("q", None, "a")),
    ],
)
def test_the_usual_columns_by_what_the_file_has(write, names, layout, expected):
    path = write(json.dumps([dict.fromkeys(names, "x")]), "a.json")
    reading = Reading(path, layout)
    assert find_columns(read_table(reading), reading) == expected


def test_fields_of_a_record_that_are_not_used_are_said(write):
    records = [
        {"instruction": "a", "output": "b", "system": "be kind"},
        {"instruction": "c", "output": "d", "history": []},
    ]
    reading = Reading(write(json.dumps(records), "a.json"))
    find_columns(read_table(reading), reading)
    assert reading.report() == ["columns that are not used: system, history"]
