"""Lesson 21, P-tuning v2. Six questions that every method's tests answer, in this order: shapes, numbers worked by
hand, invariants, parity with an independent computation, gradients, and whether it learns. How a prefix stands before
the text is tested with the doors."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.tuning.doors import Learned
from minitune.tuning.p_tuning_v2 import DeepPromptConfig, add_deep_prompt, deep_prompt_parameters
from minitune.tuning.prefix_tuning import PrefixConfig, add_prefix
from tests.conftest import make_bert, make_gpt
from tests.tuning.shared import assert_drawn_apart, assert_drawn_from_the_seed, assert_the_door_alone_trains

pytestmark = pytest.mark.lesson21


# what is trained, and shapes


def test_the_prefix_trains_and_the_model_does_not(model):
    assert_the_door_alone_trains(add_deep_prompt(model, DeepPromptConfig(length=3)))


@pytest.mark.parametrize("length", [1, 5])
def test_a_key_and_a_value_for_each_layer_and_position(model, length):
    tuned = add_deep_prompt(model, DeepPromptConfig(length=length))
    assert tuned.door.source().shape == (length, 2 * 3 * 24)
    assert all(part.shape == (2, 3, length, 8) for layer in tuned.door.past(2) for part in layer)


# numbers worked by hand


def test_the_count_by_hand():
    """P, L, D = 3, 2, 10: a key and a value for each."""
    config = make_gpt(layers=2, width=10, heads=5).config
    assert deep_prompt_parameters(DeepPromptConfig(length=3), config) == 2 * 3 * 2 * 10


def test_each_place_layer_key_value_and_head_draws_its_own_numbers(model):
    table = add_deep_prompt(model, DeepPromptConfig(length=4)).door.source()
    assert_drawn_apart(table.view(4, 3, 2, 3, 8), "places", "layers", "kinds (keys and values)", "heads", "numbers")


def test_the_spread_of_the_first_keys_and_values(model):
    torch.manual_seed(0)
    for spread in (1.0, 0.1):
        table = add_deep_prompt(model, DeepPromptConfig(length=30, spread=spread)).door.source()
        message = f"spread is {spread}, and the first keys and values spread {table.std().item():.2f}"
        assert table.std().item() == pytest.approx(spread, rel=0.05), message
    assert (add_deep_prompt(model, DeepPromptConfig(spread=0.0)).door.source() == 0).all()


# invariants


def test_the_text_starts_after_the_prefix_unless_told(model, ids):
    torch.manual_seed(0)
    table = add_deep_prompt(model, DeepPromptConfig(length=4)).door.source().detach()
    for shift, first in ((True, 4), (False, 0)):
        tuned = add_deep_prompt(model, DeepPromptConfig(length=4, shift=shift))
        tuned.door.source = Learned(table)
        past = tuned.door.past(4)
        expected = model(ids, past_key_values=past, position_ids=(torch.arange(11) + first)[None]).hidden
        message = f"with shift={shift} the text starts at position {first}"
        torch.testing.assert_close(tuned(ids).hidden, expected, rtol=0, atol=1e-10, msg=message)
        assert tuned.context == 31 - first


def test_a_spread_of_zero_is_not_the_same_as_no_prefix(model, ids):
    plain = model(ids).hidden
    tuned = add_deep_prompt(model, DeepPromptConfig(length=4, spread=0.0, shift=False))
    assert not torch.allclose(tuned(ids).hidden, plain), "a key of zeros still takes exp(0) of the softmax"


def test_dropout_falls_on_the_prefix_in_training_alone(model, ids):
    tuned = add_deep_prompt(model, DeepPromptConfig(length=4, dropout=0.5))
    assert torch.equal(tuned(ids).hidden, tuned(ids).hidden), "dropout that came into a model in eval mode is on"
    tuned.train()
    assert not torch.equal(tuned(ids).hidden, tuned(ids).hidden), "no dropout in training"


def test_no_weight_of_the_model_changes(model):
    state = copy.deepcopy(model.state_dict())
    add_deep_prompt(model, DeepPromptConfig(length=3))
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_the_same_seed_gives_the_same_prompt(model):
    assert_drawn_from_the_seed(lambda: add_deep_prompt(model, DeepPromptConfig()).door.source())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "the prefix's length is 0; it must be 1 or more"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"spread": -1.0}, "the spread is -1.0; it must be from 0 to 100"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        DeepPromptConfig(**settings)


# parity: the tensors are those of prefix tuning


def test_with_the_same_numbers_it_is_prefix_tuning(tokenizer):
    model = (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer))
    ids = torch.randint(20, len(tokenizer), (4, 11), generator=torch.Generator().manual_seed(3))
    deep = add_deep_prompt(model, DeepPromptConfig(length=3))
    prefix = add_prefix(model, PrefixConfig(length=3, reparametrize=False), tokenizer)
    assert not torch.equal(deep(ids).hidden, prefix(ids).hidden)
    prefix.door.load_state_dict(deep.door.state_dict())
    message = "with the same keys and values the two are one method: does one's text start at another position?"
    assert torch.equal(deep(ids).hidden, prefix(ids).hidden), message


# gradients and learning


def test_learns_a_few_rows_by_heart_and_moves_nothing_else(model, ids):
    model = random_model(replace(model.config, spread=0.2), seed=3).double().eval()
    state, labels = copy.deepcopy(model.state_dict()), torch.tensor([0, 1, 1, 0])
    torch.manual_seed(0)
    tuned, head = add_deep_prompt(model, DeepPromptConfig(length=4)), nn.Linear(24, 2).double()
    first = tuned.door.source().detach().clone()
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(25):  # a new head, as the method has it; here it does not learn
        loss = nn.functional.cross_entropy(head(tuned.pool(tuned(ids).hidden[:, -1])), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], f"the loss went from {losses[0]:.2f} to {losses[-1]:.2f} in 25 steps"
    still = (tuned.door.source() == first).view(4, 3, 2, 24).all(dim=(0, 3))
    assert not still.any(), "some layer's keys or values have not moved"
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items()), "the model has moved"
