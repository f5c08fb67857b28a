"""`minitune predict` and `minitune explain`: after a tune, on texts and on files."""

import io
import json
import os
import sys
from types import SimpleNamespace

import pytest

from tests.commands.helpers import REVIEWS, run, tune, write


@pytest.mark.parametrize(("method", "kind"), [("lora+head", "bert"), ("prompt-tuning", "gpt")])
def test_tune_then_predict_then_explain(capsys, models, here, method, kind):
    status, out, err = tune(capsys, models, method, "--seed", 3, kind=kind)
    assert (status, err) == (0, "")
    assert "24 rows" in out and "trainable" in out and "accuracy on test" in out and "steps, learning rate" in out
    assert sorted(os.listdir(here / "t")) == ["curve.png", "tuned.pt"]
    assert (here / "t" / "curve.png").stat().st_size > 5000
    assert 'minitune predict t "a text"' in out, "what to do next is said"
    status, first, err = run(capsys, "predict", "t", "the plot was dull .", "the soup was clever , ünï 猫 .")
    assert (status, err) == (0, "") and len(first.splitlines()) == 4
    assert {line.split()[-1] for line in first.splitlines()[2:]} <= {"good", "bad"}
    assert run(capsys, "predict", "t", "the plot was dull .", "the soup was clever , ünï 猫 .")[1] == first
    status, out, err = run(capsys, "explain", "--device", "cpu", "t", "the plot was dull .")
    assert (status, err) == (0, "") and "softmax" in out
    assert ("soft prompt: a learned vector" in out) == (method == "prompt-tuning")
    assert ("likeliest words at the blank" in out) == (method != "lora+head")


@pytest.mark.parametrize("written", ["answers.csv", "answers.tsv", "answers.jsonl"])
def test_predict_on_a_file(capsys, tuned, here, written):
    from minitune.data.reading import Reading
    from minitune.data.rows import read_table

    write(here / "new.csv", [("1", '"the plot was ""dull"" , so"'), ("2", "猫 ünï great")], header="id,review")
    arguments = ["predict", tuned, "--data", "new.csv", "--text-column", "review", "--out", written]
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "") and "2 rows" in out
    rows = [row for _, row in read_table(Reading(here / written)).rows]
    assert [(row["id"], row["review"]) for row in rows] == [("1", 'the plot was "dull" , so'), ("2", "猫 ünï great")]
    assert {row["answer"] for row in rows} <= {"good", "bad"}
    before = (here / written).read_bytes()
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "already" in err and "--force" in err and (here / written).read_bytes() == before
    assert run(capsys, *arguments, "--force", "--answer-column", "opinion")[0] == 0
    assert "opinion" in (here / written).read_text(encoding="utf-8")


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))


@pytest.mark.parametrize("more", [[], ["-"]])
def test_texts_from_standard_input_as_json(capsys, tuned, monkeypatch, more):
    piped(monkeypatch, "the plot was dull .\n\n猫 great\n".encode())
    status, out, err = run(capsys, "predict", "--json", tuned, "--probabilities", *more)
    assert status == 0 and err == "minitune predict: empty lines that were skipped: 1\n"
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == ["the plot was dull .", "猫 great"] and "猫" in out
    for row in rows:
        assert list(row) == ["text", "answer", "cut", "probabilities"] and row["cut"] == 0
        assert max(row["probabilities"], key=row["probabilities"].get) == row["answer"]


def test_json_in_ascii_where_the_terminal_knows_no_more(capsys, tuned, monkeypatch):
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", written)
    run(capsys, "predict", tuned, "猫 é", "--json")
    written.flush()
    assert json.loads(written.buffer.getvalue())["text"] == "猫 é"


