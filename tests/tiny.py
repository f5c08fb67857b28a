"""Tiny checkpoints whose tokenizers know the words of the examples, and one question about them.

Weights are all over the place, norms and biases too, and in float32 as those of every checkpoint.
"""

import functools
from dataclasses import replace

from minitune.data.examples import Example
from minitune.data.tokenizers import train_tokenizer
from minitune.models.build import KINDS
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint
from tests.conftest import LINES, perturbed

LABELS = ("bad", "fair", "good")
WORDS = {"good": ("great", "good"), "bad": ("awful",), "fair": ("sad", "slow")}
EXAMPLES = [
    Example("great soup", label=2),
    Example("the film was awful , and the hero was dull . it was sad", label=0),
    Example("the bed was quiet", label=1),
    Example("[MASK] a dull [SEP] plot", label=0),
    Example("it was great !", label=2),
    Example("the room was soft and the bread was slow", label=1),
]


@functools.cache
def checkpoint(kind: str, seed: int = 1, layers: int = 2) -> Checkpoint:
    """Never change its model: it is one for all tests."""
    tokenizer = train_tokenizer(kind, LINES)
    model_class, config_class = KINDS[kind]
    extra = {"token_types": 3} if kind == "bert" else {}
    config = config_class(len(tokenizer), layers=layers, width=24, heads=3, inner=44, context=61, **extra)
    return Checkpoint(perturbed(model_class(config), seed, spread=0.2).float(), tokenizer)


@functools.cache
def dropping(kind: str) -> Checkpoint:
    """The same weights in a model that drops out much, in training mode: who only reads has to see to that."""
    plain = checkpoint(kind)
    model = type(plain.model)(replace(plain.model.config, dropout=0.4))
    model.load_state_dict(plain.model.state_dict())
    return Checkpoint(model.train(), plain.tokenizer)


def question(kind: str, **changes) -> Question:
    """Three classes, told apart by one, two and two words."""
    stop = " ." if kind == "bert" else ""
    return Question(**({"labels": LABELS, "template": "{text} it was {mask}" + stop, "label_words": WORDS} | changes))
