r"""A classifier head: one new linear layer on what the model made of the whole text.

    score = W dropout(pool(h)) + b        h: (B, D)    W: (C, D)    b: (C,)

BERT is read at [CLS], through its pretrained tanh pooler (Devlin et al. 2019, section 4.1). GPT is read at the
last real token, the only one that has seen them all (Radford et al. 2018, section 3.2). C D + C new parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minitune.models.build import Model


class Head(nn.Module):
    """Reads the whole text's hidden state: (B, D) -> class scores (B, C)."""

    reads = "text"

    def __init__(self, width: int, classes: int, dropout: float = 0.0, seed: int = 0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, classes)
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.linear.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return self.linear(self.dropout(model.pool(hidden)))
