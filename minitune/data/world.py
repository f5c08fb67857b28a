"""The toy world as a whole: its pretraining text and its tasks, all drawn from one seed.

The tasks are made first. A document that shares a run of five content words with one of them is never
written, so no model can have read a task in its pretraining.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from minitune.data.grammar import Weighted, content_words, runs_of_five
from minitune.data.lexicon import Lexicon, load_lexicon
from minitune.data.news import NewsWriter
from minitune.data.people import Fact, PeopleWriter
from minitune.data.places import PlaceWriter
from minitune.data.reviews import ReviewWriter
from minitune.data.rows import SPLITS, Rows, balanced, fact_rows, texts_of
from minitune.data.scenes import SceneWriter
from minitune.data.tasks import TASKS, get_task

DOCUMENTS = 160_000
SHARES = Weighted(("reviews", "people", "news", "scenes", "places"), (40, 25, 18, 12, 5))


class World:
    """One seed, one world: other facts, other texts and other tasks, but the same lessons."""

    def __init__(self, seed: int = 0, lexicon: Lexicon | None = None):
        self.seed = seed
        self.lexicon = lexicon or load_lexicon()
        self.reviews = ReviewWriter(self.lexicon, seed)
        self.news = NewsWriter(self.lexicon)
        self.people = PeopleWriter(self.lexicon, seed)
        self.scenes = SceneWriter(self.lexicon)
        self.places = PlaceWriter(self.lexicon, seed)
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

    @staticmethod
    def fact_counts(documents: Iterable[tuple[str, tuple[Fact, ...]]]) -> Counter[Fact]:
        """How often each fact is stated in the output of `documents_with_facts`."""
        return Counter(fact for _, facts in documents for fact in facts)

    # ---- the tasks ----

    def task(self, name: str) -> Rows:
        """The rows of a task, for each of train, dev and test, as they stand in its files."""
        get_task(name)  # a clear sentence for a name that is none
        if name not in self._tasks:
            self._tasks[name] = self._build(name)
        return self._tasks[name]

    def _build(self, name: str) -> Rows:
        seed, labels = f"{self.seed}/task/{name}", TASKS[name].labels
        if name == "sentiment":
            return balanced(
                seed,
                (2000, 400, 1000),
                labels,
                lambda rng, label: {"text": self.reviews.sentiment(rng, label == "positive"), "label": label},
            )
        if name == "topic":
            return balanced(
                seed,
                (2000, 400, 1000),
                labels,
                lambda rng, label: {
                    "text": self.news.report(rng, self.news.topics[label], distractor=True),
                    "label": label,
                },
            )
        return fact_rows(self.seed, self.people, self.fact_counts(self.documents_with_facts()))
