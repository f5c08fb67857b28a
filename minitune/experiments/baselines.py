"""What needs no language model: the rows that methods are measured by, some for each kind of question."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from minitune.data.examples import Dataset, TestSet, TrainSet, draw
from minitune.experiments.bag_of_words import fit_bag, measure_bag
from minitune.experiments.experiment import shuffled
from minitune.predictors.tagger import F1
from minitune.predictors.writer import exact_match
from minitune.report import interval

LOPSIDED = 0.9  # a share of the answers that is worth a word


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


def known_words(dataset: Dataset, shots: int | None, seeds: int, metric: str = "span f1") -> Row:
    """The tag that a word has most often in the draw's training examples; a word that is not there is outside."""
    draws = (draw(dataset, shots, seed)[0] for seed in range(seeds))
    return Row("known-words", shots, [score_known_words(train, dataset.test, metric) for train in draws])


def score_known_words(train: TrainSet, test: TestSet, metric: str) -> float:
    """The same on one draw.

    Args:
        metric: one of `F1`.
    """
    tags: dict[str, Counter[int]] = defaultdict(Counter)
    for example in train:
        for word, tag in zip(example.words, example.tags, strict=True):
            tags[word.lower()][tag] += 1
    commonest = {word: counts.most_common(1)[0][0] for word, counts in tags.items()}
    given = [[commonest.get(word.lower(), 0) for word in example.words] for example in test]
    return F1[metric](given, [example.tags for example in test], train.labels)


def bag_of_words(dataset: Dataset, shots: int | None, seeds: int, shuffle: bool = False) -> Row:
    """Which words the texts have, and how often: trained on each draw as a method is.

    Args:
        shuffle: deal the labels out anew, as for the methods beside it.
    """
    started = time.perf_counter()
    draws = [draw(dataset, shots, seed)[0] for seed in range(seeds)]
    bags = [fit_bag(shuffled(train, seed) if shuffle else train) for seed, train in enumerate(draws)]
    seconds = (time.perf_counter() - started) / seeds
    measured = [measure_bag(bag, dataset.test) for bag in bags]
    answered: Counter[str] = Counter()
    if statistics.fmean(its.get("largest share", 0.0) for its in measured) > LOPSIDED:
        answered.update(dataset.labels[place] for bag in bags for place in bag.answers(dataset.test))
    return Row(
        "bag-of-words",
        shots,
        [next(iter(its.values())) for its in measured],
        trainable=bags[-1].size,
        seconds=seconds,
        bytes=4 * bags[-1].size,
        balanced=mean_of("balanced accuracy", measured),
        lopsided=one_answer(answered),
        error=mean_of("mean absolute error", measured),
    )


def mean_of(name: str, measured: Sequence[Mapping[str, float]]) -> float | None:
    """The mean over draws, where it was measured."""
    values = [its[name] for its in measured if name in its]
    return statistics.fmean(values) if values else None


def one_answer(answered: Counter) -> str:
    """The class that takes more than 90% of the answers, if one does."""
    if not answered:
        return ""
    answer, times = answered.most_common(1)[0]
    share = times / answered.total()
    return f"{share:.0%} {answer}" if share > LOPSIDED else ""


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
    "tags": (partial(known_words, metric="f1"),),
    "spans": (known_words,),
    "reply": (copied_input, commonest_answer),
}
COUNTED = ("classes", "number")  # the kinds that a bag of words answers
BASELINES = ("majority", "median", "known-words", "copied-input", "commonest-answer", "bag-of-words", "random-weights")
