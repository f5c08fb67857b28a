r"""An older reading of "prompt": a vector beside the hidden state, softmax(W [p ; h]).

    score = W [p ; h] + b = (W_p p + b) + W_h h        p: (K,)    h: (B, D)    W = [W_p W_h]: (C, K + D)

The same p stands beside every text, so W_p p is the same for every text: it can only shift the bias. Whatever p learns,
a head with another bias computes too. A prompt becomes more than a bias by standing where the model still reads: among
the input's embeddings, or among each layer's keys and values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minitune.models.build import Model
from minitune.readout.head import new_layer
from minitune.readout.losses import cross_entropy


class BesideHead(nn.Module):
    """A head that reads a learned vector beside the text's hidden state: (B, D) -> class scores (B, C)."""

    reads = "text"
    reads_words = False
    loss = staticmethod(cross_entropy)

    def __init__(self, width: int, classes: int, length: int = 8, seed: int = 0):
        super().__init__()
        self.prompt = nn.Parameter(torch.randn(length, generator=torch.Generator().manual_seed(seed + 1)))  # p
        self.linear = new_layer(length + width, classes, seed)

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        beside = self.prompt.expand(len(hidden), -1)  # (K,) -> (B, K)
        return self.linear(torch.cat([beside, model.pool(hidden)], dim=1))  # (B, K + D) -> (B, C)

    def bias(self) -> Tensor:
        """The bias of the plain head that this one equals: (C,)."""
        return self.linear.weight[:, : len(self.prompt)] @ self.prompt + self.linear.bias
