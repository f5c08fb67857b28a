"""The tensors of a LoRA of peft, checked one by one against the base that they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from minitune.errors import UserError
from minitune.exchange.peft_config import FILE, PeftLoRA
from minitune.models.convert import our_layers, their_layer
from minitune.models.tensor_file import read_safetensors
from minitune.schema import FLOATS, unusable
from minitune.training.checkpoint import Checkpoint
from minitune.tuning.lora import linear_layers
from minitune.tuning.lora_peft import Update

WEIGHTS, HEAD = "adapter_model.safetensors", "head.safetensors"
MATRIX = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
CLASSIFIER = re.compile(r"base_model\.model\.(classifier|score)\.(weight|bias)")


def read_weights(folder: Path, file: str = WEIGHTS) -> dict[str, Tensor]:
    """Every tensor of the file, in float32.

    Raises:
        UserError: no such file, a damaged one, or numbers in it that are not finite or beyond float32.
    """
    path = folder / file
    if not path.exists() and (folder / "adapter_model.bin").exists():
        raise UserError(
            f"{folder} has adapter_model.bin, which may run code when it is read; save it with peft as {WEIGHTS}"
        )
    tensors = read_safetensors(path)
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            raise UserError(f"{path} has {name} in {tensor.dtype}; numbers with a fraction were expected")
        if bad := unusable(tensor):
            raise UserError(f"{path} has {name} with {bad}; train it again at a lower rate")
        tensors[name] = tensor.float()
    return tensors


def read_head(folder: Path, tensors: dict[str, Tensor], base: Checkpoint) -> dict[str, Tensor] | None:
    """The classifier's weight (C, D) and bias (C,), taken out of `tensors`, or from the file beside; None without one.

    Raises:
        UserError: the classifier is of another model, or of another width.
    """
    found = {match.groups(): tensors.pop(name) for name in list(tensors) if (match := CLASSIFIER.fullmatch(name))}
    head = {parameter: tensor for (_, parameter), tensor in found.items()}
    if not found and (folder / HEAD).exists():
        head = read_weights(folder, HEAD)
    if not head:
        return None
    path, expected = folder / (WEIGHTS if found else HEAD), "score" if base.kind == "gpt" else "classifier"
    if found and {layer for layer, _ in found} != {expected}:
        other = next(iter(found))[0]
        raise UserError(f"{path} has a {other}, and that of a {base.kind} is called {expected}: give its own --model")
    weight, width = head.get("weight"), base.model.config.width
    if weight is None or weight.dim() != 2 or weight.shape[1] != width or len(weight) < 2:
        shape = "missing" if weight is None else tuple(weight.shape)
        raise UserError(f"the classifier's weight in {path} is {shape}; two classes or more of {width} were expected")
    bias = head.get("bias", weight.new_zeros(len(weight)))  # a GPT-2's score has none
    if bias.shape != weight.shape[:1]:
        raise UserError(f"the classifier's bias in {path} is {tuple(bias.shape)}; expected ({len(weight)},)")
    return {"weight": weight, "bias": bias}


def read_updates(folder: Path, tensors: Mapping[str, Tensor], config: PeftLoRA, base: Checkpoint) -> dict[str, Update]:
    """What is adapted, by transformers' names of the layers.

    Raises:
        UserError: a tensor that belongs to no layer of the base, lacks its partner, or has another shape.
    """
    path, layers, pairs = folder / WEIGHTS, linear_layers(base.model), {}
    for name, tensor in tensors.items():
        match = MATRIX.fullmatch(name)
        if not match:
            raise UserError(f"{path} has {name}, which is no part of a LoRA that minitune knows: no A, B or classifier")
        pairs.setdefault(match[1], {})[match[2]] = tensor
    updates = {}
    for name, pair in pairs.items():
        try:
            ours = our_layers(base.kind, name)
            wide = layers[ours[0]]
        except (ValueError, KeyError):
            raise UserError(
                f"{path} adapts {name}, and the {base.kind} {base.name!r} has no such linear layer: another size or "
                "kind of model? Give the one that it was trained on with --model"
            ) from None
        rank, rows = config.rank(name), wide.out_features * len(ours)
        shapes = {"A": (rank, wide.in_features), "B": (rows, rank)}
        for matrix, expected in shapes.items():
            found = tuple(pair[matrix].shape) if matrix in pair else "missing"
            if found != expected:
                raise UserError(
                    f"lora_{matrix} of {name} in {path} is {found}, and {expected} was expected, from the rank in "
                    f"{FILE} and the sizes of {base.name!r}: is it the model that it was trained on?"
                )
        updates[name] = Update(pair["A"], pair["B"], config.scale(name))
    return updates


def check_whole(folder: Path, content: Mapping[str, Any], updates: Mapping[str, Update], base: Checkpoint) -> None:
    """See that no block is left out that peft would have adapted: the sign of a base with fewer blocks.

    Args:
        content: of the config; the layers that were chosen by number are not looked for.

    Raises:
        UserError: one is.
    """
    targets = content.get("target_modules")
    if content.get("layers_to_transform") is not None or not isinstance(targets, list):
        return
    adapted = {path for theirs in updates for path in our_layers(base.kind, theirs)}
    for path in linear_layers(base.model):
        theirs = their_layer(base.kind, path)
        is_target = any(f".{theirs}".endswith(f".{target}") for target in targets)
        if path.startswith("blocks.") and is_target and path not in adapted:
            raise UserError(
                f"{folder / WEIGHTS} has nothing for {theirs}, which its target_modules name: was it trained on a "
                f"model with fewer layers than {base.name!r}?"
            )
