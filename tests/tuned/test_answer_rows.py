"""A user's file comes back with its answers: every column as it was, and nothing overwritten."""

import csv
import json
import os

import pytest

from minitune.data.delimited import DELIMITERS
from minitune.data.examples import Example
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.data.written import Form
from minitune.errors import UserError
from minitune.tuned.answer_rows import check_columns, check_output, is_json, json_rows, write_answers
from minitune.tuned.answers import answers_to
from minitune.tuned.queries import Written, ask_rows, rows_of, text_columns
from tests import tiny
from tests.tiny import TAGS, TEXT
from tests.tuned.shared import PAIRS, TEXTS, build

pytestmark = pytest.mark.lesson04


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def predict_file(predictor, question, path, out, text_column=None, column="answer", with_chances=False, safe=False):
    """What the command does with --data and --out; returns how many rows there are."""
    check_output(out, replace=True)
    reading = Reading(path, Layout(text_column))
    table = read_table(reading)
    queries = ask_rows(rows_of(table), question, *text_columns(table, reading, question, {}))
    check_columns(queries, question, column, is_json(out), with_chances)
    form = None if is_json(out) else Form(DELIMITERS[out.suffix], safe=safe)
    write_answers(answers_to(predictor, question, queries, with_chances), out, column, form)
    return len(queries)


def write_rows(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="," if path.suffix == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)


