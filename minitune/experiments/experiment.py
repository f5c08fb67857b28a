"""The experiment: the one place through which training, dev and test examples pass.

    draw  ->  search and train on `train`, choose on `dev`  ->  measure on `test`, once

Every command that reports a test score, and every row of a comparison, is a `Trial`. The draw depends on the seed
alone, so all methods of a comparison see the same examples; the test set is handed to nothing but the last line.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from minitune.data.examples import Dataset, DevSet, Part, TestSet, TrainSet, as_part, draw
from minitune.methods.fitting import fit, steps_for
from minitune.methods.method import Method
from minitune.methods.searching import searched, taught
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor
from minitune.predictors.regressor import Regressor
from minitune.predictors.tagger import Tagger
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.searches.search import Search
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import History


@dataclass(frozen=True)
class Learned:
    """A method trained on one draw."""

    predictor: Predictor
    question: Question  # with what was searched for
    history: History
    train: TrainSet
    dev: DevSet
    seconds: float  # of search and training


@dataclass(frozen=True)
class Trial:
    """A method trained on one draw and measured on the test set."""

    learned: Learned
    test: dict[str, float]  # by name; the first is the score
    answered: Counter[str] = field(default_factory=Counter)  # how often each class was the answer, if there are classes

    @property
    def score(self) -> float:
        return next(iter(self.test.values()))


def learn(
    method: Method,
    checkpoint: Checkpoint,
    question: Question,
    dataset: Dataset,
    shots: int | None,
    seed: int,
    shuffle: bool = False,
    folder: Path | None = None,
) -> Learned:
    """Draw examples, search and train on them, choose on the draw's dev set.

    Args:
        shuffle: deal the labels of training and dev examples out anew, so that nothing is left to learn: a control.
        folder: where a long search keeps its log, and finds it again.

    Raises:
        UserError: fewer examples than `shots`; whatever the method finds wrong.
    """
    train, dev = draw(dataset, shots, seed)
    if shuffle:
        train, dev = shuffled(train, seed), shuffled(dev, seed)
    started = time.perf_counter()
    search = Search(checkpoint, question, train, dev, seed, dataset.pool, folder)
    question = searched(method, search)
    examples = taught(method, replace(search, question=question))
    predictor = method.build(checkpoint, question, seed)
    steps = steps_for(len(train), KINDS[question.kind].most_steps)  # as many, whatever is taught
    history = fit(method, predictor, examples, dev, seed, steps)
    if isinstance(predictor, Classifier):
        predictor.calibrate()
    return Learned(predictor, question, history, train, dev, time.perf_counter() - started)


class Readings:
    """The test set as predictors read it, kept for the next ones that read it alike: tokenized once, and by a frozen
    model run once, not for each draw."""

    MOST = 8  # kept at a time: a search may find another template for each draw

    def __init__(self, test: TestSet):
        """Raises:
        TypeError: these examples were trained on or chosen by.
        """
        self.test = as_part(TestSet, test)
        self.kept: dict[Any, Sequence] = {}

    def of(self, predictor: Predictor) -> Sequence:
        """What `predictor.items` makes of the test set."""
        if not isinstance(predictor, (Classifier, Regressor, Tagger)):
            return predictor.items(self.test)
        way = (id(predictor.tokenizer), predictor.reading())
        items = self.kept.pop(way, None) or predictor.items(self.test)
        self.kept[way] = items  # now the youngest
        if len(self.kept) > self.MOST:
            del self.kept[next(iter(self.kept))]
        return items


def judge(predictor: Predictor, test: TestSet) -> dict[str, float]:
    """What a finished predictor scores on the test set.

    Raises:
        TypeError: these examples were trained on or chosen by.
    """
    return predictor.measure(Readings(test).of(predictor))


def trial(learned: Learned, test: TestSet | Readings) -> Trial:
    """Measure what was learned, on the test set."""
    items = (test if isinstance(test, Readings) else Readings(test)).of(learned.predictor)
    if isinstance(learned.predictor, Classifier):
        measured, places = learned.predictor.measure_and_answer(items)
        return Trial(learned, measured, Counter(learned.predictor.labels[place] for place in places))
    return Trial(learned, learned.predictor.measure(items))


def shuffled(examples: Part, seed: int) -> Part:
    """The same examples with their labels dealt out anew: nothing is left to learn."""
    labels = [example.label for example in examples]
    random.Random(f"shuffle {seed}").shuffle(labels)
    dealt = (replace(example, label=label) for example, label in zip(examples, labels, strict=True))
    return type(examples)(dealt, examples.labels)
