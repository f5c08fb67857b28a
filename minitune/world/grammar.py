"""Small tools that all writers of the toy world share: articles, agreement, weighted draws, n-grams.

A text of the world is one line, lower case, with a space between words and punctuation.
"""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

PUNCTUATION = frozenset(".,?!")
HELD_OUT_PERCENT = 15


@dataclass(frozen=True)
class Weighted:
    """Items of which some are drawn more often than others."""

    items: tuple[str, ...]
    weights: tuple[float, ...]
    _sums: tuple[float, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sums", tuple(accumulate(self.weights)))

    def draw(self, rng: random.Random) -> str:
        place = bisect(self._sums, rng.random() * self._sums[-1])
        note(rng, self.weights[place] / self._sums[-1])
        return self.items[place]


class NotingRandom(random.Random):
    """Draws as `random.Random` does, and sums up -ln p of the choices made with it, in `nats`."""

    nats = 0.0

    def choice(self, options):
        note(self, 1 / len(options))
        return super().choice(options)


def note(rng: random.Random, probability: float) -> None:
    """Tell a `NotingRandom` that something of this probability has happened."""
    if isinstance(rng, NotingRandom):
        rng.nats -= math.log(probability)


def chance(rng: random.Random, probability: float) -> bool:
    """True with this probability."""
    happens = rng.random() < probability
    note(rng, probability if happens else 1 - probability)
    return happens


def a(phrase: str) -> str:
    """The phrase with its article: `a kite`, `an old kite`."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def was(plural: bool) -> str:
    return "were" if plural else "was"


def fill(line: str, **slots: str) -> str:
    """`we {visit} on a {day} .` with its slots filled; `{a day}` is filled with its article.

    Plain replacement, not `str.format`: the lines come from files that anyone may edit.
    """
    for name, word in slots.items():
        if "{" not in line:
            break
        line = line.replace("{a " + name + "}", a(word)).replace("{" + name + "}", word)
    return line


def is_held_out(name: str) -> bool:
    """Whether what has this name is kept for the tasks alone: about 15% of all names, the same on every machine."""
    return zlib.crc32(name.encode()) % 100 < HELD_OUT_PERCENT


def content_words(text: str, function_words: Collection[str]) -> list[str]:
    """The words that carry meaning: neither punctuation nor one of `function_words`."""
    return [word for word in text.split() if word not in function_words and word not in PUNCTUATION]


def runs_of_five(words: list[str]) -> Iterator[tuple[str, ...]]:
    """Every run of five neighbours, across sentence ends too."""
    return zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)


def apportion(weights: list[float], count: int) -> list[int]:
    """Split `count` among the weights as evenly as whole numbers can, the largest remainders rounded up."""
    shares = [weight * count / sum(weights) for weight in weights]
    parts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (parts[i] - shares[i], i))
    for i in by_remainder[: count - sum(parts)]:
        parts[i] += 1
    return parts
