r"""LoRA as the library peft keeps it: the same A and B, under transformers' names of the layers.

What stands between is GPT-2's c_attn, one layer for query, key and value. Adapters of several of them become one of
c_attn in block form, its rank k times theirs, and the scale stays what it was:

    A = [A_q ; A_v]        B = [B_q 0 ; 0 0 ; 0 B_v]        A: (2 r, D)    B: (3 D, 2 r)    alpha: 2 times ours

Back again, B's rows are cut in three, and all three share A; a column of B that is zero in its third, as most are in a
block form, goes with its row of A, and a third of zeros is no adapter: so ours come back as they were, bit for bit.

peft gives each layer a rank and an alpha of its own, if it must (`rank_pattern`, `alpha_pattern`). Ours have one of
both: a thinner adapter is filled up with zeros, and another scale moves into B. Neither changes the update.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minitune.models.build import Model
from minitune.models.convert import FUSED, is_fused, our_layers, their_layer
from minitune.tuning.lora import LoRAConfig, lora_layers


class Update(NamedTuple):
    """The change `scale` B A of one layer's weight."""

    A: Tensor  # (r, in)
    B: Tensor  # (out, r)
    scale: float

    @property
    def rank(self) -> int:
        return len(self.A)


# ---- to peft ----


def updates_for_peft(model: Model, name: str = "lora") -> dict[str, Update]:
    """What the adapter `name` does, by transformers' names of the layers."""
    fused: dict[str, dict[str, Update]] = {}
    updates: dict[str, Update] = {}
    for path, layer in lora_layers(model).items():
        adapter, theirs = layer.adapters[name], their_layer(model.kind, path)
        update = Update(adapter.A.detach(), adapter.B.detach(), adapter.scale)
        if is_fused(model.kind, path):
            fused.setdefault(theirs, {})[path.rpartition(".")[2]] = update
            updates[theirs] = block_form(fused[theirs])
        else:
            updates[theirs] = update
    return updates


def block_form(parts: Mapping[str, Update]) -> Update:
    """Updates of some of query, key and value as one of c_attn: k of A (r, D), B (D, r) -> A (k r, D), B (3 D, k r)."""
    present = [part for part in FUSED if part in parts]
    a = torch.cat([parts[part].A for part in present])  # (k r, D)
    width, rank = parts[present[0]].B.shape
    b = a.new_zeros(len(FUSED) * width, len(a))  # (3 D, k r)
    for place, part in enumerate(present):
        rows = FUSED.index(part) * width
        b[rows : rows + width, place * rank : (place + 1) * rank] = parts[part].B
    return Update(a, b, parts[present[0]].scale)


def peft_settings(updates: Mapping[str, Update], config: LoRAConfig) -> dict[str, Any]:
    """Rank, alpha and targets as peft's LoraConfig takes them; what differs from the first layer's is a pattern."""
    first = next(iter(updates.values()))
    others = {name: update for name, update in updates.items() if update.rank != first.rank}
    return {
        "r": first.rank,
        "lora_alpha": alpha_for(first.scale, first.rank, config.rank_stabilized),
        "use_rslora": config.rank_stabilized,
        "lora_dropout": config.dropout,
        "target_modules": list(updates),
        "rank_pattern": {name: update.rank for name, update in others.items()},
        "alpha_pattern": {n: alpha_for(u.scale, u.rank, config.rank_stabilized) for n, u in others.items()},
    }


def alpha_for(scale: float, rank: int, rank_stabilized: bool) -> float:
    """The alpha that gives this scale."""
    return scale * (math.sqrt(rank) if rank_stabilized else rank)


# ---- from peft ----


def updates_from_peft(kind: str, updates: Mapping[str, Update]) -> dict[str, Update]:
    """The same updates by our paths; those of c_attn as one each of query, key and value, where they are not zero.

    Raises:
        ValueError: we have no layer like it.
    """
    ours: dict[str, Update] = {}
    for theirs, update in updates.items():
        paths = our_layers(kind, theirs)
        if len(paths) == 1:
            ours[paths[0]] = update
            continue
        for path, rows in zip(paths, update.B.chunk(len(paths)), strict=True):  # (3 D, r) -> 3 (D, r)
            used = (rows != 0).any(dim=0)  # (r,)
            if used.any():
                ours[path] = Update(update.A[used], rows[:, used], update.scale)
    return ours


def one_config(updates: Mapping[str, Update], dropout: float, rank_stabilized: bool) -> LoRAConfig:
    """The config that all of them fit into: the largest rank, the first one's scale, each layer named by its path."""
    rank = max(update.rank for update in updates.values())
    scale = next(iter(updates.values())).scale
    return LoRAConfig(rank, alpha_for(scale, rank, rank_stabilized), dropout, tuple(updates), rank_stabilized)


@torch.no_grad()
def put_updates(model: Model, updates: Mapping[str, Update], name: str = "lora") -> None:
    """Copy the updates into the adapters `name` of a model that LoRA with `one_config` was added to, in place."""
    for path, layer in lora_layers(model).items():
        update, adapter = updates[path], layer.adapters[name]
        missing = len(adapter.A) - update.rank
        adapter.A.copy_(nn.functional.pad(update.A, (0, 0, 0, missing)))  # (r, in) -> (R, in)
        b = update.B if update.scale == adapter.scale else update.B * (update.scale / adapter.scale)
        adapter.B.copy_(nn.functional.pad(b, (0, missing)))  # (out, r) -> (out, R)


def names_of(targets: Sequence[str]) -> str:
    """The last pieces of the paths, each once: query, value."""
    return ", ".join(dict.fromkeys(target.rpartition(".")[2] for target in targets))