def test_texts_are_written_to_a_file_and_files_to_the_terminal(capsys, tuned, here):
    status, out, _ = run(capsys, "predict", tuned, "--out", "o.csv", "the plot was dull .", "great", "--probabilities")
    assert status == 0 and "o.csv, 2 rows with a column 'answer'" in out
    assert (here / "o.csv").read_text().startswith("text,answer,bad,good\nthe plot was dull .,")
    status, out, _ = run(capsys, "predict", tuned, "--data", "o.csv", "--answer-column", "opinion")
    assert status == 0 and out.split()[:2] == ["text", "opinion"] and len(out.splitlines()) == 4
    status, out, _ = run(capsys, "predict", tuned, "--data", "o.csv", "--answer-column", "opinion", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert list(rows[0]) == ["text", "answer", "bad", "good", "opinion", "cut"]


def test_a_file_comes_back_as_it_was_laid_out(capsys, models, here, no_curve):
    rows = "\n".join(f'"{place}";{text};{label}' for place, (text, label) in enumerate(REVIEWS))
    (here / "own.csv").write_text(f"id;review;label\n{rows}\n")
    status, _, err = run(capsys, "tune", "frozen+head", "--data", "own.csv", "--text-column", "review", "--model",
                         models / "bert", "--shots", 1, "--set", "steps=2", "--out", "t")  # fmt: skip
    assert status == 0, err
    (here / "new.csv").write_bytes('id;review\n7;"a ""dull"" plot; so"\n8;é\n'.encode("latin-1"))
    status, _, err = run(capsys, "predict", "t", "--data", "new.csv", "--out", "o.csv", "--encoding", "latin-1")
    assert status == 0 and "semicolons" in err, "the column that was trained on is not looked for"
    lines = (here / "o.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id;review;answer" and lines[1].startswith('7;"a ""dull"" plot; so";') and "é" in lines[2]
    (here / "bare.tsv").write_text('say "great\nthe plot\n')
    arguments = ["predict", "t", "--data", "bare.tsv", "--no-header", "--no-quoting"]
    assert run(capsys, *arguments, "--out", "o.tsv")[0] == 0
    assert [line.split("\t")[0] for line in (here / "o.tsv").read_text().splitlines()] == ['say "great', "the plot"]
    assert run(capsys, *arguments, "--out", "o.jsonl")[0] == 0 and '{"1": "say' in (here / "o.jsonl").read_text()
    for option in (["--encoding", "latin-1"], ["--no-header"], ["--text-column", "x"]):
        status, _, err = run(capsys, "predict", "t", "a text", *option)
        assert status == 2 and f"{option[0]} belongs to --data" in err


def test_numbers_and_tagged_words_of_ones_own(capsys, models, here, no_curve):
    write(
        here / "n.csv",
        [(f"the plot was {w} .", str(n + i / 7)) for i in range(4) for w, n in (("great", 90), ("bad", 10))],
    )
    status, _, err = run(capsys, "tune", "frozen+number", "--data", "n.csv", "--kind", "number", "--model",
                         models / "bert", "--shots", 4, "--set", "steps=2", "--out", "t")  # fmt: skip
    assert status == 0, err
    status, out, _ = run(capsys, "predict", "t", "the plot was great .", "bad", "--json")
    assert status == 0 and all(0 < json.loads(line)["answer"] < 100 for line in out.splitlines())
    assert "no probabilities" in run(capsys, "predict", "t", "a", "--probabilities")[2]
    assert "answer: " in run(capsys, "explain", "t", "the plot was great .")[1]
    row = json.dumps({"tokens": ["the", "plot", "."], "tags": ["O", "B-X", "O"]})
    (here / "w.jsonl").write_text(f"{row}\n" * 6)
    status, _, err = run(capsys, "tune", "frozen", "--data", "w.jsonl", "--model", models / "bert", "--shots", 2,
                         "--set", "steps=2", "--out", "w")  # fmt: skip
    assert status == 0, err
    status, out, _ = run(capsys, "predict", "w", "--data", "w.jsonl", "--json")
    assert status == 0 and all(len(json.loads(line)["answer"]) == 3 for line in out.splitlines())
    assert "answer: " in run(capsys, "explain", "w", "the plot .")[1]
    (here / "w.conll").write_text("the O\nplot B-X\n\nso O\n")
    status, out, _ = run(capsys, "predict", "w", "--data", "w.conll", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["1"], len(row["answer"])) for row in rows] == [(["the", "plot"], 2), (["so"], 1)]
    (here / "w.conll").write_text("the\nplot\n\nso\n")
    assert run(capsys, "predict", "w", "--data", "w.conll", "--json")[0] == 0, "words need no tags to be asked for them"
    assert "the column '1' holds a list, and a text was" in run(capsys, "predict", "t", "--data", "w.conll")[2]


def test_what_was_cut_is_said(capsys, tuned):
    status, out, err = run(capsys, "predict", tuned, "great " * 50, "great")
    assert status == 0 and len(out.splitlines()) == 4
    assert err == (
        "minitune predict: texts that are too long for the model: 1 of 2; 12 tokens at their ends were not read\n"
    )
    assert "12 tokens of the text are cut" in run(capsys, "explain", tuned, "great " * 50)[1]


def test_columns_that_are_there_already_and_files_that_are(capsys, tuned, here):
    write(here / "done.csv", [("a", "b")], header="text,answer")
    (here / "folder.csv").mkdir()
    before = (here / "done.csv").read_bytes()
    wrong = {
        ("--data", "done.csv", "--out", "o.csv"): "'answer' already",
        ("--data", "done.csv", "--json"): "'answer' already",
        ("--data", "done.csv", "--out", "done.csv", "--answer-column", "x"): "--force",
        ("a", "--out", "folder.csv", "--force"): "it is a folder",
        ("a", "--out", "o.csv", "--json"): "--json writes JSON Lines",
        ("a", "--out", "o.jsonl", "--safe-csv"): "--safe-csv belongs to",
        ("a", "--safe-csv"): "--safe-csv belongs to",
        ("a", "-"): "stands for the lines of standard input",
        ("\u0301",): "text 1: the model reads no token",
    }
    for arguments, expected in wrong.items():
        status, out, err = run(capsys, "predict", tuned, *arguments)
        assert (status, out) == (2, "") and expected in err and len(err.splitlines()) == 1, err
    assert not (here / "o.csv").exists() and (here / "done.csv").read_bytes() == before


def test_nothing_to_predict_on_a_terminal_is_a_sentence(capsys, tuned, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    status, _, err = run(capsys, "predict", tuned)
    assert status == 2 and "a text a line on standard input" in err


def test_a_folder_that_moved_and_a_model_that_moved(capsys, models, here, no_curve):
    import shutil

    shutil.copytree(models / "bert", here / "base")
    run(
        capsys,
        "tune",
        "lora+head",
        "--data",
        "reviews.csv",
        "--model",
        "base",
        "--shots",
        2,
        "--set",
        "steps=2",
        "--out",
        "t",
    )
    expected = run(capsys, "predict", "t", "the plot was dull .")[1]
    (here / "t").rename(here / "u")
    (here / "base").rename(here / "moved")
    status, _, err = run(capsys, "predict", "u", "the plot was dull .")
    assert status == 2 and "'base'" in err
    assert run(capsys, "predict", "u", "the plot was dull .", "--model", "moved")[1] == expected
    assert run(capsys, "explain", "u", "the plot was dull .", "--model", "moved")[0] == 0
    status, _, err = run(capsys, "predict", "u", "the plot was dull .", "--model", models / "gpt")
    assert status == 2 and "fingerprint" in err and "--model" in err


def test_texts_and_files_that_cannot_be_predicted(capsys, tuned, here):
    write(here / "gap.csv", [("a",), (" ",)], header="text")
    bad = {
        "a || b": "single texts",
        " ": "empty text",
        "a \udce9": "half a character",
    }
    for text, expected in bad.items():
        for command in ("predict", "explain"):
            status, _, err = run(capsys, command, tuned, text)
            assert status == 2 and expected in err and len(err.splitlines()) == 1, err
    files = {"nowhere.csv": "no file nowhere.csv", "reviews.xls": ".xls", "reviews.csv": "'review'"}
    for name, expected in files.items():
        status, _, err = run(capsys, "predict", tuned, "--data", name, "--out", "o.csv", "--text-column", "review")
        assert status == 2 and expected in err and not (here / "o.csv").exists(), err
    status, _, err = run(capsys, "predict", tuned, "--data", "reviews.csv", "--out", "o.doc")
    assert status == 2 and ".csv, .tsv or .jsonl" in err
    (here / "t").mkdir()
    (here / "t" / "tuned.pt").write_bytes(b"no file of this kind")
    status, _, err = run(capsys, "predict", "t", "a text")
    assert status == 2 and "damaged" in err and len(err.splitlines()) == 1
