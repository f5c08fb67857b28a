r"""LoRA adapters that stand in a model already: use one of them, a weighted sum of several, or none; merge what is in
use into the weights, and take it out again; remove an adapter; fold the update in for good.

    y = W x + b + w_1 s_1 B_1 A_1 x + w_2 s_2 B_2 A_2 x + ...        w_i: the weight of adapter i in the sum

What is summed are the updates, and not the matrices: (B_1 + B_2) (A_1 + A_2) would hold B_1 A_2 and B_2 A_1 as well,
which nobody has trained.

Hu et al. 2021, "LoRA", section 4.1: one task's update is taken out of W and another's added (arXiv 2106.09685).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from minitune.errors import UserError
from minitune.tuning.lora import LoRALinear, lora_layers

# ---- which are used ----


def switch_lora(model: nn.Module, active: str | Mapping[str, float] | None) -> None:
    """Use one adapter, the sum of several ({"a": 0.5, "b": 2.0}: of their updates), or None. What is on is trainable.

    Raises:
        UserError: there is no adapter of that name, or an update is merged.
    """
    layers = lora_layers(model).values()
    known = sorted({name for layer in layers for name in layer.adapters})
    weights = {active: 1.0} if isinstance(active, str) else dict(active or {})
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise UserError(f"there is no adapter {', '.join(unknown)}; the model has {', '.join(known) or 'none'}")
    if any(layer.is_merged for layer in layers):
        raise UserError("an update is merged into the weights; unmerge it before switching")
    for layer in layers:
        layer.active = {name: weight for name, weight in weights.items() if name in layer.adapters}
        for name, adapter in layer.adapters.items():
            adapter.requires_grad_(name in weights)


@contextmanager
def lora_off(model: nn.Module) -> Iterator[None]:
    """The pretrained model exactly, for a while; then all is as it was before, merged or not."""
    layers = lora_layers(model).values()
    was_merged = any(layer.is_merged for layer in layers)
    if was_merged:
        unmerge_lora(model)
    before = [layer.active for layer in layers]
    for layer in layers:
        layer.active = {}
    try:
        yield
    finally:
        for layer, active in zip(layers, before, strict=True):
            layer.active = active
        if was_merged:
            merge_lora(model)


# ---- merging ----


@torch.no_grad()
def merge_lora(model: nn.Module) -> nn.Module:
    """Add what is switched on into the weights. W itself is kept beside it, so that `unmerge_lora` loses no digit.

    No dropout stands before a merged update: train first, and merge then.

    Raises:
        UserError: there is nothing to merge, or it is merged already.
    """
    layers = lora_layers(model).values()
    if not any(layer.active for layer in layers):
        raise UserError("there is no update to merge: no adapter is switched on")
    if any(layer.is_merged for layer in layers):
        raise UserError("the update is merged already; a second time would add it twice")
    for layer in layers:
        if layer.active:
            layer.original = layer.base.weight.clone()
            layer.base.weight += layer.delta()
    return model


@torch.no_grad()
def unmerge_lora(model: nn.Module) -> nn.Module:
    """Put the pretrained weights back, bit for bit.

    Raises:
        UserError: nothing is merged.
    """
    merged = [layer for layer in lora_layers(model).values() if layer.is_merged]
    if not merged:
        raise UserError("nothing is merged")
    for layer in merged:
        layer.base.weight.copy_(layer.original)
        layer.original = None
    return model


def remove_lora(model: nn.Module, name: str) -> nn.Module:
    """Delete one adapter; a layer that has none left is a plain linear layer again.

    Raises:
        UserError: there is no adapter of that name, or an update is merged.
    """
    layers = lora_layers(model)
    if any(layer.is_merged for layer in layers.values()):
        raise UserError("an update is merged into the weights; unmerge it before deleting an adapter")
    if not any(name in layer.adapters for layer in layers.values()):
        raise UserError(f"there is no adapter {name!r}")
    for path, layer in layers.items():
        if name in layer.adapters:
            del layer.adapters[name]
            layer.active.pop(name, None)
        if not layer.adapters:
            unwrap(model, path, layer)
    return model


def fold_lora(model: nn.Module) -> nn.Module:
    """Merge for good: plain linear layers, the update in their weights, every adapter gone.

    Raises:
        UserError: there is nothing to merge.
    """
    if not any(layer.is_merged for layer in lora_layers(model).values()):
        merge_lora(model)
    for path, layer in lora_layers(model).items():
        unwrap(model, path, layer)
    return model


def unwrap(model: nn.Module, path: str, layer: LoRALinear) -> None:
    owner, _, child = path.rpartition(".")
    setattr(model.get_submodule(owner), child, layer.base)
