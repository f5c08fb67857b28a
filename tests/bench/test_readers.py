"""The work of tuning that is timed: that both libraries do the same, and what it comes to."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minitune.bench import readers as bench
from minitune.bench.models import CONFIGS, is_installed

KINDS = pytest.mark.parametrize("kind", ["gpt", "bert"])
needs_peft = pytest.mark.skipif(not is_installed("peft"), reason="needs the extra `parity`")


def operations(reader, batch):
    """Of the matrix products of a step, forward and backward; the fused attention's own are not counted on a CPU."""
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
    assert ids.shape == mask.shape == (16, 30) and ids.max() < CONFIGS[kind].vocab_size
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
    head = 2 * 16 * 4 * CONFIGS[kind].width  # one product of it: for its own gradient
    assert spent["full"] == 3 * (spent["frozen"] - head), "backward is twice forward"
    assert spent["frozen"] < spent["top"] <= 0.7 * spent["full"], "the block below the trained one needs no gradient"
    assert max(spent["lora"], spent["prefix-tuning"], spent["p-tuning-v2"]) < 0.65 * spent["full"]
    assert max(spent["prompt-tuning"], spent["p-tuning"]) < spent["full"], (
        "no gradient of a weight, but 8 positions more"
    )
