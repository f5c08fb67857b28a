"""`minitune predict` and `minitune explain`: after a tune, on texts and on files."""

import os

import pytest

from tests.commands.helpers import run, tune, write


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
    status, out, err = run(capsys, "explain", "t", "the plot was dull .")
    assert (status, err) == (0, "") and "softmax" in out
    assert ("soft prompt: a learned vector" in out) == (method == "prompt-tuning")
    assert ("likeliest words at the blank" in out) == (method != "lora+head")


@pytest.mark.parametrize("written", ["answers.csv", "answers.tsv", "answers.jsonl"])
def test_predict_on_a_file(capsys, tuned, here, written):
    from minitune.data.rows import read_rows

    write(here / "new.csv", [("1", '"the plot was ""dull"" , so"'), ("2", "猫 ünï great")], header="id,review")
    arguments = ["predict", tuned, "--data", "new.csv", "--text-column", "review", "--out", written]
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "") and "2 rows" in out
    rows = [row for _, row in read_rows(here / written)]
    assert [(row["id"], row["review"]) for row in rows] == [("1", 'the plot was "dull" , so'), ("2", "猫 ünï great")]
    assert {row["answer"] for row in rows} <= {"good", "bad"}


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
