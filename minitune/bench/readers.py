"""The work of a tuning step, the same for us and for `peft` (the extra `parity`): 16 texts of up to 30 tokens, padded,
through a model of the shipped size, and one place of each text read by one and the same new layer. Prompts and
prefixes have 8 positions on both sides, and LoRA the same rank.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.bench.models import CONFIGS, transformers_model
from minitune.methods.what import WHAT
from minitune.readout.head import new_layer
from minitune.training.checkpoint import load_checkpoint
from minitune.tuning.freezing import TopConfig
from minitune.tuning.lora import LoRAConfig
from minitune.tuning.p_tuning import PTuningConfig
from minitune.tuning.p_tuning_v2 import DeepPromptConfig
from minitune.tuning.prefix_tuning import PrefixConfig
from minitune.tuning.prompt_tuning import PromptConfig

ROWS, TOKENS, CLASSES = 16, 30, 4
LENGTH = 8  # of every prompt and prefix
SETTINGS: dict[str, Any] = {
    "full": None,
    "top": TopConfig(layers=1),
    "frozen": None,
    "prompt-tuning": PromptConfig(LENGTH, start="random"),
    "p-tuning": PTuningConfig(LENGTH),
    "prefix-tuning": PrefixConfig(LENGTH, start="random"),
    "p-tuning-v2": DeepPromptConfig(LENGTH),
    "lora": LoRAConfig(),
}


class Reader(nn.Module):
    """A model, ours or theirs, and a new layer that reads one place of each text.

    Ours may compute the last layer at that place alone, as our classifiers do, or `whole`, as theirs always do.
    """

    def __init__(self, model: nn.Module, width: int, whole: bool):
        super().__init__()
        self.model, self.linear, self.whole = model, new_layer(width, CLASSES, seed=0), whole

    def loss(self, inputs: dict[str, Tensor], place: Tensor, label: Tensor) -> Tensor:
        if self.whole:
            hidden = self.model(**inputs)[0]  # (B, T, D), first of what either library returns
            hidden = hidden[torch.arange(len(place)), place]
        else:
            hidden = self.model(**inputs, read=place[:, None]).hidden[:, 0]
        return F.cross_entropy(self.linear(hidden), label)


def tuning_batch(kind: str) -> dict[str, Any]:
    """What `Reader.loss` takes: texts of 18 to 30 tokens, and the place that is read."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(18, TOKENS + 1, (ROWS,), generator=generator)
    lengths[0] = TOKENS
    mask = (torch.arange(TOKENS) < lengths[:, None]).long()
    ids = torch.randint(10, CONFIGS[kind].vocab_size, (ROWS, TOKENS), generator=generator)
    return {
        "inputs": {"input_ids": ids * mask, "attention_mask": mask},
        "place": lengths - 1 if kind == "gpt" else torch.zeros_like(lengths),
        "label": torch.randint(0, CLASSES, (ROWS,), generator=generator),
    }


def behind_a_prompt(batch: dict[str, Any], soft_id: int | None) -> dict[str, Any]:
    """The text and its place stand LENGTH positions later: behind our placeholders; peft (None) puts its vectors
    there itself."""
    inputs = batch["inputs"]
    if soft_id is not None:
        first = {"input_ids": soft_id, "attention_mask": 1}
        inputs = {name: F.pad(tensor, (LENGTH, 0), value=first[name]) for name, tensor in inputs.items()}
    return batch | {"inputs": inputs, "place": batch["place"] + LENGTH}


def our_reader(kind: str, what: str, whole: bool = False) -> tuple[Reader, dict[str, Any]]:
    """Our model, tuned by `what`, and its batch."""
    checkpoint, batch = load_checkpoint(kind), tuning_batch(kind)
    tuned = WHAT[what].put_into(checkpoint.model.train(), SETTINGS[what], checkpoint.tokenizer, "lora")
    if WHAT[what].is_soft:
        batch = behind_a_prompt(batch, checkpoint.tokenizer.soft_id)
    return Reader(tuned, CONFIGS[kind].width, whole), batch


def their_reader(kind: str, what: str) -> tuple[Reader, dict[str, Any]]:
    """The same by transformers, and by peft where it has the method."""
    import peft

    model, batch = transformers_model(kind).train(), tuning_batch(kind)
    model = model.transformer if kind == "gpt" else model.bert
    model.pooler = None  # BERT's would be run, and not read
    if what in ("full", "frozen"):
        return Reader(model.requires_grad_(what == "full"), CONFIGS[kind].width, whole=True), batch
    ours = SETTINGS[what]
    settings: dict[str, Any] = {"task_type": "FEATURE_EXTRACTION"}
    if what == "lora":  # c_attn is three layers in one: as many numbers as on query and value apart
        settings |= {"r": ours.rank, "lora_alpha": ours.alpha, "fan_in_fan_out": kind == "gpt"}
        settings["target_modules"] = ["c_attn"] if kind == "gpt" else list(ours.targets)
    else:
        settings["num_virtual_tokens"] = LENGTH
    if what == "p-tuning":
        half = CONFIGS[kind].width // 2
        settings |= {"encoder_reparameterization_type": "LSTM", "encoder_hidden_size": half}
    if what == "prefix-tuning":
        settings |= {"prefix_projection": True, "encoder_hidden_size": ours.inner}
    classes = {"prompt-tuning": peft.PromptTuningConfig, "p-tuning": peft.PromptEncoderConfig, "lora": peft.LoraConfig}
    with warnings.catch_warnings(action="ignore"):  # of names that will change
        model = peft.get_peft_model(model, classes.get(what, peft.PrefixTuningConfig)(**settings))
    return Reader(model, CONFIGS[kind].width, whole=True), behind_a_prompt(batch, None) if WHAT[what].is_soft else batch
