"""AutoPrompt's candidates: how many are scored in a second, beside one after the other and beside plain passes."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

from minitune.bench.measure import Figure, in_turn, ratio
from minitune.data.examples import draw
from minitune.predictors.classifier import Classifier
from minitune.prompting.autoprompt import AutoPromptConfig
from minitune.prompting.trigger_loss import AT_ONCE, ModelTriggerLoss
from minitune.questions.from_task import task_data
from minitune.readout.verbalizer import verbalizer
from minitune.searches.autoprompt_search import trigger_loss, trigger_template
from minitune.training.checkpoint import load_checkpoint

CONFIG = AutoPromptConfig()


def candidates_of(kind: str, examples: int) -> tuple[ModelTriggerLoss, torch.Tensor]:
    """What a round scores on reviews: the loss, and triggers that differ in their last slot (N, P)."""
    checkpoint = load_checkpoint(kind)
    dataset, question = task_data("sentiment").for_model(checkpoint)
    template = trigger_template(question, kind, CONFIG)
    readout = verbalizer(question.label_words, question.labels, checkpoint.tokenizer)
    model = checkpoint.model.requires_grad_(False).eval()
    chosen, _ = draw(dataset, examples // len(question.labels), seed=0)
    loss = trigger_loss(Classifier(model, checkpoint.tokenizer, template, readout), template, chosen)
    words = torch.tensor(checkpoint.tokenizer.word_ids())
    triggers = words[: CONFIG.triggers].repeat(CONFIG.candidates, 1)
    triggers[:, -1] = words[: CONFIG.candidates]
    return loss, triggers


def forward_passes(loss: ModelTriggerLoss, candidates: int) -> Callable[[], None]:
    """The model alone on as many texts, every position of every layer, in batches of as many."""
    many = {name: tensor.repeat(candidates, 1) for name, tensor in loss.inputs.items()}
    batches = list(zip(*(tensor.split(AT_ONCE) for tensor in many.values()), strict=True))

    @torch.no_grad()
    def run() -> None:
        for batch in batches:
            loss.model(**dict(zip(many, batch, strict=True)))

    return run


def search_figures(kind: str, examples: int, seconds: float) -> list[Figure]:
    """Candidates scored on so many examples in a second; and how much slower other ways are."""
    loss, triggers = candidates_of(kind, examples)
    rows = torch.arange(examples)
    jobs = {
        "together": lambda: loss.loss_of(triggers, rows),
        "one by one": lambda: [loss.loss_of(trigger[None], rows) for trigger in triggers],
        "forward": forward_passes(loss, len(triggers)),
    }
    times, row = in_turn(jobs, seconds), f"{kind} autoprompt, {examples} examples"
    return [
        Figure(row, "candidates/s", len(triggers) / statistics.median(times["together"]), "candidates/s"),
        Figure(row, "times one by one", ratio(times["one by one"], times["together"]), "times"),
        Figure(row, "times forward", ratio(times["forward"], times["together"]), "times"),
    ]