@pytest.mark.parametrize("written", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize("given", [".csv", ".tsv", ".jsonl"])
def test_a_file_comes_back_whole_with_one_column_more(tmp_path, given, written):
    predictor = build("bert")
    rows = [{"id": str(i), "review": text, "größe": "ü || ,\t"} for i, text in enumerate(TEXTS)]
    write_rows(tmp_path / f"in{given}", rows)
    out = tmp_path / "deep" / f"out{written}"
    assert predict_file(predictor, tiny.question("bert"), tmp_path / f"in{given}", out, "review") == len(TEXTS)
    answers = predictor.answers([Example(text) for text in TEXTS])
    more = {"cut": 0} if written == ".jsonl" else {}
    expected = [{**row, "answer": answer, **more} for row, answer in zip(rows, answers, strict=True)]
    assert [row for _, row in read_table(Reading(out)).rows] == expected
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_file_of_pairs_and_one_whose_texts_hold_the_sign_between_them(kind, tmp_path):
    rows = [{"text": "a || b", "text_b": "great soup"}, {"text": "a dull film", "text_b": "so || slow"}]
    write_rows(tmp_path / "in.csv", rows)
    predictor = build(kind, "frozen+head", PAIRS[kind])
    predict_file(predictor, PAIRS[kind], tmp_path / "in.csv", tmp_path / "out.csv")
    expected = predictor.answers([Example(row["text"], row["text_b"]) for row in rows])
    assert [row["answer"] for _, row in read_table(Reading(tmp_path / "out.csv")).rows] == expected
    write_rows(tmp_path / "single.csv", [{"text": row["text"]} for row in rows])
    assert predict_file(build(kind), tiny.question(kind), tmp_path / "single.csv", tmp_path / "out.csv") == 2


def test_a_file_of_rows_that_differ_keeps_every_column(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "great", "n": 1}\n\n{"text": "soup", "m": [2, null]}\n')
    predict_file(build("bert"), tiny.question("bert"), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    rows = [row for _, row in read_table(Reading(tmp_path / "out.jsonl")).rows]
    assert [list(row) for row in rows] == [["text", "n", "answer", "cut"], ["text", "m", "answer", "cut"]]
    predict_file(build("bert"), tiny.question("bert"), tmp_path / "in.jsonl", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "text,n,answer,m" and lines[2].endswith(',"[2, null]"'), "JSON stays JSON in a cell"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "in.csv",
            "review,label\na,b\n",
            "in.csv has no column 'text', only 'review', 'label': name",
        ),
        ("in.csv", "text,text_b\na,b\n", r"in\.csv, line 2: this was trained on single texts"),
        ("in.jsonl", '{"text": "a", "text_b": "b"}\n', r"in\.jsonl, line 1: this was trained on single texts"),
        ("in.csv", "text\n", "no rows"),
        ("in.csv", "", "is empty"),
        ("in.txt", "a\n", "ends in .txt"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_written(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=expected):
        predict_file(build("bert"), tiny.question("bert"), tmp_path / name, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (" ", "no text in the column 'text'; the columns are text, id"),
        (3, "the column 'text' holds a number, and a text was expected"),
        (["a"], "the column 'text' holds a list"),
        (None, "no text in the column 'text'"),
        ("\ud83c", "a text holds half a character"),
        ("a\0b", "a text holds a zero byte"),
        ("\u0301", "the model reads no token of it"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_row_that_cannot_be_asked_stays_without_an_answer(tmp_path, bad, why, ending):
    path, out = tmp_path / "in.jsonl", tmp_path / f"out.{ending}"
    rows = [{"text": "great", "id": "1"}, {"text": bad, "id": "2"}, {"text": "soup", "id": "3"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    question, predictor = tiny.question("bert"), build("bert")
    queries = ask_rows(rows_of(read_table(Reading(path))), question, "text", "text_b")
    answers = answers_to(predictor, question, queries, with_chances=True)
    if bad != "\ud83c":  # no .csv can hold it
        write_answers(answers, out)
        written = read_table(Reading(out)).rows
        assert [row["id"] for _, row in written] == ["1", "2", "3"], "a row is lost"
        assert [bool(row["answer"]) for _, row in written] == [True, False, True]
    expected = predictor.answers([Example("great"), Example("soup")])
    assert answers.values == [expected[0], None, expected[1]], "an answer slipped to another row"
    assert answers.chances[1] == {"bad": None, "fair": None, "good": None} and answers.chances[2]["bad"] is not None
    assert answers.notes()[0].startswith(f"without an answer: 1 of 3 ({path}, line 2: {why}")


def test_a_pair_without_its_second_text_stays_without_an_answer(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text,text_b\na,b\nc, \n")
    queries = ask_rows(rows_of(read_table(Reading(path))), PAIRS["bert"], "text", "text_b")
    answers = answers_to(build("bert", "frozen+head", PAIRS["bert"]), PAIRS["bert"], queries)
    assert answers.values[0] and answers.values[1] is None
    assert f"{path}, line 3: this was trained on pairs of texts" in answers.notes()[0]


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.xlsx"])
def test_an_output_of_no_known_kind_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"let it end in \.csv, \.tsv or \.jsonl"):
        check_output(tmp_path / name)


def test_nothing_of_the_users_is_overwritten_unasked(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "mine.CSV").write_text("precious")
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    for name in ("mine.CSV", "link.csv"):
        with pytest.raises(UserError, match=r"already; name another, or replace it with --force"):
            check_output(tmp_path / name)
        check_output(tmp_path / name, replace=True)
    os.mkfifo(tmp_path / "pipe.csv")
    check_output(tmp_path / "pipe.csv")  # nothing is in it that could be lost
    with pytest.raises(UserError, match="it is a folder"):
        check_output(tmp_path / "folder.csv", replace=True)
    with pytest.raises(UserError, match="too long"):
        check_output(tmp_path / f"{'x' * 300}.csv")


def test_tags_and_texts_are_predicted_from_files_too(tmp_path):
    write_rows(tmp_path / "in.csv", [{"text": "great soup , zqzq"}])
    predict_file(build("bert", "lora", TAGS), TAGS, tmp_path / "in.csv", tmp_path / "out.csv")
    ((_, row),) = read_table(Reading(tmp_path / "out.csv")).rows
    assert len(row["answer"].split()) == 4 and set(row["answer"].split()) <= set(TAGS.labels)
    predict_file(build("gpt", "lora", TEXT), TEXT, tmp_path / "in.csv", tmp_path / "out.csv")
    assert len(read_table(Reading(tmp_path / "out.csv")).rows) == 1


# what is added


def queries(question, *rows):
    return ask_rows(
        [Written(f"line {n}", {"text": "great"} | row) for n, row in enumerate(rows, 1)], question, "text", ""
    )


@pytest.mark.parametrize(
    ("row", "column", "as_json", "with_chances", "expected"),
    [
        ({"answer": ""}, "answer", False, False, "line 2: there is a column 'answer' already.* --answer-column NAME"),
        ({"answer": 1}, "answer", True, False, "line 2: there is a column 'answer' already"),
        ({"cut": 1}, "answer", True, False, "line 2: there is a column 'cut' already.*rename it$"),
        ({"cut": 1}, "answer", False, True, None),
        ({"good": 1}, "answer", False, True, "'good' already.*rename it .or write .jsonl"),
        ({"good": 1}, "answer", True, True, None),
        ({"probabilities": 1}, "answer", True, True, "'probabilities' already"),
        ({"probabilities": 1}, "answer", True, False, None),
        ({}, "good", False, True, "another column is called 'good'"),
        ({}, "good", False, False, None),
        ({}, "cut", True, False, "another column is called 'cut'"),
        ({}, " ", True, False, "no column can be called ' '"),
        ({}, "\udcff", False, False, "no column can be called"),
        ({"note": "\ud83c"}, "answer", False, False, "line 2: a cell holds half a character"),
        ({"\ud83c": 1}, "answer", False, False, "line 2: a cell holds half a character"),
        ({"note": ["\ud83c"]}, "answer", False, False, "line 2: a cell holds half a character"),
        ({"note": "\ud83c"}, "answer", True, False, None),
    ],
)
def test_no_column_is_overwritten(row, column, as_json, with_chances, expected):
    question = tiny.question("bert")
    asked = queries(question, {}, row)
    if expected is None:
        check_columns(asked, question, column, as_json, with_chances)
        return
    with pytest.raises(UserError, match=expected):
        check_columns(asked, question, column, as_json, with_chances)


def test_json_keeps_types_and_alphabets_and_half_characters(tmp_path):
    row = {"text": "great 猫", "n": 1, "deep": {"x": [None, True, 2.5]}, "half": "\ud83c", "end": "\u2028\x1b\x9f"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    question = tiny.question("bert")
    predict_file(build("bert"), question, tmp_path / "in.jsonl", tmp_path / "out.jsonl", with_chances=True)
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert "猫" in text and "\\ud83c" in text and text.count("\n") == len(text.splitlines()) == 1
    assert text.strip().isprintable(), "a control character would reach whoever prints the file"
    found = json.loads(text)
    assert list(found) == [*row, "answer", "cut", "probabilities"] and {name: found[name] for name in row} == row
    assert list(found["probabilities"]) == list(tiny.LABELS) and abs(sum(found["probabilities"].values()) - 1) < 1e-5


def test_probabilities_in_a_file_are_columns_named_by_the_classes(tmp_path):
    write_rows(tmp_path / "in.csv", [{"text": text} for text in TEXTS])
    predictor = build("bert")
    args = predictor, tiny.question("bert"), tmp_path / "in.csv", tmp_path / "out.tsv"
    predict_file(*args, column="opinion", with_chances=True)
    rows = [row for _, row in read_table(Reading(tmp_path / "out.tsv")).rows]
    assert list(rows[0]) == ["text", "opinion", *tiny.LABELS]
    expected = predictor.scores([Example(text) for text in TEXTS]).softmax(dim=1).tolist()
    assert [[float(row[label]) for label in tiny.LABELS] for row in rows] == [
        pytest.approx(e, abs=2e-6) for e in expected
    ]


def test_tags_are_a_list_in_json():
    tagger = build("bert", "lora", TAGS)
    asked = queries(TAGS, {"text": "great soup ,"}, {"text": "great " * 70})
    rows = json_rows(answers_to(tagger, TAGS, asked), "tags")
    assert all(isinstance(row["tags"], list) for row in rows), "tags are joined to one text: JSON has lists"
    assert [len(row["tags"]) for row in rows] == [3, 70]
    assert [row["cut"] for row in rows] == [0, 70 + 2 - 61]


def test_cells_that_spreadsheets_run_are_made_harmless_if_asked(tmp_path):
    cells = {"=1+1": "'=1+1", "-2.5": "-2.5", "- so": "'- so", "@x": "'@x", "+a": "'+a", "a=": "a=", "\tx": "'\tx"}
    write_rows(tmp_path / "in.csv", [{"text": "great", "=note": cell} for cell in cells])
    for safe in (False, True):
        predict_file(build("bert"), tiny.question("bert"), tmp_path / "in.csv", tmp_path / "out.csv", safe=safe)
        rows = [list(row.values())[1] for _, row in read_table(Reading(tmp_path / "out.csv")).rows]
        assert rows == (list(cells.values()) if safe else list(cells))
    assert (tmp_path / "out.csv").read_text().startswith("text,'=note,answer")
