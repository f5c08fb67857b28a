"""What GPT and BERT have in common around their blocks: what a run returns, and checks of what comes in."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.cache import Cache, KeyValue
from minitune.schema import in_range

LARGEST = 2**20  # of any size of a model: far beyond all that one machine holds


def check_sizes(config) -> None:
    """See that a configuration is one of a model that can be made.

    Raises:
        UserError: a size that is no number above 0 or beyond all measure, heads that do not divide the width, a rate
            or a spread out of range.
    """
    sizes = [name for name, value in vars(config).items() if type(value) is int]
    ranges = {
        name: (getattr(config, name), 1 <= getattr(config, name) <= LARGEST, f"1 to {LARGEST:,}") for name in sizes
    }
    ranges["layers"] = (config.layers, 0 <= config.layers <= 1000, "0 to 1000")
    ranges["dropout"] = (config.dropout, 0 <= config.dropout < 1, "at least 0 and below 1")
    ranges["spread"] = (config.spread, 0 < config.spread <= 100, "a number above 0")
    ranges["norm_eps"] = (config.norm_eps, 0 <= config.norm_eps <= 1, "from 0 to 1")
    in_range(f"the {type(config).__name__}", ranges)
    if config.width % config.heads:
        raise UserError(f"a width of {config.width} cannot be shared by {config.heads} heads: it is no multiple of it")


class Output(NamedTuple):
    hidden: Tensor  # (B, T, D), the last layer's
    past_key_values: tuple[KeyValue, ...]  # for each layer a key and a value, each (B, H, P + T, D/H)


def past_length(past_key_values: tuple[KeyValue | Cache, ...] | None, layers: int) -> int:
    """P, the number of positions that stand before this call.

    Raises:
        ValueError: there is not one pair of keys and values for each layer.
    """
    if past_key_values is None:
        return 0
    if len(past_key_values) != layers:
        raise ValueError(f"past_key_values has {len(past_key_values)} layers; the model has {layers}")
    first = past_key_values[0]
    return first.length if isinstance(first, Cache) else first[0].shape[2]


def default_positions(length: int, past: int, context: int, device: torch.device) -> Tensor:
    """0, 1, 2, ... from where the past ends: (1, T).

    Raises:
        UserError: the text and the past together are longer than the model's context.
    """
    if past + length > context:
        raise UserError(
            f"{past + length} positions were asked for ({past} of a past, {length} of text), and the model's context "
            f"is {context}: shorten the text or the prompt"
        )
    return torch.arange(past, past + length, device=device)[None]


def one_of(input_ids: Tensor | None, inputs_embeds: Tensor | None, embedding: nn.Embedding) -> Tensor:
    """The embeddings of the input: ids (B, T) or embeddings (B, T, D) -> (B, T, D).

    Raises:
        ValueError: both were given, or neither.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give either input_ids or inputs_embeds, one of the two")
    return embedding(input_ids) if inputs_embeds is None else inputs_embeds


def draw_weights(model: nn.Module, spread: float) -> None:
    """Every weight from N(0, spread), every bias 0; norms stay at 1 and 0."""
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=spread)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
