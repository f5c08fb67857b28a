"""The models that are measured, of the shipped sizes: ours, and those of `transformers` (extra `parity`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor, nn

from minitune.models import BERTConfig, GPTConfig
from minitune.models.build import ModelConfig
from minitune.training.pretrain import CONTEXT

CONFIGS: dict[str, ModelConfig] = {"gpt": GPTConfig(1809, context=CONTEXT), "bert": BERTConfig(1627, context=CONTEXT)}


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def transformers_model(kind: str) -> nn.Module:
    """The reference library's model of the same size, dropout 0."""
    import transformers

    transformers.logging.set_verbosity_error()
    c = CONFIGS[kind]
    if kind == "gpt":
        config = transformers.GPT2Config(
            vocab_size=c.vocab_size,
            n_positions=c.context,
            n_embd=c.width,
            n_layer=c.layers,
            n_head=c.heads,
            n_inner=c.inner,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=1,
            eos_token_id=1,
        )
        return transformers.GPT2LMHeadModel(config)
    config = transformers.BertConfig(
        vocab_size=c.vocab_size,
        max_position_embeddings=c.context,
        hidden_size=c.width,
        num_hidden_layers=c.layers,
        num_attention_heads=c.heads,
        intermediate_size=c.inner,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return transformers.BertForPreTraining(config)


def training_step(module: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """One step of AdamW on all that is trainable, as in the training loop, for either library."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def step() -> None:
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step
