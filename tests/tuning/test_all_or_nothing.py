"""Lesson 04, the two ends of "what may change?": everything, or nothing."""

import copy

import pytest
import torch

from minitune.tuning.all_or_nothing import freeze, tune_everything

pytestmark = pytest.mark.lesson04


def test_everything_or_nothing_requires_a_gradient(model):
    assert freeze(model) is model and not any(p.requires_grad for p in model.parameters())
    assert tune_everything(model) is model and all(p.requires_grad for p in model.parameters())


def test_the_function_stays_the_same(model, ids):
    before = model(ids).hidden
    assert torch.equal(freeze(model)(ids).hidden, before) and torch.equal(tune_everything(model)(ids).hidden, before)


def test_what_is_frozen_does_not_move_and_the_rest_does(model, ids):
    """A gradient of zero is not enough: weight decay moves what has one. What is frozen has none."""
    for choose, moves in ((freeze, False), (tune_everything, True)):
        chosen = choose(copy.deepcopy(model))
        extra = torch.nn.Parameter(torch.ones(24, dtype=torch.float64))
        optimizer = torch.optim.AdamW([*chosen.parameters(), extra], lr=0.1, weight_decay=0.5)
        chosen.logits(chosen(ids).hidden * extra).square().mean().backward()
        optimizer.step()
        names = dict(model.named_parameters())
        moved = {name for name, p in chosen.named_parameters() if not torch.equal(p, names[name])}
        assert (extra != 1).all()
        unused = ("pooler", "next_sentence", "type_embedding.weight") if model.kind == "bert" else ()
        expected = {name for name in names if not name.startswith(unused)} if moves else set()
        assert moved - {"type_embedding.weight"} == expected
