"""Places to eat: a handful of attributes, and the sentences that tell them."""

from __future__ import annotations

import random

from minitune.world.grammar import fill, is_held_out
from minitune.world.lexicon import Lexicon


class PlaceWriter:
    """Some combinations of kind, food and price are never written, except in the test of `describe`."""

    def __init__(self, lexicon: Lexicon, seed: int):
        self.words, self.common = lexicon.places, lexicon.common
        self.jobs = lexicon.people.entities["jobs"]
        things = [thing for things in lexicon.scenes.kinds.values() for thing in things]
        self.names = tuple(f"the {colour} {thing}" for colour in lexicon.scenes.colours for thing in things)
        self.seed = seed

    def is_held_out(self, place: dict[str, str]) -> bool:
        """Whether this combination is told in the test of `describe` alone."""
        return is_held_out(f"{self.seed}/{place['kind']}/{place['food']}/{place['price']}")

    def place(self, rng: random.Random, held_out: bool = False) -> dict[str, str]:
        while True:
            place = {
                "name": rng.choice(self.names),
                "kind": rng.choice(self.words.kinds),
                "food": rng.choice(self.words.foods),
                "price": rng.choice(self.words.prices),
                "area": rng.choice(self.words.areas),
            }
            if self.is_held_out(place) == held_out:
                return place

    def describe(self, rng: random.Random, place: dict[str, str]) -> str:
        return fill(rng.choice(self.words.descriptions), **place)

    def document(self, rng: random.Random) -> str:
        sentences = [self.describe(rng, self.place(rng))]
        slots = {"day": rng.choice(self.common.days), "relative": rng.choice(self.common.relatives)}
        for line in rng.sample(self.words.glue, rng.choice((0, 1, 2))):
            sentences.append(fill(line, job=rng.choice(self.jobs), **slots))
        return " ".join(sentences)
