"""A regressor: a tuned model, a template, and a head that reads one number of a text."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.models.build import Model
from minitune.predictors.classifier import (
    Item,
    check_placeholders,
    collate_items,
    read_by,
    read_once,
    reading_of,
    unread,
)
from minitune.predictors.predictor import over
from minitune.prompting.template import Rendered, Template
from minitune.readout.head import FreeNumber
from minitune.report import plain
from minitune.training.loop import Batch
from minitune.tuning.doors import Tuned
from minitune.tuning.freezing import Untied


class Regressor(nn.Module):
    """Reads the number of a text, or of a pair. An item's label is the number's distance from the mean, in spreads."""

    reads_words = False
    kept_by_loss = True  # a rank correlation is blind to how far the numbers are off

    def __init__(self, model: Model | Tuned | Untied, tokenizer: Tokenizer, template: Template, readout: FreeNumber):
        super().__init__()
        template.check(model.kind)
        check_placeholders(model, template)
        self.model, self.readout = model, readout
        self.tokenizer, self.template = tokenizer, template

    def forward(self, batch: Batch) -> Tensor:
        """A batch of `collate` -> (B,), in spreads from the mean."""
        return self.readout(read_by(self, batch), self.model)

    def loss(self, batch: Batch) -> Tensor:
        return self.readout.loss(self(batch), batch["label"])

    def log_chance(self, batch: Batch) -> Tensor:
        """The number itself, in spreads from the mean: (B,)."""
        return self(batch)

    def render(self, examples: Sequence[Example]) -> list[Rendered]:
        return [item.rendered for item in unread(self, examples)]

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """A frozen model reads each example once, here, and never again in training."""
        items = [item._replace(label=self.readout.distance(item.label)) for item in unread(self, examples)]
        return read_once(self, items)

    def reading(self) -> Hashable:
        """All that `items` depends on besides the examples and the tokenizer."""
        return reading_of(self), self.readout.distance(0.0), self.readout.distance(1.0)

    def collate(self, items: Sequence[Item]) -> Batch:
        return collate_items(items, self.tokenizer)

    def numbers(self, items: Sequence[Item]) -> list[float]:
        return [self.readout.number(distance) for distance in over(self, items, self).float().cpu().tolist()]

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """The rank correlation of the numbers read with the right ones, how far they are off on average, the loss."""
        read = torch.tensor(self.numbers(items), dtype=torch.float64)
        right = torch.tensor([self.readout.number(item.label) for item in items], dtype=torch.float64)
        distance = (read - right) / self.readout.spread.item()
        return number_measures(read, right) | {"loss": distance.square().mean().item()}

    def answers(self, examples: Sequence[Example]) -> list[str]:
        """Each example's number, to six digits."""
        return [plain(number) for number in self.numbers(self.items(examples))]


def number_measures(read: Tensor, right: Tensor) -> dict[str, float]:
    """How well numbers that were read (N,) rank the texts, and how far they are off on average."""
    return {
        "rank correlation": rank_correlation(read, right),
        "mean absolute error": (read - right).abs().mean().item(),
    }


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's: the correlation of ranks, from -1 to 1, (N,), (N,) -> (); equal numbers share their mean rank.

    It asks whether higher is higher, not by how much. Of numbers that are all the same it is 0 here: they tell nothing.
    """
    a, b = (ranks(values) - (len(values) + 1) / 2 for values in (one, other))
    size = a.norm() * b.norm()
    return (a @ b / size).item() if size > 0 else 0.0


def ranks(values: Tensor) -> Tensor:
    """From 1 on: (N,) -> (N,)"""
    _, place, counts = values.unique(return_inverse=True, return_counts=True)  # sorted
    last = counts.cumsum(0).double()
    return (last - (counts - 1) / 2)[place]
