"""The rows of the tuning methods, and what their memory comes to. No test looks at a clock."""

import pytest
import torch

from minitune.bench import tuning as bench
from minitune.bench.models import CONFIGS, is_installed
from minitune.bench.readers import SETTINGS, our_reader
from minitune.methods.what import WHAT
from minitune.tuning.doors import Learned, Tuned
from minitune.tuning.lora import lora_layers

KINDS = pytest.mark.parametrize("kind", ["gpt", "bert"])
needs_peft = pytest.mark.skipif(not is_installed("peft"), reason="needs the extra `parity`")


@pytest.mark.parametrize("what", SETTINGS)
@KINDS
def test_memory_is_4_bytes_and_8_bytes_a_number(kind, what):
    """Exactly, but for AdamW's own count of its steps: one number of 4 bytes for each tensor."""
    config = CONFIGS[kind]
    reader, batch = our_reader(kind, what)
    gradients, state = bench.bytes_of_training(reader, batch)
    d, tensors = config.width, sum(p.grad is not None for p in reader.parameters())
    expected = WHAT[what].count(SETTINGS[what], config) + 4 * d + 4
    if kind == "bert" and what in ("full", "top"):  # transform, its norm, decoder bias, pooler, next sentence: not read
        expected -= (d * d + 3 * d + config.vocab_size) + (d * d + d) + (2 * d + 2)
    assert gradients == 4 * expected
    assert state == 8 * expected + 4 * tensors


@KINDS
def test_models_are_used_as_they_are_after_training(kind):
    """Networks that write a prompt are gone; LoRA beside the weights, merged into them, or folded."""
    models = bench.models_in_use(kind)
    beside = {name: lora_layers(model).values() for name, (model, _) in models.items() if lora_layers(model)}
    assert list(beside) == ["lora", "lora, merged"]
    merged = {name: {layer.is_merged for layer in layers} for name, layers in beside.items()}
    assert merged == {"lora": {False}, "lora, merged": {True}}
    soft = {name: model for name, (model, _) in models.items() if isinstance(model, Tuned)}
    assert set(soft) == {"prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2"}
    assert all(isinstance(model.door.source, Learned) for model in soft.values()), "the network is still run"
    with torch.no_grad():
        hidden = {name: model(**inputs).hidden for name, (model, inputs) in models.items()}
    for name in ("lora", "lora, merged", "lora, folded"):
        assert torch.allclose(hidden[name], hidden["base"], atol=1e-5), f"{name}: an update of 0 changes the states"


@KINDS
def test_a_frozen_model_reads_once_or_in_every_batch(kind, monkeypatch):
    monkeypatch.setattr(bench, "STEPS", 3)
    read = []
    monkeypatch.setattr(bench.Method, "build", counting_build(bench.Method.build, read))
    for is_cached, rows in ((True, [32]), (False, [16, 16, 16])):
        run = bench.head_training(kind, is_cached)
        read.clear()
        run()
        assert read == rows


def counting_build(build, read):
    """`Method.build`, whose model writes down how many rows it is given."""

    def counted(*arguments, **settings):
        joined = build(*arguments, **settings)
        joined.model.register_forward_hook(lambda module, inputs, output: read.append(len(output.hidden)))
        return joined

    return counted


@pytest.fixture
def once(monkeypatch):
    """Each job is done once; ours is said to take two seconds, and so is the model as it is, the others one."""

    def once(jobs, seconds):
        assert seconds == 9.0
        for job in jobs.values():
            job()
        return {name: [2.0 if name in ("ours", "once", "base") else 1.0] * 3 for name in jobs}

    monkeypatch.setattr(bench, "in_turn", once)
    monkeypatch.setattr(bench, "STEPS", 2)


@pytest.mark.parametrize("with_peft", [False, pytest.param(True, marks=[pytest.mark.parity, needs_peft])])
@pytest.mark.parametrize("what", ["full", "top", "frozen", "lora"])
def test_the_row_of_a_method(once, monkeypatch, what, with_peft):
    made = []

    def noted(kind, what, whole=False):
        made.append((what, whole))
        return our_reader(kind, what, whole)

    monkeypatch.setattr(bench, "our_reader", noted)
    monkeypatch.setattr(bench, "is_installed", lambda library: with_peft)
    figures = bench.step_figures("gpt", what, 9.0)
    assert ((what, True) in made) == (with_peft and what != "top"), "which jobs compute the last layer whole?"
    assert {figure.row for figure in figures} == {f"gpt {what}"}
    got = {figure.measure: figure.value for figure in figures}
    assert got.pop("memory") > 1000 and got.pop("bytes a number") == pytest.approx(12, rel=0.01)
    expected = {} if what == "full" else {"times full": 0.5}
    if with_peft and what != "top":
        expected |= {"times peft": 0.5, "last layer whole": 1.0}
    assert got == expected, "a rate is the other's time by ours"


def test_the_row_of_kept_states(once):
    (figure,) = bench.head_figures("gpt", 9.0)
    assert (figure.name, figure.value) == ("gpt frozen: states kept", 0.5), "a rate is the other's time by ours"


def test_the_rows_of_what_a_method_costs_in_use(once):
    figures = bench.forward_figures("gpt", 9.0)
    assert {(figure.measure, figure.value) for figure in figures} == {("forward", 0.5)}, "its time by the bare model's"
    assert [figure.row for figure in figures][-3:] == ["gpt lora", "gpt lora, merged", "gpt lora, folded"]
