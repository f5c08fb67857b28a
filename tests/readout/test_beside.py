"""Lesson 18, a vector beside the hidden state: what it can say, a bias says too. Six questions that every method's
tests answer, in this order: shapes, numbers worked by hand, invariants, parity, gradients, and whether it learns."""

import copy

import pytest
import torch
from torch import nn

from minitune.readout.beside import BesideHead
from minitune.readout.head import Head
from minitune.readout.losses import cross_entropy
from tests.naming import expect

pytestmark = pytest.mark.lesson18


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def head():
    made = BesideHead(24, 3, length=4, seed=1).double()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_()
    return made


# shapes


@pytest.mark.parametrize("length", [1, 4])
def test_a_score_for_each_class_and_as_many_parameters_as_told(hidden, model, length):
    made = BesideHead(24, 3, length=length).double()
    assert made(hidden, model).shape == (5, 3) and made(hidden[:1], model).shape == (1, 3)
    whole = length + 3 * (length + 24) + 3
    expect(sum(p.numel() for p in made.parameters()), whole, {"the prompt is not learned": whole - length})
    assert made.reads == "text" and made.bias().shape == (3,)


# numbers worked by hand


def test_numbers_by_hand(gpt):
    made = BesideHead(2, 1, length=1).double()
    with torch.no_grad():
        made.prompt.fill_(10.0)
        made.linear.weight.copy_(torch.tensor([[0.5, 3.0, -1.0]]))  # the prompt's first, then the text's
        made.linear.bias.fill_(0.25)
    scores = made(torch.tensor([[2.0, 4.0]], dtype=torch.float64), gpt)
    wrong = {"the text is read before the prompt": 0.5 * 2 + 3 * 4 - 10 + 0.25, "the prompt is left out": 2.25}
    expect(scores, [[0.5 * 10 + 3 * 2 - 4 + 0.25]], {cause: [[value]] for cause, value in wrong.items()})
    expect(made.bias(), [5.25], {"the layer's own bias is left out": [5.0], "the prompt's share is left out": [0.25]})


# invariants


def test_the_prompt_shifts_all_texts_alike(head, hidden, model):
    """So the order of texts, for any class, is the same whatever the prompt: it reads nothing."""
    before = head(hidden, model)
    with torch.no_grad():
        head.prompt += 3.0
    shift = head(hidden, model) - before
    assert shift.abs().min() > 0
    torch.testing.assert_close(shift, shift[:1].expand(5, 3), rtol=0, atol=1e-10)


def test_the_same_seed_gives_the_same_head():
    one, two, other = (BesideHead(24, 3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.prompt, two.prompt) and torch.equal(one.linear.weight, two.linear.weight)
    assert not torch.equal(one.prompt, other.prompt)


# parity


def test_it_equals_a_plain_head_with_another_bias(head, hidden, model):
    plain = Head(24, 3).double()
    with torch.no_grad():
        plain.linear.weight.copy_(head.linear.weight[:, 4:])
        plain.linear.bias.copy_(head.bias())
    unpooled = {"the hidden state is read without BERT's pooler": lambda: plain.linear(hidden)}
    expect(head(hidden, model), plain(hidden, model), unpooled)


# gradients


def test_gradients_reach_the_prompt_and_are_those_of_a_bias(head, hidden, model):
    """The prompt's gradient is the bias's, seen through W_p: it has no news of its own."""
    head.loss(head(hidden, model), torch.tensor([0, 1, 2, 0, 1])).backward()
    expected = head.linear.weight[:, :4].T @ head.linear.bias.grad
    torch.testing.assert_close(head.prompt.grad, expected, rtol=0, atol=1e-12)
    assert head.prompt.grad.abs().sum() > 0


# does it learn?


def test_learns_what_a_head_learns_and_no_more_by_the_prompt_alone(hidden, gpt):
    labels = torch.tensor([0, 1, 2, 0, 1])
    made = BesideHead(24, 3, length=4).double()

    def train(head, parameters):
        optimizer = torch.optim.Adam(parameters, lr=0.1)
        for _ in range(80):
            loss = cross_entropy(head(hidden, gpt), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    alone = copy.deepcopy(made)
    best_constant = nn.functional.cross_entropy(torch.tensor([[2.0, 2.0, 1.0]] * 5).double().log(), labels).item()
    with torch.no_grad():
        alone.linear.weight[:, 4:] = 0.0  # a head that reads nothing of the text
    assert train(alone, [alone.prompt]) >= best_constant - 1e-9, (
        "beside the text a prompt can say how common a class is"
    )
    assert train(made, made.parameters()) < 0.1
