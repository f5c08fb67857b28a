"""Speed and memory of the tuning methods: a step beside full fine-tuning's and beside `peft`'s, what the method costs
when it is used, and the bytes that training it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from minitune.bench.measure import Figure, in_turn, ratio
from minitune.bench.models import CONFIGS, is_installed, training_step
from minitune.bench.readers import CLASSES, ROWS, SETTINGS, Reader, our_reader, their_reader, tuning_batch
from minitune.data.examples import draw
from minitune.methods.method import Method
from minitune.methods.what import WHAT
from minitune.models.build import Model, copied
from minitune.predictors.predictor import ExampleBatches
from minitune.questions.from_task import task_data
from minitune.training.checkpoint import load_checkpoint
from minitune.training.loop import TrainConfig, train
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.lora import add_lora
from minitune.tuning.lora_adapters import fold_lora, merge_lora
from minitune.tuning.trained import trainable

STEPS = 100  # of a head that is trained alone


# ---- the work ----


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


def models_in_use(kind: str) -> dict[str, tuple[Model | Tuned, dict[str, Any]]]:
    """The model as it is, and with what a method has trained, each with its inputs."""
    plain = tuning_batch(kind)["inputs"]
    models = {"base": (load_checkpoint(kind).model, plain)}
    for what in SETTINGS:
        reader, batch = our_reader(kind, what)
        if isinstance(reader.model, Tuned):
            models[what] = (fold(reader.model), batch["inputs"])
    beside = add_lora(load_checkpoint(kind).model, SETTINGS["lora"])
    models["lora"] = (beside, plain)
    models["lora, merged"] = (merge_lora(copied(beside)), plain)
    models["lora, folded"] = (fold_lora(copied(beside)), plain)
    return {name: (model.eval(), inputs) for name, (model, inputs) in models.items()}


def head_training(kind: str, is_cached: bool) -> Callable[[], object]:
    """STEPS steps of a head on a frozen model that reads each of 32 examples once, or again in every batch."""
    checkpoint = load_checkpoint(kind)
    dataset, question = task_data("sentiment").for_model(checkpoint)
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


def step_figures(kind: str, what: str, seconds: float) -> list[Figure]:
    """How many steps of `what` are done in the time of one step of full fine-tuning, and of peft's."""
    jobs = {"ours": step_of(*our_reader(kind, what))}
    if what != "full":
        jobs["full"] = step_of(*our_reader(kind, "full"))
    if is_installed("peft") and what != "top":  # peft has no such thing
        jobs["peft"] = step_of(*their_reader(kind, what))
        jobs["whole"] = step_of(*our_reader(kind, what, whole=True))
    times, row = in_turn(jobs, seconds), f"{kind} {what}"
    figures = [
        Figure(row, f"times {other}", ratio(times[other], times["ours"]), "times")
        for other in ("full", "peft")
        if other in times
    ]
    if "whole" in times:
        figures.append(Figure(row, "last layer whole", ratio(times["peft"], times["whole"]), "times"))
    return figures + memory_figures(kind, what)


def memory_figures(kind: str, what: str) -> list[Figure]:
    """4 bytes a trained number for its gradient, and 8 for AdamW's two means: 12. (Of a BERT that is trained in its
    upper part or whole, the heads of pretraining are not read here, and get none.)"""
    held = sum(bytes_of_training(*our_reader(kind, what)))
    head = CLASSES * CONFIGS[kind].width + CLASSES
    row, numbers = f"{kind} {what}", WHAT[what].count(SETTINGS[what], CONFIGS[kind]) + head
    return [Figure(row, "memory", held, "bytes"), Figure(row, "bytes a number", held / numbers, "bytes a number")]


def head_figures(kind: str, seconds: float) -> list[Figure]:
    times = in_turn({how: head_training(kind, how == "once") for how in ("once", "every batch")}, seconds)
    return [Figure(f"{kind} frozen", "states kept", ratio(times["every batch"], times["once"]), "times")]


def forward_figures(kind: str, seconds: float) -> list[Figure]:
    """The time of reading the texts, divided by that of the model as it is."""

    def forward(model: Model | Tuned, inputs: dict[str, Any]) -> Callable[[], object]:
        return torch.no_grad()(lambda: model(**inputs))

    times = in_turn({name: forward(*it) for name, it in models_in_use(kind).items()}, seconds)
    base = times.pop("base")
    return [Figure(f"{kind} {name}", "forward", ratio(its, base), "times") for name, its in times.items()]
