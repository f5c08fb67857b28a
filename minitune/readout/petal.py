r"""PETAL: a class's words are those that its examples make likelier than the other classes' examples do.

Let p(w | x) be the probability of the word w at the blank of x, and o(w | x) its log odds, log p / (1 - p). With N_y
examples of class y and N_r of the rest,

    ratio(w, y) = N_r / N_y  sum_{x of y} o(w | x)  -  sum_{x of the rest} o(w | x)

is how much better "w is said for y and for no other class" explains the examples than its reverse. The factor N_r / N_y
makes up for classes of unequal size. We divide by N_r, which changes no order within a class and makes the scores of
classes of unequal size comparable: the mean log odds over y's examples minus the mean over the others.

A word that is hardly ever said can have a large ratio, and no say at the blank. So only the `ranked` words with the
highest sum_{x of y} log p(w | x) are ranked: in the paper 1,000 of a model's 50,000, one in fifty.

Schick, Schmid and Schütze 2020, "Automatically Identifying Words That Can Serve as Labels for Few-Shot Text
Classification" (arXiv 2010.13641).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minitune.readout.ranking import Words, check_every_class, share_out
from minitune.schema import in_range

LEAST = 1e-12  # probabilities of 0 and 1 have no finite log odds; beyond +-27.6 one example would decide alone


@dataclass(frozen=True)
class PetalConfig:
    words_each: int = 3  # words of a class
    ranked: int = 0  # the likeliest words of a class, which are ranked; 0 = one allowed word in fifty

    def __post_init__(self):
        is_enough = self.ranked == 0 or self.ranked >= self.words_each
        enough = f"0, or at least {self.words_each}, the words of a class,"
        in_range(
            "petal",
            {
                "words_each": (self.words_each, self.words_each >= 1, "1 or more"),
                "ranked": (self.ranked, is_enough, enough),
            },
        )

    def of(self, allowed: int, classes: int) -> int:
        """How many words of a class are ranked. Where nothing is set no less than twice what all classes take, so that
        a class has words left when the others have theirs."""
        return self.ranked or max(allowed // 50, 2 * self.words_each * classes)


def petal_words(
    log_p: Tensor, labels: Tensor, classes: Sequence[str], allowed: Sequence[int], config: PetalConfig
) -> Words:
    """For each class its words, best first, with their scores.

    Args:
        log_p: (N, V), the log-probability of every word at the blank of each example.
        labels: (N,), the examples' classes, as places in `classes`.
        allowed: the ids of the words that may stand for a class.

    Raises:
        UserError: a class without an example; too few words for all classes.
    """
    check_every_class(labels, classes)
    of_allowed = log_p[:, list(allowed)].double()  # (N, V) -> (N, A)
    scores = torch.stack([likelihood_ratio(of_allowed, labels == label) for label in range(len(classes))])  # (C, A)
    count = config.of(len(allowed), len(classes))
    for label, row in enumerate(scores):
        row[~likeliest(of_allowed[labels == label], count)] = -torch.inf
    return share_out(scores, allowed, config.words_each, classes)


def likelihood_ratio(log_p: Tensor, is_positive: Tensor) -> Tensor:
    """The balanced ratio of each word, divided by the number of negatives: (N, A), (N,) -> (A,)."""
    odds = log_odds(log_p)
    return odds[is_positive].mean(dim=0) - odds[~is_positive].mean(dim=0)


def log_odds(log_p: Tensor) -> Tensor:
    """log p/(1 - p) of log p, with p kept from 0 and 1."""
    p_kept = log_p.double().exp().clamp(LEAST, 1 - LEAST)
    return p_kept.log() - (-p_kept).log1p()


def likeliest(log_p: Tensor, count: int) -> Tensor:
    """Which words have the highest sum of log p over a class's examples: (N_y, A) -> (A,), `count` of them True."""
    order = log_p.sum(dim=0).sort(descending=True, stable=True).indices[:count]
    return torch.zeros(log_p.shape[1], dtype=torch.bool, device=log_p.device).index_fill(0, order, True)
