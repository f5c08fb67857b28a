"""What needs no model: the rows that methods are measured by, one for each kind of question."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from minitune.data.examples import Dataset, draw
from minitune.predictors.spans import span_f1
from minitune.predictors.writer import exact_match
from minitune.report import interval


@dataclass(frozen=True)
class Row:
    """One method at one number of examples, over all draws."""

    method: str
    shots: int | None  # examples a class (None: all)
    draws: list[float]  # the score of each
    trainable: int = 0  # parameters
    seconds: float = 0.0  # of one draw's training
    bytes: int = 0  # to store what was trained, in float32
    balanced: float | None = None  # mean accuracy of the classes, where the test has more of one than of another
    lopsided: str = ""  # the class that takes more than 90% of the answers, if one does
    error: float | None = None  # mean absolute error, where numbers are asked for

    @property
    def score(self) -> float:
        return statistics.fmean(self.draws)

    @property
    def interval(self) -> tuple[float, float, float]:
        """Mean, and the ends of its 95% interval over draws."""
        return interval(self.draws)


def majority(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """Always the class that is commonest in the pool."""
    commonest = Counter(example.label for example in dataset.pool).most_common(1)[0][0]
    counts = Counter(example.label for example in dataset.test)
    score = counts[commonest] / len(dataset.test)
    balanced = (commonest in counts) / len(counts) if len(set(counts.values())) > 1 else None
    return Row("majority", shots, [score] * seeds, balanced=balanced, lopsided=f"100% {dataset.labels[commonest]}")


def median(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """Always the median of the numbers in the pool, which is off by least; it ranks nothing."""
    middle = statistics.median(example.label for example in dataset.pool)
    error = statistics.fmean(abs(example.label - middle) for example in dataset.test)
    return Row("median", shots, [0.0] * seeds, error=error)


def known_words(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """The tag that a word has most often in the draw's training examples; a word that is not there is outside."""
    scores = []
    for seed in range(seeds):
        tags: dict[str, Counter[int]] = defaultdict(Counter)
        for example in draw(dataset, shots, seed)[0]:
            for word, tag in zip(example.words, example.tags, strict=True):
                tags[word.lower()][tag] += 1
        commonest = {word: counts.most_common(1)[0][0] for word, counts in tags.items()}
        given = [[commonest.get(word.lower(), 0) for word in example.words] for example in dataset.test]
        scores.append(span_f1(given, [example.tags for example in dataset.test], dataset.labels))
    return Row("known-words", shots, scores)


def copied_input(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """The input of an instruction, repeated."""
    score = statistics.fmean(exact_match(example.text_b or "", example) for example in dataset.test)
    return Row("copied-input", shots, [score] * seeds)


def commonest_answer(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """The commonest answer in the pool to instructions of the same kind, or worded the same; to others, of all."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for example in dataset.pool:
        groups[example.group][example.answer] += 1
    everything = sum(groups.values(), Counter())
    answers = [groups.get(example.group, everything).most_common(1)[0][0] for example in dataset.test]
    scores = [exact_match(answer, example) for answer, example in zip(answers, dataset.test, strict=True)]
    return Row("commonest-answer", shots, [statistics.fmean(scores)] * seeds)


BASELINES_OF: dict[str, tuple[Callable[[Dataset, int | None, int], Row], ...]] = {
    "classes": (majority,),
    "words": (majority,),
    "number": (median,),
    "spans": (known_words,),
    "reply": (copied_input, commonest_answer),
}
BASELINES = (*(one.__name__.replace("_", "-") for its in BASELINES_OF.values() for one in its), "random-weights")
