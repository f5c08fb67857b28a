"""Lesson 15, AutoPrompt's label words: those whose vectors a classifier of hidden states takes for the class."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.readout.autoprompt_words import AutoPromptWordsConfig, autoprompt_words, logistic_regression
from tests.naming import expect

pytestmark = pytest.mark.lesson15
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
    config = AutoPromptWordsConfig(words, penalty=1.0)
    found = autoprompt_words(features, LABELS, output, CLASSES, range(31), config)
    assert [len(of_class) for of_class in found] == [words] * 3
    weight, bias = logistic_regression(features, LABELS, 3, penalty=0.7)
    assert weight.shape == (3, 7) and bias.shape == (3,) and not weight.requires_grad


def test_the_classifier_is_fitted_in_float64(features):
    weight, _ = logistic_regression(features.float(), LABELS, 3, penalty=0.7)
    assert weight.dtype == torch.float64, "in float32 the fit stops where rounding says so, and not at the minimum"


# numbers worked by hand


def fitted(features, penalty, reduction="sum", halved=0.5, bias_too=False, has_bias=True, steps=400):
    """The classifier by plain steps down the slope, with a classic mistake or without one."""
    weight = torch.zeros(3, features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        loss = F.cross_entropy(features @ weight.T + has_bias * bias, LABELS, reduction=reduction)
        ridge = weight.square().sum() + bias_too * bias.square().sum()
        slopes = torch.autograd.grad(loss + penalty * halved * ridge, (weight, bias), allow_unused=True)
        with torch.no_grad():
            weight -= 0.05 * slopes[0]
            bias -= 0.05 * (0 if slopes[1] is None else slopes[1])
    return torch.cat([weight, (bias - bias.mean())[:, None]], dim=1).detach()  # (C, D + 1)


def test_the_ridge_is_half_the_penalty_times_the_squared_weights_beside_the_sum_of_the_losses(features):
    weight, bias = logistic_regression(features, LABELS, 3, penalty=2.0)
    found = torch.cat([weight, (bias - bias.mean())[:, None]], dim=1)
    wrong = {
        "the mean of the cross-entropies, not their sum: the ridge is N times as strong": (
            lambda: fitted(features, 2.0, reduction="mean", steps=4000)
        ),
        "the penalty is not halved": lambda: fitted(features, 2.0, halved=1.0),
        "the bias is penalized as well": lambda: fitted(features, 2.0, bias_too=True),
        "the classifier has no bias": lambda: fitted(features, 2.0, has_bias=False),
        "there is hardly a ridge": lambda: fitted(features, 1e-3, steps=4000),
    }
    expect(found, fitted(features, 2.0), wrong, tolerance=2e-4)


def test_a_word_s_score_is_the_classifier_s_log_probability_of_its_class(features, output):
    config = AutoPromptWordsConfig(31, penalty=1.0)
    found = autoprompt_words(features, LABELS % 2, output, CLASSES[:2], range(31), replace(config, words_each=15))
    weight, bias = logistic_regression(features, LABELS % 2, 2, 1.0)
    scores = output @ weight.T + bias

    def listed(values):
        return torch.stack([torch.stack([values[word, c] for word, _ in its]) for c, its in enumerate(found)])

    wrong = {
        "the softmax runs over the words, not over the classes": listed(scores.log_softmax(dim=0)),
        "scores, and no log-probabilities": listed(scores),
        "the classifier's bias is left out": listed((output @ weight.T).log_softmax(dim=1)),
        "probabilities without their logarithm": listed(scores.softmax(dim=1)),
    }
    told = [[score for _, score in its] for its in found]
    expect(told, listed(scores.log_softmax(dim=1)), wrong, tolerance=1e-7)


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
