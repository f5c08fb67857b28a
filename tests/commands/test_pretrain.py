"""`minitune pretrain`: a model of a user's own text, and what is done with it."""

import json
import os

import pytest

from minitune.training import loop
from tests.commands.helpers import REVIEWS, compare_own, run

NANO = ("--size", "nano", "--out", "m")
TEXT = "\n".join(text for text, _ in REVIEWS) + "\nit was good .\nit was bad .\n"


@pytest.fixture
def mine(here):
    (here / "mine.txt").write_text(TEXT)
    return here


@pytest.fixture
def no_figure(monkeypatch):
    monkeypatch.setattr("minitune.predictors.pretraining.plot_report", lambda *_: None)


def pretrain(capsys, *arguments, kind="bert", text="mine.txt"):
    return run(capsys, "pretrain", kind, *(("--text", text) if text else ()), *arguments)


def test_pretrain_on_a_users_text_then_compare_with_it(capsys, mine, monkeypatch):
    status, out, err = pretrain(capsys, *NANO, "--steps", 3)
    assert status == 0 and "held-out loss" in out
    assert "mine.txt, each line is a text: 26 texts of 102 words" in out and "3 steps of" in out
    assert out.count("warning: ") == 2 and out.index("warning: ") < out.index("held-out loss")
    assert "step 3 of 3, loss" in err, "standard error is a file here: a line takes the place of the bar"
    assert {path.name for path in (mine / "m").iterdir()} >= {"model.pt", "tokenizer.json", "run.json", "report.png"}
    assert json.loads((mine / "m/report.json").read_text())["command"].startswith(
        "minitune pretrain bert --text mine.txt"
    )
    monkeypatch.setattr("minitune.experiments.compare_report.plot", lambda *_: None)
    status, out, _ = compare_own(capsys, mine, "--methods", "frozen+head", kind="m")
    assert status == 0
    again = pretrain(capsys, *NANO, "--steps", 3)
    assert again[0] == 2 and "finished" in again[2], "a finished model must not be overwritten"


def test_a_probe_compares_with_random_weights(capsys, mine, no_figure, monkeypatch):
    monkeypatch.setattr("minitune.experiments.gain.DRAWS", 2)
    monkeypatch.setattr("minitune.experiments.gain.METHODS", ("frozen+head",))
    status, out, _ = pretrain(capsys, *NANO, "--steps", 2, "--probe", "reviews.csv")
    assert status == 0 and "frozen+head, random weights" in out
    report = json.loads((mine / "m/report.json").read_text())
    assert [len(draws) for draws in report["measured"].values()] == [2, 2]
    assert "--probe reviews.csv" in report["command"]


def killed(monkeypatch, capsys, *arguments, **settings):
    """A run that Ctrl-C stops after its second look."""
    real = loop.learning_rate

    def stop_at_2(step, config):
        if step == 2:
            raise KeyboardInterrupt
        return real(step, config)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "learning_rate", stop_at_2)
        return pretrain(capsys, *arguments, **settings)


def test_a_resumed_run_asks_for_what_it_was_asked_for(capsys, mine, no_figure, monkeypatch):
    text = TEXT.replace(".\n", ".\n\n").encode("utf-16-le")
    (mine / "wide.txt").write_bytes(text)
    given = ("--paragraphs", "--encoding", "utf-16-le", "--steps", 4, "--seed", 5, *NANO)
    assert killed(monkeypatch, capsys, *given, text="wide.txt")[0] == 130
    before = (mine / "m/run.json").read_bytes()
    for more, message in (
        (("--size", "mini"), "was started with size 'nano', not with 'mini'"),
        (("--seed", 0), "with seed 5, not with 0"),
        (("--steps", 999), "with steps 4, not with 999"),
        (("--minutes", 1), "without minutes"),
        (("--encoding", "utf-8"), "with encoding 'utf-16-le'"),
        (("--world", 0), "--world is of the toy world"),
        (("--text", "mine.txt", "--encoding", "utf-16-le"), "mine.txt"),
    ):
        status, _, err = run(capsys, "pretrain", "bert", "--resume", "--out", "m", *more)
        assert status == 2 and message in err and err.count("\n") == 1, (more, err)
    status, _, err = run(capsys, "pretrain", "gpt", "--resume", "--out", "m")
    assert status == 2 and "was started with kind 'bert'" in err
    assert (mine / "m/run.json").read_bytes() == before
    assert run(capsys, "pretrain", "bert", "--resume", "--out", "m")[0] == 0
    command = json.loads((mine / "m/report.json").read_text())["command"]
    assert "--text wide.txt --paragraphs --encoding utf-16-le --size nano --steps 4 --seed 5" in command


def test_a_text_that_has_moved_is_named_anew(capsys, mine, no_figure, monkeypatch):
    assert killed(monkeypatch, capsys, *NANO, "--steps", 4)[0] == 130
    (mine / "mine.txt").rename(mine / "moved.txt")
    status, _, err = run(capsys, "pretrain", "bert", "--resume", "--out", "m")
    assert status == 2 and "there is no file mine.txt" in err
    assert pretrain(capsys, "--resume", "--out", "m", text="moved.txt")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--world", 1), "--world is of the toy world, and --text takes its place"),
        (("--unjoined",), "--unjoined is of the toy world"),
        (("--encoding", "klingon"), "there is no encoding 'klingon'"),
        (("--threads", 100_000), f"100000 are more than the {os.cpu_count()} cores of this machine"),
        (("--size", "huge"), "there is no size 'huge'"),
        (("--probe", "nowhere.csv"), "there is no file nowhere.csv"),
        (("--out", "mine.txt"), "mine.txt is a file"),
        (("--resume",), "there is nothing to resume in runs/bert"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_before_any_work(capsys, mine, arguments, message):
    status, out, err = pretrain(capsys, *arguments, "--steps", 2)
    assert status == 2 and message in err and err.count("\n") == 1 and out == ""


def test_options_of_a_text_need_a_text(capsys, here):
    for option in (("--paragraphs",), ("--encoding", "latin-1")):
        status, _, err = pretrain(capsys, *option, "--out", "m", text=None)
        assert status == 2 and f"{option[0]} belongs to --text" in err
