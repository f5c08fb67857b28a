r"""Heads: one new linear layer on what the model made of a text.

    score = W dropout(pool(h)) + b        h: (B, D)    W: (C, D)    b: (C,)

`Head` scores the classes of a whole text, or of a pair of texts. BERT is read at [CLS], through its pretrained tanh
pooler (Devlin et al. 2019, section 4.1). GPT is read at the last real token, the only one that has seen them all
(Radford et al. 2018, section 3.2). `NumberHead` reads one number there, where classes are numbers, `FreeNumber` reads
any number. `TokenHead` reads every token by itself (Devlin et al. 2019, section 5.3), without the pooler, which was
made for [CLS]. C D + C new parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from minitune.models.build import Model
from minitune.readout.losses import cross_entropy


def new_layer(width: int, outputs: int, seed: int) -> nn.Linear:
    """W from N(0, 0.02), b = 0; the same seed gives the same layer."""
    layer = nn.Linear(width, outputs)
    nn.init.normal_(layer.weight, std=0.02, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(layer.bias)
    return layer


class Head(nn.Module):
    """Reads the whole text's hidden state: (B, D) -> class scores (B, C)."""

    reads = "text"
    reads_words = False

    def __init__(
        self,
        width: int,
        classes: int,
        dropout: float = 0.0,
        seed: int = 0,
        loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    ):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = new_layer(width, classes, seed)
        self.loss = loss

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return self.linear(self.dropout(model.pool(hidden)))


class NumberHead(nn.Module):
    """Reads one number: hidden (B, D) -> (B, C), minus the squared distance to each class's number.

    The nearest class so has the highest score, and what is learned is the number itself.

    Args:
        numbers: what each class stands for, in the order of the labels.
    """

    reads = "text"
    reads_words = False

    def __init__(self, width: int, numbers: Sequence[float], seed: int = 0):
        super().__init__()
        self.linear = new_layer(width, 1, seed)
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.get_default_dtype()), persistent=False)
        nn.init.constant_(self.linear.bias, self.numbers.mean().item())  # start from the middle

    def number(self, hidden: Tensor, model: Model) -> Tensor:
        """(B, D) -> (B,)"""
        return self.linear(model.pool(hidden)).squeeze(1)

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return -(self.number(hidden, model)[:, None] - self.numbers).square()  # (B, 1) - (C,) -> (B, C)

    def loss(self, scores: Tensor, label: Tensor) -> Tensor:
        """The squared error of the number, which stands in the right class's place."""
        return -scores.gather(1, label[:, None]).mean()


class FreeNumber(nn.Module):
    """Reads any number: hidden (B, D) -> (B,), in spreads from the mean of the numbers that are trained on.

    A layer that starts at 0 and takes steps of the learning rate never reaches the price of a house; what it learns is
    therefore how far from the mean a number is. Mean and spread are no parameters, and are saved with those.
    """

    reads = "text"
    reads_words = False

    def __init__(self, width: int, mean: float = 0.0, spread: float = 1.0, seed: int = 0):
        super().__init__()
        self.linear = new_layer(width, 1, seed)
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("spread", torch.tensor(float(spread)))

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return self.linear(model.pool(hidden)).squeeze(1)  # (B, D) -> (B, 1) -> (B,)

    def loss(self, distance: Tensor, right: Tensor) -> Tensor:
        """Mean squared error, in squared spreads: (B,), (B,) -> ()."""
        return (distance - right).square().mean()

    def distance(self, number: float) -> float:
        """Of a number from the mean, in spreads."""
        return (number - self.mean.item()) / self.spread.item()

    def number(self, distance: float) -> float:
        return self.mean.item() + self.spread.item() * distance


class TokenHead(nn.Module):
    """Reads every token: hidden (B, T, D) -> tag scores (B, T, C)."""

    def __init__(self, width: int, tags: int, seed: int = 0):
        super().__init__()
        self.linear = new_layer(width, tags, seed)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.linear(hidden)
