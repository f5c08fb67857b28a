"""What the tests of generation share: prompts of several lengths, and a model that writes."""

import copy
import functools

import pytest
import torch

from minitune.models import generate
from tests.conftest import make_gpt

PROMPTS = [[3, 14, 15, 9], [26], [5, 35], [8, 9, 7, 9, 3, 2, 3]]


@functools.cache
def lively():
    """Writes something new at every place: a model that always says the same word would pass all tests below."""
    model = make_gpt()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(0.1 if name.endswith("bias") else 3.0 if name.endswith("output.weight") else 1.0)
    words = {word for prompt in PROMPTS for word in generate(model, [prompt], 20, use_cache=False)[0]}
    assert len(words) > 20, "this model always says the same: the tests below would show nothing"
    return model


@pytest.fixture
def gpt():
    return copy.deepcopy(lively())
