"""Texts as bags of words: how often each word is in them, and nothing of their order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def columns_of(texts: Sequence[Sequence[str]]) -> dict[str, int]:
    """A column for each word of these texts, which are lists of words."""
    return {word: place for place, word in enumerate(sorted({word for words in texts for word in words}))}


def bags_of(texts: Sequence[Sequence[str]], columns: dict[str, int]) -> Tensor:
    """How often each word that has a column is in each text: (texts, columns), sparse. Other words are left out."""
    found = [(row, columns[word]) for row, words in enumerate(texts) for word in words if word in columns]
    places = torch.tensor(found, dtype=torch.long).reshape(-1, 2).T  # (2, N)
    shape = len(texts), len(columns)
    return torch.sparse_coo_tensor(places, torch.ones(len(found)), shape, check_invariants=False).coalesce()
