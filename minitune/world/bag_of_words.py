"""Counting words: what a reader can do who knows which words stand in a text, and nothing of their order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from minitune.data.bags import bags_of, columns_of
from minitune.world.task_rows import Row


def bags(rows: Sequence[Row]) -> tuple[list[list[str]], list[str]]:
    """Words and labels; a second text's words are kept apart from those of the first."""
    words = [row["text"].split() + [f"b:{word}" for word in row.get("text_b", "").split()] for row in rows]
    return words, [row["label"] for row in rows]


def logistic_regression(
    train: tuple[Sequence[Sequence[str]], Sequence[str]],
    test: tuple[Sequence[Sequence[str]], Sequence[str]],
    decay: float = 1e-3,
) -> float:
    """Accuracy on `test` of a logistic regression fitted to `train`; each is what `bags` returns."""
    labels = sorted(set(train[1]))
    columns = columns_of(train[0])
    x, y = bags_of(train[0], columns).to_dense(), torch.tensor([labels.index(label) for label in train[1]])
    weight = torch.zeros(len(columns), len(labels), requires_grad=True)
    bias = torch.zeros(len(labels), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(x @ weight + bias, y) + decay * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        guesses = (bags_of(test[0], columns).to_dense() @ weight + bias).argmax(dim=1)
    return sum(labels[guess] == label for guess, label in zip(guesses.tolist(), test[1], strict=True)) / len(test[1])
