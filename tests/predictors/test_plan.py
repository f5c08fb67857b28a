"""What is said before a pretraining begins, and when it is too little."""

import re

import pytest

from minitune.models import build
from minitune.predictors.plan import (
    ENOUGH_READ,
    ENOUGH_TEXT,
    held,
    millions,
    most_held,
    plan,
    times,
    training_memory,
    warnings,
)
from minitune.training.pretrain import Pretraining
from minitune.training.run import Recipe, Run
from tests.conftest import LINES

RECIPE = Recipe(lr=0.02, batch_size=5, spread=0.1)


@pytest.fixture
def work(tokenizer, monkeypatch):
    monkeypatch.setitem(build.SIZES, "pico", {"layers": 2, "width": 12, "heads": 2, "inner": 20})
    return Pretraining(tokenizer.kind, "pico", [*LINES * 30, " ".join(LINES * 2)], tokenizer, 0, RECIPE)


def lines_of(work, steps, per_step=None):
    return plan(work, Run(work.tokenizer.kind, "pico", 0, steps, 1, "text", RECIPE), per_step)


def test_tokens_steps_passes_size_memory_and_time(work):
    steps = 3 * work.batches.per_epoch
    lines = lines_of(work, steps, per_step=2.0)
    tokens = sum(len(work.tokenizer.encode(text)) for text in [*LINES * 30, " ".join(LINES * 2)])
    assert lines[0].startswith(f"{tokens:,} tokens of {len(work.tokenizer):,} kinds; 1 text longer than the context")
    parameters = sum(p.numel() for p in work.model.parameters())
    assert f"{work.tokenizer.kind} pico: {parameters:,} parameters" in lines[1] and lines[1].endswith("of memory")
    assert f"{steps} steps of {work.tokens_per_step:,.0f} tokens" in lines[2] and "the text 3.0 times" in lines[2]
    assert re.search(r"about (\d+ s|\d+ min)$", lines[2]), "the time was measured and is not told"
    assert "about" not in lines_of(work, steps)[2], "nothing was measured"


def test_too_little_is_told_and_enough_is_not():
    assert warnings(ENOUGH_TEXT, ENOUGH_READ, 10) == []
    (text,) = warnings(ENOUGH_TEXT - 1, ENOUGH_READ, 10)
    assert text.startswith("warning: 499,999 tokens of text are few") and "128,000 words" in text
    (read,) = warnings(ENOUGH_TEXT, 2_000_000, 1000)
    assert read.startswith("warning: 2.0 million tokens are few") and "--steps 2500 would read so many" in read
    assert len(warnings(10, 10, 1)) == 2


def test_a_large_model_is_said_to_take_more(work):
    run = Run(work.tokenizer.kind, "pico", 0, 1, 1, "text", RECIPE)
    weights = 4 * sum(p.numel() for p in work.model.parameters())
    assert training_memory(work, run) > 5 * weights, "weight, gradient, two means and what is saved"
    assert 2e7 < held() < 1.1 * most_held() < 1e11, "pages or kilobytes were taken for bytes"


def test_numbers_for_people():
    assert (millions(1234), millions(1234567)) == ("1,234 tokens", "1.2 million tokens")
    assert (times(2.34), times(0.0123)) == ("2.3 times", "in part, 1.2% of it")
