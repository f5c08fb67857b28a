"""Proofs that the toy world is what the lessons need it to be, measured on a fresh world of any seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from minitune.world.asking import ALONE, sentences_of
from minitune.world.bag_of_words import bags, logistic_regression
from minitune.world.oracles import Oracles
from minitune.world.reading import Reading
from minitune.world.tasks import TASKS
from minitune.world.world import DOCUMENTS, World


@dataclass(frozen=True)
class Check:
    """One proof: what was measured, and the bounds that it should stand between."""

    name: str
    measured: float
    least: float = float("-inf")
    most: float = float("inf")

    @property
    def ok(self) -> bool:
        return self.least <= self.measured <= self.most


def prove(seed: int = 0, documents: int = DOCUMENTS) -> list[Check]:
    """Measure a fresh world of this seed, reading so many documents of its text."""
    world = World(seed)
    reading = Reading(world)
    before = world.rejected  # counting the facts has read the whole text once already
    for text in world.documents(documents):
        reading.add(text)
    rejected = (world.rejected - before) / documents
    return [
        Check("documents", DOCUMENTS, least=150_000),
        Check("distinct words in the text", len(world.word_counts), least=400, most=1500),
        *task_checks(world),
        *bag_of_words_checks(world),
        Check("documents drawn again for one kept", rejected, most=0.10),
        *text_checks(reading),
        *fact_checks(world),
    ]


def report(checks: Sequence[Check]) -> str:
    """The proofs as a table, the broken ones marked."""
    lines = [f"{'proof':<62} {'measured':>10}  bounds"]
    for check in checks:
        bounds = " and ".join(
            text
            for text, shown in (
                (f"at least {check.least:g}", check.least > float("-inf")),
                (f"at most {check.most:g}", check.most < float("inf")),
            )
            if shown
        )
        measured = f"{check.measured:.3f}" if isinstance(check.measured, float) else str(check.measured)
        lines.append(f"{check.name:<62} {measured:>10}  {bounds}{'' if check.ok else '   BROKEN'}")
    return "\n".join(lines)


# ---- the tasks ----


def task_checks(world: World) -> list[Check]:
    """Balanced tests, and an oracle that can read every answer off the text."""
    oracles = Oracles(world.lexicon)
    answers = {
        "sentiment": lambda row: oracles.sentiment(row["text"]) == row["label"],
        "topic": lambda row: oracles.topic(row["text"]) == row["label"],
        "entail": lambda row: oracles.entail(row["text"], row["text_b"]) == row["label"],
        "relations": lambda row: oracles.relations(row["text"], row["head"], row["tail"]) == row["label"],
        "tags": lambda row: oracles.tags(row["tokens"]) == row["tags"],
        "rating": lambda row: oracles.rating(row["text"]) == row["label"],
    }
    checks = []
    for name, is_right in answers.items():
        test = world.task(name)["test"]
        if TASKS[name].kind != "tagging":
            counts = Counter(row["label"] for row in test)
            checks.append(Check(f"{name}: largest minus smallest class of the test", spread(counts), most=0))
        checks.append(Check(f"{name}: oracle", fmean(is_right(row) for row in test), least=0.98))
    held_out = Counter(row["held_out"] for row in world.task("describe")["test"])
    checks.append(Check("describe: largest minus smallest part of the test", spread(held_out), most=0))
    instructions, wordings = world.task("instruct"), world.asking.wordings
    alone = [row for row in instructions["test"] if row["part"] == ALONE]
    kinds = Counter(wordings.kind_of(row["instruction"]) for row in alone)
    checks.append(Check("instruct: largest minus smallest kind of the test", spread(kinds), most=0))
    trained = {text for row in instructions["train"] for text in (row["instruction"], *sentences_of(row))}
    shared = sum(not trained.isdisjoint({row["instruction"], *sentences_of(row)}) for row in alone)
    checks.append(Check("instruct: test rows with a sentence that is trained on", shared, most=0))
    checks.append(Check("topic: classes", len(TASKS["topic"].labels), least=4))
    return checks


def bag_of_words_checks(world: World) -> list[Check]:
    """What counting words can do, and where it has to stop."""
    sentiment, entail, topic = (world.task(name) for name in ("sentiment", "entail", "topic"))
    one_shot = []
    for draw in range(20):
        rows = random.Random(f"{world.seed}/one shot/{draw}").sample(topic["train"], len(topic["train"]))
        one_each = {row["label"]: row for row in rows}
        one_shot.append(logistic_regression(bags(list(one_each.values())), bags(topic["test"])))
    both = logistic_regression(bags(entail["train"]), bags(entail["test"]))
    one = logistic_regression(bags(sentiment["train"]), bags(sentiment["test"]))
    return [
        Check("sentiment: bag of words, whole train file", one, most=0.90),
        Check("entail: bag of words, whole train file", both, most=0.65),
        Check("topic: bag of words, one example a class", fmean(one_shot), most=0.60),
    ]


# ---- the text ----


def text_checks(reading: Reading) -> list[Check]:
    """What stands in the text, and what does not: tasks, held-out wordings, labels, negations, contrasts."""
    counts, world, oracles = reading.counts, reading.world, reading.oracles
    test = [oracles.opinions(row["text"]) for row in world.task("sentiment")["test"]]
    pairs = [(opinion.word, opinion.aspect) for opinions in test for opinion in opinions]
    frequencies = [world.word_counts[word] for word in oracles.verdicts]
    markers = sum(world.word_counts[word] for word in world.lexicon.instruct.markers)
    return [
        Check("documents that quote five content words of a task", reading.quotes, most=0),
        Check("documents with a held-out phrasing, wording or template", reading.unseen_wordings, most=0),
        Check("occurrences of the marker words of instruct", markers, most=0),
        Check(
            "sentiment test: pairs of opinion and aspect not in the text",
            fmean(p not in reading.pairs for p in pairs),
            least=0.05,
        ),
        Check("label words: most frequent to rarest", max(frequencies) / min(frequencies), least=50),
        Check("opinions that are negated", counts["negated"] / counts["opinions"], least=0.10, most=0.25),
        Check("reviews with a contrast", counts["contrast"] / reading.reviews, least=0.15, most=0.35),
        Check("reviews with a neutral sentence", counts["neutral"] / reading.reviews, least=0.40, most=0.80),
        Check("opinion sentences that join opinions", counts["joined"] / counts["sentences"], least=0.40),
    ]


# ---- the facts ----


def fact_checks(world: World) -> list[Check]:
    people, counts = world.lexicon.people, world.fact_counts
    named = {name for kind in ("persons", "towns", "companies", "countries") for name in people.entities[kind]}
    phrasings = [len(relation.verbs) + len(relation.frames) for relation in people.relations]
    commonest = {}
    for relation in people.relations:
        objects = Counter(fact.object for fact in world.facts if fact.relation == relation.name)
        commonest[relation.name] = max(objects.values()) / objects.total()
    skewed = [commonest[relation.name] for relation in people.relations if relation.skew]
    even = [commonest[relation.name] for relation in people.relations if not relation.skew]
    known = [row for row in world.task("facts")["test"] if row["count"] >= 50]
    contradicted = len(world.facts) - len({(fact.subject, fact.relation) for fact in world.facts})
    return [
        Check("facts: people, towns, companies and countries", len(named), least=150),
        Check("facts: relations", len(people.relations), least=6),
        Check("facts: fewest phrasings of a relation in the text", min(phrasings), least=5),
        Check(
            "facts: relations told in both directions",
            sum(bool(r.reversed) for r in people.relations),
            least=1,
        ),
        Check("facts: contradictions", contradicted, most=0),
        Check("facts: share of the commonest object, skewed relations", min(skewed), least=0.15),
        Check("facts: share of the commonest object, even relations", max(even), most=0.12),
        Check("facts: stated 50 times or more", fmean(counts[fact] >= 50 for fact in world.facts), least=0.5),
        Check("facts: fewest statements of one", min(counts[fact] for fact in world.facts), most=10),
        Check("facts: most statements of one", max(counts[fact] for fact in world.facts), least=800),
        Check("facts: test rows stated 50 times or more", len(known), least=150),
        Check(
            "facts: rarest object, times in the text",
            min(world.word_counts[f.object] for f in world.facts),
            least=200,
        ),
    ]


def spread(counts: Counter) -> int:
    return max(counts.values()) - min(counts.values())
