"""Soft prompts and prefixes as the library peft keeps them: a table, and how wide and deep the model is.

A soft prompt stands before everything there, before a BERT's [CLS] too; ours stands where its template says. The two
are equal all the same if nothing of the text comes before the prompt's last vector: then all that does, [CLS] and
words, is the same for every text, and joins the prompt as the embeddings of these tokens. The text is then fed without
them.

A network that wrote a prompt is folded into what it wrote, so a P-tuned prompt becomes one of prompt tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import ModelConfig
from minitune.prompting.slots import Part
from minitune.prompting.template import Template
from minitune.tuning.doors import Prefix, Tuned


def split_at_prompt(template: Template, tokenizer: Tokenizer) -> tuple[list[int], Sequence[Part]]:
    """The tokens from the start to the prompt's last placeholder, and the parts behind it.

    Raises:
        UserError: there is something among them that is not the same for every text.
    """
    end = 1 + max(at for at, part in enumerate(template.parts) if part.kind == "soft")
    if moving := [part.kind for part in template.parts[:end] if part.kind not in ("soft", "words")]:
        raise UserError(
            f"the template {str(template)!r} has {{{moving[0]}}} before the end of its soft prompt, and peft puts a "
            "prompt before everything: a prompt can be exported that was tuned with its placeholders before the text"
        )
    ids = [tokenizer.cls_id] if tokenizer.kind == "bert" else []
    for part in template.parts[:end]:
        ids += Template.piece(part, Example(""), tokenizer)
    return ids, template.parts[end:]


@torch.no_grad()
def prompt_for_peft(tuned: Tuned, ids: list[int]) -> tuple[dict[str, Any], Tensor]:
    """A soft prompt, with the tokens between and before its vectors: settings, and a table (len(ids), D)."""
    table = tuned.door(
        tuned.model, {"input_ids": torch.tensor([ids], device=tuned.model.token_embedding.weight.device)}
    )
    settings = {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "RANDOM"} | sizes(tuned.config, len(ids))
    return settings, table["inputs_embeds"][0]


@torch.no_grad()
def prefix_for_peft(tuned: Tuned) -> tuple[dict[str, Any], Tensor]:
    """A prefix of keys and values: settings, and a table (P, 2 L D), laid out there as here.

    Raises:
        UserError: it does not shift the text's positions.
    """
    door: Prefix = tuned.door
    if not door.shift:
        raise UserError(
            "the prefix was learned with shift=false, and in peft the text's positions start after the prefix: a "
            "prefix can be exported that was tuned with shift=true"
        )
    settings = {"peft_type": "PREFIX_TUNING", "prefix_projection": False, "encoder_hidden_size": tuned.config.width}
    return settings | sizes(tuned.config, door.length), door.source()


def sizes(config: ModelConfig, length: int) -> dict[str, int]:
    return {
        "num_virtual_tokens": length,
        "token_dim": config.width,
        "num_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_transformer_submodules": 1,
    }
