"""A model from its configuration: the one place that knows which kinds there are."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace

import torch
from torch.overrides import TorchFunctionMode

from minitune.errors import UserError
from minitune.models.bert import BERT, BERTConfig, bert_parameters
from minitune.models.gpt import GPT, GPTConfig, gpt_parameters
from minitune.schema import plain_to

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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return class_of(config)(config)


def empty_model(config: ModelConfig) -> Model:
    """A model whose parameters have shapes and take no memory: for weights that are there already."""
    with torch.device("meta"), Undrawn():
        return class_of(config)(config)


def copied(model: Model) -> Model:
    """A copy with weights of its own, tied where the model's are.

    Every module of PyTorch has a dozen empty tables, for hooks; `copy.deepcopy` alone spends most of its time on them.
    """
    tables = [table for part in model.modules() for table in vars(part).values() if isinstance(table, dict | set)]
    return copy.deepcopy(model, {id(table): type(table)() for table in tables if not table})


class Undrawn(TorchFunctionMode):
    """Leaves out the drawing of weights: where there is no memory, PyTorch would import a compiler to draw nothing."""

    def __torch_function__(self, function, types, arguments=(), settings=None):
        settings = settings or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return settings["tensor"]
        return function(*arguments, **settings)


def class_of(config: ModelConfig) -> type[Model]:
    return next(model for model, its_config in KINDS.values() if its_config is type(config))


def parameter_count(config: ModelConfig) -> int:
    """How many numbers a model of this size has, by its formula: nothing is made."""
    return gpt_parameters(config) if isinstance(config, GPTConfig) else bert_parameters(config)


def count_in_blocks(config: ModelConfig) -> int:
    """How many of them lie in its blocks: each token is multiplied with nearly all of these, and with few others."""
    one, two = (parameter_count(replace(config, layers=layers)) for layers in (1, 2))
    return config.layers * (two - one)


def config_to_dict(config: ModelConfig) -> dict[str, int | float]:
    return asdict(config)


def config_from_dict(kind: str, values: dict[str, int | float], where: str = "the configuration") -> ModelConfig:
    """The configuration that `config_to_dict` wrote.

    Raises:
        UserError: an unknown kind, or a field that is missing, unknown, of another type, or out of range.
    """
    if kind not in KINDS:
        raise UserError(f"{where} is of the kind {kind!r}; known are {sorted(KINDS)}")
    return plain_to(KINDS[kind][1], values, where)
