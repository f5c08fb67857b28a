"""Labelled examples: datasets, few-shot draws, and balanced splits."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minitune.data.tokenizers import Tokenizer
from minitune.data.words import UNSPACED, words_of
from minitune.errors import UserError


@dataclass(frozen=True)
class Example:
    text: str
    text_b: str | None = None
    label: float = 0  # its place among the labels; of numbers the number itself
    where: str = field(default="", compare=False)  # the file that it comes from, and its place there


class Part(tuple):
    """Examples that serve one purpose, which their type tells: what trains or chooses cannot be given the test set by
    mistake.

    Args:
        labels: the classes' names, in the order that the examples' labels count them.
    """

    labels: tuple[str, ...]

    def __new__(cls, examples: Iterable[Any] = (), labels: Sequence[str] = ()):
        part = super().__new__(cls, examples)
        part.labels = tuple(labels)
        return part

    def __getitem__(self, index):
        chosen = super().__getitem__(index)
        return type(self)(chosen, self.labels) if isinstance(index, slice) else chosen


class TrainSet(Part):
    """To learn from."""


class DevSet(Part):
    """To choose with: which weights stay, which learning rate, which words."""


class TestSet(Part):
    """To measure with, once everything is chosen."""


NO_DEV = DevSet()


@dataclass(frozen=True)
class Dataset:
    name: str
    labels: tuple[str, ...]
    pool: TrainSet  # where the training and dev examples of a draw come from
    test: TestSet
    dev: DevSet = NO_DEV  # a dev set of its own, for training on all of the pool
    by_class: bool = True  # so many examples are drawn of each class; else so many in all

    def __post_init__(self):
        for name, kind in (("pool", TrainSet), ("test", TestSet), ("dev", DevSet)):
            object.__setattr__(self, name, as_part(kind, getattr(self, name), self.labels))


def as_part(kind: type[Part], examples: Sequence[Any], labels: Sequence[str] = ()) -> Part:
    """Raises:
    TypeError: the examples have another purpose already.
    """
    if isinstance(examples, Part) and not isinstance(examples, kind):
        raise TypeError(f"a {type(examples).__name__} is given where a {kind.__name__} belongs: the parts are mixed up")
    return kind(examples, labels or getattr(examples, "labels", ()))


def take_each(
    examples: Sequence[Example], counts: Mapping[float, int], rng: random.Random
) -> tuple[list[Example], list[Example]]:
    """So many random examples of each class as `counts` says, and the rest."""
    taken: set[int] = set()
    for label in sorted({example.label for example in examples}):
        taken.update(rng.sample([i for i, example in enumerate(examples) if example.label == label], counts[label]))
    return [examples[i] for i in sorted(taken)], [e for i, e in enumerate(examples) if i not in taken]


def draw_few(
    pool: Sequence[Example], shots: int, seed: int, labels: Sequence[str]
) -> tuple[list[Example], list[Example]]:
    """A few-shot draw: `shots` training examples a class, and a dev set that is disjoint and no larger.

    Raises:
        UserError: a class has fewer than `shots` examples.
    """
    rng = random.Random(f"draw {seed}")
    counts = Counter(example.label for example in pool)
    for index, label in enumerate(labels):
        if counts[index] < shots:
            raise UserError(
                f"the class {label!r} has {counts[index]} examples to draw from; lower --shots to that or less"
            )
    train, rest = take_each(pool, dict.fromkeys(counts, shots), rng)
    kept = min(shots, min(counts.values()) - shots)
    dev, _ = take_each(rest, dict.fromkeys(counts, kept), rng) if rest else ([], [])
    return train, dev


def draw(dataset: Dataset, shots: int | None, seed: int) -> tuple[TrainSet, DevSet]:
    """Training examples and a dev set disjoint from them: `shots` a class (or in all), or everything there is.

    The dev set is no larger than the training set. Of a whole pool without a dev set beside it, a fifth is kept. The
    test set has no part in it.

    Raises:
        UserError: there are fewer than `shots` examples, of a class or in all.
    """
    if shots is None and dataset.dev:
        return dataset.pool, dataset.dev
    if shots is not None and dataset.by_class:
        train, dev = draw_few(dataset.pool, shots, seed, dataset.labels)
    else:
        pool = list(dataset.pool)
        random.Random(f"draw {seed}").shuffle(pool)
        count = max(1, len(pool) * 4 // 5) if shots is None else shots
        if count > len(pool):
            raise UserError(f"{count} examples were asked for, and {dataset.name} has {len(pool)} to draw from")
        train, dev = pool[:count], pool[count : 2 * count]
    return TrainSet(train, dataset.labels), DevSet(dev, dataset.labels)


@dataclass(frozen=True)
class TextReport:
    """What a tokenizer makes of texts."""

    texts: int
    tokens: int
    cut: int  # texts longer than the context
    unknown: int  # tokens
    split_words: float  # share of the words that take more than one token

    def __str__(self) -> str:
        return (
            f"{self.texts} texts, {self.tokens / max(1, self.texts):.0f} tokens on average, {self.cut} longer than the "
            f"context, {self.unknown} unknown tokens, {self.split_words:.0%} of the words split"
        )


def report_texts(texts: Sequence[str], tokenizer: Tokenizer, context: int) -> TextReport:
    encoded = tokenizer.encode_many(texts)
    return TextReport(
        texts=len(texts),
        tokens=sum(map(len, encoded)),
        cut=sum(len(ids) > context for ids in encoded),
        unknown=sum(ids.count(tokenizer.unk_id) for ids in encoded) if tokenizer.unk_id is not None else 0,
        split_words=split_share(texts, tokenizer),
    )


def split_share(texts: Sequence[str], tokenizer: Tokenizer) -> float:
    """The share of the words that take more than one token, or are unknown.

    A character of a script without spaces is whole where one token holds it, alone or among its neighbours.
    """
    counts = Counter(word for text in texts for word in words_of(text) if any(map(str.isalnum, word)))
    spaced = {word: count for word, count in counts.items() if not re.match(UNSPACED, word)}
    split = sum(count for word, count in spaced.items() if tokenizer.is_split(word))
    if characters := counts.total() - sum(spaced.values()):
        ids = Counter(i for ids in tokenizer.encode_many(texts) for i in ids)
        whole = {i: sum(map(str.isalnum, re.findall(UNSPACED, tokenizer.decode([i])))) for i in ids}
        split += characters - sum(whole[i] * count for i, count in ids.items())
    return split / max(1, counts.total())
