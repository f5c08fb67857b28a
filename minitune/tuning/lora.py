r"""LoRA: learn the change of a weight as the product of two thin matrices.

    y = W x + b + s B A dropout(x)        A: (r, in)    B: (out, r)    s = alpha / r, or alpha / sqrt(r)

W stays as it was pretrained. B starts at zero, so the first step starts from the pretrained model exactly; A starts as
an `nn.Linear` starts its weight. r (in + out) numbers are trained for each layer. Afterwards the update s B A may be
added into W, and the model costs nothing extra to run.

Several adapters can stand beside one layer: `lora_adapters.py` switches, sums, merges and removes them.

Hu et al. 2021, "LoRA", section 4.1 (arXiv 2106.09685); the root: Kalajdzievski 2023, "rsLoRA" (arXiv 2312.03732).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        if not 0 < self.alpha <= 10_000:
            raise UserError(f"alpha is {self.alpha}; it must be above 0 and at most 10,000")
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
    model.requires_grad_(False)  # the base, and the adapters that were there before
    for layer in present.values():
        layer.active = {}
    for path, layer in chosen.items():
        if isinstance(layer, nn.Linear):
            owner, _, child = path.rpartition(".")
            layer = LoRALinear(layer).train(layer.training)
            setattr(model.get_submodule(owner), child, layer)
        layer.adapters[name] = LowRank(layer.base, config).train(layer.training)
        layer.active = {name: 1.0}
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


# ---- how many ----


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
