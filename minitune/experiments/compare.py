"""Methods side by side: the same draws of few examples, the same test, each at its own learning rate."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.experiments.baselines import BASELINES_OF, COUNTED, LOPSIDED, Row, bag_of_words, mean_of, one_answer
from minitune.experiments.experiment import Readings, learn, trial
from minitune.experiments.jobs import compute, processes_for
from minitune.methods.method import Method
from minitune.methods.several import parse_all
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint, random_twin
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import count, trainable

CONTROLS = ("shuffled-labels", "random-weights", "irrelevant-template")
SUITED = {"shuffled-labels": ("classes", "number"), "irrelevant-template": ("classes",)}  # the kinds of question
IRRELEVANT = "{text} the capital of the country is {mask}"


class Cell(NamedTuple):
    """One method trained on one draw of so many examples: the unit of work."""

    method: str
    shots: int | None
    draw: int


@dataclass(frozen=True)
class Measured:
    """What a cell comes to, in plain values: no predictor leaves its process."""

    test: dict[str, float]  # by name; the first is the score
    answered: Counter[str]  # how often each class was the answer
    trainable: int
    bytes: int
    seconds: float  # of search and training

    @property
    def score(self) -> float:
        return next(iter(self.test.values()))


@dataclass(frozen=True)
class Comparison:
    """All that a cell needs besides its own three values.

    Args:
        chosen: each method, and the model that it starts from.
        shuffle: deal the labels out anew: a control.
    """

    dataset: Dataset
    question: Question
    chosen: Mapping[str, tuple[Method, Checkpoint]]
    readings: Readings
    shuffle: bool = False

    def __call__(self, cell: Cell) -> Measured:
        method, start = self.chosen[cell.method]
        learned = learn(method, start, self.question, self.dataset, cell.shots, cell.draw, self.shuffle)
        measured, predictor = trial(learned, self.readings), learned.predictor
        trained = count(trainable(predictor))
        if isinstance(predictor.model, Tuned):
            fold(predictor.model)  # a network that wrote a prompt is not stored
        stored = 4 * count(trainable(predictor))
        return Measured(measured.test, measured.answered, trained, stored, learned.seconds)


def compare(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[str],
    shots: Sequence[int | None] = (16,),
    seeds: int = 5,
    control: str | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
    jobs: int = 1,
) -> list[Row]:
    """For each method a row at each number of examples; to measure them by, first what needs no language model
    (`majority`, of numbers `median`; `bag-of-words`), last `random-weights`.

    Args:
        shots: examples a class; None is all.
        seeds: how many draws of them; all methods see the same.
        settings: for each method that has them.
        jobs: processes, of one thread each; the rows are the same whatever their number. On a GPU it is one.

    Raises:
        UserError: an unknown method or control; a setting that no method has; a class with fewer examples than `shots`.
    """
    if control is not None and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}; choose one of {', '.join(CONTROLS)}")
    if control in SUITED and question.kind not in SUITED[control]:
        suited = " or ".join(SUITED[control])
        raise UserError(f"the control {control} belongs to tasks of {suited}; {dataset.name} is none")
    if control == "irrelevant-template":
        question = replace(question, template=IRRELEVANT)
    if control == "random-weights":
        checkpoint = random_twin(checkpoint)
    kind = KINDS[question.kind]
    *parsed, from_nothing = parse_all([*methods, kind.from_nothing], settings)
    for method in parsed:
        method.check_base(question, checkpoint)  # refused now, not after the others have trained
    chosen = {method.name: (method, checkpoint) for method in parsed}
    chosen["random-weights"] = (from_nothing, random_twin(checkpoint))

    rows = [baseline(dataset, many, seeds) for baseline in BASELINES_OF.get(question.kind, ()) for many in shots]
    if question.kind in COUNTED:
        rows += [bag_of_words(dataset, many, seeds, control == "shuffled-labels") for many in shots]
    cells = [Cell(name, many, draw) for name in chosen for many in shots for draw in range(seeds)]
    work = Comparison(dataset, question, chosen, Readings(dataset.test), control == "shuffled-labels")
    found = compute(work, cells, processes_for(checkpoint, jobs), "comparing")
    for start in range(0, len(cells), seeds):
        name, many, _ = cells[start]
        rows.append(row_of(name, many, found[start : start + seeds]))
    return rows


def row_of(name: str, shots: int | None, cells: Sequence[Measured]) -> Row:
    """What the cells of one method on all draws come to."""
    answered: Counter[str] = Counter()
    if statistics.fmean(cell.test.get("largest share", 0.0) for cell in cells) > LOPSIDED:
        for cell in cells:
            answered.update(cell.answered)
    measured = [cell.test for cell in cells]
    return Row(
        method=name,
        shots=shots,
        draws=[cell.score for cell in cells],
        trainable=cells[-1].trainable,
        seconds=statistics.fmean(cell.seconds for cell in cells),
        bytes=cells[-1].bytes,
        balanced=mean_of("balanced accuracy", measured),
        lopsided=one_answer(answered),
        error=mean_of("mean absolute error", measured),
    )
