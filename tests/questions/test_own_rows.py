"""A user's own file: what is read, and what is refused with the line that is wrong."""

import random

import pytest

from minitune.data.columns import find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.questions.own_kinds import OWN_KINDS, rows_of

pytestmark = pytest.mark.lesson04


def read_examples(path, *columns, **how):
    """(text, second text, label) of each row."""
    reading = Reading(path, Layout(*columns, **how))
    table = read_table(reading)
    return [row[:3] for row in rows_of(OWN_KINDS["classes"], table, find_columns(table, reading), reading)]


# what is read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"good, very good",pos\n"a ""dull""\nfilm",neg\n'),
        ("a.CSV", '\ufefftext,label\r\n"good, very good",pos\r\n\r\n"a ""dull""\nfilm",neg'),
        ("a.tsv", 'text\tlabel\ngood, very good\tpos\n"a ""dull""\nfilm"\tneg\n'),
        ("a.jsonl", '{"text": "good, very good", "label": "pos"}\n\n{"text": "a \\"dull\\"\\nfilm", "label": "neg"}\n'),
    ],
)
def test_the_same_rows_in_every_format(write, name, content):
    expected = [("good, very good", None, "pos"), ('a "dull"\nfilm', None, "neg")]
    assert read_examples(write(content, name)) == expected


def test_columns_by_name_in_any_order_and_a_second_text(write):
    path = write("stars, id ,text_b,review\n5,1,and b,a\n1,2,more, c \n")
    assert read_examples(path, "review", None, "stars") == [("a", "and b", "5"), (" c ", "more", "1")]


def test_labels_may_be_numbers_and_truth_values_in_json(write):
    path = write('{"text": "a", "label": 1}\n{"text": "b", "label": false}\n{"text": "c", "label": " x "}', "a.jsonl")
    assert [label for *_, label in read_examples(path)] == ["1", "False", "x"]


def test_a_row_knows_the_line_that_it_ends_on(write):
    table = read_table(Reading(write('text,label\n"two\nlines",a\n\nb,c\n')))
    assert [place for place, _ in table.rows] == ["line 3", "line 5"]


def test_a_very_long_text_is_read_whole(write):
    text = "word " * 50_000
    assert read_examples(write(f"text,label\n{text},a\n"))[0][0] == text


def notes_of(path, *columns, **how):
    reading = Reading(path, Layout(*columns, **how))
    find_columns(read_table(reading), reading)
    return " / ".join(reading.report())


# files as people have them


EXPECTED = [("it was good, I say", None, "pos"), ('a "dull" film', None, "neg")]


@pytest.mark.parametrize(
    ("name", "content", "how", "note"),
    [
        ("a.csv", 'text;label\nit was good, I say;pos\na "dull" film;neg\n', {}, "separated by semicolons"),
        ("a.csv", 'text\tlabel\nit was good, I say\tpos\na "dull" film\tneg\n', {}, "separated by tabs"),
        ("a.tsv", 'label\ttext\npos\tit was good, I say\nneg\ta "dull" film\n', {}, ""),
        ("a.csv", 'it was good, I say;pos\na "dull" film;neg\n', {"header": False}, "semicolons / column 1 is taken"),
        ("a.tsv", 'pos\tit was good, I say\nneg\ta "dull" film\n', {"header": False}, "column 2 is taken for the text"),
        ("a.csv", 'text,label\n"it was good, I say",pos\n,\n\n"a ""dull"" film",neg\n', {}, "that are skipped: 2"),
        ("a.csv", 'text,label,when\n"it was good, I say",pos,1\n"a ""dull"" film",neg,2\n', {}, "not used: when"),
    ],
)  # fmt: skip
def test_what_is_guessed_of_a_file_is_said(write, name, content, how, note):
    path = write(content, name)
    assert read_examples(path, **how) == EXPECTED
    assert note in notes_of(path, **how) and bool(note) == bool(notes_of(path, **how))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_marked_encoding_is_known_by_its_mark_and_others_by_name(write, encoding):
    assert read_examples(write("text,label\n很好,正面\n", encoding=encoding)) == [("很好", None, "正面")]
    latin = write("text,label\ncafé,bon\n", "b.csv", "latin-1")
    assert read_examples(latin, encoding="latin-1") == [("café", None, "bon")]


def test_quotes_that_do_not_close_are_letters_in_a_tsv_alone(write):
    content = 'text\tlabel\n"good, he said\tpos\nit was dull"\tneg\n'
    expected = [('"good, he said', None, "pos"), ('it was dull"', None, "neg")]
    assert read_examples(write(content, "a.tsv")) == expected, "a quote must not swallow the rows up to the next one"
    assert "quotes do not close" in notes_of(write(content, "a.tsv"))
    with pytest.raises(UserError, match=r"line 3: .*--no-quoting"):
        read_examples(write('text,label\n"good he said,pos\nit was dull,neg\n'))
    assert len(read_examples(write('text,label\n"good he said,pos\nit was dull",neg\n'), quoting=False)) == 2
    whole = 'text\tlabel\n"two\nlines"\tpos\n'
    assert read_examples(write(whole, "b.tsv")) == [("two\nlines", None, "pos")], "these quotes do close"


