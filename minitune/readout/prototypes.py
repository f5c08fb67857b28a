r"""ProtoVerb: a class is the point that its examples gather around.

    v = W h          h: (B, D), the hidden state at the blank    W: (S, D)    v: (B, S)
    score(y) = cos(v, c_y)                                       c: (C, S), a prototype for each class

    L_proto = - mean over i       log( e^cos(v_i, c_y(i)) / sum over y      of e^cos(v_i, c_y) )
    L_ins   = - mean over i, j    log( e^cos(v_i, v_j)    / sum over k != i of e^cos(v_i, v_k) )    j of i's class, != i

The first loss draws an example to its class's prototype and away from the others', and the prototype to its examples.
The second draws examples of one class to each other and away from those of other classes: it needs no prototype, and it
needs two examples of a class in the batch. Both are InfoNCE (van den Oord et al. 2018): which of these is the right
partner? Their sum is what is trained.

A cosine lies between -1 and 1, so with C classes the probability of the right one never passes e / (e + (C - 1) / e):
0.88 of two, 0.65 of five. No temperature divides the cosines, as there is none in the paper.

Cui et al. 2022, "Prototypical Verbalizer for Prompt-based Few-shot Tuning", section 3 (arXiv 2203.09770). The authors'
code differs in L_ins: it counts i = j too, whose cosine is 1 whatever is learned, and each denominator has its own
positive pair and all pairs of unlike classes, but not the other positive pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.models.build import Model
from minitune.readout.losses import cross_entropy


@dataclass(frozen=True)
class PrototypeConfig:
    size: int = 64  # S, of the space in which examples and prototypes are compared

    def __post_init__(self):
        if self.size < 1:
            raise UserError(f"size is {self.size}; prototypes need a space of at least 1 number")


class Prototypes(nn.Module):
    """Scores the classes by cosines with their prototypes: hidden (B, D) -> (B, C). S D + C S parameters."""

    reads = "blank"
    reads_words = False

    def __init__(self, width: int, classes: int, config: PrototypeConfig | None = None, seed: int = 0):
        super().__init__()
        config = config or PrototypeConfig()
        generator = torch.Generator().manual_seed(seed)
        self.project = nn.Parameter(torch.randn(config.size, width, generator=generator) / width**0.5)  # W
        self.prototypes = nn.Parameter(torch.randn(classes, config.size, generator=generator))  # c

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        points = self.points(hidden)  # (B, D) -> (B, S)
        return points @ F.normalize(self.prototypes, dim=1).T  # (B, S) @ (S, C) -> (B, C)

    def points(self, hidden: Tensor) -> Tensor:
        """v, of length 1, so that a product of two is their cosine: (B, D) -> (B, S)."""
        return F.normalize(hidden @ self.project.T, dim=1)

    def loss(self, scores: Tensor, label: Tensor) -> Tensor:
        """L_proto: (B, C), (B,) -> ()."""
        return cross_entropy(scores, label)

    def between(self, hidden: Tensor, label: Tensor) -> Tensor:
        """L_ins: (B, D), (B,) -> (); 0 where no class has two examples in the batch.

        Of soft labels, (B, C), the likeliest class counts.
        """
        label = label if label.dim() == 1 else label.argmax(dim=1)
        points = self.points(hidden)
        itself = torch.eye(len(points), dtype=torch.bool, device=points.device)
        alike = (label[:, None] == label) & ~itself  # (B, B)
        if not alike.any():
            return points.sum() * 0.0
        cosines = (points @ points.T).masked_fill(itself, -torch.inf)  # (B, S) -> (B, B)
        return -cosines.log_softmax(dim=1)[alike].mean()
