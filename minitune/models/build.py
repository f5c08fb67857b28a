"""A model from its configuration: the one place that knows which kinds there are."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import torch

from minitune.models.bert import BERT, BERTConfig, bert_parameters
from minitune.models.gpt import GPT, GPTConfig, gpt_parameters

Model = GPT | BERT
ModelConfig = GPTConfig | BERTConfig

KINDS: dict[str, tuple[type[Model], type[ModelConfig]]] = {"gpt": (GPT, GPTConfig), "bert": (BERT, BERTConfig)}
SIZES: dict[str, dict[str, int]] = {
    "nano": {"layers": 2, "width": 64, "heads": 2, "inner": 256},
    "micro": {"layers": 2, "width": 128, "heads": 4, "inner": 512},
    "mini": {"layers": 4, "width": 256, "heads": 4, "inner": 1024},
}


def random_model(config: ModelConfig, seed: int) -> Model:
    """A model that has learned nothing; the same seed gives the same weights, whatever was drawn before."""
    model_class = next(model for model, its_config in KINDS.values() if its_config is type(config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config)


def parameter_count(config: ModelConfig) -> int:
    """How many numbers a model of this size has, by its formula: nothing is made."""
    return gpt_parameters(config) if isinstance(config, GPTConfig) else bert_parameters(config)


def count_in_blocks(config: ModelConfig) -> int:
    """How many of them lie in its blocks: each token is multiplied with nearly all of these, and with few others."""
    one, two = (parameter_count(replace(config, layers=layers)) for layers in (1, 2))
    return config.layers * (two - one)


def config_to_dict(config: ModelConfig) -> dict[str, int | float]:
    return asdict(config)


def config_from_dict(kind: str, values: dict[str, int | float]) -> ModelConfig:
    """The configuration that `config_to_dict` wrote.

    Raises:
        ValueError: an unknown kind, or a field that is missing or that this kind does not have.
    """
    if kind not in KINDS:
        raise ValueError(f"the kind is {kind!r}; known are {sorted(KINDS)}")
    config_class = KINDS[kind][1]
    expected = {field.name for field in fields(config_class)}
    if set(values) != expected:
        raise ValueError(f"the configuration has the fields {sorted(values)}; a {kind} has {sorted(expected)}")
    return config_class(**values)
