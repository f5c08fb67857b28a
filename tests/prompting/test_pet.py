"""Lesson 08, PET: patterns label together, and a classifier learns from their soft labels."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.prompting.pet import distillation, ensemble, pattern_weights, soft_labels
from tests.naming import expect

pytestmark = pytest.mark.lesson08


def random_scores(*shape, seed=0):
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def doubles(rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.fixture
def scores():
    """Four patterns, five texts, three classes: (P, N, C)."""
    return random_scores(4, 5, 3)


WEIGHTS = pattern_weights([0.5, 0.0, 0.25, 1.0])


# shapes


@pytest.mark.parametrize("texts", [1, 5])
def test_shapes(texts):
    together = ensemble(random_scores(4, texts, 3), WEIGHTS)
    assert together.shape == soft_labels(together).shape == (texts, 3)
    assert distillation(together, soft_labels(together)).shape == ()


def test_scores_may_be_float32(scores):
    assert ensemble(scores.float(), WEIGHTS).dtype == torch.float32


# numbers worked by hand


def test_weights_are_accuracies_that_sum_to_one():
    accuracies = doubles([0.5, 0.0, 0.25, 1.0])
    wrong = {
        "the weights are not brought to the sum 1": accuracies,
        "a softmax of the accuracies: a pattern that is always wrong is heard": accuracies.softmax(dim=0),
        "all patterns count alike": doubles([0.25] * 4),
    }
    expect(pattern_weights(accuracies.tolist()), doubles([2 / 7, 0, 1 / 7, 4 / 7]), wrong)


def test_the_ensemble_is_the_weighted_mean_of_scores(scores):
    right = (2 * scores[0] + scores[2] + 4 * scores[3]) / 7
    p = scores.softmax(dim=-1)
    wrong = {
        "the patterns' weights are not used": scores.mean(dim=0),
        "probabilities are averaged, not scores": (2 * p[0] + p[2] + 4 * p[3]) / 7,
        "the weighted sum is divided by the number of patterns as well": right / 4,
        "the first pattern alone is heard": scores[0],
    }
    expect(ensemble(scores, WEIGHTS), right, wrong)


@pytest.mark.parametrize("temperature", [1.5, 2.0])
def test_soft_labels_are_a_softmax_over_the_classes_at_a_temperature(scores, temperature):
    softened = (scores[0] / temperature).exp()
    wrong = {
        "the labels are not softened": scores[0].softmax(dim=1),
        "scores are multiplied by the temperature, not divided": (scores[0] * temperature).softmax(dim=1),
        "the softmax runs over the texts": (scores[0] / temperature).softmax(dim=0),
    }
    expect(soft_labels(scores[0], temperature), softened / softened.sum(dim=1, keepdim=True), wrong)


@pytest.mark.parametrize("temperature", [1.5, 3.0])
def test_the_loss_is_the_divergence_times_the_square_of_the_temperature(scores, temperature):
    target = soft_labels(scores[0], temperature)
    p = (scores[1] / temperature).softmax(dim=1)
    each = (target * (target / p).log()).sum(dim=1)  # (N,)
    right = temperature**2 * each.mean()
    sharp = scores[1].softmax(dim=1)
    surprise = -(target * p.log()).sum(dim=1).mean()
    wrong = {
        "T^2 is missing": each.mean(),
        "the loss is multiplied by T, not by its square": temperature * each.mean(),
        "the temperature is on the labels' side only": temperature**2 * (target * (target / sharp).log()).sum(1).mean(),
        "the divergence is taken the wrong way round": temperature**2 * (p * (p / target).log()).sum(dim=1).mean(),
        "cross-entropy: the labels' own entropy is not taken off": temperature**2 * surprise,
        "summed over the texts, not averaged": 5 * right,
        "averaged over the classes as well": right / 3,
    }
    expect(distillation(scores[1], target, temperature), right, wrong)


def test_where_no_pattern_was_right_all_count_alike():
    assert pattern_weights([0.0, 0.0, 0.0, 0.0]).tolist() == [0.25] * 4, "0 / 0: the weights are no numbers"


def test_two_patterns_one_text():
    together = ensemble(doubles([[[4.0, 0.0]], [[0.0, 1.0]]]), pattern_weights([0.9, 0.3]))
    torch.testing.assert_close(together, doubles([[3.0, 0.25]]))  # 3/4 of the one, 1/4 of the other
    odds = math.exp((3.0 - 0.25) / 2)
    expected = doubles([[odds / (1 + odds), 1 / (1 + odds)]])
    torch.testing.assert_close(soft_labels(together, 2.0), expected, rtol=1e-12, atol=0)


def test_one_text_by_hand():
    target = doubles([[0.75, 0.25]])
    # at T = 3 the scores 3 log 3 and 0 say 3 : 1, as the target does; log 3 and 0 say 3^(1/3) : 1
    agreeing = doubles([[3 * math.log(3), 0.0]])
    assert distillation(agreeing, target, 3.0).item() == pytest.approx(0.0, abs=1e-12)
    root = 3 ** (1 / 3)
    said = (root / (1 + root), 1 / (1 + root))
    expected = 9 * (0.75 * math.log(0.75 / said[0]) + 0.25 * math.log(0.25 / said[1]))
    given = distillation(doubles([[math.log(3), 0.0]]), target, 3.0).item()
    assert given == pytest.approx(expected, rel=1e-12), "T^2 is missing" * (abs(given * 9 - expected) < 1e-9)


# invariants


def test_a_pattern_of_weight_zero_is_not_heard(scores):
    other = scores.clone()
    other[1] = random_scores(5, 3, seed=9)
    assert torch.equal(ensemble(scores, WEIGHTS), ensemble(other, WEIGHTS))


def test_patterns_that_agree_say_what_each_says(scores):
    same = scores[:1].expand(4, 5, 3)
    torch.testing.assert_close(ensemble(same, WEIGHTS), scores[0], rtol=1e-12, atol=1e-12)


def test_the_order_of_the_patterns_does_not_matter(scores):
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        ensemble(scores[order], WEIGHTS[order]), ensemble(scores, WEIGHTS), rtol=1e-12, atol=1e-12
    )


def test_a_pattern_whose_scores_are_all_higher_counts_no_more(scores):
    """Logits of two templates have different means; what is the same for all classes must not decide."""
    shifted = scores.clone()
    shifted[3] += 100
    expected = soft_labels(ensemble(scores, WEIGHTS))
    torch.testing.assert_close(soft_labels(ensemble(shifted, WEIGHTS)), expected, rtol=1e-9, atol=0)


def test_a_higher_temperature_is_softer_and_chooses_the_same(scores):
    entropies = []
    for temperature in (0.5, 1.0, 2.0, 8.0):
        labels = soft_labels(scores[0], temperature)
        assert torch.equal(labels.argmax(dim=1), scores[0].argmax(dim=1))
        entropies.append(-torch.xlogy(labels, labels).sum().item())
    assert entropies == sorted(entropies), "the scores are multiplied by the temperature, not divided"


def test_saying_the_same_costs_nothing(scores):
    for temperature in (1.0, 2.0, 5.0):
        loss = distillation(scores[0], soft_labels(scores[0], temperature), temperature)
        assert loss.item() == pytest.approx(0.0, abs=1e-12), "the temperature is on one side only"
        assert distillation(scores[1], soft_labels(scores[0], temperature), temperature) > 0.01


def test_a_certain_label_is_no_trouble(scores):
    certain = F.one_hot(scores[0].argmax(dim=1), 3).double()
    loss = distillation(scores[0], certain, 1.0)
    assert loss.isfinite(), "0 log 0 is taken for no number: it is 0"
    torch.testing.assert_close(loss, F.cross_entropy(scores[0], scores[0].argmax(dim=1)))


# parity with slow loops


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.5])
def test_soft_labels_and_loss_by_slow_loops(scores, temperature):
    target, total = soft_labels(scores[0], temperature), 0.0
    for n in range(5):
        q = [math.exp(s / temperature) for s in scores[0, n].tolist()]
        p = [math.exp(s / temperature) for s in scores[1, n].tolist()]
        q, p = [x / sum(q) for x in q], [x / sum(p) for x in p]
        assert target[n].tolist() == pytest.approx(q, rel=1e-12)
        total += sum(a * math.log(a / b) for a, b in zip(q, p, strict=True)) / 5
    assert distillation(scores[1], target, temperature).item() == pytest.approx(temperature**2 * total, rel=1e-10)


def test_the_loss_is_that_of_pytorch(scores):
    target = soft_labels(scores[0])
    expected = 4 * F.kl_div((scores[1] / 2).log_softmax(dim=1), target, reduction="batchmean")
    torch.testing.assert_close(distillation(scores[1], target), expected, rtol=1e-10, atol=0)


# gradients


def test_the_gradient_is_as_large_at_any_temperature(scores):
    """For scores near 0 it is (z - s) / C, centred, whatever T is: that is what T^2 is for."""
    teacher, small = 1e-4 * scores[0], 1e-4 * scores[1]
    difference = (small - small.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    for temperature in (1.0, 2.0, 5.0):
        student = small.clone().requires_grad_()
        distillation(student, soft_labels(teacher, temperature), temperature).backward()
        torch.testing.assert_close(student.grad, difference / 3 / 5, rtol=2e-3, atol=1e-9)


def test_gradients_against_finite_differences(scores):
    target = soft_labels(scores[0])
    assert torch.autograd.gradcheck(lambda s: distillation(s, target), scores[1].clone().requires_grad_())


# whether it learns


def test_scores_that_learn_from_soft_labels_come_to_say_the_same(scores):
    target = soft_labels(scores[0])
    student = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([student], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        distillation(student, target).backward()
        optimizer.step()
    torch.testing.assert_close(soft_labels(student.detach()), target, rtol=0, atol=0.01)
    torch.testing.assert_close(student.softmax(1), scores[0].softmax(1), rtol=0, atol=0.02)  # at T = 1 as well
