r"""LM-BFF's label words: try whole combinations, one word for each class, and keep those that answer right.

    1.  for each class the k words with the highest mean logit at the blank of that class's training examples
    2.  all combinations of them, one word a class, none twice: at most k^C of them
    3.  the `judged` combinations with the highest zero-shot accuracy on the training examples
    4.  of these the one that is best on the dev set

The other searches judge a word alone; a combination is judged as it will be used. But few examples tell few
combinations apart: with one example of each of two classes an accuracy is 0, 0.5 or 1, and thousands of combinations
have 1. Among equal ones we take the surest, with the lowest cross-entropy on the same examples, and count the equals.

k^C grows fast: a hundred words for each of 5 classes make 10^10. No more than `tried` combinations are tried, so k is
lowered to the largest number that keeps to it (6 for 5 classes), and the result says so. The paper fine-tunes on each
combination that it keeps before the dev set judges it; here they are judged as they are.

Gao, Fisch and Chen 2021, "Making Pre-trained Language Models Better Few-shot Learners", section 5.1 (arXiv 2012.15723).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minitune.errors import UserError
from minitune.readout.ranking import check_every_class
from minitune.schema import in_range

AT_ONCE = 2_000_000  # scores that are held at once


@dataclass(frozen=True)
class LMBFFWordsConfig:
    likeliest: int = 100  # k, words of a class
    tried: int = 10_000  # combinations, at most
    judged: int = 100  # combinations that the dev set judges

    def __post_init__(self):
        in_range(
            "lm-bff",
            {
                "likeliest": (self.likeliest, self.likeliest >= 1, "1 or more"),
                "tried": (self.tried, 1 <= self.tried <= 10_000_000, "1 to 10,000,000"),
                "judged": (self.judged, self.judged >= 1, "1 or more"),
            },
        )


@dataclass(frozen=True)
class Judged:
    """Combinations of one word a class, best first."""

    words: Tensor  # (M, C) ids
    accuracy: Tensor  # (M,)
    loss: Tensor  # (M,) mean cross-entropy

    @property
    def tied(self) -> int:
        """How many are as accurate as the first."""
        return int((self.accuracy == self.accuracy[0]).sum())

    def first(self, count: int) -> Judged:
        return Judged(self.words[:count], self.accuracy[:count], self.loss[:count])


@dataclass(frozen=True)
class LMBFFWords:
    """What was found, and how far the examples could tell it from the rest."""

    words: tuple[int, ...]  # for each class its word
    per_class: int  # k, as it was after lowering
    on_train: Judged  # all that were tried
    on_dev: Judged | None  # those that were kept; None where there is no dev set


def lm_bff_words(
    logits: Tensor,
    labels: Tensor,
    dev_logits: Tensor | None,
    dev_labels: Tensor | None,
    classes: Sequence[str],
    allowed: Sequence[int],
    config: LMBFFWordsConfig,
) -> LMBFFWords:
    """The combination that answers best.

    Args:
        logits: (N, V), the scores of every word at the blank of each training example.
        labels: (N,), the examples' classes, as places in `classes`.
        dev_logits, dev_labels: (M, V), (M,), of the dev set; None = the training examples alone decide.
        allowed: the ids of the words that may stand for a class, whole words alone.

    Raises:
        UserError: a class without a training example; dev examples of one class only; no combination of different
            words.
    """
    check_every_class(labels, classes)
    if dev_labels is not None and len(only := dev_labels.unique()) < 2:
        raise UserError(
            f"all dev examples are of the class {classes[int(only[0])]!r}, so they cannot choose words that tell "
            "classes apart; add examples of another class"
        )
    per_class = min(config.likeliest, len(allowed), words_within(config.tried, len(classes)))
    candidates = likeliest_words(logits, labels, len(classes), allowed, per_class)
    every = combinations(candidates)
    if not len(every):
        raise UserError(
            f"the {per_class} likeliest words of each of {len(classes)} classes make no combination of different words "
            f"within {config.tried:,}: raise tried, or search with petal"
        )
    on_train = judge(every, logits, labels)
    if dev_logits is None:
        return LMBFFWords(tuple(on_train.words[0].tolist()), per_class, on_train, None)
    on_dev = judge(on_train.first(config.judged).words, dev_logits, dev_labels)
    return LMBFFWords(tuple(on_dev.words[0].tolist()), per_class, on_train, on_dev)


def words_within(most: int, classes: int) -> int:
    """The largest k with k^classes <= most."""
    k = 1
    while (k + 1) ** classes <= most:
        k += 1
    return k


def likeliest_words(logits: Tensor, labels: Tensor, classes: int, allowed: Sequence[int], count: int) -> Tensor:
    """For each class the words with the highest mean logit over its own examples: ids (C, k)."""
    ids = torch.tensor(list(allowed), device=logits.device)
    of_allowed = logits[:, ids].double()  # (N, V) -> (N, A)
    means = torch.stack([of_allowed[labels == label].mean(dim=0) for label in range(classes)])  # (C, A)
    return ids[means.sort(dim=1, descending=True, stable=True).indices[:, :count]]


def combinations(candidates: Tensor) -> Tensor:
    """One word a class in all ways, but none that gives two classes the same: (C, k) -> (M, C), M <= k^C."""
    every = torch.cartesian_prod(*candidates)  # (k^C, C)
    ordered = every.sort(dim=1).values
    return every[(ordered[:, 1:] != ordered[:, :-1]).all(dim=1)]


def judge(words: Tensor, logits: Tensor, labels: Tensor) -> Judged:
    """Combinations by zero-shot accuracy, and among equally accurate ones by loss: words (M, C), logits (N, V).

    An example whose best words tie counts for its class's share of the tie: a combination that says nothing must not
    be right by the order of the classes.
    """
    accuracies, losses = [], []
    for part in words.split(max(1, AT_ONCE // logits[:, 0].numel() // words.shape[1])):
        scores = logits[:, part].double()  # (N, V) -> (N, m, C)
        right = scores.gather(2, labels[:, None, None].expand(-1, len(part), 1))[..., 0]  # (N, m)
        is_best = scores == scores.amax(dim=2, keepdim=True)  # (N, m, C)
        share = is_best.gather(2, labels[:, None, None].expand(-1, len(part), 1))[..., 0] / is_best.sum(dim=2)
        accuracies.append(share.double().mean(dim=0))  # (m,)
        losses.append((scores.logsumexp(dim=2) - right).mean(dim=0))
    accuracy, loss = torch.cat(accuracies), torch.cat(losses)
    by_loss = loss.sort(stable=True).indices
    order = by_loss[accuracy[by_loss].sort(descending=True, stable=True).indices]
    return Judged(words[order], accuracy[order], loss[order])
