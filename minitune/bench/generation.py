"""Speed of writing: greedy continuations of prompts of 8 tokens, with the cache, without it, and by `transformers`."""

from __future__ import annotations

import statistics

import torch

from minitune.bench.measure import Figure, in_turn, ratio
from minitune.bench.models import CONFIGS, is_installed, transformers_model
from minitune.models import generate
from minitune.models.build import random_model

PROMPT, NEW_TOKENS = [11, 12, 13, 14, 15, 16, 17, 18], 96


def generation_figures(rows: int, seconds: float) -> list[Figure]:
    """For `rows` prompts at once."""
    model, prompts = random_model(CONFIGS["gpt"], seed=0).eval(), [PROMPT] * rows
    jobs = {
        "cached": lambda: generate(model, prompts, NEW_TOKENS),
        "uncached": lambda: generate(model, prompts, NEW_TOKENS, use_cache=False),
    }
    if is_installed("transformers"):
        reference, ids = transformers_model("gpt").eval(), torch.tensor(prompts)
        jobs["transformers"] = lambda: reference.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=0,
        )
    times = in_turn(jobs, seconds)
    row = f"gpt generation, {rows} prompt{'s' * (rows > 1)}"
    figures = [Figure(row, "tokens/s", rows * NEW_TOKENS / statistics.median(times["cached"]), "tokens/s")]
    if "transformers" in times:
        figures.append(Figure(row, "times transformers", ratio(times["transformers"], times["cached"]), "times"))
    return [*figures, Figure(row, "times uncached", ratio(times["uncached"], times["cached"]), "times")]
