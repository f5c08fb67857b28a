r"""LoRA: learn the change of a weight as the product of two thin matrices.

    y = W x + b + s B A dropout(x)        A: (r, in)    B: (out, r)    s = alpha / r, or alpha / sqrt(r)

W stays as it was pretrained. B starts at zero, so the first step starts from the pretrained model exactly; A starts as
an `nn.Linear` starts its weight. r (in + out) numbers are trained for each layer. Afterwards the update s B A may be
added into W, and the model costs nothing extra to run.

Several adapters can stand beside one layer: one is switched on, or a weighted sum of them, or none.

Hu et al. 2021, "LoRA", section 4.1 (arXiv 2106.09685); the root: Kalajdzievski 2023, "rsLoRA" (arXiv 2312.03732).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.bert import BERTConfig
from minitune.models.build import Model, ModelConfig


@dataclass(frozen=True)
class LoRAConfig:
    rank: int = 4
    alpha: float = 8.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("query", "value")  # the paper's choice; a layer's whole path picks that one alone
    rank_stabilized: bool = False  # scale by alpha / sqrt(rank): the update keeps its size as the rank grows

    def __post_init__(self):
        if self.rank < 1:
            raise UserError(f"the rank is {self.rank}; it must be 1 or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it must be at least 0 and below 1")
        if not self.targets:
            raise UserError("LoRA needs at least one target, the name of a linear layer")

    @property
    def scale(self) -> float:
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)


class LowRank(nn.Module):
    """One adapter's update of one layer: (..., in) -> (..., out)."""

    def __init__(self, base: nn.Linear, config: LoRAConfig):
        super().__init__()
        self.A = nn.Parameter(base.weight.new_empty(config.rank, base.in_features))  # its dtype, its device
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, config.rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.dropout = nn.Dropout(config.dropout)
        self.scale = config.scale

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x) @ self.A.T @ (self.scale * self.B.T)  # (..., in) -> (..., r) -> (..., out)

    def delta(self) -> Tensor:
        """The change that it makes to W: (out, in)."""
        return self.scale * self.B @ self.A


class LoRALinear(nn.Module):
    """A frozen `nn.Linear` and the adapters beside it: (..., in) -> (..., out)."""

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.adapters = nn.ModuleDict()
        self.active: dict[str, float] = {}  # the adapters that are switched on, and their weights in the sum
        self.original: Tensor | None = None  # W itself, kept while an update is merged into it

    @property
    def is_merged(self) -> bool:
        return self.original is not None

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        if self.is_merged:
            return y
        for name, weight in self.active.items():
            update = self.adapters[name](x)
            y = y + (update if weight == 1 else weight * update)
        return y

    def delta(self) -> Tensor:
        """What all that is switched on adds to W: (out, in)."""
        return sum(weight * self.adapters[name].delta() for name, weight in self.active.items())


# ---- putting it in ----


def add_lora(model: Model, config: LoRAConfig, name: str = "lora") -> Model:
    """Freeze `model`, put an adapter beside each target, and switch it on alone. In place; returns the model.

    Call it before building the optimizer, which must see the new parameters.

    Raises:
        UserError: a target is no linear layer, the rank is beyond a layer's width, an adapter of that name is there
            already, or an update is merged. Then nothing has changed.
    """
    if not name or "." in name or hasattr(nn.ModuleDict(), name):
        raise UserError(f"an adapter cannot be called {name!r}; take another word, without dots")
    present = lora_layers(model)
    if any(layer.is_merged for layer in present.values()):
        raise UserError("an update is merged into the weights; unmerge it before another adapter is added")
    if any(name in layer.adapters for layer in present.values()):
        raise UserError(
            f"the model has LoRA called {name!r} already; give the second another name, or remove the first"
        )
    chosen = find_targets(model, config)
    model.requires_grad_(False)
    for path, layer in chosen.items():
        if isinstance(layer, nn.Linear):
            owner, _, child = path.rpartition(".")
            layer = LoRALinear(layer).train(layer.training)
            setattr(model.get_submodule(owner), child, layer)
        layer.adapters[name] = LowRank(layer.base, config).train(layer.training)
    switch_lora(model, name)
    return model


def find_targets(model: Model, config: LoRAConfig) -> dict[str, nn.Linear | LoRALinear]:
    """The layers that the config names, by their paths, in the model's order."""
    layers = linear_layers(model)
    chosen: dict[str, nn.Linear | LoRALinear] = {}
    for target in config.targets:
        found = {path: layer for path, layer in layers.items() if f".{path}".endswith(f".{target}")}
        if not found:
            known = sorted({path.rpartition(".")[2] for path in layers})
            tied = " (it is an embedding, tied to the output)" if "embedding" in target else ""
            raise UserError(f"no linear layer is named {target!r}{tied}; the model has {', '.join(known)}")
        chosen |= found
    for path, layer in chosen.items():
        base = layer.base if isinstance(layer, LoRALinear) else layer
        widest = min(base.in_features, base.out_features)
        if config.rank > widest:
            raise UserError(f"the rank is {config.rank} and {path} is {widest} wide: a rank beyond that adds nothing")
    return {path: layer for path, layer in layers.items() if path in chosen}


def linear_layers(model: nn.Module) -> dict[str, nn.Linear | LoRALinear]:
    """Each linear layer of the model by its path; one that is wrapped stands for what it wraps."""
    wrapped = lora_layers(model)
    plain = {
        path: layer
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and not any(path.startswith(f"{outer}.") for outer in wrapped)
    }
    return wrapped | plain


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    return {path: layer for path, layer in model.named_modules() if isinstance(layer, LoRALinear)}


# ---- switching ----


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


def lora_parameters(config: LoRAConfig, model: ModelConfig) -> int:
    """r (in + out) a layer: 2 r D L each for query, key, value, output; r (D + I) L each for up, down."""
    d, i = model.width, model.inner
    wide = {"attention.query": 2 * d, "attention.key": 2 * d, "attention.value": 2 * d, "attention.output": 2 * d}
    wide |= {"mlp.up": d + i, "mlp.down": d + i}
    sizes = {f"blocks.{at}.{layer}": size for at in range(model.layers) for layer, size in wide.items()}
    if isinstance(model, BERTConfig):
        sizes |= {"pooler": 2 * d, "transform": 2 * d, "next_sentence": d + 2}
    endings = tuple(f".{target}" for target in config.targets)
    return config.rank * sum(size for path, size in sizes.items() if f".{path}".endswith(endings))
