"""Speed of one stream, as in a chat: a GPT answers 24 tokens with 32, as it is and with what each method has tuned."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from minitune.bench.measure import Figure, in_turn, ratio
from minitune.bench.readers import LENGTH
from minitune.bench.tuning import models_in_use
from minitune.models.gpt import GPT
from minitune.predictors.speaker import Speaker
from minitune.training.checkpoint import load_checkpoint
from minitune.tuning.doors import SoftPrompt, Tuned

QUESTION, ANSWER = [11, 12, 13, 14, 15, 16] * 4, 32
NEVER = -1  # no token: an answer has the same length whatever the model says


def answering(model: GPT | Tuned, soft_id: int) -> Callable[[], list[int]]:
    """An answer, token by token; a soft prompt stands before the question."""
    is_soft = isinstance(model, Tuned) and isinstance(model.door, SoftPrompt)
    ids, speaker = [soft_id] * LENGTH * is_soft + QUESTION, Speaker.of(model)
    return lambda: list(speaker.speak(ids, ANSWER, NEVER))


def chat_figures(seconds: float) -> list[Figure]:
    """For each method the tokens of a second, and that rate divided by the base's."""
    soft_id = load_checkpoint("gpt").tokenizer.soft_id
    jobs = {name: answering(model, soft_id) for name, (model, _) in models_in_use("gpt").items()}
    times = in_turn(jobs, seconds)
    figures = []
    for name, its in times.items():
        figures.append(Figure(f"gpt chat, {name}", "tokens/s", ANSWER / statistics.median(its), "tokens/s"))
        figures.append(Figure(f"gpt chat, {name}", "times base", ratio(times["base"], its), "times"))
    return figures
