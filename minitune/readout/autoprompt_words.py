r"""AutoPrompt's label words: those whose own vectors a classifier of hidden states takes for the class.

    1.  fit      p(y | h) = softmax_y(W h + b)          on h, what is multiplied with each word's vector at the blank
    2.  score    s(w, y) = log softmax_y(W e_w + b)     e_w: (D,), the word's own vector in the output embedding

The model says the words whose vectors point where h points, so a word that the classifier takes for class y is one
that the model says where h looks like class y. The softmax runs over the classes: over the words, every class would
rank the same long vectors first. h is taken after BERT's MLM transform, for only there it lies in the space of the
words' vectors. No word's probability is looked at, so a word that the model never says may win.

Logistic regression with a ridge: the sum of the cross-entropies plus penalty/2 |W|^2, which has one minimum, also where
few examples are parted in many ways. The ridge matters: with a weak one W follows what tells these few examples apart,
in directions in which no word lies, and with thousands of examples, as in the paper, none was needed.

Shin et al. 2020, "AutoPrompt", section 2.3 (arXiv 2010.15980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from minitune.readout.ranking import Words, check_every_class, share_out
from minitune.schema import in_range


@dataclass(frozen=True)
class AutoPromptWordsConfig:
    words_each: int = 3  # words of a class
    penalty: float = 100.0  # how strongly the classifier's weights are kept small; about |h|^2 of the small models

    def __post_init__(self):
        in_range(
            "autoprompt",
            {
                "words_each": (self.words_each, self.words_each >= 1, "1 or more"),
                "penalty": (self.penalty, self.penalty > 0, "a number above 0"),
            },
        )


def autoprompt_words(
    features: Tensor,
    labels: Tensor,
    output: Tensor,
    classes: Sequence[str],
    allowed: Sequence[int],
    config: AutoPromptWordsConfig,
) -> Words:
    """For each class its words, best first, with log p(class | word).

    Args:
        features: (N, D), of each example what is multiplied with the words' vectors at its blank.
        labels: (N,), the examples' classes, as places in `classes`.
        output: (V, D), the words' vectors.
        allowed: the ids of the words that may stand for a class.

    Raises:
        UserError: a class without an example; too few words for all classes.
    """
    check_every_class(labels, classes)
    weight, bias = logistic_regression(features, labels, len(classes), config.penalty)
    of_words = output[list(allowed)].double() @ weight.T + bias  # (A, D) -> (A, C)
    return share_out(of_words.log_softmax(dim=1).T, allowed, config.words_each, classes)


@torch.enable_grad()
def logistic_regression(features: Tensor, labels: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """W (C, D) and b (C,) at the minimum of sum cross-entropy + penalty/2 |W|^2, in float64."""
    features = features.detach().double()
    weight = features.new_zeros(classes, features.shape[1], requires_grad=True)
    bias = features.new_zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=500, tolerance_grad=1e-6, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(features @ weight.T + bias, labels, reduction="sum")
        loss = loss + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight.detach(), bias.detach()
