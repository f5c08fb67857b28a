"""The bench of the tuning methods: that both sides do the same work, what memory comes to, and the rows. No test looks
at a clock."""

import importlib.util

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minitune.bench import tuning as bench
from minitune.methods.what import WHAT
from minitune.tuning.lora import lora_layers

KINDS = pytest.mark.parametrize("kind", ["gpt", "bert"])
HAS_PEFT = importlib.util.find_spec("peft") is not None
needs_peft = pytest.mark.skipif(not HAS_PEFT, reason="needs the extra `parity`")


def operations(reader, batch):
    """Of the matrix products of a step, forward and backward, attention's included."""
    with FlopCounterMode(display=False) as counter:
        reader.loss(**batch).backward()
    return counter.get_total_flops()


def numbers(reader):
    """How many get a gradient."""
    return sum(p.numel() for p in reader.parameters() if p.grad is not None)


@KINDS
def test_the_batch_is_one_of_tuning(kind):
    batch = bench.tuning_batch(kind)
    ids, mask, place = batch["inputs"]["input_ids"], batch["inputs"]["attention_mask"], batch["place"]
    assert ids.shape == mask.shape == (16, 30) and ids.max() < bench.CONFIGS[kind].vocab_size
    assert len(set(mask.sum(1).tolist())) > 3, "texts of one length have no padding"
    assert (place == (mask.sum(1) - 1 if kind == "gpt" else 0)).all()
    behind = bench.behind_a_prompt(batch, soft_id=1)
    assert behind["inputs"]["input_ids"].shape == (16, 38) and (behind["inputs"]["input_ids"] == 1).sum() == 16 * 8
    assert torch.equal(behind["inputs"]["input_ids"][torch.arange(16), behind["place"]], ids[torch.arange(16), place])
    assert (behind["inputs"]["attention_mask"].sum(1) == mask.sum(1) + 8).all()


@pytest.mark.parity
@needs_peft
@pytest.mark.parametrize("what", [what for what in bench.SETTINGS if what != "top"])
@KINDS
def test_both_sides_do_the_same_work(kind, what):
    """The same numbers are trained, by as many operations, but for two of peft's: its prefix goes through the network
    once for each row of the batch, and its LoRA on GPT-2 has rows for the key. (An LSTM's are not counted.)"""
    ours, theirs = bench.our_reader(kind, what, whole=True), bench.their_reader(kind, what)
    assert (ours[1]["place"] == theirs[1]["place"]).all() and (ours[1]["label"] == theirs[1]["label"]).all()
    share = operations(*theirs) / operations(*ours)
    assert numbers(ours[0]) == numbers(theirs[0])
    assert 1 <= share <= {"prefix-tuning": 1.2, "lora": 1.001 if kind == "gpt" else 1}.get(what, 1)


@pytest.mark.parametrize("what", ["full", "prompt-tuning", "prefix-tuning"])
@KINDS
def test_the_last_layer_where_it_is_read_gives_the_same_loss_for_less(kind, what):
    whole, read = (bench.our_reader(kind, what, whole) for whole in (True, False))
    read[0].load_state_dict(whole[0].state_dict())
    torch.testing.assert_close(read[0].loss(**read[1]), whole[0].loss(**whole[1]), rtol=1e-5, atol=1e-6)
    assert operations(*read) < 0.85 * operations(*whole)


@KINDS
def test_less_is_trained_by_fewer_operations(kind):
    spent = {what: operations(*bench.our_reader(kind, what)) for what in bench.SETTINGS}
    head = 2 * 16 * 4 * bench.CONFIGS[kind].width  # one product of it: for its own gradient
    assert spent["full"] == 3 * (spent["frozen"] - head), "backward is twice forward"
    assert spent["frozen"] < spent["top"] <= 0.7 * spent["full"], "the block below the trained one needs no gradient"
    assert max(spent["lora"], spent["prefix-tuning"], spent["p-tuning-v2"]) < 0.65 * spent["full"]
    assert max(spent["prompt-tuning"], spent["p-tuning"]) < spent["full"], (
        "no gradient of a weight, but 8 positions more"
    )


@pytest.mark.parametrize("what", bench.SETTINGS)
@KINDS
def test_memory_is_4_bytes_and_8_bytes_a_number(kind, what):
    """Exactly, but for AdamW's own count of its steps: one number of 4 bytes for each tensor."""
    config = bench.CONFIGS[kind]
    reader, batch = bench.our_reader(kind, what)
    gradients, state = bench.bytes_of_training(reader, batch)
    d, tensors = config.width, sum(p.grad is not None for p in reader.parameters())
    expected = WHAT[what].count(bench.SETTINGS[what], config) + 4 * d + 4
    if kind == "bert" and what in ("full", "top"):  # transform, its norm, decoder bias, pooler, next sentence: not read
        expected -= (d * d + 3 * d + config.vocab_size) + (d * d + d) + (2 * d + 2)
    assert gradients == 4 * expected
    assert state == 8 * expected + 4 * tensors


@KINDS
def test_lora_runs_in_every_way_that_it_is_timed(kind):
    models, inputs = bench.lora_models(kind), bench.tuning_batch(kind)["inputs"]
    assert [name for name, model in models.items() if lora_layers(model)] == ["merged", "beside"]
    with torch.no_grad():
        hidden = [model(**inputs).hidden for model in models.values()]
    assert all(torch.allclose(one, hidden[0], atol=1e-5) for one in hidden)


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
        predictor = build(*arguments, **settings)
        predictor.model.register_forward_hook(lambda module, inputs, output: read.append(len(output.hidden)))
        return predictor

    return counted


@pytest.mark.parametrize("with_peft", [False, pytest.param(True, marks=[pytest.mark.parity, needs_peft])])
def test_the_rows(with_peft, monkeypatch):
    """Each job is done once, and said to take a second, or two if it is ours."""
    monkeypatch.setattr(bench, "STEPS", 2)
    monkeypatch.setattr(bench, "CONFIGS", {"gpt": bench.CONFIGS["gpt"]})
    monkeypatch.setattr(bench, "SETTINGS", {what: bench.SETTINGS[what] for what in ("full", "top", "frozen", "lora")})
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: "there" if with_peft else None)

    def once(jobs, seconds):
        assert seconds == 7.0
        for job in jobs.values():
            job()
        return {name: [2.0 if name in ("ours", "once") else 1.0] * 3 for name in jobs}

    monkeypatch.setattr(bench, "in_turn", once)
    figures = bench.tuning_figures(7.0)
    names = [figure.what for figure in figures]
    assert len(set(names)) == len(names)
    methods, rows = len(bench.SETTINGS), {unit: sum(f.unit == unit for f in figures) for unit in ("bytes", "share")}
    assert rows == {"bytes": methods, "share": methods}
    rates = {figure.what: figure.value for figure in figures if figure.unit == "times"}
    assert len(rates) == (methods - 1) + 3 + 1 + 2 * (methods - 1) * with_peft
    for what in bench.SETTINGS:
        library = "transformers'" if what in ("full", "frozen") else "peft's"
        others = [library] * (with_peft and what != "top") + ["full fine-tuning's"] * (what != "full")
        assert all(rates[f"gpt, 1 thread: a step of {what}, times {other} rate"] == 0.5 for other in others)
    assert rates["gpt, 1 thread: forward with LoRA folded, times the base's time"] == 1.0
