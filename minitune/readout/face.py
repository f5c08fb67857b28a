"""The face that all read-outs share: hidden states in, class scores out."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from minitune.models.build import Model


class ReadOut(Protocol):
    """Beside it each is an `nn.Module`, with the numbers that it learns as parameters and those that it measures as
    persistent buffers.

    Three things are had by some alone: `between(hidden, label) -> ()`, a term of the training loss that needs hidden
    states; `chances(hidden, model) -> (B, C)`, the probabilities of the classes' words among all words; and `fills`,
    what stands in the blank in each variation, where words of several tokens are read.
    """

    reads: str  # where: at the "text", at the "blank", or at the "blanks" of several variations of the question
    reads_words: bool  # whether the scores are the model's own scores of words

    def __call__(self, hidden: Tensor, model: Model) -> Tensor:
        """(B, D), at "blanks" (B, K, L, D) -> scores (B, C)."""

    def loss(self, scores: Tensor, label: Tensor) -> Tensor:
        """(B, C), (B,) -> ()."""
