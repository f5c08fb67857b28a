"""Instructions in plain words, each with an input and the output that a helpful reader would give.

The fields are those of Alpaca (instruction, input, output). Nothing of it is in the pretraining text: a
model is to learn from these rows alone what it means to be told to do something.
"""

from __future__ import annotations

import random
from dataclasses import replace

from minitune.world.grammar import a, fill
from minitune.world.lexicon import Lexicon
from minitune.world.reviews import ReviewWriter
from minitune.world.scenes import Event, Phrase, SceneWriter


class InstructionWriter:
    def __init__(self, lexicon: Lexicon, scenes: SceneWriter, reviews: ReviewWriter):
        self.words, self.scenes, self.reviews = lexicon.instruct, scenes, reviews
        self.nouns = (*scenes.jobs, *scenes.things, *scenes.words.places)

    def row(self, rng: random.Random, kind: str) -> dict[str, str]:
        """`kind` is one of the wordings' names: opposite, last, first, count, repeat, ..."""
        colour = rng.choice(self.scenes.words.colours)
        source, output = getattr(self, f"_{kind}")(rng) if kind != "repaint" else self._repaint(rng, colour)
        instruction = fill(rng.choice(self.words.wordings[kind]), colour=colour)
        return {"instruction": instruction, "input": source, "output": output, "kind": kind}

    def _list(self, rng: random.Random, longest: int) -> list[str]:
        return rng.sample(self.nouns, rng.randint(2, longest))

    def _event(self, rng: random.Random, place: str = "") -> Event:
        """`the baker bought a red kite`: one person, one thing, one colour."""
        thing = Phrase(rng.choice(self.scenes.things), rng.choice(self.scenes.words.colours))
        return Event(
            Phrase(rng.choice(self.scenes.jobs), "", True),
            rng.choice(self.scenes.words.acts),
            (thing,),
            "",
            place,
        )

    def _opposite(self, rng: random.Random) -> tuple[str, str]:
        word, opposite = rng.choice(self.words.opposites)
        noun = rng.choice(self.nouns)
        return f"the {word} {noun}", f"the {opposite} {noun}"

    def _last(self, rng: random.Random) -> tuple[str, str]:
        words = self._list(rng, 5)
        return " ".join(words), words[-1]

    def _first(self, rng: random.Random) -> tuple[str, str]:
        words = self._list(rng, 5)
        return " ".join(words), words[0]

    def _count(self, rng: random.Random) -> tuple[str, str]:
        words = self._list(rng, 6)
        return " ".join(words), self.words.numbers[len(words)]

    def _backwards(self, rng: random.Random) -> tuple[str, str]:
        words = self._list(rng, 4)
        return " ".join(words), " ".join(reversed(words))

    def _repeat(self, rng: random.Random) -> tuple[str, str]:
        event = self._event(rng)
        return f"{event.text} .", f"{event.text} ."

    def _colour(self, rng: random.Random) -> tuple[str, str]:
        event = self._event(rng)
        return f"{event.text} .", event.patients[0].adjective

    def _opinion(self, rng: random.Random) -> tuple[str, str]:
        good = rng.random() < 0.5
        pen = self.reviews.pen(rng, self.reviews.task_choices)
        return f"{pen.clause(rng.choice(pen.domain.aspects), good)} .", "good" if good else "bad"

    def _kind(self, rng: random.Random) -> tuple[str, str]:
        thing = rng.choice(self.scenes.things)
        return a(f"{rng.choice(self.scenes.words.colours)} {thing}"), self.scenes.kind_of[thing]

    def _where(self, rng: random.Random) -> tuple[str, str]:
        event = self._event(rng, rng.choice(self.scenes.words.places))
        return f"{event.text} .", f"in the {event.place}"

    def _who(self, rng: random.Random) -> tuple[str, str]:
        event = self._event(rng)
        return f"{event.text} .", event.agent.text

    def _repaint(self, rng: random.Random, colour: str) -> tuple[str, str]:
        event = self._event(rng)
        while event.patients[0].adjective == colour:
            event = self._event(rng)
        painted = replace(event, patients=(replace(event.patients[0], adjective=colour),))
        return f"{event.text} .", f"{painted.text} ."
