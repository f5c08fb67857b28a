r"""P-tuning v2: deep prompts, for understanding. Prefix tuning, without the network, under a new head.

    attention(Q, [K_p ; K], [V_p ; V])        K_p, V_p: (P, D) for each layer, learned

The tensors are those of prefix tuning: P 2 L D numbers. What differs is the use: a BERT with a linear head for
classes or tags, prompts learned as they stand (rewriting them through a network helps on some tasks and hurts on
others, section 3.3), and no verbalizer.

Where do the text's positions start? After the prefix, in the reference code as in every library since: [CLS] then
stands at position P, where pretraining put it rarely or never. `shift` off leaves it at 0.

How large the first keys and values are matters on a small model: drawn with a spread of 1, as in the reference code,
they drown the text's own, and a GPT reads 16 reviews a class with an accuracy of 0.68 at its best rate; drawn with
0.02, with 0.92 (on dev of another world, under a head).

Liu et al. 2022, "P-Tuning v2", section 3 (arXiv 2110.07602).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from minitune.errors import UserError
from minitune.models.build import Model, ModelConfig
from minitune.tuning.doors import Learned, Prefix, Tuned, check_room


@dataclass(frozen=True)
class DeepPromptConfig:
    length: int = 8  # P
    shift: bool = True  # the text's positions start after the prefix
    dropout: float = 0.0  # of the prefix, in training
    spread: float = 0.02  # standard deviation of the first keys and values; the reference code has 1

    def __post_init__(self):
        if self.length < 1:
            raise UserError(f"the prefix's length is {self.length}; it must be 1 or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it must be at least 0 and below 1")
        if not 0 <= self.spread <= 100:
            raise UserError(f"the spread is {self.spread}; it must be from 0 to 100")


def add_deep_prompt(model: Model, config: DeepPromptConfig) -> Tuned:
    """Freeze `model` and put a prefix of random keys and values before it. Changes no weight of it.

    Raises:
        UserError: the prefix leaves no room for a text.
    """
    check_room(config.length, model)
    weight, c = model.token_embedding.weight, model.config
    first = torch.randn(config.length, 2 * c.layers * c.width).to(weight) * config.spread  # (P, 2 L D)
    tuned = Tuned(model, Prefix(Learned(first), c, config.shift, config.dropout))
    model.requires_grad_(False)
    return tuned


def deep_prompt_parameters(config: DeepPromptConfig, model: ModelConfig) -> int:
    """2 P L D."""
    return 2 * config.length * model.layers * model.width
