"""Speed and memory of the tuning methods, measured on the machine at hand: the second half of `minitune bench`.

A step is one of tuning: 16 texts of up to 30 tokens, padded, through a model of the shipped size on one thread. With
the extra `parity` installed, peft does the same work beside ours: the same 8 positions of prompt or prefix, the same
rank, and one and the same new layer, loss and optimizer behind the model, which reads the same place of the text.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.bench.pretraining import CONFIGS, Figure, in_turn, ratio, training_step, transformers_model
from minitune.data.examples import draw
from minitune.methods.method import Method
from minitune.methods.questions import task_data
from minitune.methods.what import WHAT
from minitune.models.build import Model
from minitune.predictors.predictor import ExampleBatches
from minitune.readout.head import new_layer
from minitune.training.checkpoint import load_checkpoint
from minitune.training.loop import TrainConfig, train
from minitune.tuning.freezing import TopConfig
from minitune.tuning.lora import LoRAConfig, add_lora
from minitune.tuning.lora_adapters import fold_lora, merge_lora
from minitune.tuning.p_tuning import PTuningConfig
from minitune.tuning.p_tuning_v2 import DeepPromptConfig
from minitune.tuning.prefix_tuning import PrefixConfig
from minitune.tuning.prompt_tuning import PromptConfig
from minitune.tuning.trained import trainable

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
STEPS = 100  # of a head that is trained alone


# ---- the work ----


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


def step_of(reader: Reader, batch: dict[str, Any]) -> Callable[[], None]:
    return training_step(reader, lambda: reader.loss(**batch))


def bytes_of_training(reader: Reader, batch: dict[str, Any]) -> tuple[int, int]:
    """Bytes that the gradients and the optimizer hold after a step."""
    parameters = list(trainable(reader).values())
    optimizer = torch.optim.AdamW(parameters, fused=True)
    reader.loss(**batch).backward()
    optimizer.step()
    kept = [tensor for state in optimizer.state.values() for tensor in state.values()]
    gradients = [p.grad for p in parameters if p.grad is not None]
    return tuple(sum(t.numel() * t.element_size() for t in tensors) for tensors in (gradients, kept))


def lora_models(kind: str) -> dict[str, Model]:
    """One model without LoRA, and with it in each of the ways it can run."""
    beside = add_lora(load_checkpoint(kind).model.eval(), SETTINGS["lora"])
    return {
        "base": load_checkpoint(kind).model.eval(),
        "folded": fold_lora(copy.deepcopy(beside)),
        "merged": merge_lora(copy.deepcopy(beside)),
        "beside": beside,
    }


def head_training(kind: str, is_cached: bool) -> Callable[[], object]:
    """STEPS steps of a head on a frozen model that reads each of 32 examples once, or again in every batch."""
    checkpoint = load_checkpoint(kind)
    dataset, question = task_data("sentiment", checkpoint)
    examples, _ = draw(dataset, 16, seed=0)
    predictor = Method.parse("frozen+head").build(checkpoint, question, seed=0)
    batches = ExampleBatches(predictor, examples, ROWS, seed=0)
    batches.items = [item._replace(hidden=None) for item in batches.items]

    def run() -> None:
        if is_cached:
            batches.items = predictor.items(examples)
        train(predictor, batches.batch, TrainConfig(steps=STEPS))

    return run


# ---- the figures ----


def tuning_figures(seconds: float) -> list[Figure]:
    with_peft = importlib.util.find_spec("peft") is not None
    figures: list[Figure] = []
    for kind in CONFIGS:
        for what in SETTINGS:
            figures += step_figures(kind, what, seconds, with_peft)
        for what in SETTINGS:
            figures += memory_figures(kind, what)
        figures += lora_figures(kind, seconds)
        figures += head_figures(kind, seconds)
    return figures


def step_figures(kind: str, what: str, seconds: float, with_peft: bool) -> list[Figure]:
    """How many steps of `what` are done in the time of one step of peft's, and of one of full fine-tuning."""
    jobs = {"ours": step_of(*our_reader(kind, what))}
    if with_peft and what != "top":  # peft has no such thing
        library = "transformers'" if what in ("full", "frozen") else "peft's"
        jobs[library] = step_of(*their_reader(kind, what))
        jobs["whole"] = step_of(*our_reader(kind, what, whole=True))
    if what != "full":
        jobs["full fine-tuning's"] = step_of(*our_reader(kind, "full"))
    times = in_turn(jobs, seconds)
    ours, whole = times.pop("ours"), times.pop("whole", None)
    name = f"{kind}, 1 thread: a step of {what}, times"
    figures = [Figure(f"{name} {other} rate", ratio(others, ours), "times") for other, others in times.items()]
    if whole:
        figures.append(Figure(f"{name} {library} rate, our last layer whole", ratio(times[library], whole), "times"))
    return figures


def memory_figures(kind: str, what: str) -> list[Figure]:
    """4 bytes a trained number for its gradient, and 8 for AdamW's two means: 12. (Of a BERT that is trained in its
    upper part or whole, the heads of pretraining are not read here, and get none.)"""
    held = sum(bytes_of_training(*our_reader(kind, what)))
    head = CLASSES * CONFIGS[kind].width + CLASSES
    expected = 12 * (WHAT[what].count(SETTINGS[what], CONFIGS[kind]) + head)
    name = f"{kind}: gradients and optimizer of {what}"
    return [Figure(name, held, "bytes"), Figure(f"{name}, of 12 bytes a number", held / expected, "share")]


def lora_figures(kind: str, seconds: float) -> list[Figure]:
    inputs = tuning_batch(kind)["inputs"]

    def forward(model: Model) -> Callable[[], object]:
        return torch.no_grad()(lambda: model(**inputs))

    base, *others = in_turn({name: forward(model) for name, model in lora_models(kind).items()}, seconds).items()
    name = f"{kind}, 1 thread: forward with LoRA"
    return [Figure(f"{name} {how}, times the base's time", ratio(times, base[1]), "times") for how, times in others]


def head_figures(kind: str, seconds: float) -> list[Figure]:
    times = in_turn({how: head_training(kind, how == "once") for how in ("once", "every batch")}, seconds)
    name = f"{kind}, 1 thread: {STEPS} steps of frozen+head, read once, times the rate of reading every batch"
    return [Figure(name, ratio(times["every batch"], times["once"]), "times")]
