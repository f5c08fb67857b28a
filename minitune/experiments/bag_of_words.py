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


def measure_bag(train: TrainSet, test: TestSet) -> dict[str, float]:
    """Train on one part and measure on the other, as a method is measured: the first number is the score.

    Raises:
        TypeError: the parts are mixed up.
    """
    train, test = as_part(TrainSet, train), as_part(TestSet, test)
    right = torch.tensor([example.label for example in test])
    if train.labels:
        return class_measures(NaiveBayes.fit(train, len(train.labels)).scores(test), right)
    return number_measures(Ridge.fit(train).numbers(test), right.double())


@dataclass(frozen=True)
class NaiveBayes:
    columns: dict[str, int]
    log_prior: Tensor  # (C,)
    log_chance: Tensor  # (C, W)

    @classmethod
    def fit(cls, examples: Sequence[Example], classes: int) -> NaiveBayes:
        texts = [words_in(example) for example in examples]
        columns = columns_of(texts)
        label = torch.tensor([int(example.label) for example in examples])
        is_of = torch.nn.functional.one_hot(label, classes).double()  # (N, C)
        counts = (bags_of(texts, columns).double().T @ is_of).T  # (W, N), (N, C) -> (C, W)
        chance = (counts + 1) / (counts.sum(dim=1, keepdim=True) + len(columns))
        return cls(columns, is_of.mean(dim=0).log(), chance.log())

    def scores(self, examples: Sequence[Example]) -> Tensor:
        """(N, C)"""
        bags = bags_of([words_in(example) for example in examples], self.columns).double()
        return (bags @ self.log_chance.T + self.log_prior).round(decimals=DIGITS)


@dataclass(frozen=True)
class Ridge:
    columns: dict[str, int]
    weight: Tensor  # (W,)
    middle: Tensor  # mean x, (W,)
    mean: float  # of the numbers

    @classmethod
    def fit(cls, examples: Sequence[Example], penalty: float = PENALTY) -> Ridge:
        texts = [words_in(example) for example in examples]
        columns = columns_of(texts)
        x, y = bags_of(texts, columns).double(), torch.tensor([float(e.label) for e in examples]).double()
        xt, mean = x.T.coalesce(), y.mean()
        middle = xt @ torch.ones_like(y) / len(y)

        def times(w: Tensor) -> Tensor:
            """X^T X w + L w, X centered without being written out: most of it would no longer be 0."""
            off = x @ w - middle @ w  # (N,)
            return xt @ off - middle * off.sum() + penalty * w

        weight = solved(times, xt @ (y - mean))
        return cls(columns, weight, middle, mean.item())

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
