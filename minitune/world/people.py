"""People, towns and companies: the facts of the world, and the biographies that state them.

A fact is drawn once from the seed and never contradicted. Some people are famous and some are hardly
mentioned, so facts are stated from never to more than a thousand times: a model's memory can be studied
against how often it saw a fact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from minitune.world.grammar import Weighted, apportion, fill
from minitune.world.lexicon import Lexicon, Relation

FADING = 0.94  # each entity is mentioned this many times as often as the one before it
PUPILS = 40


@dataclass(frozen=True)
class Fact:
    subject: str
    relation: str
    object: str


class PeopleWriter:
    def __init__(self, lexicon: Lexicon, seed: int):
        self.words, self.common = lexicon.people, lexicon.common
        self.relations = {relation.name: relation for relation in self.words.relations}
        rng = random.Random(f"{seed}/facts")
        self.ranked = {}  # each kind of entity, the most famous first
        for kind, names in self.words.entities.items():
            self.ranked[kind] = rng.sample(names, len(names))
        self.fame = {
            kind: Weighted(tuple(self.ranked[kind]), tuple(fading**i for i in range(len(self.ranked[kind]))))
            for kind, fading in (("persons", FADING), ("companies", FADING**3), ("towns", FADING**3))
        }
        self.facts = tuple(fact for relation in self.words.relations for fact in self._draw_facts(relation, rng))
        self.in_town = {
            town: [fact for fact in self.facts if fact.object == town] for town in self.words.entities["towns"]
        }
        self.about: dict[str, list[Fact]] = {}  # all facts that a text about this entity may state
        for fact in self.facts:
            self.about.setdefault(fact.subject, []).append(fact)
            if self.relations[fact.relation].reversed:
                self.about.setdefault(fact.object, []).append(fact)

    def _draw_facts(self, relation: Relation, rng: random.Random) -> Iterator[Fact]:
        subjects = list(self.words.entities[relation.subject])
        if relation.subject == relation.object:  # one to one, so that the way back is clear too
            objects = self.ranked[relation.object][:PUPILS]
            subjects = [objects[-1], *objects[:-1]] if len(objects) > 1 else []
            others = [name for name in self.ranked[relation.subject] if name not in objects]
            rng.shuffle(others)
            subjects = [others.pop() if others and i % 2 else name for i, name in enumerate(subjects)]
        else:
            names = rng.sample(self.words.entities[relation.object], len(self.words.entities[relation.object]))
            weights = [(rank + 1) ** -relation.skew for rank in range(len(names))]
            counts = apportion(weights, len(subjects))
            objects = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
            rng.shuffle(objects)
        for subject, object_ in zip(subjects, objects, strict=True):
            yield Fact(subject, relation.name, object_)

    def document(self, rng: random.Random) -> tuple[str, tuple[Fact, ...]]:
        """A little biography and the facts that it states."""
        kind = rng.random()
        if kind < 0.70:
            return self._about(rng, "persons", "person")
        return self._about(rng, "companies", "company") if kind < 0.86 else self._about(rng, "towns", "town")

    def _about(self, rng: random.Random, kind: str, glue: str) -> tuple[str, tuple[Fact, ...]]:
        name = self.fame[kind].draw(rng)
        known = self.about[name]
        facts = rng.sample(known, min(len(known), rng.choice((2, 3, 3, 4))))
        sentences, at = [], 0
        while at < len(facts):
            if len(facts) - at >= 2 and rng.random() < 0.45:  # "mira was born in alden and plays the harp ."
                first, second = (self.verb(rng, fact, name) for fact in facts[at : at + 2])
                sentences.append(f"{name} {first} {rng.choice(('and', 'and', 'and', 'but', ', and'))} {second} .")
                at += 2
            else:
                sentences.append(self.statement(rng, facts[at], name))
                at += 1
        beside = self._beside(name, facts)
        if beside and (kind == "towns" or rng.random() < 0.3):
            facts = [*facts, rng.choice(beside)]
            sentences.append(self.statement(rng, facts[-1], facts[-1].subject))
        if len(sentences) == 1 or (len(sentences) < 5 and rng.random() < 0.5):
            sentences.insert(rng.choice((0, len(sentences))), self.glue(rng, glue, name))
        return " ".join(sentences), tuple(facts)

    def _beside(self, name: str, facts: list[Fact]) -> list[Fact]:
        """Facts to mention in passing: who lives in this town, or where the towns just named lie."""
        if name in self.in_town:
            return self.in_town[name]
        return [fact for named in facts for fact in self.about.get(named.object, ()) if fact.relation == "lies_in"]

    def verb(self, rng: random.Random, fact: Fact, name: str) -> str:
        """What is said after the name: `was born in alden`."""
        relation = self.relations[fact.relation]
        phrasings = relation.verbs if name == fact.subject else relation.reversed
        return fill(rng.choice(phrasings), s=fact.subject, o=fact.object)

    def statement(self, rng: random.Random, fact: Fact, name: str) -> str:
        """A sentence for one fact, `name` first or in a frame of the relation."""
        frames = self.relations[fact.relation].frames
        if rng.random() < 0.5:
            return f"{fill(rng.choice(frames), s=fact.subject, o=fact.object)} ."
        return f"{name} {self.verb(rng, fact, name)} ."

    def glue(self, rng: random.Random, kind: str, name: str) -> str:
        job, job2 = rng.sample(self.words.entities["jobs"], 2)
        while (town := rng.choice(self.words.entities["towns"])) == name:
            pass
        slots = {
            "s": name,
            "town": town,
            "job": job,
            "job2": job2,
            "product": rng.choice(self.words.entities["products"]),
            "country": rng.choice(self.words.entities["countries"]),
            "instrument": rng.choice(self.words.entities["instruments"]),
            "day": rng.choice(self.common.days),
            "relative": rng.choice(self.common.relatives),
        }
        return fill(rng.choice(self.words.glue[kind]), **slots)
