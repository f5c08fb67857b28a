"""Answers to a user's own texts: one by one, and for a whole file."""

import csv
import json

import pytest

from minitune.data.examples import Example
from minitune.data.rows import read_rows
from minitune.errors import UserError
from minitune.methods.answers import predict_file, predict_texts, shortened
from minitune.methods.ask import to_example
from minitune.methods.method import Method
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from tests import tiny
from tests.methods.test_method import TAGS, TEXT, a_short_first_fit

__all__ = ["a_short_first_fit"]
pytestmark = pytest.mark.lesson04
PAIRS = {"gpt": tiny.question("gpt", is_pair=True), "bert": tiny.question("bert", is_pair=True)}
TEXTS = ["great soup", "the film was awful , and the hero was dull", "猫 great ünï", 'a "dull" plot,\tnot so\ngood']


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def build(kind, name="frozen+head", question=None, *settings):
    return Method.parse(name, settings).build(tiny.checkpoint(kind), question or tiny.question(kind), seed=1)


# a text becomes an example


def test_texts_of_every_kind_of_question():
    asked = tiny.question("bert")
    assert to_example("  great soup ", asked) == Example("great soup")
    assert to_example("great soup||a film", PAIRS["bert"]) == Example("great soup", "a film")
    assert to_example("a || b || c", PAIRS["bert"]) == Example("a", "b || c")
    assert to_example("great || soup", TAGS) == TaggedWords(("great", "||", "soup"), (0, 0, 0))
    assert to_example("great | soup", TEXT) == Writing("great | soup")


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("", tiny.question("bert"), "empty text"),
        (" \n", tiny.question("bert"), "empty text"),
        ("", TAGS, "empty text"),
        ("", TEXT, "empty text"),
        ("a || b", tiny.question("bert"), r"single texts, and 'a \|\| b' is two"),
        ("a", PAIRS["bert"], r'pairs of texts; write both, as in "one text \|\| another text"'),
        ("a ||  ", PAIRS["bert"], "pairs of texts"),
        ("|| b", PAIRS["bert"], "empty text"),
        ("\udce9 soup", tiny.question("bert"), "half a character"),
        ("a || \ud83c", PAIRS["bert"], "half a character"),
    ],
)
def test_what_is_no_text_for_the_question_is_one_sentence(text, question, expected):
    with pytest.raises(UserError, match=expected):
        to_example(text, question)


# predictions


def test_a_line_for_each_text_in_its_order(kind):
    predictor = build(kind)
    lines = predict_texts(predictor, tiny.question(kind), TEXTS).splitlines()
    assert len(lines) == 2 + len(TEXTS), "a text with a line break takes one line of the table"
    assert [line.split()[-1] for line in lines[2:]] == predictor.answers([Example(text) for text in TEXTS])
    assert shortened("x" * 80) == "x" * 67 + "..." and shortened("x" * 70) == "x" * 70


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
    expected = [{**row, "answer": answer} for row, answer in zip(rows, answers, strict=True)]
    assert [row for _, row in read_rows(out)] == expected
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_file_of_pairs_and_one_whose_texts_hold_the_sign_between_them(kind, tmp_path):
    rows = [{"text": "a || b", "text_b": "great soup"}, {"text": "a dull film", "text_b": "so || slow"}]
    write_rows(tmp_path / "in.csv", rows)
    predictor = build(kind, "frozen+head", PAIRS[kind])
    predict_file(predictor, PAIRS[kind], tmp_path / "in.csv", tmp_path / "out.csv", "text")
    expected = predictor.answers([Example(row["text"], row["text_b"]) for row in rows])
    assert [row["answer"] for _, row in read_rows(tmp_path / "out.csv")] == expected
    write_rows(tmp_path / "single.csv", [{"text": row["text"]} for row in rows])
    assert predict_file(build(kind), tiny.question(kind), tmp_path / "single.csv", tmp_path / "out.csv", "text") == 2


def test_a_file_of_rows_that_differ_keeps_every_column(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "great", "n": 1}\n\n{"text": "soup", "m": [2, null]}\n')
    predict_file(build("bert"), tiny.question("bert"), tmp_path / "in.jsonl", tmp_path / "out.jsonl", "text")
    rows = [row for _, row in read_rows(tmp_path / "out.jsonl")]
    assert [sorted(row) for row in rows] == [["answer", "n", "text"], ["answer", "m", "text"]]
    predict_file(build("bert"), tiny.question("bert"), tmp_path / "in.jsonl", tmp_path / "out.csv", "text")
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "text,n,answer,m"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "in.csv",
            "text,label\na,b\n ,c\n",
            "in.csv, line 3: no text in the column 'text'; the columns are text, label",
        ),
        (
            "in.csv",
            "review,label\na,b\n",
            "in.csv, line 2: no text in the column 'text'; the columns are review, label",
        ),
        ("in.csv", "text,text_b\na,b\n", r"in\.csv, line 2: this was trained on single texts"),
        ("in.jsonl", '{"text": "a"}\n{"text": 3}\n', r"in\.jsonl, line 2: no text in the column 'text'"),
        ("in.jsonl", '{"text": "a"}\n{"text": null}\n', r"in\.jsonl, line 2: no text"),
        ("in.jsonl", '{"text": "a"}\n{"text": "\\ud83c"}\n', r"in\.jsonl, line 2: a text holds half a character"),
        ("in.jsonl", '{"text": "a", "text_b": 5}\n', r"in\.jsonl, line 1: this was trained on single texts"),
        ("in.csv", "text\n", "no rows"),
        ("in.csv", "", "is empty"),
        ("in.txt", "a\n", "ends in .txt"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_written(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=expected):
        predict_file(build("bert"), tiny.question("bert"), tmp_path / name, tmp_path / "out.csv", "text")
    assert not (tmp_path / "out.csv").exists()


def test_pairs_that_lack_their_second_text_are_refused_with_the_line(tmp_path):
    (tmp_path / "in.csv").write_text("text,text_b\na,b\nc, \n")
    with pytest.raises(UserError, match=r"line 3: this was trained on pairs of texts"):
        predict_file(
            build("bert", "frozen+head", PAIRS["bert"]), PAIRS["bert"], tmp_path / "in.csv", tmp_path / "o.csv", "text"
        )


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.xlsx"])
def test_an_output_of_no_known_kind_is_refused_before_anything_is_read(tmp_path, name):
    with pytest.raises(UserError, match=r"let it end in \.csv, \.tsv or \.jsonl"):
        predict_file(build("bert"), tiny.question("bert"), tmp_path / "nowhere.csv", tmp_path / name, "text")


def test_tags_and_texts_are_predicted_from_files_too(tmp_path):
    write_rows(tmp_path / "in.csv", [{"text": "great soup , zqzq"}])
    predict_file(build("bert", "lora", TAGS), TAGS, tmp_path / "in.csv", tmp_path / "out.csv", "text")
    ((_, row),) = read_rows(tmp_path / "out.csv")
    assert len(row["answer"].split()) == 4 and set(row["answer"].split()) <= set(TAGS.labels)
    predict_file(build("gpt", "lora", TEXT), TEXT, tmp_path / "in.csv", tmp_path / "out.csv", "text")
    assert len(list(read_rows(tmp_path / "out.csv"))) == 1