def test_a_second_text_under_its_own_name_and_one_that_is_overlooked(write):
    path = write("id,sentence1,sentence2,label\n1,a,it was good,yes\n2,c,it was bad,no\n")
    assert read_examples(path, "sentence1", "sentence2")[0] == ("a", "it was good", "yes")
    notes = notes_of(path, "sentence1")
    assert "not used: id, sentence2" in notes and "--text-b-column sentence2" in notes
    assert "--text-b-column" not in notes_of(path, "sentence1", "sentence2")


# what is refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", " \n\n", "a.csv is empty"),
        ("a.csv", "text,label\n", "first line and no rows below"),
        ("a.csv", "good film,pos\nbad film,neg\n", r"no column 'text'.* 'good film', 'pos': name yours with"),
        ("a.csv", "text,stars\na,5\n", r"no column 'label'.* 'text', 'stars'"),
        ("a.csv", "text,label\ngood,pos\na, b,neg\n", r"line 3: 3 fields, and the first line names 2 .*text, label"),
        ("a.csv", "text,label\ngood,pos\nbad\n", "line 3: 1 fields"),
        ("a.csv", 'text,label\n"go"od,pos\n', "line 2: .*mend the line's quotes"),
        ("a.csv", 'text,label\ngood,pos\n"bad,neg\n', "line 3: .*mend the line's quotes"),
        ("a.csv", "text,label\ngood,\n", "line 2: the column 'label' is empty"),
        ("a.csv", "text,label\ngood,pos\n  ,neg\n", "line 3: the column 'text' is empty"),
        ("a.csv", "text,label,text_b\na,b, \n", "line 2: the column 'text_b' is empty"),
        ("a.csv", "text,label,text\na,b,c\n", "the column 'text' twice"),
        ("a.csv", b"text,label\ncaf\xe9,pos\n", "1 byte is not UTF-8: 0xe9 in line 2, column 4"),
        ("a.csv", "text;label\ngood;pos\nbad\n", "line 3: 1 fields"),
        (
            "a.jsonl",
            '{"text": "a", "text_b": "c", "label": 1}\n{"text": "b", "label": 2}\n',
            "line 2: there is no second",
        ),
        ("a.jsonl", '{"text": "a", "label": NaN}\n', "line 1: the column 'label' is empty"),
        ("a.xlsx", "text,label\n", r"ends in .xlsx; a .csv, .tsv or .jsonl"),
        ("a", "text,label\n", "ends in nothing"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", "label"\n', "line 2: no valid JSON .*column 22"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n\n["a", "b"]\n', "line 3: a list where an object"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a"}\n', "line 2: there is no 'label'"),
        ("a.jsonl", '{"text": 7, "label": "b"}\n', "line 1: the column 'text' is empty or no text"),
        ("a.jsonl", '{"text": "a", "label": null}\n', "line 1: the column 'label' is empty or no text"),
        ("a.jsonl", '{"text": "a \\ud83c b", "label": "b"}\n', r"line 1: the column 'text' .*half a character"),
        ("a.jsonl", '{"a": ' * 5000 + "1" + "}" * 5000, "line 1: JSON that cannot be read"),
        ("a.jsonl", '\n{"text": ' + "1" * 5000 + "}", "line 2: JSON that cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(write, name, content, message):
    with pytest.raises(UserError, match=message):
        read_examples(write(content, name))


@pytest.mark.parametrize(
    ("columns", "how", "message"),
    [
        (("a", None, "a"), {}, "'a' is named by --text-column and by --label-column"),
        (("a", "a", "b"), {}, "'a' is named by --text-column and by --text-b-column"),
        (("a", "b", "b"), {}, "'b' is named by --text-b-column and by --label-column"),
        (("a", "d", "b"), {}, "no column 'd', only 'a', 'b', 'c'.*--text-b-column"),
        ((), {"header": False}, "3 columns without names, called 1, 2, 3: say which is which"),
        (("1",), {"header": False}, "say which is which"),
        (("1", None, "4"), {"header": False}, "no column '4', only '1', '2', '3'"),
    ],
)
def test_columns_that_serve_no_one_purpose(write, columns, how, message):
    with pytest.raises(UserError, match=message):
        read_examples(write("a,b,c\n1,2,3\n"), *columns, **how)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read_examples(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_examples(tmp_path / "folder.csv")


def test_whatever_a_file_holds_the_error_is_a_sentence(write):
    rng = random.Random(0)
    parts = ["text", "label", ",", "\t", '"', "\n", "\r", "{", "}", ":", "\x00", "é", "1", " ", "[", "null", "\\u"]
    for round_number in range(300):
        content = "text,label\n" * rng.randrange(2) + "".join(rng.choices(parts, k=rng.randrange(25)))
        data = content.encode(rng.choice(["utf-8", "latin-1"]))
        path = write(data, f"a{round_number}.{rng.choice(['csv', 'tsv', 'jsonl'])}")
        try:
            rows = read_examples(path)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error).replace(repr(content), "")
        else:
            assert all(text.strip() and label for text, _, label in rows)
