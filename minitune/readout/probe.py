r"""The linear probe: what of the answer can a plane tell apart in the hidden state at the blank?

    score = W h + b        h: (B, D), the last block's hidden state at the blank    W: (C, D)    b: (C,)

It is the control of every verbalizer that is learned. It reads at the same place, and knows nothing of words: not their
vectors, and for BERT not the MLM transform before them. Whatever a soft verbalizer has above it comes from there.

Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes" (arXiv 1610.01644).
"""

from __future__ import annotations

from torch import Tensor, nn

from minitune.models.build import Model
from minitune.readout.head import new_layer
from minitune.readout.losses import cross_entropy


class Probe(nn.Module):
    """Reads the hidden state at the blank: (B, D) -> class scores (B, C). C D + C parameters."""

    reads = "blank"
    reads_words = False
    loss = staticmethod(cross_entropy)

    def __init__(self, width: int, classes: int, seed: int = 0):
        super().__init__()
        self.linear = new_layer(width, classes, seed)

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return self.linear(hidden)
