"""Lesson 24, `minitune generate`: a text is continued word by word, by a GPT or by what was tuned to write."""

import io
import re
import shutil
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

from minitune.commands.cli import main
from minitune.models import generate
from minitune.training.checkpoint import load_checkpoint
from minitune.tuned.tuned import open_tuned
from tests.commands.helpers import WRITERS, Watched, on_a_line, run, watch_tokens

pytestmark = pytest.mark.lesson24


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))


def continued(folder, text, most, **settings):
    """The text and what follows it, by the library, all at once."""
    base = load_checkpoint(folder)
    ids = base.tokenizer.encode(text)
    return base.tokenizer.decode(ids + generate(base.model, [ids], most, stop_id=base.tokenizer.end_id, **settings)[0])


def test_the_text_and_its_continuation(capsys, writers):
    for how in ({"temperature": 0.0}, {"temperature": 1.7, "seed": 4}, {"temperature": 3.0, "top_k": 2, "top_p": 0.9}):
        options = [part for name, value in how.items() for part in (f"--{name.replace('_', '-')}", value)]
        given = ["generate", writers / "gpt", "the plot was", "--max-new-tokens", 7, *options]
        status, out, err = run(capsys, *given)
        expected = continued(writers / "gpt", "the plot was", 7, **how)
        assert (status, err, out) == (0, "", on_a_line(f"{expected}\n")) and len(expected) > len("the plot was")


def test_samples_are_of_the_seeds_from_the_first_on(capsys, writers):
    given = ["generate", writers / "gpt", "the soup", "--max-new-tokens", 6, "--temperature", 2]
    status, three, _ = run(capsys, *given, "--samples", 3, "--seed", 5)
    status_of_one, one, _ = run(capsys, *given, "--seed", 6)
    assert status == status_of_one == 0
    lines = three.splitlines()
    assert len(lines) == len(set(lines)) == 3 and all(line.startswith("the soup") for line in lines)
    assert lines[1] == one.rstrip("\n"), "the second sample of --seed 5 is the only one of --seed 6"
    assert run(capsys, *given, "--samples", 3, "--seed", 5)[1] == three


def test_a_line_each_from_standard_input(capsys, monkeypatch, writers):
    def go_on(self, ids, most, sampling):
        yield from (" a\nb", "\n", "c")

    piped(monkeypatch, b"\xef\xbb\xbfthe plot\r\n\n  the soup \x00 was\n")
    given = ["generate", writers / "gpt", "--stdin", "--max-new-tokens", 5]
    status, out, err = run(capsys, *given, "--temperature", 0)
    expected = [continued(writers / "gpt", text, 5) for text in ("the plot", "the soup \x00 was")]
    assert (status, err) == (0, ""), "the mark before the first line, an empty line and CRLF are none of the texts"
    assert out == on_a_line("".join(f"{text}\n" for text in expected)), "a space is put where the tokens have none"
    monkeypatch.setattr("minitune.tuned.voice.Voice.go_on", go_on)
    piped(monkeypatch, b"the plot\nthe soup\n")
    assert run(capsys, *given, "--samples", 2)[1] == "the plot a\\nb\\nc\n" * 2 + "the soup a\\nb\\nc\n" * 2
    assert run(capsys, "generate", writers / "gpt", "the plot")[1] == "the plot a\nb\nc\n", "alone it is as it is"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "give a text.*--stdin.*has no text"), (b" \n\n", "has no text"), (b"a\n\xff\n", "line 2: it is not UTF-8")],
)
def test_bad_standard_input(capsys, monkeypatch, writers, content, expected):
    piped(monkeypatch, content)
    status, out, err = run(capsys, "generate", writers / "gpt", "--stdin")
    assert (status, out) == (2, "") and re.search(expected, err) and "--data" not in err and err.count("\n") == 1


def test_every_line_is_looked_at_before_any_is_continued(capsys, monkeypatch, writers):
    piped(monkeypatch, ("the plot\n" + "the plot " * 30 + "\n").encode())
    status, out, err = run(capsys, "generate", writers / "gpt", "--stdin", "--max-new-tokens", 20)
    assert (status, out) == (2, "") and "standard input, line 2: it has 60 tokens" in err
    assert "room for 50" in err


