"""Lesson 24, records of an instruction file: read as they stand, and what is wrong told with its place."""

import json
from dataclasses import replace

import pytest

from minitune.data.columns import find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.questions.from_file import FIELDS, named_fields
from minitune.questions.own_kinds import OWN_KINDS, rows_of
from minitune.questions.own_rows import Labelled

pytestmark = pytest.mark.lesson24
ROWS = [
    {"instruction": "把这句话翻译成英文。", "input": "我喜欢汤。", "output": "i like soup ."},
    {"instruction": "name a soup", "input": "", "output": "tomato"},
    {"instruction": " say it \n twice ", "input": None, "output": " it it", "more": [1, {"a": 2}]},
    {"output": "🐈", "input": "cat", "instruction": "as a picture"},
]


def write(path, rows=ROWS, encoding="utf-8", mark="", **how):
    """`rows` as the ending says, a list or a record a line."""
    how = {"ensure_ascii": False} | how
    text = "\n".join(json.dumps(row, **how) for row in rows) if path.suffix == ".jsonl" else json.dumps(rows, **how)
    path.write_bytes((mark + text).encode(encoding))
    return path


def read_records(path, fields=None, encoding=None):
    layout = Layout(kind="instructions") if fields is None else named_fields(fields)
    reading = Reading(path, replace(layout, encoding=encoding))
    table = read_table(reading)
    return rows_of(OWN_KINDS["instructions"], table, find_columns(table, reading), reading)


def contents(records):
    return [record[:3] for record in records]


EXPECTED = [
    ("把这句话翻译成英文。", "我喜欢汤。", "i like soup ."),
    ("name a soup", "", "tomato"),
    (" say it \n twice ", "", " it it"),
    ("as a picture", "cat", "🐈"),
]


@pytest.fixture(params=["a.json", "a.jsonl", "A.JSON"])
def path(request, tmp_path):
    return tmp_path / request.param


# by hand


def test_records_come_as_they_stand_in_their_order_with_their_places(path):
    write(path)
    records = read_records(path)
    assert contents(records) == EXPECTED, "a space is lost, a record is sorted away, or null is read as a word"
    place = "line" if path.suffix == ".jsonl" else "record"
    assert [record.where for record in records] == [f"{path}, {place} {n}" for n in (1, 2, 3, 4)]
    assert records[1] == Labelled("name a soup", "", "tomato", f"{path}, {place} 2")


def test_a_place_counts_the_empty_lines_too(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n" + json.dumps(ROWS[1]) + "\r\n\n \n" + json.dumps(ROWS[3]) + "\n")
    assert [record.where for record in read_records(path)] == [f"{path}, line 2", f"{path}, line 5"]
    assert contents(read_records(path)) == [EXPECTED[1], EXPECTED[3]]


def test_other_names_of_the_fields(path):
    rows = [{"q": "a", "instruction": "wrong", "context": "b", "output": "wrong", "answer": "c"}]
    assert contents(read_records(write(path, rows), ("q", "context", "answer"))) == [("a", "b", "c")]


def test_two_fields_leave_the_input_empty(path):
    rows = [{"question": "why ?", "answer": "so .", "input": "this one is not asked for"}]
    assert contents(read_records(write(path, rows), ("question", "answer"))) == [("why ?", "", "so .")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("instruction,input,output", FIELDS),
        (" question , answer ", ("question", "answer")),
        ("问题,回答", ("问题", "回答")),
        ("a b,c", ("a b", "c")),
    ],
)
def test_fields_by_hand(text, names):
    layout = named_fields(text.split(","))
    assert (layout.text, *([layout.text_b] if layout.text_b else []), layout.label) == names


@pytest.mark.parametrize("text", ["", "instruction", "a,b,c,d", "a,,c", "a,b,a", "a, ", ",", "a,a"])
def test_fields_that_are_not_two_or_three_names_are_refused(text):
    with pytest.raises(UserError, match=r"are not two or three different names; write them as in instruction,input"):
        named_fields(text.split(","))


# invariants


def test_the_encoding_does_not_matter_where_it_is_told(path):
    for encoding in ("utf-16-le", "utf-16-be", "gb18030"):
        write(path, encoding=encoding)
        assert contents(read_records(path, encoding=encoding)) == EXPECTED, encoding


def test_a_mark_at_the_beginning_belongs_to_no_record(path):
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        write(path, encoding=encoding, mark="\ufeff")
        assert contents(read_records(path)) == EXPECTED, f"the mark of {encoding} is taken for text"
        assert contents(read_records(path, encoding=encoding)) == EXPECTED, f"the mark of {encoding}, when it is named"
    write(path, encoding="utf-16")
    assert contents(read_records(path, encoding="utf-16")) == EXPECTED


