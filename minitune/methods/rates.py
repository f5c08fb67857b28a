"""The learning rate of each method where none is given: the best of sweeps on another world.

Models of world 1 were pretrained as the shipped ones were, and each method was tuned on 16 examples a class of a task
that is near their text (`sentiment`) and of one that is far from it (`rating`), three draws each:

    minitune pretrain bert --world 1 --steps 22000 --out runs/bert-1
    minitune sweep METHODS --world 1 --model runs/bert-1 --task sentiment --json rates-bert-sentiment.json
    minitune sweep METHODS --world 1 --model runs/bert-1 --task rating --json rates-bert-rating.json

and likewise for GPT, pretrained for 8,000 steps. The default has the highest mean over both tasks; a test reads it off
the files in `lessons/results`. The best rate for one task can be another: `minitune sweep` finds it.
"""

from __future__ import annotations

RATES: dict[str, tuple[float, float, float, float]] = {
    # by model and read-out:  BERT                GPT
    #                         a head    words     a head    words
    "full": (2e-4, 2e-4, 2e-4, 2e-4),
    "frozen": (1e-2, 1e-2, 1e-2, 1e-2),
    "top": (5e-4, 5e-4, 5e-4, 5e-4),
    "norms": (5e-3, 5e-3, 5e-3, 5e-3),
    "biases": (5e-3, 5e-3, 5e-3, 5e-3),
    "output": (1e-3, 1e-3, 1e-3, 1e-3),
    "layerwise": (5e-4, 5e-4, 5e-4, 5e-4),
    "gradual": (2e-4, 2e-4, 2e-4, 2e-4),
    "prompt-tuning": (3e-2, 3e-2, 3e-2, 3e-2),
    "p-tuning": (3e-3, 3e-3, 3e-3, 3e-3),
    "prefix-tuning": (3e-3, 3e-3, 3e-3, 3e-3),
    "p-tuning-v2": (3e-2, 3e-2, 3e-2, 3e-2),
    "lora": (3e-3, 3e-3, 3e-3, 3e-3),
}


def default_rate(what: str, model_kind: str, reads_words: bool) -> float:
    """For a model of this kind, "bert" or "gpt", read by its own words or by a head."""
    return RATES[what][2 * (model_kind == "gpt") + reads_words]
