"""Lesson 04, the two ends of "what may change?": everything, or nothing."""

import copy

import pytest
import torch

from minitune.tuning.all_or_nothing import all_parameters, freeze, no_parameters, tune_everything
from tests.conftest import make_bert, make_gpt

pytestmark = pytest.mark.lesson04


def test_everything_or_nothing_requires_a_gradient(model):
    for choose, expected in ((freeze, False), (tune_everything, True)):
        assert choose(model) is model, "changed in place, and returned"
        wrong = [name for name, p in model.named_parameters() if p.requires_grad != expected]
        state = "frozen" if expected else "trainable"
        assert not wrong, f"{choose.__name__} leaves {len(wrong)} parameters {state}: {wrong[:3]} ..."


@pytest.mark.parametrize("make", [make_gpt, make_bert])
@pytest.mark.parametrize("sizes", [{}, {"layers": 1, "width": 10, "heads": 5, "inner": 13, "context": 9}])
def test_as_many_numbers_as_the_formula_says(make, sizes):
    model = make(53, **sizes)
    for choose, formula in ((tune_everything, all_parameters), (freeze, no_parameters)):
        trained = sum(p.numel() for p in choose(model).parameters() if p.requires_grad)
        assert trained == formula(None, model.config)


def test_by_hand():
    """V, C, D, I, L = 5, 4, 2, 3, 1; three token types."""
    gpt = make_gpt(5, layers=1, width=2, heads=1, inner=3, context=4).config
    bert = make_bert(5, layers=1, width=2, heads=1, inner=3, context=4).config
    block = 4 * (4 + 2) + (6 + 3) + (6 + 2) + 2 * 4  # attention, up, down, two norms
    assert all_parameters(None, gpt) == 10 + 8 + block + 4
    outside = 6 + 4 + (4 + 2) + (4 + 2) + (4 + 2) + 4 + 5  # types, norm, pooler, next, transform, its norm, bias
    assert all_parameters(None, bert) == 10 + 8 + block + outside
    assert no_parameters(None, gpt) == no_parameters(None, bert) == 0


def test_the_function_stays_the_same(model, ids):
    before = model(ids).hidden
    assert torch.equal(freeze(model)(ids).hidden, before) and torch.equal(tune_everything(model)(ids).hidden, before)


def test_what_is_frozen_does_not_move_and_the_rest_does(model, ids):
    """A gradient of zero is not enough: weight decay moves what has one. What is frozen has none."""
    unused = ("pooler", "next_sentence", "type_embedding.weight") if model.kind == "bert" else ()
    for choose, moves in ((freeze, False), (tune_everything, True)):
        chosen = choose(copy.deepcopy(model))
        extra = torch.nn.Parameter(torch.ones(24, dtype=torch.float64))
        optimizer = torch.optim.AdamW([*chosen.parameters(), extra], lr=0.1, weight_decay=0.5)
        chosen.logits(chosen(ids).hidden * extra).square().mean().backward()
        optimizer.step()
        names = dict(model.named_parameters())
        moved = {name for name, p in chosen.named_parameters() if not torch.equal(p, names[name])}
        assert (extra != 1).all()
        expected = {name for name in names if not name.startswith(unused)} if moves else set()
        assert moved - {"type_embedding.weight"} == expected
