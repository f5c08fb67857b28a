"""The toy world as a whole: its pretraining text and its tasks, all drawn from one seed.

The tasks are made first. A document that shares a run of five content words with one of them is never
written, so no model can have read a task in its pretraining.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from minitune.world.asking import Asking
from minitune.world.entities import EntityWriter
from minitune.world.grammar import Weighted, content_words, runs_of_five
from minitune.world.instructions import InstructionWriter
from minitune.world.lexicon import Lexicon
from minitune.world.news import NewsWriter
from minitune.world.people import Fact, PeopleWriter
from minitune.world.places import PlaceWriter
from minitune.world.reviews import ReviewWriter
from minitune.world.scenes import SceneWriter
from minitune.world.task_rows import Row, Rows, balanced, fact_rows, texts_of
from minitune.world.tasks import SPLITS, TASKS, get_task
from minitune.world.word_lists import load_lexicon

DOCUMENTS = 160_000
SHARES = Weighted(("reviews", "people", "news", "scenes", "places"), (38, 32, 15, 10, 5))
SIZES = {  # rows in train, dev and test; multiples of the number of labels
    "sentiment": (2000, 400, 1000),
    "topic": (2000, 400, 1000),
    "entail": (3000, 600, 900),
    "relations": (1505, 301, 700),
    "tags": (1500, 300, 700),
    "rating": (2000, 400, 1000),
    "describe": (1000, 200, 400),
    "instruct": (1500, 300, 504),  # inputs; of those to train on several records are made
}
COMBINATIONS = 120  # of two instructions, behind the test of `instruct`


class World:
    """One seed, one world: other facts, other texts and other tasks, but the same lessons.

    With `joined` off, no sentence of the pretraining text joins opinions (lesson 3); the tasks stay as they are.
    """

    def __init__(self, seed: int = 0, lexicon: Lexicon | None = None, joined: bool = True):
        self.seed = seed
        self.lexicon = lexicon or load_lexicon()
        self.reviews = ReviewWriter(self.lexicon, seed, joined)
        self.news = NewsWriter(self.lexicon)
        self.people = PeopleWriter(self.lexicon, seed)
        self.scenes = SceneWriter(self.lexicon)
        self.places = PlaceWriter(self.lexicon, seed)
        self.entities = EntityWriter(self.lexicon)
        self.instructions = InstructionWriter(self.lexicon, self.scenes, self.reviews)
        self.asking = Asking(self.lexicon.instruct, self.scenes.words.colours, self.instructions.row)
        self.facts: tuple[Fact, ...] = self.people.facts
        self._tasks: dict[str, Rows] = {}
        self.rejected = 0  # documents that had to be drawn again because they quoted a task

    # ---- the pretraining text ----

    def documents(self, count: int = DOCUMENTS) -> Iterator[str]:
        """The pretraining text, a document a line. A smaller count gives the beginning of a larger one."""
        return (text for text, _ in self.documents_with_facts(count))

    def documents_with_facts(self, count: int = DOCUMENTS) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """The pretraining text with the facts that each document states."""
        for index in range(count):
            rng = random.Random(f"{self.seed}/document/{index}")
            yield self._document(SHARES.draw(rng), rng)

    def _document(self, kind: str, rng: random.Random) -> tuple[str, tuple[Fact, ...]]:
        while True:
            if kind == "people":
                text, facts = self.people.document(rng)
            else:
                text, facts = getattr(self, kind).document(rng), ()
            if not self.quotes_a_task(text):
                return text, facts
            self.rejected += 1

    def quotes_a_task(self, text: str) -> bool:
        """Whether five content words in a row stand in a task too."""
        words = content_words(text, self.lexicon.common.function_words)
        return any(run in self.task_runs for run in runs_of_five(words))

    @cached_property
    def task_runs(self) -> set[tuple[str, ...]]:
        runs = set()
        for name in [name for name in TASKS if name != "facts"]:  # its phrasings are shorter than a run
            rows = self.task(name)
            for split in SPLITS:
                for row in rows[split]:
                    for text in texts_of(row):
                        runs.update(runs_of_five(content_words(text, self.lexicon.common.function_words)))
        return runs

    @cached_property
    def _survey(self) -> tuple[Counter[str], Counter[Fact]]:
        """One reading of the whole text: how often each word and each fact is in it."""
        words, facts = Counter(), Counter()
        for text, stated in self.documents_with_facts():
            words.update(text.split())
            facts.update(stated)
        return words, facts

    @property
    def word_counts(self) -> Counter[str]:
        return self._survey[0]

    @property
    def fact_counts(self) -> Counter[Fact]:
        """How often the whole text states each fact."""
        return self._survey[1]

    # ---- the tasks ----

    def task(self, name: str) -> Rows:
        """The rows of a task, for each of train, dev and test, as they stand in its files."""
        get_task(name)  # a clear sentence for a name that is none
        if name not in self._tasks:
            self._tasks[name] = self._build(name)
        return self._tasks[name]

    def _build(self, name: str) -> Rows:
        if name == "facts":
            return fact_rows(self.seed, self.people, self.fact_counts)
        labels = dict.fromkeys(SPLITS, TASKS[name].labels)
        if name == "describe":
            labels = {"train": ("known",), "dev": ("known",), "test": ("known", "held_out")}
        elif name == "instruct":
            labels = dict.fromkeys(SPLITS, tuple(self.lexicon.instruct.wordings))
        elif name == "tags":
            labels = dict.fromkeys(SPLITS, ("",))
        make = getattr(self, f"_{name}_row")
        rows = balanced(f"{self.seed}/task/{name}", dict(zip(SPLITS, SIZES[name], strict=True)), labels, make)
        return self.asking.rows(rows, self.seed, COMBINATIONS) if name == "instruct" else rows

    def _sentiment_row(self, rng: random.Random, label: str) -> Row:
        return {"text": self.reviews.sentiment(rng, label == "positive"), "label": label}

    def _topic_row(self, rng: random.Random, label: str) -> Row:
        return {"text": self.news.report(rng, self.news.topics[label], distractor=True), "label": label}

    def _entail_row(self, rng: random.Random, label: str) -> Row:
        text, claim = self.scenes.entail(rng, label)
        return {"text": text, "text_b": claim, "label": label}

    def _relations_row(self, rng: random.Random, label: str) -> Row:
        return self.entities.relation(rng, label)

    def _tags_row(self, rng: random.Random, label: str) -> Row:
        return self.entities.tagged(rng)

    def _rating_row(self, rng: random.Random, label: str) -> Row:
        return {"text": self.reviews.rating(rng, int(label) - 1), "label": label}

    def _describe_row(self, rng: random.Random, label: str) -> Row:
        place = self.places.place(rng, held_out=label == "held_out")
        return {**place, "text": self.places.describe(rng, place), "held_out": label == "held_out"}

    def _instruct_row(self, rng: random.Random, label: str) -> Row:
        return self.instructions.row(rng, label)
