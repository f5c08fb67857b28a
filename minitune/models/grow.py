"""A larger vocabulary: new tokens behind the old ones, with embeddings that the model could have learned.

    e = m + s z        m, s: (D,), mean and spread of the old embeddings, number by number    z: (D,) from N(0, 1)

The old tokens keep their ids and their scores. An embedding of another size would be far from all that the model has
read, and, as the output is tied to it, far likelier or less likely than any word.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from minitune.models.build import Model


@torch.no_grad()
def grow_vocabulary(model: Model, count: int, seed: int) -> Model:
    """Give `model` so many tokens more, in place; returns it. Their bias in BERT's word scores is the mean of the
    others'."""
    old = model.token_embedding.weight  # (V, D)
    drawn = torch.randn(count, old.shape[1], generator=torch.Generator().manual_seed(seed)).to(old)
    new = old.mean(dim=0) + drawn * old.std(dim=0)  # (N, D)
    model.token_embedding = nn.Embedding.from_pretrained(torch.cat([old, new]), freeze=False)  # (V + N, D)
    if model.kind == "bert":
        bias = model.decoder_bias
        model.decoder_bias = nn.Parameter(torch.cat([bias, bias.mean().expand(count)]))
    model.config = replace(model.config, vocab_size=len(old) + count)
    return model
