"""Scenes: what the baker did with the kite, and whether something else is then true.

An event is a small record; `Event.text` writes it, and `judge` says whether a second event follows from a
first: yes, no or maybe. The stories of the pretraining text ask such questions and answer them, and the
task `entail` is made of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from minitune.world.grammar import a, fill
from minitune.world.lexicon import Lexicon


@dataclass(frozen=True)
class Phrase:
    """`a red kite` or `the old baker`: a person is known, a thing is new."""

    noun: str
    adjective: str = ""
    person: bool = False

    @property
    def text(self) -> str:
        words = f"{self.adjective} {self.noun}".strip()
        return f"the {words}" if self.person else a(words)


@dataclass(frozen=True)
class Event:
    agent: Phrase
    verb: tuple[str, str]  # past and base: ("bought", "buy")
    patients: tuple[Phrase, ...]  # one, or two joined by `joint`
    joint: str = ""  # "and" or "or"
    place: str = ""
    passive: bool = False
    negated: bool = False

    @property
    def text(self) -> str:
        """`the old baker bought a red kite in the garden`, without a stop."""
        past, base = self.verb
        patients = f" {self.joint} ".join(phrase.text for phrase in self.patients)
        where = f" in the {self.place}" if self.place else ""
        if self.passive:
            were = "were" if self.joint == "and" else "was"
            return f"{patients} {were} {'not ' * self.negated}{past} by {self.agent.text}{where}"
        return f"{self.agent.text} {'did not ' + base if self.negated else past} {patients}{where}"


class SceneWriter:
    def __init__(self, lexicon: Lexicon):
        self.words, self.days = lexicon.scenes, lexicon.common.days
        self.jobs, self.products = lexicon.people.entities["jobs"], lexicon.people.entities["products"]
        self.kind_of = {thing: kind for kind, things in self.words.kinds.items() for thing in things}
        self.things = tuple(self.kind_of)

    # ---- events ----

    def event(self, rng: random.Random) -> Event:
        """Somebody did something, with details that come and go."""
        agent, other = rng.sample(self.jobs, 2)
        subject = Phrase(agent, rng.choice(self.words.ages) if rng.random() < 0.5 else "", person=True)
        place = rng.choice(self.words.places) if rng.random() < 0.5 else ""
        passive = rng.random() < 0.3
        if rng.random() < 0.3:
            patient = Phrase(other, rng.choice(self.words.ages) if rng.random() < 0.5 else "", person=True)
            return Event(subject, rng.choice(self.words.meetings), (patient,), "", place, passive)
        patients = tuple(self.thing(rng, thing) for thing in rng.sample(self.things, rng.choice((1, 1, 2))))
        joint = rng.choice(("and", "or")) if len(patients) == 2 else ""
        return Event(subject, rng.choice(self.words.acts), patients, joint, place, passive)

    def thing(self, rng: random.Random, thing: str) -> Phrase:
        noun = self.kind_of[thing] if rng.random() < 0.25 else thing
        return Phrase(noun, rng.choice(self.words.colours) if rng.random() < 0.5 else "")

    def claim(self, rng: random.Random, event: Event) -> Event:
        """The event told again with details dropped, changed or added: true, false or unknown."""
        words = self.words
        patients = event.patients
        if len(patients) == 2 and rng.random() < 0.7:
            patients = (rng.choice(patients),)
        joint = rng.choice(("and", "or")) if len(patients) == 2 else ""
        patients = tuple(self._retold(rng, phrase) for phrase in patients)
        agent = self._redescribed(rng, event.agent, words.ages)
        if patients[0].person and rng.random() < 0.3:
            agent, patients = patients[0], (agent,)
        place = event.place
        change = rng.random()
        if place:
            place = "" if change < 0.5 else rng.choice(words.places) if change < 0.75 else place
        elif change < 0.2:
            place = rng.choice(words.places)
        return Event(agent, event.verb, patients, joint, place, rng.random() < 0.3, rng.random() < 0.3)

    def _retold(self, rng: random.Random, phrase: Phrase) -> Phrase:
        if phrase.person:
            return self._redescribed(rng, phrase, self.words.ages)
        phrase = self._redescribed(rng, phrase, self.words.colours)
        if rng.random() < 0.3:
            if phrase.noun in self.kind_of:
                return replace(phrase, noun=self.kind_of[phrase.noun])
            return replace(phrase, noun=rng.choice(self.words.kinds[phrase.noun]))
        return phrase

    def _redescribed(self, rng: random.Random, phrase: Phrase, adjectives: tuple[str, ...]) -> Phrase:
        change = rng.random()
        if phrase.adjective:
            if change < 0.4:
                return replace(phrase, adjective="")
            return replace(phrase, adjective=rng.choice(adjectives)) if change < 0.7 else phrase
        return replace(phrase, adjective=rng.choice(adjectives)) if change < 0.2 else phrase

    # ---- yes, no, maybe ----

    def judge(self, event: Event, claim: Event) -> str:
        """Whether `claim` is true, given that `event` happened and all that was said of it is exact."""
        verdict = self._judge_affirmed(event, claim)
        return {"yes": "no", "no": "yes"}.get(verdict, verdict) if claim.negated else verdict

    def _judge_affirmed(self, event: Event, claim: Event) -> str:
        if claim.agent.noun == event.patients[0].noun:  # the roles are swapped
            return "no"
        found = [self._compare(event.agent, claim.agent), _compare_word(event.place, claim.place)]
        for phrase in claim.patients:
            verdicts = [self._compare(known, phrase) for known in event.patients]
            found.append("yes" if "yes" in verdicts else "maybe" if "maybe" in verdicts else "no")
        if event.joint == "or" and (len(claim.patients) == 1 or claim.joint == "and"):
            found.append("maybe")
        return "no" if "no" in found else "maybe" if "maybe" in found else "yes"

    def _compare(self, known: Phrase, claimed: Phrase) -> str:
        """What a known phrase says of a claimed one: a red apple is a fruit and no blue apple."""
        if known.noun == claimed.noun or self.kind_of.get(known.noun) == claimed.noun:
            noun = "yes"
        else:
            noun = "maybe" if self.kind_of.get(claimed.noun) == known.noun else "no"
        adjective = _compare_word(known.adjective, claimed.adjective)
        if known.person and adjective == "no" and {known.adjective, claimed.adjective} != {"old", "young"}:
            adjective = "maybe"  # a tall baker may be lazy too
        return "no" if "no" in (noun, adjective) else "maybe" if "maybe" in (noun, adjective) else "yes"

    # ---- texts ----

    def document(self, rng: random.Random) -> str:
        """A story of one or two events, with an ending, a question, or a word about kinds of things."""
        events = [self.event(rng) for _ in range(rng.choice((1, 1, 2)))]
        sentences = [f"{event.text} ." for event in events]
        if rng.random() < 0.3:
            sentences[0] = f"{fill(rng.choice(self.words.openings), day=rng.choice(self.days))} {sentences[0]}"
        if rng.random() < 0.25:
            sentences.append(self.kind_sentence(rng))
        if rng.random() < 0.65:
            event = rng.choice(events)
            wanted = rng.choice(("yes", "no", "maybe"))
            while self.judge(event, claim := self.claim(rng, event)) != wanted:
                pass
            sentences.append(f"is it true that {claim.text} ?")
            sentences.append(fill(rng.choice(self.words.answers[wanted]), b=claim.text))
        elif rng.random() < 0.7:
            slots = {"animal": rng.choice(self.words.kinds["animal"]), "job": rng.choice(self.jobs)}
            slots["product"] = rng.choice(self.products)
            sentences.append(fill(rng.choice(self.words.endings), **slots))
        return " ".join(sentences)

    def kind_sentence(self, rng: random.Random) -> str:
        thing = rng.choice(self.things)
        return f"{rng.choice((a(thing), 'every ' + thing))} is {a(self.kind_of[thing])} ."

    def entail(self, rng: random.Random, label: str) -> tuple[str, str]:
        """A premise and a claim of which the premise makes `label` true."""
        while True:
            event = self.event(rng)
            claim = self.claim(rng, event)
            if claim.text != event.text and self.judge(event, claim) == label:
                return f"{event.text} .", claim.text


def _compare_word(known: str, claimed: str) -> str:
    """A detail that was not claimed is fine, one that is known to be another is wrong."""
    if claimed in ("", known):
        return "yes"
    return "no" if known else "maybe"
