r"""A bag of words: the control that needs no language model, trained on the same few examples as a method.

Classes, by multinomial naive Bayes with Laplace's smoothing. A text's score for the class y is the logarithm of the
prior times the chances of its words, each as often as it occurs:

    score(y) = log P(y)  +  sum over words w of n_w log P(w | y)
    P(y) = N_y / N          P(w | y) = (N_yw + 1) / (sum over v of N_yv  +  V)

N_y: training texts of the class, of N; N_yw: how often w occurs in them; V: how many different words the training texts
have. A word that is in none of them is left out.

Numbers, by ridge regression on the counts x (W,), both centered on their means over the training texts:

    number(x) = mean y + (x - mean x) . w           (X^T X + L I) w = X^T y          X (N, W), y (N,), L = 1

Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", section 13.2, figure 13.2; Hoerl and
Kennard 1970, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", equation 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minitune.data.bags import bags_of, columns_of
from minitune.data.examples import Example, TestSet, TrainSet, as_part
from minitune.data.words import pieces_of, words_of
from minitune.predictors.classifier import class_measures
from minitune.predictors.regressor import number_measures

PENALTY = 1.0  # L
STEPS = 2000  # of conjugate gradients, at most
DIGITS = 9  # of a score: what differs by less is a tie, whatever order the words were added in


def words_in(example: Example) -> list[str]:
    """Its words in lower case, and its punctuation; a second text's words are kept apart from those of the first."""
    first, second = (
        [word.lower() for piece in pieces_of(text or "") for word in words_of(piece)]
        for text in (example.text, example.text_b)
    )
    return first + [f"b:{word}" for word in second]


@dataclass(frozen=True)
class NaiveBayes:
    columns: dict[str, int]
    log_prior: Tensor  # (C,)
    log_chance: Tensor  # (C, W)

    @classmethod
    def fit(cls, examples: Sequence[Example], classes: int) -> NaiveBayes:
        texts = [words_in(example) for example in examples]
        columns = columns_of(texts)
        is_of = torch.nn.functional.one_hot(labels_of(examples).long(), classes).double()  # (N, C)
        counts = (bags_of(texts, columns).double().T @ is_of).T  # (W, N), (N, C) -> (C, W)
        chance = (counts + 1) / (counts.sum(dim=1, keepdim=True) + len(columns))
        return cls(columns, is_of.mean(dim=0).log(), chance.log())

    @property
    def size(self) -> int:
        """How many numbers it has learned: C W + C."""
        return self.log_chance.numel() + self.log_prior.numel()

    def scores(self, examples: Sequence[Example]) -> Tensor:
        """(N, C)"""
        bags = bags_of([words_in(example) for example in examples], self.columns).double()
        return (bags @ self.log_chance.T + self.log_prior).round(decimals=DIGITS)

    def answers(self, examples: Sequence[Example]) -> list[int]:
        """Each text's class, by its place."""
        return self.scores(examples).argmax(dim=1).tolist()


@dataclass(frozen=True)
class Ridge:
    columns: dict[str, int]
    weight: Tensor  # (W,)
    middle: Tensor  # mean x, (W,)
    mean: float  # of the numbers

    @property
    def size(self) -> int:
        """How many numbers it has learned: W + 1."""
        return len(self.columns) + 1

    @classmethod
    def fit(cls, examples: Sequence[Example], penalty: float = PENALTY) -> Ridge:
        texts = [words_in(example) for example in examples]
        columns = columns_of(texts)
        x, y = bags_of(texts, columns).double(), labels_of(examples)
        (rows, words), counts = x.indices(), x.values()  # of what is not 0, which is little

        def by_text(w: Tensor) -> Tensor:
            """X w: (W,) -> (N,)"""
            return torch.zeros_like(y).index_add(0, rows, counts * w[words])

        def by_word(of_texts: Tensor) -> Tensor:
            """X^T of texts: (N,) -> (W,)"""
            return torch.zeros(len(columns)).double().index_add(0, words, counts * of_texts[rows])

        middle, mean = by_word(torch.ones_like(y)) / len(y), y.mean()

        def times(w: Tensor) -> Tensor:
            """X^T X w + L w, X centered without being written out."""
            off = by_text(w) - middle @ w  # (N,), and its sum is 0, so that X^T needs no centering
            return by_word(off) + penalty * w

        return cls(columns, solved(times, by_word(y - mean)), middle, mean.item())

    def numbers(self, examples: Sequence[Example]) -> Tensor:
        """(N,)"""
        bags = bags_of([words_in(example) for example in examples], self.columns).double()
        return self.mean + bags @ self.weight - self.middle @ self.weight


def solved(times: Callable[[Tensor], Tensor], right: Tensor, closeness: float = 1e-10) -> Tensor:
    """x with A x = `right`, by conjugate gradients: A, symmetric and positive, is only ever multiplied with, so that
    thousands of words need no table of words by words.

    Hestenes and Stiefel 1952, section 3.
    """
    x, rest = torch.zeros_like(right), right.clone()
    way, size = rest.clone(), rest @ rest
    for _ in range(STEPS):
        if size.sqrt() <= closeness * right.norm():
            break
        ahead = times(way)
        step = size / (way @ ahead)
        x, rest = x + step * way, rest - step * ahead
        size, before = rest @ rest, size
        way = rest + size / before * way
    return x


# ---- both ----

Bag = NaiveBayes | Ridge


def fit_bag(train: TrainSet) -> Bag:
    """Of classes, which the training set names, or of numbers.

    Raises:
        TypeError: these examples are for another purpose.
    """
    train = as_part(TrainSet, train)
    return NaiveBayes.fit(train, len(train.labels)) if train.labels else Ridge.fit(train)


def measure_bag(bag: Bag, test: TestSet) -> dict[str, float]:
    """As a method is measured: the first number is the score.

    Raises:
        TypeError: these examples were trained on or chosen by.
    """
    test = as_part(TestSet, test)
    if isinstance(bag, NaiveBayes):
        return class_measures(bag.scores(test), labels_of(test).long())
    return number_measures(bag.numbers(test), labels_of(test))


def labels_of(examples: Sequence[Example]) -> Tensor:
    """(N,)"""
    return torch.tensor([example.label for example in examples], dtype=torch.float64)
