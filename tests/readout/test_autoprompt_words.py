"""Lesson 12, AutoPrompt's label words: those whose vectors a classifier of hidden states takes for the class."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.readout.autoprompt_words import AutoPromptWordsConfig, autoprompt_words, logistic_regression

pytestmark = pytest.mark.lesson12
CLASSES = ("bad", "fair", "good")
LABELS = torch.tensor([2, 0, 1, 0, 2, 2, 0, 1, 2])


def ids_of(words):
    return [[word for word, _ in of_class] for of_class in words]


@pytest.fixture
def features():
    """(N, D) = (9, 7)"""
    return torch.randn(9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def output():
    """(V, D) = (31, 7)"""
    return torch.randn(31, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


# shapes


@pytest.mark.parametrize("words", [1, 4])
def test_so_many_words_for_each_class(features, output, words):
    found = autoprompt_words(features, LABELS, output, CLASSES, range(31), AutoPromptWordsConfig(words))
    assert [len(of_class) for of_class in found] == [words] * 3
    weight, bias = logistic_regression(features, LABELS, 3, penalty=0.7)
    assert weight.shape == (3, 7) and bias.shape == (3,) and not weight.requires_grad


# numbers worked by hand


def test_two_points_worked_by_hand():
    """h = +1 and -1, one of each class. By symmetry W = (-w, w), b = 0, and the loss 2 log(1 + e^(-2w)) + penalty w^2
    is lowest where penalty w = 2 / (1 + e^(2w)): for a penalty of 2 / (1 + e^2) that is w = 1."""
    penalty = 2 / (1 + math.exp(2))
    weight, bias = logistic_regression(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, penalty)
    torch.testing.assert_close(weight.flatten().tolist(), [-1.0, 1.0], rtol=0, atol=1e-5)
    torch.testing.assert_close((bias[0] - bias[1]).item(), 0.0, rtol=0, atol=1e-5)


def test_a_word_s_score_is_the_classifier_s_log_probability_of_its_class():
    penalty = 2 / (1 + math.exp(2))
    output = torch.tensor([[0.5], [-2.0], [0.0]])
    found = autoprompt_words(
        torch.tensor([[-1.0], [1.0]]),
        torch.tensor([0, 1]),
        output,
        ("a", "b"),
        range(3),
        AutoPromptWordsConfig(1, penalty),
    )
    (low,), (high,) = found  # W = (-1, 1): log softmax of (2, -2) and of (-0.5, 0.5)
    assert (low[0], high[0]) == (1, 0)
    assert low[1] == pytest.approx(-math.log(1 + math.exp(-4)), abs=1e-5)
    assert high[1] == pytest.approx(-math.log(1 + math.exp(-1)), abs=1e-5)


# invariants


def test_the_softmax_runs_over_the_classes_not_over_the_words(features, output):
    """Word 30 is a long vector that two classes like alike: over the words it is the first choice of both."""
    weight, _ = logistic_regression(features, LABELS, 3, 1.0)
    output = 3 * output
    output[30] = weight.pinverse() @ torch.tensor([20.0, 20.0, -40.0], dtype=torch.float64)
    over_words = (output @ weight.T).log_softmax(dim=0)  # the mistake
    assert over_words.argmax(dim=0)[:2].tolist() == [30, 30], "the fixture has no word that the mistake would prefer"
    found = autoprompt_words(features, LABELS, output, CLASSES, range(31), AutoPromptWordsConfig(2, penalty=1.0))
    assert all(30 not in words for words in ids_of(found)), "the softmax runs over the words"


def test_scores_of_a_word_sum_to_one_over_the_classes(features, output):
    """Each word's probabilities of all classes, read off the searches for 10 words each."""
    found = autoprompt_words(features, LABELS, output, CLASSES, range(31), AutoPromptWordsConfig(10, penalty=1.0))
    weight, bias = logistic_regression(features, LABELS, 3, 1.0)
    for label, words in enumerate(found):
        for word, score in words:
            of_classes = [math.exp(float(weight[c] @ output[word] + bias[c])) for c in range(3)]
            assert score == pytest.approx(math.log(of_classes[label] / sum(of_classes)), abs=1e-9), (
                "the softmax is not over the classes"
            )


