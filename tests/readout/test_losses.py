"""Lesson 04, the losses of read-outs: numbers by hand, parity with a loop, gradients."""

import math

import pytest
import torch

from minitune.readout.losses import cross_entropy, focal
from tests.naming import expect

pytestmark = pytest.mark.lesson04


@pytest.fixture
def scores():
    return 3 * torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def label():
    return torch.tensor([0, 3, 1, 1, 2, 0])


# shapes


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_one_number_for_a_batch_the_mean_over_its_rows(loss, scores, label):
    rows = [loss(scores[i : i + 1], label[i : i + 1]) for i in range(6)]
    assert loss(scores, label).shape == ()
    expect(loss(scores, label), torch.stack(rows).mean(), {"summed over the batch": torch.stack(rows).sum()})


# numbers worked by hand


def test_cross_entropy_is_the_log_of_the_right_class():
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64).log() + 7.0
    expected = -(math.log(0.3) + math.log(0.8)) / 2
    assert cross_entropy(scores, torch.tensor([1, 2])).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gamma", [2.0, 0.5])
def test_focal_by_hand(gamma):
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64).log() + 7.0

    def by(factor, share=0.5):
        return -share * sum(factor(p) * math.log(p) for p in (0.3, 0.8))

    wrong = {
        "the factor is p^gamma: what is sure already counts most": by(lambda p: p**gamma),
        "the factor is a power of 1 - log p, not of 1 - p": by(lambda p: (1 - math.log(p)) ** gamma),
        "there is no factor: that is cross-entropy": by(lambda p: 1.0),
        "summed over the batch": by(lambda p: (1 - p) ** gamma, share=1.0),
        "gamma multiplies, and is no power": by(lambda p: gamma * (1 - p)),
    }
    if gamma != 2.0:
        wrong["gamma is 2 whatever was asked for"] = by(lambda p: (1 - p) ** 2)
    expect(focal(scores, torch.tensor([1, 2]), gamma), by(lambda p: (1 - p) ** gamma), wrong)
    assert focal(scores, torch.tensor([1, 2])) == focal(scores, torch.tensor([1, 2]), gamma=2.0), "gamma is 2 by itself"


def test_cross_entropy_leaves_out_what_has_no_label(scores, label):
    hidden = torch.tensor([0, -100, 1, -100, 2, 0])
    chosen = torch.tensor([0, 2, 4, 5])
    expected = cross_entropy(scores[chosen], label[chosen])
    try:
        found = cross_entropy(scores, hidden)
    except IndexError:
        pytest.fail("a label of -100 is taken for a class: it is to be left out")
    expect(found, expected, {"the mean is over the rows without a label too": expected * 4 / 6})


# invariants


def test_with_gamma_0_focal_is_cross_entropy(scores, label):
    torch.testing.assert_close(focal(scores, label, gamma=0.0), cross_entropy(scores, label), rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_a_constant_on_all_scores_changes_nothing(loss, scores, label):
    torch.testing.assert_close(loss(scores + 50.0, label), loss(scores, label), rtol=1e-10, atol=0)


def test_focal_turns_away_from_what_is_sure():
    """Of two rows, the surer one has the smaller part in the gradient than in that of cross-entropy."""
    parts = []
    for loss in (cross_entropy, focal):
        scores = torch.tensor([[4.0, 0.0], [0.5, 0.0]], dtype=torch.float64, requires_grad=True)
        loss(scores, torch.tensor([0, 0])).backward()
        sure, unsure = scores.grad.abs().sum(dim=1).tolist()
        parts.append(sure / unsure)
    assert parts[1] < 0.1 * parts[0]


# parity


def test_equals_a_loop_over_rows(scores, label):
    total = 0.0
    for row, right in zip(scores.tolist(), label.tolist(), strict=True):
        p = math.exp(row[right]) / sum(map(math.exp, row))
        total -= (1 - p) ** 2 * math.log(p)
    assert focal(scores, label).item() == pytest.approx(total / 6, rel=1e-10)


# gradients


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_gradients_are_those_of_finite_differences(scores, label, gamma):
    assert torch.autograd.gradcheck(lambda x: focal(x, label, gamma), scores.requires_grad_())


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_the_surest_and_the_wrongest_scores_have_finite_gradients(loss):
    """p is 1 to the last digit in the first row and 0 in the second: log(1 - p), or 0 times infinity, would show."""
    scores = torch.tensor([[900.0, 0.0], [-900.0, 0.0]], requires_grad=True)
    value = loss(scores, torch.tensor([0, 0]))
    value.backward()
    assert value.item() == pytest.approx(450.0) and scores.grad.isfinite().all()