def test_each_piece_is_shown_when_it_is_written(monkeypatch, writers):
    events = []
    monkeypatch.setattr(sys, "stdout", Watched(events))
    watch_tokens(monkeypatch, events)
    assert main(["generate", str(writers / "gpt"), "the plot", "--max-new-tokens", "9", "--temperature", "0"]) == 0
    assert events[:2] == ["the plot", "flush"], "the text is there before the first word is"
    told, waits = "".join(event for event in events if event not in ("flush", "token")), 0
    for event, following in pairwise(events):
        if event not in ("flush", "token"):
            assert following in ("flush", "\n"), "what is not flushed stands in a buffer"
        waits += event == following == "token"
    assert events.count("token") == 9 and waits < 4, "it is gathered, and told at the end"
    assert told == f"{on_a_line(continued(writers / 'gpt', 'the plot', 9))}\n"


def test_it_stops_when_nobody_reads_any_more(monkeypatch, writers):
    events = []
    monkeypatch.setattr(sys, "stdout", Watched(events, end="\n"))  # as of `| head -1`
    watch_tokens(monkeypatch, events)
    given = ["generate", str(writers / "gpt"), "the plot", "--max-new-tokens", "5", "--samples", "40"]
    assert main(given) == 0 and events.count("token") < 12, "a reader that has gone is written to for ever"


@pytest.mark.parametrize("method", WRITERS)
def test_a_tuned_writer_goes_on_without_its_template(capsys, writers, method):
    given = ["--max-new-tokens", 8, "--temperature", 0]
    status, out, err = run(capsys, "generate", writers / method, "name the plot .", *given)
    assert (status, err) == (0, "") and out.startswith("name the plot .")
    tuned = open_tuned(writers / method)
    model, ids = tuned.predictor.model, tuned.base.tokenizer.encode("name the plot .")
    if method == "prompt-tuning":
        ids = [tuned.base.tokenizer.soft_id] * tuned.predictor.template.count("soft") + ids
    for _ in range(8):  # the whole is read anew for every word
        ids.append(int(model.logits(read(model, ids))[0, -1].argmax()))
        if ids[-1] == tuned.base.tokenizer.end_id:
            break
    whole = tuned.base.tokenizer.decode(ids)  # without what is special: the placeholders, the end
    assert out == on_a_line(f"{whole}\n"), "what was tuned is not read, or stands at another place"
    assert out != run(capsys, "generate", writers / "gpt", "name the plot .", *given)[1], "tuning changed nothing"


def read(model, ids):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids])).hidden


def test_a_base_that_has_moved(capsys, writers, here, no_curve):
    shutil.copytree(writers / "gpt", here / "base")
    records = ["--instructions", writers / "records.json"]
    assert run(capsys, "tune", "lora", *records, "--model", "base", "--set", "steps=2", "--out", "w")[0] == 0
    given = ["generate", "w", "the plot", "--max-new-tokens", 4]
    here_still = run(capsys, *given)
    (here / "base").rename(here / "moved")
    status, out, err = run(capsys, *given)
    assert (status, out) == (2, "") and "'base'" in err and "--model" in err
    assert run(capsys, *given, "--model", "moved") == here_still == (0, here_still[1], "")
    status, _, err = run(capsys, *given, "--model", writers / "prompt-tuning")
    assert status == 2 and err.count("\n") == 1


def test_a_text_that_ends_at_once_is_said_to(capsys, writers, monkeypatch):
    from minitune.predictors import speaker

    end = load_checkpoint(writers / "gpt").tokenizer.end_id
    monkeypatch.setattr(speaker, "stream", lambda *_, **__: iter([[end]]))
    status, out, err = run(capsys, "generate", writers / "gpt", "the plot was")
    assert (status, out) == (0, "the plot was\n")
    assert "the model ended the text at once, and wrote nothing" in err, "nothing is printed, and nobody knows why"
    status, _, err = run(capsys, "generate", writers / "gpt", "the plot was", "--samples", 2)
    assert "sample 1: " in err and "sample 2: " in err
    monkeypatch.undo()
    assert run(capsys, "generate", writers / "gpt", "the plot was", "--max-new-tokens", 2)[2] == ""
