r"""WARP's verbalizer: a class vector is learned where a word's vector stood.

    score(y) = Theta_y . h          Theta: (C, D)    h: (B, D), the blank's hidden state before the decoder

The decoder scores a word by the product of h with the word's own vector, and a verbalizer looks at the scores of a
few words. Here the words' vectors are free: each class has one, and training moves it. h is what the decoder is given:
for GPT the hidden state itself, for BERT the hidden state after the MLM transform (a layer, GELU and a norm), which
stays in use. The classes start at the mean of their label words' vectors, or at random.

As in the paper there is no bias. BERT's decoder adds one to each word, of how common the word is; a class that starts
at one word scores what the word does, less this bias.

Hambardzumyan, Khachatrian and May 2021, "WARP: Word-level Adversarial ReProgramming", section 3 (arXiv 2101.00121).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.build import Model
from minitune.readout.losses import cross_entropy
from minitune.readout.verbalizer import Verbalizer

STARTS = ("words", "random")


@dataclass(frozen=True)
class SoftConfig:
    classes_from: str = "words"  # each class starts at the mean of its label words' vectors; or at random

    def __post_init__(self):
        if self.classes_from not in STARTS:
            raise UserError(f"classes_from is {self.classes_from!r}; the classes start from {' or from '.join(STARTS)}")


class SoftVerbalizer(nn.Module):
    """Scores the classes by vectors of their own: hidden (B, D) -> (B, C). C D parameters.

    Args:
        start: (C, D), a vector for each class; it is copied, so that the words keep theirs.
    """

    reads = "blank"
    reads_words = False
    loss = staticmethod(cross_entropy)

    def __init__(self, start: Tensor):
        super().__init__()
        self.classes = nn.Parameter(start.detach().clone())  # Theta

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return model.before_decoder(hidden) @ self.classes.T  # (B, D) @ (D, C) -> (B, C)


def from_words(model: Model, manual: Verbalizer) -> Tensor:
    """The mean of each class's words' vectors, weighted as the verbalizer weights them: (C, D)."""
    vectors = model.token_embedding.weight.detach()[manual.ids]  # (V, D) -> (C, W, D); tied: the output's vectors too
    weights = manual.weights.to(vectors)[..., None]  # (C, W, 1)
    return (vectors * weights).sum(dim=1) / weights.sum(dim=1)


def at_random(model: Model, classes: int, seed: int) -> Tensor:
    """A random vector for each class, on average as long as a word's: (C, D)."""
    vectors = model.token_embedding.weight.detach()  # (V, D)
    drawn = torch.randn(classes, vectors.shape[1], generator=torch.Generator().manual_seed(seed))
    return (drawn * vectors.square().mean().sqrt().cpu()).to(vectors)
