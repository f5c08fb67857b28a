"""The work of pretraining that is timed, and its row."""

from collections import Counter

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minitune.bench import pretraining as bench
from minitune.bench.models import CONFIGS, is_installed
from minitune.models.build import random_model
from minitune.training.checkpoint import load_checkpoint

KINDS = pytest.mark.parametrize("kind", ["gpt", "bert"])
needs_transformers = pytest.mark.skipif(not is_installed("transformers"), reason="needs the extra `parity`")


def operations(work):
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_the_sizes_are_those_of_the_shipped_models():
    assert {kind: load_checkpoint(kind).model.config for kind in ("gpt", "bert")} == CONFIGS


@KINDS
def test_the_batch_is_one_of_pretraining(kind):
    batch = bench.training_batch(kind, 100)
    assert batch["input_ids"].min() >= 10 and batch["input_ids"].max() < 100
    assert random_model(CONFIGS[kind], seed=0).loss(batch).isfinite()


@KINDS
def test_the_products_are_those_of_a_step(kind):
    """As many operations. The counter may not look into the fused attention, so its products may be missing."""
    step, products = operations(bench.our_step(kind)), operations(bench.products_of_a_step(kind))
    c, (rows, length) = CONFIGS[kind], bench.training_batch(kind, 100)["input_ids"].shape
    attention = 3 * c.layers * 2 * (2 * rows * length * length * c.width)  # scores and mixing, forward and backward
    within = 0.98 * (products - attention) <= step <= 1.02 * products
    assert within, f"{products:,} operations of products ({attention:,} in attention), {step:,} of a step"


@pytest.mark.parity
@needs_transformers
@KINDS
def test_both_sides_do_the_same_work(kind):
    ours, theirs = operations(bench.our_step(kind)), operations(bench.transformers_step(kind))
    assert 1 <= theirs / ours < 1.5, f"{ours:,} operations here, {theirs:,} there"


@pytest.mark.parametrize("with_reference", [False, pytest.param(True, marks=[pytest.mark.parity, needs_transformers])])
def test_the_row(monkeypatch, with_reference):
    """Each job is done once; ours is said to take two seconds, the others one."""
    seen = []

    def once(jobs, seconds):
        seen.append((torch.get_num_threads(), seconds))
        for job in jobs.values():
            job()
        return {name: [2.0 if name == "ours" else 1.0] * 3 for name in jobs}

    monkeypatch.setattr(bench, "in_turn", once)
    monkeypatch.setattr(bench, "peak_memory", lambda work, kind, count: 7.0)
    monkeypatch.setattr(bench, "is_installed", lambda library: with_reference)
    figures = bench.pretraining_figures("gpt", 2, 9.0)
    assert seen == [(2, 9.0)], "timed with another number of threads than the row says"
    assert {figure.row for figure in figures} == {"gpt pretraining, 2 threads"}
    expected = {"tokens/s": 8 * 128 / 2, "of bare products": 0.5, "peak memory": 7.0}
    expected |= {"times transformers": 0.5} if with_reference else {}
    assert {figure.measure: figure.value for figure in figures} == expected, "a rate is the other's time by ours"


@pytest.mark.parametrize("words", [20, 10**9])
def test_a_drawn_text_has_its_size_and_its_shape(tmp_path, words):
    bench.write_drawn_text(tmp_path / "text.txt", words, 30_000)
    text = (tmp_path / "text.txt").read_text()
    assert 30_000 <= len(text) < 40_000 and text.count("\n") == len(text.split()) // words
    counts = Counter(text.split()).most_common()
    assert counts[0][1] > 20 * counts[-1][1], "words are not equally frequent in any text"


def test_the_memory_of_a_run_on_a_text_is_measured(monkeypatch):
    ran = []
    monkeypatch.setattr(bench, "peak_memory", lambda work, *arguments: ran.append(arguments) or 5e8)
    monkeypatch.setattr(bench, "OWN_TEXT", 20_000)
    figures = bench.own_text_figures(1.0)
    assert [(figure.measure, figure.unit) for figure in figures] == [("peak memory", "bytes")] * 2
    for arguments in ran:
        bench.run_on_text(*arguments)
