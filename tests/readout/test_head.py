"""Lesson 04, the classifier head: one linear layer on what the model made of the whole text."""

import math

import pytest
import torch
from torch import nn

from minitune.readout.head import FreeNumber, Head, NumberHead, TokenHead
from minitune.readout.losses import cross_entropy, focal
from tests.naming import expect

pytestmark = pytest.mark.lesson04


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def head():
    head = Head(24, 3, seed=1).double()
    nn.init.normal_(head.linear.bias)
    return head


def test_a_score_for_each_class_and_as_many_parameters_as_told(head, hidden, model):
    assert head(hidden, model).shape == (5, 3) and head(hidden[:1], model).shape == (1, 3)
    assert sum(p.numel() for p in head.parameters()) == 3 * 24 + 3
    assert head.reads == "text"


def test_numbers_by_hand(gpt, bert):
    head = Head(2, 1).double()
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[3.0, -1.0]]))
        head.linear.bias.fill_(0.5)
    assert head(torch.tensor([[2.0, 4.0]], dtype=torch.float64), gpt).item() == 2.5
    bert.pool = torch.tanh  # BERT's pretrained pooler stands between
    right = 3 * math.tanh(2.0) - math.tanh(4.0) + 0.5
    found = head(torch.tensor([[2.0, 4.0]], dtype=torch.float64), bert)
    expect(found, [[right]], {"the pooler is left out": [[2.5]]})


def test_the_same_seed_gives_the_same_head_and_disturbs_nobody():
    torch.manual_seed(0)
    one, drawn = Head(24, 3, seed=4), torch.rand(2)
    torch.manual_seed(1)
    two = Head(24, 3, seed=4)
    assert torch.equal(one.linear.weight, two.linear.weight) and (one.linear.bias == 0).all()
    assert not torch.equal(one.linear.weight, Head(24, 3, seed=5).linear.weight), "the seed is not used"
    spread = one.linear.weight.std().item()
    assert spread == pytest.approx(0.02, rel=0.3), f"weights are drawn with a spread of {spread:.2f}, not of 0.02"
    assert drawn.shape == (2,)


def test_dropout_is_of_what_the_layer_reads_and_in_training_alone(head, hidden, bert):
    head.dropout.p = 0.5

    def again(formula):
        torch.manual_seed(5)
        return formula(lambda x: nn.functional.dropout(x, 0.5))

    wrong = {
        "the scores are dropped, not what they are made of": again(lambda drop: drop(head.linear(bert.pool(hidden)))),
        "the hidden state is dropped, before the pooler": again(lambda drop: head.linear(bert.pool(drop(hidden)))),
        "nothing is dropped in training": head.linear(bert.pool(hidden)),
        "the pooler is left out": again(lambda drop: head.linear(drop(hidden))),
    }
    expect(again(lambda _: head(hidden, bert)), again(lambda drop: head.linear(drop(bert.pool(hidden)))), wrong)
    expect(head.eval()(hidden, bert), wrong["nothing is dropped in training"])
    assert Head(24, 3, dropout=0.25).dropout.p == 0.25, "the share that is dropped is not the one that was asked for"


def test_equals_a_plain_linear_layer(head, hidden, bert):
    pooled = torch.tanh(hidden @ bert.pooler.weight.T + bert.pooler.bias)
    weight, bias = head.linear.weight, head.linear.bias
    wrong = {
        "the pooler is left out": hidden @ weight.T + bias,
        "the pooler's tanh is left out": (hidden @ bert.pooler.weight.T + bert.pooler.bias) @ weight.T + bias,
        "the bias is left out": pooled @ weight.T,
    }
    expect(head(hidden, bert), pooled @ weight.T + bias, wrong, tolerance=1e-12)


def test_gradients_reach_head_pooler_and_state(head, hidden, bert):
    hidden.requires_grad_()
    head(hidden, bert).square().sum().backward()
    for tensor in (hidden, head.linear.weight, head.linear.bias, bert.pooler.weight):
        assert tensor.grad.abs().sum() > 0


