"""The face that a classifier, a tagger and a writer share: each joins a tuned model with a way to ask and to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from minitune.prompting.template import Rendered
from minitune.seeds import stream
from minitune.training.loop import Batch, Diverged, evaluation


class Item(Protocol):
    rendered: Rendered


class Predictor(Protocol):
    """The face that training, comparing and the commands see; beside it each is an `nn.Module`."""

    reads_words: bool  # whether the answer is read from the model's own word scores
    kept_by_loss: bool  # whether the weights with the lowest dev loss stay, not those with the highest score

    def loss(self, batch: Batch) -> Tensor:
        """Mean over the batch: -> ()."""

    def log_chance(self, batch: Batch) -> Tensor:
        """The log probability of each item's own label; of a number, which has none, the number that is read: (B,)."""

    def render(self, examples: Sequence) -> list[Rendered]:
        """What is read of each example, token by token."""

    def items(self, examples: Sequence) -> list[Item]:
        """What batches are made of."""

    def collate(self, items: Sequence[Item]) -> Batch:
        """One batch."""

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """By name; the first is the score, higher is better, and "loss" is among them."""

    def answers(self, examples: Sequence) -> list[str]:
        """What it says of each example."""


class ExampleBatches:
    """Examples, made into items once and shuffled anew each epoch; a batch is a function of its number."""

    def __init__(self, predictor: Predictor, examples: Sequence, batch_size: int, seed: int):
        self.items, self.collate, self.seed = predictor.items(examples), predictor.collate, seed
        self.batch_size = min(batch_size, len(examples))
        self.per_epoch = len(examples) // self.batch_size

    def batch(self, number: int) -> Batch:
        epoch, place = divmod(number, self.per_epoch)
        order = torch.randperm(len(self.items), generator=stream(self.seed, epoch))
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size].tolist()
        return self.collate([self.items[i] for i in chosen])


def over(
    predictor: Predictor, items: Sequence[Item], function: Callable[[Batch], Tensor], batch_size: int = 128
) -> Tensor:
    """`function(batch)` of all items, in eval mode and without gradients, in the items' order: (N, ...).

    Raises:
        Diverged: a result is no number.
    """
    order = sorted(range(len(items)), key=lambda i: len(items[i].rendered.ids))  # like lengths together: no padding
    device = next(predictor.parameters()).device
    parts = []
    with evaluation(predictor):
        for start in range(0, len(order), batch_size):
            batch = predictor.collate([items[i] for i in order[start : start + batch_size]])
            parts.append(function({name: tensor.to(device) for name, tensor in batch.items()}))
    found = torch.cat(parts)
    if found.is_floating_point() and found.isnan().any():
        raise Diverged("the model's scores are no numbers (NaN): lower the learning rate, or restore a damaged model")
    return found[torch.tensor(order, device=device).argsort()]


def label_log_chance(logits: Tensor, label: Tensor) -> Tensor:
    """The log probability of all labels of a row together; a label of -100 is left out: (B, T, C), (B, T) -> (B,)."""
    chances = logits.log_softmax(dim=-1).gather(2, label.clamp(min=0)[..., None])[..., 0]  # (B, T, C) -> (B, T)
    return chances.masked_fill(label == -100, 0.0).sum(dim=1)


def padded(rendered: Sequence[Rendered], pad_id: int) -> Batch:
    """`input_ids`, `attention_mask`, `token_type_ids`, each (B, T), padded on the right."""
    lengths = torch.tensor([len(r.ids) for r in rendered])
    real = torch.arange(int(lengths.max())) < lengths[:, None]  # (B, T)
    ids = torch.full(real.shape, pad_id)
    types = torch.zeros_like(ids)
    ids[real] = torch.tensor([i for r in rendered for i in r.ids])
    types[real] = torch.tensor([t for r in rendered for t in r.types])
    return {"input_ids": ids, "attention_mask": real.long(), "token_type_ids": types}


def inputs_of(batch: Batch, kind: str) -> dict[str, Tensor]:
    """What of a batch goes into the model."""
    names = ("input_ids", "attention_mask", "token_type_ids") if kind == "bert" else ("input_ids", "attention_mask")
    return {name: batch[name] for name in names}
