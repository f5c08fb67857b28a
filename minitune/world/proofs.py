"""Proofs that the toy world is what the lessons need it to be, measured on a fresh world of any seed."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.world.oracles import Opinion, Oracles, sentences_of
from minitune.world.tasks import TASKS
from minitune.world.world import DOCUMENTS, World

Rows = Sequence[dict]


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
        *reading.checks(),
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
    """Balanced tests, no text twice, and an oracle that can read every answer off the text."""
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
        checks.append(Check(f"{name}: oracle", mean(is_right(row) for row in test), least=0.98))
    held_out = Counter(row["held_out"] for row in world.task("describe")["test"])
    checks.append(Check("describe: largest minus smallest part of the test", spread(held_out), most=0))
    kinds = Counter(kind_of_instruction(world, row) for row in world.task("instruct")["test"])
    checks.append(Check("instruct: largest minus smallest kind of the test", spread(kinds), most=0))
    checks.append(Check("topic: classes", len(TASKS["topic"].labels), least=4))
    return checks


def kind_of_instruction(world: World, row: dict) -> str:
    for kind, wordings in world.lexicon.instruct.wordings.items():
        for wording in wordings:
            if re.fullmatch(re.escape(wording).replace(r"\{colour\}", r"\w+"), row["instruction"]):
                return kind
    return ""


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
        Check("topic: bag of words, one example a class", mean(one_shot), most=0.60),
    ]


def bags(rows: Rows) -> tuple[list[list[str]], list[str]]:
    """Words and labels; a second text's words are kept apart from those of the first."""
    words = [row["text"].split() + [f"b:{word}" for word in row.get("text_b", "").split()] for row in rows]
    return words, [row["label"] for row in rows]


# ---- the text ----


class Reading:
    """What is found while the pretraining text is read once."""

    def __init__(self, world: World):
        self.world, self.oracles = world, Oracles(world.lexicon)
        self.function_words = world.lexicon.common.function_words
        self.task_runs = {run for name in TASKS for split in world.task(name).values() for run in self.runs_of(split)}
        self.quotes = self.documents = self.unseen_wordings = self.reviews = 0
        self.pairs: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()
        patterns = [relation.held_out for relation in world.lexicon.people.relations]
        patterns += [wording for wordings in world.lexicon.instruct.wordings.values() for wording in wordings]
        for task in TASKS.values():
            patterns += [template.split("}", 1)[1].strip() for template in task.unseen_templates]
        self.forbidden = [Wording(line) for line in patterns]

    def runs_of(self, rows: Rows) -> set[str]:
        """Every five content words in a row of these rows; found in another way than the world does it."""
        runs = set()
        for row in rows:
            texts = [row[field] for field in ("text", "text_b", "instruction", "input", "output") if field in row]
            texts += [" ".join(row["tokens"])] if "tokens" in row else []
            texts += [row["phrasing"].replace("{mask}", row["object"])] if "phrasing" in row else []
            for text in texts:
                words = [word for word in text.split() if word.isalpha() and word not in self.function_words]
                runs |= {" ".join(words[at : at + 5]) for at in range(len(words) - 4)}
        return runs

    def add(self, text: str) -> None:
        self.documents += 1
        words = [word for word in text.split() if word.isalpha() and word not in self.function_words]
        self.quotes += any(" ".join(words[at : at + 5]) in self.task_runs for at in range(len(words) - 4))
        self.unseen_wordings += any(wording.stands_in(text) for wording in self.forbidden)
        sentences = sentences_of(text)
        opinions = [self.oracles.sentence_opinions(words) for words in sentences]
        if any(opinions):
            self.add_review(sentences, opinions)

    def add_review(self, sentences: list[list[str]], opinions: list[list[Opinion]]) -> None:
        self.reviews += 1
        has_contrast = has_neutral = False
        for words, found in zip(sentences, opinions, strict=True):
            contrast = any(not opinion.decides for opinion in found)
            has_contrast |= contrast
            has_neutral |= not found and not self.oracles.verdicts.keys() & set(words)
            self.counts["sentences"] += bool(found)
            self.counts["joined"] += len(found) > 1 and not contrast
            self.counts["opinions"] += len(found)
            self.counts["negated"] += sum(opinion.negated for opinion in found)
            self.pairs.update((opinion.word, opinion.aspect) for opinion in found)
        self.counts["contrast"] += has_contrast
        self.counts["neutral"] += has_neutral

    def checks(self) -> list[Check]:
        counts, world = self.counts, self.world
        test = [self.oracles.opinions(row["text"]) for row in world.task("sentiment")["test"]]
        pairs = [(opinion.word, opinion.aspect) for opinions in test for opinion in opinions]
        frequencies = [world.word_counts[word] for word in self.oracles.verdicts]
        markers = sum(world.word_counts[word] for word in world.lexicon.instruct.markers)
        return [
            Check("documents that quote five content words of a task", self.quotes, most=0),
            Check("documents with a held-out phrasing, wording or template", self.unseen_wordings, most=0),
            Check("occurrences of the marker words of instruct", markers, most=0),
            Check(
                "sentiment test: pairs of opinion and aspect not in the text",
                mean(p not in self.pairs for p in pairs),
                least=0.05,
            ),
            Check("label words: most frequent to rarest", max(frequencies) / min(frequencies), least=50),
            Check("opinions that are negated", counts["negated"] / counts["opinions"], least=0.10, most=0.25),
            Check("reviews with a contrast", counts["contrast"] / self.reviews, least=0.15, most=0.35),
            Check("reviews with a neutral sentence", counts["neutral"] / self.reviews, least=0.40, most=0.80),
            Check("opinion sentences that join opinions", counts["joined"] / counts["sentences"], least=0.40),
        ]


