r"""In-context learning: the model is shown solved examples, and nothing is trained.

    the soup was stale . it was terrible . the hero was witty . it was great . the bed was damp . it was ___

Everything that the model learns of the task stands in what it reads. Which examples are shown, and in which order, are
the only choices, and both matter: a model may favour the answer that it has read last, or most often.

Brown et al. 2020, section 2 (GPT-3; arXiv 2005.14165); Lu et al. 2022 (arXiv 2104.08786), on the order; Min et al. 2022
(arXiv 2202.12837), on random labels as a control.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.prompting.template import Demonstration

USUAL = 4


@dataclass(frozen=True)
class DemonstrationsConfig:
    shown: int = 0  # solved examples before the question; 0: four, or as many as there are and as fit
    order: int = 0  # seed of the order in which they stand
    balanced: bool = True  # each class as often as the others
    random_labels: bool = False  # a control: each is shown with a class drawn at random

    def __post_init__(self):
        for name in ("shown", "order"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} is {getattr(self, name)}; it must be a whole number from 0 on")


def choose(examples: Sequence[Example], count: int, seed: int, balanced: bool = True) -> list[Example]:
    """Some of the examples, drawn at random and in random order; balanced, one class has at most one more than
    another, as long as there are enough of it.

    Raises:
        UserError: there are not so many.
    """
    if count > len(examples):
        raise UserError(
            f"{count} demonstrations are asked for, and there are {len(examples)} examples to show: show fewer, with "
            "--set shown=N, or draw more, with --shots"
        )
    rng = random.Random(f"demonstrations {seed}")
    rest = rng.sample(list(examples), len(examples))
    if not balanced:
        return rest[:count]
    of_class: dict[float, list[Example]] = {}
    for example in rest:
        of_class.setdefault(example.label, []).append(example)
    chosen: list[Example] = []
    while len(chosen) < count:
        for group in rng.sample(list(of_class.values()), len(of_class)):  # one of each class in turn
            if group and len(chosen) < count:
                chosen.append(group.pop())
    return ordered(chosen, seed)


def ordered(chosen: Sequence[Example], seed: int) -> list[Example]:
    """The same examples in an order of this seed."""
    return random.Random(f"order {seed}").sample(list(chosen), len(chosen))


def all_orders(chosen: Sequence[Example]) -> Iterator[tuple[Example, ...]]:
    """Every order of the examples: 24 of four."""
    return permutations(chosen)


def as_demonstrations(chosen: Sequence[Example], answers: Sequence[str]) -> tuple[Demonstration, ...]:
    """The examples with the words that answer them.

    Args:
        answers: of each class, the word that is shown.
    """
    return tuple(Demonstration(example.text, example.text_b, answers[int(example.label)]) for example in chosen)


def with_random_labels(chosen: Sequence[Example], classes: int, seed: int) -> list[Example]:
    """The same texts, each with a class drawn anew, right or wrong."""
    rng = random.Random(f"random labels {seed}")
    return [Example(example.text, example.text_b, rng.randrange(classes)) for example in chosen]
