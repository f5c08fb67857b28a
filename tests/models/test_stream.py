"""Lesson 24, generation while it is read: a token a step, the same as all at once, and nothing done ahead."""

from itertools import islice

import pytest
import torch

from minitune.errors import UserError
from minitune.models import generate
from minitune.models.attention import SelfAttention
from minitune.models.generate import choose, stream
from tests.conftest import random_past
from tests.models.shared import PROMPTS, gpt

__all__ = ["gpt"]
pytestmark = pytest.mark.lesson24
DRAWN = [
    {},
    {"temperature": 0.8, "seed": 5},
    {"temperature": 1.3, "top_k": 7, "seed": 2},
    {"temperature": 1.1, "top_p": 0.8, "seed": 3},
]


def slowly(model, prompts, steps, past=None, temperature=0.0, top_k=None, top_p=None, seed=0):
    """The tokens of each step, from full passes over each row alone: no padding, no cache, no mask."""
    generator, rows, told = torch.Generator().manual_seed(seed), [list(prompt) for prompt in prompts], []
    for _ in range(steps):
        with torch.no_grad():
            hidden = [model(torch.tensor([row]), past_key_values=past).hidden[:, -1] for row in rows]
            tokens = choose(model.logits(torch.cat(hidden)), temperature, top_k, top_p, generator).tolist()
        told.append(tokens)
        rows = [[*row, token] for row, token in zip(rows, tokens, strict=True)]
    return told


def attentions(model):
    return [module for module in model.modules() if isinstance(module, SelfAttention)]


@pytest.fixture
def passes(gpt):
    """Grows by one with each pass of the model."""
    seen = []
    gpt.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    return seen


# shapes


def test_a_step_is_one_token_of_every_row(gpt):
    steps = list(stream(gpt, PROMPTS, 5))
    assert len(steps) == 5 and all(len(step) == 4 and all(type(i) is int for i in step) for step in steps)


# parity with full passes


@pytest.mark.parametrize("settings", DRAWN)
@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("length", [0, 4])
def test_the_steps_are_those_of_full_passes(gpt, settings, use_cache, length):
    past = random_past(1, length) if length else None
    steps = list(stream(gpt, PROMPTS, 9, past_key_values=past, use_cache=use_cache, **settings))
    message = "a step is read at another place, behind another past, or drawn by another generator than those before"
    assert steps == slowly(gpt, PROMPTS, 9, past, **settings), message
    rows = [list(row) for row in zip(*steps, strict=True)]
    assert rows == generate(gpt, PROMPTS, 9, past_key_values=past, use_cache=use_cache, **settings)


@pytest.mark.parametrize("settings", DRAWN)
def test_the_stop_token_is_told_and_ends_when_every_row_has_said_it(gpt, settings):
    free = slowly(gpt, PROMPTS[:2], 20, **settings)
    stop = free[1][0]
    last = max(next((n for n, step in enumerate(free) if step[row] == stop), 19) for row in (0, 1))
    steps = list(stream(gpt, PROMPTS[:2], 20, stop_id=stop, **settings))
    assert steps == free[: last + 1], "it ends with the first row, or writes on behind the last one's stop token"
    rows = generate(gpt, PROMPTS[:2], 20, stop_id=stop, **settings)
    for row, written in enumerate(rows):
        told = [step[row] for step in steps]
        assert stop not in written and written == (told[: told.index(stop)] if stop in told else told)
    assert stop in [step[0] for step in steps], "the stop token is told"


# invariants: nothing is done ahead


def test_one_step_that_is_read_is_one_pass_of_the_model(gpt, passes):
    steps = stream(gpt, PROMPTS, 20)
    assert not passes, "it writes before anybody reads"
    for count in range(1, 8):
        next(steps)
        assert len(passes) == count, "it writes ahead of its reader, so nothing is seen while it writes"


def test_nothing_is_read_behind_the_stop_token(gpt, passes):
    stop = generate(gpt, PROMPTS[:1], 3)[0][2]
    passes.clear()
    assert len(list(stream(gpt, PROMPTS[:1], 20, stop_id=stop))) == len(passes) <= 3


def test_wrong_settings_are_told_at_the_first_step(gpt):
    steps = stream(gpt, PROMPTS, 25)
    with pytest.raises(UserError, match="ask for at most 24 new tokens"):
        next(steps)


# the model is as it was


@pytest.mark.parametrize("how", ["closed", "left", "exhausted", "broken"])
def test_the_weights_are_apart_again_however_it_ends(gpt, how):
    steps = stream(gpt, PROMPTS, 6)
    next(steps)
    assert all(layer.together is not None for layer in attentions(gpt)), "no product is spared: this test shows nothing"
    if how == "closed":
        steps.close()
    elif how == "left":
        del steps
    elif how == "exhausted":
        list(steps)
    else:
        gpt.register_forward_pre_hook(lambda module, inputs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(steps)
    message = "weights of before are still used: training would not change what is written"
    assert all(layer.together is None for layer in attentions(gpt)), message


def test_a_model_that_is_trained_after_half_an_answer_writes_otherwise(gpt):
    before = generate(gpt, PROMPTS, 12)
    steps = stream(gpt, PROMPTS, 12)
    list(islice(steps, 3))
    steps.close()
    with torch.no_grad():
        for block in gpt.blocks:
            block.attention.value.weight.mul_(-3.0)
    assert generate(gpt, PROMPTS, 12) == generate(gpt, PROMPTS, 12, use_cache=False) != before


# gradients


def test_between_two_steps_gradients_are_the_readers_own(gpt):
    whole, told = slowly(gpt, PROMPTS, 6), []
    for step in stream(gpt, PROMPTS, 6):
        told.append(step)
        message = "the reader's own code runs without gradients: decorate the generator, do not wrap its body"
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled(), message
        weight = torch.ones(3, requires_grad=True)
        (weight * 2).sum().backward()
        assert weight.grad.tolist() == [2, 2, 2]
    assert told == whole and all(parameter.grad is None for parameter in gpt.parameters())


def test_no_step_is_recorded_for_gradients(gpt, monkeypatch):
    called, logits = [], gpt.logits
    monkeypatch.setattr(gpt, "logits", lambda hidden: called.append(hidden) or logits(hidden))
    list(stream(gpt, PROMPTS, 3))
    assert len(called) == 3 and not any(hidden.requires_grad for hidden in called), "each step keeps its whole graph"