def test_learns_a_few_labels(hidden, bert):
    head, labels = Head(24, 3).double(), torch.tensor([0, 1, 2, 0, 1])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(200):
        loss = nn.functional.cross_entropy(head(hidden, bert), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


# ---- another loss ----


def test_a_head_is_trained_by_the_loss_that_it_is_given(head, hidden, gpt):
    labels = torch.tensor([0, 1, 2, 0, 1])
    scores = head(hidden, gpt)
    assert torch.equal(head.loss(scores, labels), cross_entropy(scores, labels)), "cross-entropy, unless told"
    other = Head(24, 3, loss=focal)
    assert torch.equal(other.loss(scores, labels), focal(scores, labels))
    assert set(other.state_dict()) == {"linear.weight", "linear.bias"}


# ---- a number ----


@pytest.fixture
def number_head():
    made = NumberHead(24, [1, 2, 4], seed=1).double()
    nn.init.normal_(made.linear.weight)
    return made


def test_a_number_has_one_row_of_weights_and_a_score_for_each_class(number_head, hidden, model):
    assert number_head(hidden, model).shape == (5, 3) and number_head(hidden[:1], model).shape == (1, 3)
    assert number_head.number(hidden, model).shape == (5,) and number_head.number(hidden[:1], model).shape == (1,), (
        "a batch of one must keep its dimension"
    )
    assert sum(p.numel() for p in number_head.parameters()) == 24 + 1 and number_head.reads == "text"
    assert set(number_head.state_dict()) == {"linear.weight", "linear.bias"}, "the labels' numbers are not learned"


def test_the_score_is_minus_the_squared_distance(gpt):
    made = NumberHead(2, [1.0, 2.0, 4.0]).double()
    with torch.no_grad():
        made.linear.weight.copy_(torch.tensor([[1.0, 0.5]]))
        made.linear.bias.fill_(0.5)
    state = torch.tensor([[2.0, 1.0], [0.0, 1.0]], dtype=torch.float64)  # the numbers 3 and 1
    assert made.number(state, gpt).tolist() == [3.0, 1.0]
    wrong = {
        "the distance is not squared": [[-2.0, -1.0, -1.0], [0.0, -1.0, -3.0]],
        "the sign: the farthest class has the highest score": [[4.0, 1.0, 1.0], [0.0, 1.0, 9.0]],
        "the index of a class is taken for its number": [[-9.0, -4.0, -1.0], [-1.0, 0.0, -1.0]],
    }
    expect(made(state, gpt), [[-4.0, -1.0, -1.0], [0.0, -1.0, -9.0]], wrong)
    loss = made.loss(made(state, gpt), torch.tensor([0, 1]))  # (3 - 1)^2 and (1 - 2)^2
    wrong = {
        "the distance to the nearest class counts, not to the right one": 0.5,
        "the sign: the loss is lowest far from the right number": -2.5,
        "summed over the batch": 5.0,
        "the index of a class is taken for its number": 4.5,
    }
    expect(loss, 2.5, wrong)


def test_a_number_starts_from_the_middle_and_the_nearest_class_wins(number_head, hidden, model):
    expect(NumberHead(24, [1, 2, 6]).linear.bias, [3.0], {"the number starts from 0, not from the middle": [0.0]})
    numbers = number_head.number(hidden, model)
    nearest = (numbers[:, None] - torch.tensor([1.0, 2.0, 4.0])).abs().argmin(dim=1)
    assert torch.equal(number_head(hidden, model).argmax(dim=1), nearest)


def test_the_loss_of_a_number_is_the_mean_squared_error(number_head, hidden, bert):
    labels = torch.tensor([0, 2, 2, 1, 0])
    target = torch.tensor([1.0, 4, 4, 2, 1], dtype=torch.float64)
    expected = nn.functional.mse_loss(number_head.number(hidden, bert), target)
    torch.testing.assert_close(number_head.loss(number_head(hidden, bert), labels), expected, rtol=1e-12, atol=0)


def test_learns_numbers(hidden, gpt):
    made, labels = NumberHead(24, [1, 2, 4]).double(), torch.tensor([0, 1, 2, 0, 1])
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    for _ in range(200):
        loss = made.loss(made(hidden, gpt), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3 and torch.equal(made(hidden, gpt).argmax(dim=1), labels)
    assert made.linear.weight.grad.abs().sum() > 0


def test_a_free_number_is_so_many_spreads_from_the_mean():
    made = FreeNumber(24, mean=100.0, spread=20.0)
    wrong = {
        "the mean is not taken off": 7.0,
        "the distance is not in spreads": 40.0,
        "the spread multiplies": 800.0,
    }
    expect(made.distance(140.0), 2.0, wrong)
    expect(made.number(2.0), 140.0, {"the distance is not in spreads": 102.0, "the mean is not added": 40.0})
    assert set(made.state_dict()) == {"mean", "spread", "linear.weight", "linear.bias"}, (
        "what was measured of the numbers is not saved: an opened model would answer around 0"
    )


# ---- every token ----


def test_every_token_is_scored_by_itself_without_the_pooler(hidden):
    made = TokenHead(24, 3, seed=1).double()
    nn.init.normal_(made.linear.bias)
    states = hidden[:4].view(2, 2, 24)
    scores = made(states)
    assert scores.shape == (2, 2, 3) and sum(p.numel() for p in made.parameters()) == 3 * 24 + 3
    for row in range(2):
        for at in range(2):
            expected = made.linear.weight @ states[row, at] + made.linear.bias
            torch.testing.assert_close(scores[row, at], expected, rtol=0, atol=1e-12)
    assert torch.equal(TokenHead(24, 3, seed=4).linear.weight, Head(24, 3, seed=4).linear.weight)


def test_learns_tags(hidden):
    made, tags = TokenHead(24, 3).double(), torch.tensor([[0, 1], [2, -100]])
    states = hidden[:4].view(2, 2, 24)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    for _ in range(100):
        loss = cross_entropy(made(states).flatten(0, 1), tags.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
