"""Lesson 15, PETAL: the label words that one class's examples make likelier than the other classes' examples do."""

import math

import pytest
import torch

from minitune.errors import UserError
from minitune.readout.petal import PetalConfig, likeliest, likelihood_ratio, log_odds, petal_words
from tests.naming import expect

pytestmark = pytest.mark.lesson15
CLASSES = ("bad", "fair", "good")
LABELS = torch.tensor([2, 0, 1, 0, 2, 2, 0, 2, 2])  # 3, 1 and 5 of a class, in no order


def ids_of(words):
    return [[word for word, _ in of_class] for of_class in words]


@pytest.fixture
def log_p():
    """(N, V) = (9, 23)"""
    logits = 3 * torch.randn(9, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
    return logits.log_softmax(dim=1)


def slow_ratios(log_p, label, words):
    """The formula, one word and one example after the other."""
    positive = [row for row, y in zip(log_p.tolist(), LABELS.tolist(), strict=True) if y == label]
    negative = [row for row, y in zip(log_p.tolist(), LABELS.tolist(), strict=True) if y != label]
    ratios = {}
    for word in words:
        for_class = sum(math.log(math.exp(row[word]) / (1 - math.exp(row[word]))) for row in positive)
        against = sum(math.log(math.exp(row[word]) / (1 - math.exp(row[word]))) for row in negative)
        ratios[word] = (len(negative) / len(positive) * for_class - against) / len(negative)
    return ratios


# shapes


@pytest.mark.parametrize("words", [1, 4])
def test_so_many_words_for_each_class(log_p, words):
    found = petal_words(log_p, LABELS, CLASSES, range(23), PetalConfig(words, ranked=23))
    assert [len(of_class) for of_class in found] == [words] * 3
    assert all(isinstance(word, int) and isinstance(score, float) for of_class in found for word, score in of_class)


# numbers worked by hand


def test_the_log_odds_by_hand():
    p = torch.tensor([0.5, 0.8, 0.2], dtype=torch.float64)
    wrong = {"log p, and not log p/(1 - p)": p.log(), "the odds without their logarithm": p / (1 - p)}
    expect(log_odds(p.log()), [0.0, math.log(4), -math.log(4)], wrong, tolerance=1e-6)


@pytest.mark.parametrize("label", [0, 2])
def test_a_ratio_is_the_mean_log_odds_less_that_of_the_rest(log_p, label):
    own, rest = label == LABELS, label != LABELS
    odds = (log_p.exp() / (1 - log_p.exp())).log()
    right = odds[own].mean(dim=0) - odds[rest].mean(dim=0)
    others = [odds[other == LABELS].mean(dim=0) for other in range(3) if other != label]
    wrong = {
        "the sums are not balanced by the numbers of examples": odds[own].sum(dim=0) - odds[rest].sum(dim=0),
        "log p was taken for log odds": log_p[own].mean(dim=0) - log_p[rest].mean(dim=0),
        "nothing was taken off for the other classes": odds[own].mean(dim=0),
        "the class's own examples are among the rest": odds[own].mean(dim=0) - odds.mean(dim=0),
        "the sign is flipped: words of the other classes win": -right,
        "the factor is upside down, N_y / N_r": (own.sum() / rest.sum() * odds[own].sum(dim=0) - odds[rest].sum(dim=0))
        / rest.sum(),
        "the mean over the rest is one of classes, not of examples": odds[own].mean(0) - sum(others) / 2,
    }
    expect(likelihood_ratio(log_p, own), right, wrong)


def test_the_odds_of_a_sure_word_are_taken_in_float64():
    """1 - p of a p that is close to 1 has one digit left in float32: the surest words would all tie."""
    log_p = torch.tensor([-1e-6, -3e-7, -1e-7, -2e-8])
    right = -((-torch.expm1(log_p.double())).log()) + log_p.double()
    wrong = {"p was rounded to float32 before 1 - p was taken": lambda: cast_odds(log_p)}
    expect(log_odds(log_p), right, wrong, tolerance=1e-6)


def cast_odds(log_p):
    p = log_p.exp().clamp(1e-12, 1 - 1e-12)
    return p.log() - (-p).log1p()


def test_a_class_of_one_weighs_as_much_as_a_class_of_three():
    """Unbalanced, the sums would be ln 4 - 3 ln 4: the many examples of the rest would decide against the word."""
    log_p = torch.tensor([[0.8], [0.8], [0.8], [0.8]], dtype=torch.float64).log()
    ratio = likelihood_ratio(log_p, torch.tensor([True, False, False, False]))
    assert ratio.item() == pytest.approx(0, abs=1e-12), "the ratio is not balanced by the numbers of examples"


# invariants


def test_probabilities_of_zero_and_one_give_no_nan():
    certain = torch.full((3, 5), -torch.inf)
    certain[0, 0] = certain[1, 1] = certain[2, 2] = 0.0  # one-hot
    assert log_odds(certain).isfinite().all(), "log(1 - p) of p = 1, or log p of p = 0, is infinite: sums become NaN"
    found = petal_words(certain, torch.tensor([0, 1, 2]), CLASSES, range(5), PetalConfig(1, ranked=5))
    assert ids_of(found) == [[0], [1], [2]]


def test_a_probability_close_to_one_in_float32():
    logits = torch.tensor([[40.0, 0, 0], [0, 40, 0]])
    found = petal_words(logits.log_softmax(1), torch.tensor([0, 1]), ("a", "b"), range(3), PetalConfig(1, 3))
    assert ids_of(found) == [[0], [1]] and all(math.isfinite(s) for of_class in found for _, s in of_class)


def test_permuting_the_classes_permutes_the_words(log_p):
    order = [2, 0, 1]  # the class that was 2 is now 0
    moved = torch.tensor([order.index(label) for label in LABELS.tolist()])
    found = petal_words(log_p, LABELS, CLASSES, range(23), PetalConfig(2, 23))
    permuted = petal_words(log_p, moved, [CLASSES[i] for i in order], range(23), PetalConfig(2, 23))
    assert permuted == [found[i] for i in order]


def test_the_order_of_the_examples_does_not_matter(log_p):
    order = torch.tensor([4, 8, 0, 3, 7, 1, 5, 2, 6])
    one = petal_words(log_p, LABELS, CLASSES, range(23), PetalConfig(2, 9))
    other = petal_words(log_p[order], LABELS[order], CLASSES, range(23), PetalConfig(2, 9))
    assert ids_of(one) == ids_of(other)


def test_no_word_stands_for_two_classes_and_none_is_found_that_is_not_allowed(log_p):
    allowed = [1, 3, 4, 8, 9, 12, 15, 17, 20, 22]
    found = ids_of(petal_words(log_p, LABELS, CLASSES, allowed, PetalConfig(3, ranked=10)))
    flat = [word for of_class in found for word in of_class]
    assert len(set(flat)) == len(flat) == 9 and set(flat) <= set(allowed)


# parity with an independent computation


def found_in_a_loop(log_p, allowed, likely_of, count):
    """The words of each class as a loop finds them among the `count` that `likely_of(rows, word)` puts first."""
    wanted = []
    for label in range(3):
        likely = sorted(allowed, key=lambda word: -likely_of(log_p[label == LABELS], word))[:count]
        wanted += [(ratio, label, word) for word, ratio in slow_ratios(log_p, label, likely).items()]
    found, taken = [[], [], []], set()
    for _, label, word in sorted(wanted, key=lambda entry: -entry[0]):
        if word not in taken and len(found[label]) < 2:
            found[label].append(word)
            taken.add(word)
    return found


def test_the_words_are_those_that_a_loop_finds(log_p):
    allowed = [i for i in range(23) if i not in (0, 6, 13)]

    def by(likely_of, count=8):
        return found_in_a_loop(log_p, allowed, likely_of, count)

    wrong = {
        "the likeliest words are those of all examples, not of the class's": by(lambda _, word: log_p[:, word].sum()),
        "words are likely by the sum of p, not of log p": by(lambda rows, word: rows[:, word].exp().sum()),
        "the least likely words are ranked": by(lambda rows, word: -rows[:, word].sum()),
        "every word is ranked, also those that are hardly ever said": by(lambda rows, word: 0.0, count=20),
    }
    found = ids_of(petal_words(log_p, LABELS, CLASSES, allowed, PetalConfig(2, 8)))
    expect(found, by(lambda rows, word: rows[:, word].sum()), wrong)


def test_only_the_likeliest_words_of_the_class_are_ranked():
    """Word 3 has by far the best ratio for the first class, and is hardly ever said."""
    p = torch.tensor([[0.50, 0.30, 0.19, 1e-2], [0.30, 0.50, 0.20, 1e-9]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    every = petal_words(p.log(), labels, ("a", "b"), range(4), PetalConfig(1, ranked=4))
    likely = petal_words(p.log(), labels, ("a", "b"), range(4), PetalConfig(1, ranked=2))
    assert ids_of(every) == [[3], [1]]
    assert ids_of(likely) == [[0], [1]], "a word that is hardly ever said is ranked: it has no say at the blank"
    assert likeliest(p.log(), 2).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("allowed", "classes", "count"), [(50_000, 2, 1000), (1098, 2, 21), (1098, 5, 30)])
def test_one_word_in_fifty_is_ranked_but_enough_for_all_classes(allowed, classes, count):
    assert PetalConfig(3).of(allowed, classes) == count
    assert PetalConfig(3, ranked=17).of(allowed, classes) == 17


# does it find what is there?


def test_planted_words_are_found_in_a_linear_world():
    """Hidden states of three classes point where two words of each class lie, buried in noise."""
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(60, 200, generator=generator) / 5
    planted = [[7, 31], [12, 50], [3, 44]]
    labels = torch.arange(3).repeat(6)
    centres = torch.stack([output[pair].mean(dim=0) for pair in planted])  # (C, D)
    hidden = centres[labels] + 0.3 * torch.randn(18, 200, generator=generator)
    log_p = (hidden @ output.T).log_softmax(dim=1)
    found = ids_of(petal_words(log_p, labels, CLASSES, range(60), PetalConfig(2, ranked=10)))
    assert [sorted(words) for words in found] == [sorted(words) for words in planted]


# what is refused


def test_a_class_without_an_example_is_named(log_p):
    with pytest.raises(UserError, match="'fair' has no training example"):
        petal_words(log_p, torch.where(LABELS == 1, 0, LABELS), CLASSES, range(23), PetalConfig())


@pytest.mark.parametrize(("allowed", "left"), [((), 0), (range(8), 2)])
def test_too_few_words_for_all_classes(log_p, allowed, left):
    with pytest.raises(UserError, match=rf"of {len(allowed)} words .* {left} are left for '\w+' where 3 were"):
        petal_words(log_p, LABELS, CLASSES, list(allowed), PetalConfig(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"words_each": 0}, "words_each is 0; 1 or more"), ({"ranked": 2}, "ranked is 2; 0, or at least 3")],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(UserError, match=message):
        PetalConfig(**settings)
