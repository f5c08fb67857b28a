"""What may change? Every answer, how it is put into a model, and how many numbers it trains."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minitune.data.tokenizers import Tokenizer
from minitune.models.build import Model, ModelConfig
from minitune.tuning.all_or_nothing import all_parameters, freeze, no_parameters, tune_everything
from minitune.tuning.freezing import (
    GradualConfig,
    LayerwiseConfig,
    TopConfig,
    bias_parameters,
    gradual_unfreezing,
    layer_rates,
    norm_parameters,
    output_parameters,
    top_parameters,
    tune_biases,
    tune_norms,
    tune_output,
    tune_top,
)
from minitune.tuning.lora import LoRAConfig, add_lora, lora_parameters
from minitune.tuning.p_tuning import PTuningConfig, add_p_tuning, p_tuning_parameters
from minitune.tuning.p_tuning_v2 import DeepPromptConfig, add_deep_prompt, deep_prompt_parameters
from minitune.tuning.prefix_tuning import PrefixConfig, add_prefix, prefix_parameters
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt, prompt_parameters


@dataclass(frozen=True)
class What:
    """An answer to "what may change?": how it is put into a model or before it, and how many numbers it trains."""

    add: Callable[..., Any]  # of the model; and of `config`, `tokenizer`, `name`, if it has parameters of these names
    count: Callable[[Any, ModelConfig], int]  # how many numbers it trains: the docstring is the formula
    lesson: int
    paper: str
    settings: type | None = None  # its config
    is_soft: bool = False  # needs placeholders in the template
    trains_the_pooler: bool = False  # all of it, so that a head can read a BERT whose pooler is new
    rates: Callable[[Model, Any], dict[str, float]] | None = None  # of each parameter, as parts of the rate
    before_step: Callable[[Model, Any, int], Callable[[int], None]] | None = None  # of (model, config, steps)

    def put_into(self, model: Model, config: Any, tokenizer: Tokenizer, name: str):
        """What is called in the model's place from now on."""
        offered = {"config": config, "tokenizer": tokenizer, "name": name}
        wanted = inspect.signature(self.add).parameters
        return self.add(model, **{key: value for key, value in offered.items() if key in wanted})


WHAT: dict[str, What] = {
    "full": What(tune_everything, all_parameters, 4, "Devlin et al. 2019", trains_the_pooler=True),
    "frozen": What(freeze, no_parameters, 4, "Devlin et al. 2019"),
    "top": What(tune_top, top_parameters, 6, "Lee et al. 2019", TopConfig, trains_the_pooler=True),
    "norms": What(tune_norms, norm_parameters, 6, "Frankle et al. 2021"),
    "biases": What(tune_biases, bias_parameters, 6, "Ben Zaken et al. 2022"),
    "output": What(tune_output, output_parameters, 6, "Howard and Ruder 2018"),
    "layerwise": What(
        tune_everything,
        all_parameters,
        6,
        "Howard and Ruder 2018",
        LayerwiseConfig,
        trains_the_pooler=True,
        rates=layer_rates,
    ),
    "gradual": What(
        tune_everything,
        all_parameters,
        6,
        "Howard and Ruder 2018",
        GradualConfig,
        trains_the_pooler=True,
        before_step=gradual_unfreezing,
    ),
    "prompt-tuning": What(add_prompt, prompt_parameters, 18, "Lester et al. 2021", PromptConfig, is_soft=True),
    "p-tuning": What(add_p_tuning, p_tuning_parameters, 19, "Liu et al. 2021", PTuningConfig, is_soft=True),
    "prefix-tuning": What(add_prefix, prefix_parameters, 20, "Li and Liang 2021", PrefixConfig),
    "p-tuning-v2": What(add_deep_prompt, deep_prompt_parameters, 21, "Liu et al. 2022", DeepPromptConfig),
    "lora": What(add_lora, lora_parameters, 22, "Hu et al. 2021", LoRAConfig),
}