class Wording:
    """A line with slots that is looked for in many texts, its longest fixed part first to be fast."""

    def __init__(self, line: str):
        line = line.removesuffix("{mask}").strip()
        fixed = re.split(r"\{.*?\}", line)
        self.longest = max(fixed, key=len)
        pattern = r"\w+".join(map(re.escape, fixed))
        self.pattern = re.compile(rf"(?<!\S){pattern}(?!\S)")

    def stands_in(self, text: str) -> bool:
        return self.longest in text and bool(self.pattern.search(text))


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
        Check("facts: stated 50 times or more", mean(counts[fact] >= 50 for fact in world.facts), least=0.5),
        Check("facts: fewest statements of one", min(counts[fact] for fact in world.facts), most=10),
        Check("facts: most statements of one", max(counts[fact] for fact in world.facts), least=800),
        Check("facts: test rows stated 50 times or more", len(known), least=150),
        Check(
            "facts: rarest object, times in the text",
            min(world.word_counts[f.object] for f in world.facts),
            least=200,
        ),
    ]


# ---- counting words ----


def bag_of_words(texts: Sequence[Sequence[str]], columns: dict[str, int]) -> Tensor:
    """How often each known word stands in each text: (texts, columns)."""
    counts = torch.zeros(len(texts), len(columns))
    for row, words in enumerate(texts):
        for word in words:
            if word in columns:
                counts[row, columns[word]] += 1
    return counts


def logistic_regression(
    train: tuple[Sequence[Sequence[str]], Sequence[str]],
    test: tuple[Sequence[Sequence[str]], Sequence[str]],
    decay: float = 1e-3,
) -> float:
    """Accuracy on `test` of a logistic regression of bags of words fitted to `train`.

    It knows which words stand in a text and nothing of their order.
    """
    labels = sorted(set(train[1]))
    columns = {word: i for i, word in enumerate(sorted({word for words in train[0] for word in words}))}
    x, y = bag_of_words(train[0], columns), torch.tensor([labels.index(label) for label in train[1]])
    weight = torch.zeros(len(columns), len(labels), requires_grad=True)
    bias = torch.zeros(len(labels), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(x @ weight + bias, y) + decay * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        guesses = (bag_of_words(test[0], columns) @ weight + bias).argmax(dim=1)
    return sum(labels[guess] == label for guess, label in zip(guesses.tolist(), test[1], strict=True)) / len(test[1])


def mean(values) -> float:
    values = [float(value) for value in values]
    return sum(values) / len(values)


def spread(counts: Counter) -> int:
    return max(counts.values()) - min(counts.values())
