"""The learning rate of each method where none is given: the best of sweeps on another world.

Models of world 1 were pretrained as the shipped ones were, and each method was tuned on 16 examples a class of a task
that is near their text (`sentiment`) and of one that is far from it (`rating`), three draws each:

    minitune pretrain bert --world 1 --steps 22000 --out runs/bert-1
    minitune sweep METHODS --world 1 --model runs/bert-1 --task sentiment --json bert-sentiment.json
    minitune sweep METHODS --world 1 --model runs/bert-1 --task rating --json bert-rating.json

and likewise for GPT, pretrained for 8,000 steps. The default is the best rate for the far task among those that lose at
most two points on the near one; a test reads it off the files in `lessons/results/default_rates`. For one task alone
another rate can be better: `minitune sweep` finds it. (Nothing of `frozen` trains under words, and a head does not read
what `output` trains: these two have the rate beside them.)
"""

from __future__ import annotations

RATES: dict[str, tuple[float, float, float, float]] = {
    # by model and read-out:  BERT                GPT
    #                         a head    words     a head    words
    "full": (1e-3, 3e-4, 3e-4, 3e-4),
    "frozen": (1e-1, 1e-1, 1e-1, 1e-1),
    "top": (3e-3, 1e-3, 3e-3, 1e-3),
    "norms": (1e-2, 1e-2, 3e-2, 1e-2),
    "biases": (1e-2, 3e-2, 3e-2, 3e-2),
    "output": (3e-3, 3e-3, 3e-3, 3e-3),
    "layerwise": (1e-3, 3e-4, 1e-3, 3e-4),
    "gradual": (3e-4, 1e-3, 1e-3, 3e-4),
    "prompt-tuning": (3e-2, 3e-3, 3e-2, 3e-2),
    "p-tuning": (1e-2, 1e-3, 1e-2, 1e-2),
    "prefix-tuning": (3e-3, 1e-3, 1e-2, 1e-3),
    "p-tuning-v2": (3e-2, 3e-2, 1e-1, 1e-1),
    "lora": (1e-2, 1e-2, 1e-2, 1e-2),
}


def default_rate(what: str, model_kind: str, reads_words: bool) -> float:
    """For a model of this kind, "bert" or "gpt", read by its own words or by a head."""
    return RATES[what][2 * (model_kind == "gpt") + reads_words]
