"""The learning rate of each method where none is given."""

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
