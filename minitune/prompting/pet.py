r"""PET: several ways of asking label texts together, and one classifier learns from what they say.

A pattern is a template with label words. For each pattern p a model of its own is tuned on the few labelled examples
and gives the classes of a text x the scores s_p(x): (C,). Together they label texts that nobody has labelled:

    w_p  = accuracy of p on the labelled examples before any training
    s(x) = sum over p of w_p s_p(x) / sum over p of w_p
    q(x) = softmax(s(x) / T)                                   T = 2: softer than T = 1

and a classifier with scores z(x): (C,) learns to say the same, at the same temperature:

    loss = T^2  sum over y of q_y (log q_y - log softmax(z / T)_y)       the mean over texts

A gradient through softmax(z / T) is 1/T times as large, and so is the difference that it carries; T^2 undoes both, so
that the learning rate need not know T.

Schick and Schütze 2021, "Exploiting Cloze Questions", sections 3.2 and 3.3 (arXiv 2001.07676); the temperature on both
sides and T^2 as in the authors' code, after Hinton et al. 2015, section 2.1 (arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TEMPERATURE = 2.0


def pattern_weights(accuracies: Sequence[float]) -> Tensor:
    """How much each pattern counts: (P,), summing to 1. Where none was right about anything, all count alike."""
    weights = torch.tensor(accuracies, dtype=torch.float64)
    total = weights.sum()
    return weights / total if total > 0 else torch.full_like(weights, 1 / len(weights))


def ensemble(scores: Tensor, weights: Tensor) -> Tensor:
    """The patterns' scores of each text, weighted: (P, N, C), (P,) -> (N, C)."""
    return torch.einsum("p,pnc->nc", weights.to(scores), scores)


def soft_labels(scores: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Scores as probabilities, the softer the higher the temperature: (N, C) -> (N, C)."""
    return (scores / temperature).softmax(dim=-1)


def distillation(scores: Tensor, target: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """How far a classifier is from the soft labels: its scores (B, C), the labels' probabilities (B, C) -> ()."""
    said = (scores / temperature).log_softmax(dim=-1)
    surprise = torch.xlogy(target, target) - target * said  # 0 log 0 = 0: a label may be certain
    return temperature**2 * surprise.sum(dim=-1).mean()