def test_permuting_the_classes_permutes_the_words(features, output):
    order = [2, 0, 1]
    moved = torch.tensor([order.index(label) for label in LABELS.tolist()])
    config = AutoPromptWordsConfig(3, penalty=0.4)
    found = ids_of(autoprompt_words(features, LABELS, output, CLASSES, range(31), config))
    permuted = autoprompt_words(features, moved, output, [CLASSES[i] for i in order], range(31), config)
    assert ids_of(permuted) == [found[i] for i in order]


def test_no_word_stands_for_two_classes_and_none_is_found_that_is_not_allowed(features, output):
    allowed = [2, 3, 5, 7, 11, 13, 17, 19, 23]
    found = ids_of(autoprompt_words(features, LABELS, output, CLASSES, allowed, AutoPromptWordsConfig(3, penalty=1.0)))
    assert sorted(word for words in found for word in words) == allowed, "three classes take three each of nine"


def test_the_global_state_is_left_alone(features, output):
    state = torch.get_rng_state()
    with torch.no_grad():
        autoprompt_words(features.requires_grad_(), LABELS, output, CLASSES, range(31), AutoPromptWordsConfig())
    assert torch.equal(state, torch.get_rng_state()) and features.grad is None


# parity with an independent computation


@pytest.mark.parametrize("penalty", [0.05, 2.0])
def test_equals_plain_steps_down_the_slope(features, penalty):
    weight, bias = torch.zeros(3, 7, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for _ in range(4000):
        p = (features @ weight.T + bias).softmax(dim=1)
        error = p - F.one_hot(LABELS, 3)  # (N, C)
        weight = weight - 0.05 * (error.T @ features + penalty * weight)
        bias = bias - 0.05 * error.sum(dim=0)
    found, its = logistic_regression(features, LABELS, 3, penalty)
    torch.testing.assert_close(found, weight, rtol=0, atol=1e-4)
    torch.testing.assert_close(its - its.mean(), bias - bias.mean(), rtol=0, atol=1e-4)


def test_the_words_are_those_that_a_loop_finds(features, output):
    weight, bias = logistic_regression(features, LABELS, 3, 1.0)
    wanted = []
    for word in range(31):
        scores = [float(weight[c] @ output[word] + bias[c]) for c in range(3)]
        total = sum(map(math.exp, scores))
        wanted += [(math.exp(scores[c]) / total, c, word) for c in range(3)]
    expected, taken = [[], [], []], set()
    for _, label, word in sorted(wanted, key=lambda entry: -entry[0]):
        if word not in taken and len(expected[label]) < 4:
            expected[label].append(word)
            taken.add(word)
    assert (
        ids_of(autoprompt_words(features, LABELS, output, CLASSES, range(31), AutoPromptWordsConfig(4, penalty=1.0)))
        == expected
    )


# does it find what is there?


def test_planted_words_are_found_in_a_linear_world():
    generator = torch.Generator().manual_seed(2)
    output = torch.randn(60, 64, generator=generator) / 4
    planted = [[7, 31], [12, 50], [3, 44]]
    labels = torch.arange(3).repeat(20)
    centres = torch.stack([output[pair].mean(dim=0) for pair in planted])
    features = centres[labels] + 0.3 * torch.randn(60, 64, generator=generator)
    found = ids_of(
        autoprompt_words(features, labels, output, CLASSES, range(60), AutoPromptWordsConfig(2, penalty=1.0))
    )
    assert [sorted(words) for words in found] == [sorted(words) for words in planted]


# what is refused


def test_a_class_without_an_example_is_named(features, output):
    labels = torch.where(LABELS == 1, 0, LABELS)
    with pytest.raises(UserError, match="'fair' has no training example"):
        autoprompt_words(features, labels, output, CLASSES, range(31), AutoPromptWordsConfig())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"words_each": 0}, "words_each is 0; 1 or more"), ({"penalty": 0.0}, "penalty is 0.0; a number above 0")],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(UserError, match=message):
        AutoPromptWordsConfig(**settings)