def test_escapes_and_indents_are_the_same_text(tmp_path):
    plain, escaped = (write(tmp_path / name, ensure_ascii=name != "a.json") for name in ("a.json", "b.json"))
    assert contents(read_records(plain)) == contents(read_records(escaped)) == EXPECTED
    assert contents(read_records(write(tmp_path / "c.json", indent=3))) == EXPECTED


# what is refused: one good record stands before each bad one


def changed(**fields):
    return {"instruction": "a", "input": "b", "output": "c"} | fields


BAD = {
    "a missing field": (
        {"instruction": "a", "Output": "c"},
        "there is no 'output', only 'instruction', 'Output'; add it or remove the row",
    ),
    "no field at all": ({}, "there is no 'instruction', only nothing; add it"),
    "an empty instruction": (changed(instruction=""), "the field 'instruction' is empty; fill it or remove the record"),
    "a blank instruction": (changed(instruction=" \n\t"), "the field 'instruction' is empty"),
    "an empty output": (changed(output=" "), "the field 'output' is empty; fill it or remove the record"),
    "an output of null": (changed(output=None), "the field 'output' is empty"),
    "a number": (changed(output=7), "the field 'output' is a number; a text between double quotes was expected"),
    "a broken number": (changed(input=0.5), "the field 'input' is a number"),
    "a truth value": (changed(instruction=True), "the field 'instruction' is a truth value; a text between"),
    "a list": (changed(input=["b"]), "the field 'input' is a list; a text between double quotes"),
    "an object": (changed(output={"text": "c"}), "the field 'output' is an object; a text"),
    "half a character": (changed(input="b\ud83c"), r"the field 'input' holds half a character (a lone surrogate like"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_bad_record_is_told_with_its_place_and_its_field(tmp_path, name, ending):
    row, sentence = BAD[name]
    path = write(tmp_path / f"a.{ending}", [ROWS[1], row], ensure_ascii=True)
    with pytest.raises(UserError) as refusal:
        read_records(path)
    place = "record" if ending == "json" else "line"
    assert str(refusal.value).startswith(f"{path}, {place} 2: {sentence}")


def test_the_sentence_names_the_fields_as_they_are_called_there(path):
    write(path, [{"q": "a", "a": ""}])
    with pytest.raises(UserError, match="1: the field 'a' is empty"):
        read_records(path, ("q", "a"))
    with pytest.raises(UserError, match="has no column 'answer', only 'q', 'a': name the fields with --fields"):
        read_records(path, ("q", "answer"))


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ("{}", "an object"),
        ('{"instruction": "a", "input": "b", "output": "c"}', "an object"),
        ("[]", "an empty list"),
        ("7", "a number"),
        ("false", "a truth value"),
        ('"a text"', "a text"),
        ("null", "null"),
    ],
)
def test_a_file_that_holds_no_list_of_records_says_what_it_holds(tmp_path, content, held):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(UserError) as refusal:
        read_records(path)
    assert str(refusal.value).startswith(f'{path} holds {held}; a list of records like [{{"instruction": ...,')


@pytest.mark.parametrize(("row", "held"), [(7, "a number"), ("a", "a text"), ([], "a list"), (None, "null")])
def test_a_record_that_is_no_object_is_told_with_its_number(tmp_path, row, held):
    path = write(tmp_path / "a.json", [ROWS[0], ROWS[1], row])
    with pytest.raises(UserError) as refusal:
        read_records(path)
    assert str(refusal.value).startswith(f"{path}, record 3: {held} where an object like ")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b"[", "is no valid JSON: line 1, column 2"),
        ("a.json", b'[{"instruction": "a",\n "input" "b"}]', "is no valid JSON: line 2, column 10"),
        ("a.json", b"[" * 200_000, "holds JSON that cannot be read"),
        (
            "a.json",
            "[\u00e9]".encode("latin-1"),
            "1 byte is not UTF-8: 0xe9 in line 1, column 2; ",
        ),
        ("a.jsonl", b"\n \n", "is empty"),
        ("a.jsonl", b'{"instruction": "a"', "line 1: no valid JSON"),
        ("a.jsonl", b"[1]\n", "line 1: a list where an object like"),
        ("a.csv", b"instruction,input,output\n", "no rows below it"),
        ("a", b"[]", "ends in nothing"),
    ],
)
def test_a_damaged_file_is_told_with_its_name(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as refusal:
        read_records(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_or_of_an_unknown_encoding(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*a\.json"):
        read_records(tmp_path / "a.json")
    with pytest.raises(UserError, match="there is no encoding 'gbx'"):
        read_records(write(tmp_path / "a.json"), encoding="gbx")
