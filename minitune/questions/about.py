"""What there is to say of a dataset, by the kind of its question, before anything is trained."""

from __future__ import annotations

import statistics
from collections import Counter

from minitune.data.examples import Dataset, Example
from minitune.predictors.spans import is_marked
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.report import plain

SHOWN = 12  # classes or tags that are named one by one


def classes(dataset: Dataset) -> str:
    counts = Counter(example.label for example in [*dataset.pool, *dataset.test])
    return f"classes: {counted({label: counts[place] for place, label in enumerate(dataset.labels)})}"


def numbers(dataset: Dataset) -> str:
    numbers = [example.label for example in [*dataset.pool, *dataset.test]]
    middle = f"median {plain(statistics.median(numbers))}, mean {plain(statistics.fmean(numbers))}"
    return f"numbers from {plain(min(numbers))} to {plain(max(numbers))}, {middle}"


def tags(dataset: Dataset) -> str:
    counts = Counter(tag for example in [*dataset.pool, *dataset.test] for tag in example.tags)
    form = "B- begins a thing" if is_marked(dataset.labels) else "neighbours with the same tag are one thing"
    tags = counted({label: counts[place] for place, label in enumerate(dataset.labels) if counts[place]})
    return f"tags: {tags}; F1 is of whole things ({form}), not of words"


def instructions(dataset: Dataset) -> str:
    writings = [*dataset.pool, *dataset.dev, *dataset.test]
    without = sum(not writing.text_b for writing in writings)
    return f"{len({w.text for w in writings})} different instructions, records without an input: {without}"


def counted(counts: dict[str, int]) -> str:
    shown = [f"{label} {count}" for label, count in list(counts.items())[:SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else "")


def texts_of(example: Example | Writing) -> str:
    """All that is read of an example."""
    return " ".join(filter(None, (example.text, example.text_b, getattr(example, "answer", ""))))


def words_of(example: TaggedWords) -> str:
    return " ".join(example.words)
