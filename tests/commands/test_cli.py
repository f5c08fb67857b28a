"""What all commands have in common: one sentence for bad input, status 2; Ctrl-C is 130."""

import json

import pytest

from tests.commands.helpers import run


def test_lessons_are_listed_and_converted(capsys, here):
    status, out, _ = run(capsys, "lesson")
    assert status == 0 and "a GPT by hand" in out
    status, out, _ = run(capsys, "notebook", 1)
    notebook = json.loads((here / out.strip()).read_text())
    assert notebook["nbformat"] == 4 and {"code", "markdown"} == {cell["cell_type"] for cell in notebook["cells"]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tune", "lora", "--task", "describe", "--model", "bert"], "take a GPT"),
        (["tune", "lora+focal", "--task", "tags"], "read by head"),
        (["tune", "lora+head", "--task", "facts:born_in"], "read by verbalizer"),
        (["tune", "output", "--task", "tags"], "scores of words"),
        (["tune", "output+head"], "scores of words"),
        (["tune", "lora", "--task", "facts"], "one relation at a time"),
        (["tune", "lora", "--task", "instruct"], "not one to train on"),
        (["tune", "lora", "--task", "sentiment", "--test-data", "reviews.csv"], "belongs to --data"),
        (["tune", "lora", "--model", "nowhere"], "no model 'nowhere'"),
        (["tune"], "METHOD"),
        (["sweep", "zero-shot", "--seeds", "1"], "nothing to train"),
        (["sweep", "lora", "--rates", "fast"], "above 0"),
        (["sweep", "lora", "--rates", "0"], "above 0"),
        (["sweep", "lora", "--rates", ","], "the list is empty; numbers above 0"),
        (["sweep", ","], "empty"),
        (["sweep", "full+head,frozen+head", "--set", "rank=8"], "no method here has a setting 'rank'"),
        (["sweep", "lora", "--task", "nothing"], "no task 'nothing'"),
        (["predict", "nowhere", "a text"], "no nowhere/tuned.pt"),
        (["predict", "nowhere"], "give either texts"),
        (["predict", "nowhere", "a text", "--data", "reviews.csv"], "give either texts"),
        (["predict", "nowhere", "--data", "reviews.csv"], "no nowhere/tuned.pt"),
        (["predict", "nowhere", "a text", "--out", "o.doc"], "let it end in .csv"),
        (["explain", "nowhere", "a text"], "no nowhere/tuned.pt"),
        (["explain", "nowhere"], "TEXT"),
    ],
)
def test_a_bad_tune_sweep_predict_or_explain_of_other_kinds(capsys, here, arguments, expected):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "Traceback" not in err, err
    assert expected in err.splitlines()[-1], f"{err!r} does not say {expected!r}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["pretrain", "elmo", "--text", "reviews.csv", "--steps", "1"], "gpt or bert"),
        (["pretrain", "gpt", "--text", "reviews.csv", "--size", "huge", "--steps", "1"], "nano, micro, mini"),
        (["pretrain", "gpt", "--text", "nowhere.txt", "--steps", "1"], "no file"),
        (["pretrain", "gpt", "--text", "reviews.csv", "--resume", "--out", "nothing"], "nothing to resume"),
        (["pretrain", "gpt", "--minutes", "0"], "above 0"),
        (["pretrain", "gpt", "--minutes", "1", "--steps", "1"], "not allowed"),
        (["lesson", "99"], "no lesson 99"),
        (["notebook", "99"], "no lesson 99"),
        (["compose"], "invalid choice"),
    ],
)
def test_other_bad_commands(capsys, here, arguments, expected):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and expected in err and "Traceback" not in err


def test_ctrl_c_is_130(capsys, here, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minitune.course.lessons.lessons", interrupted)
    status, _, err = run(capsys, "lesson")
    assert status == 130 and "stopped" in err
