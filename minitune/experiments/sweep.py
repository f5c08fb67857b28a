"""Which learning rate suits a method: the same draws at each rate, scored on dev, the test untouched."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.experiments.jobs import compute, processes_for
from minitune.methods.method import Method
from minitune.questions.question import Question
from minitune.report import table
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import Diverged
from minitune.tuning.trained import trainable

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
DEV = 500  # examples of the pool's own dev set at most: a draw's is too small to tell rates apart


@dataclass(frozen=True)
class Swept:
    method: str
    rate: float
    scores: list[float]  # on dev, of each draw

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)


class Cell(NamedTuple):
    """One method trained at one rate on one draw: the unit of work."""

    method: str
    rate: float
    draw: int


@dataclass(frozen=True)
class Sweep:
    """All that a cell needs besides its own three values."""

    dataset: Dataset
    checkpoint: Checkpoint
    question: Question
    methods: Mapping[str, Method]
    shots: int | None

    def __call__(self, cell: Cell) -> float:
        """The score on dev; not a number where the training diverged."""
        method = self.methods[cell.method]
        at_rate = replace(method, changes={**method.changes, "lr": cell.rate})
        try:
            learned = learn(at_rate, self.checkpoint, self.question, self.dataset, self.shots, cell.draw)
        except Diverged:
            return math.nan
        judged, predictor = (self.dataset.dev or learned.dev)[:DEV], learned.predictor
        if not judged:
            raise UserError(f"of {self.dataset.name} no examples are left to judge rates by: lower --shots")
        return next(iter(predictor.measure(predictor.items(judged)).values()))


def sweep(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[Method],
    rates: Sequence[float] = RATES,
    shots: int | None = 16,
    seeds: int = 3,
    jobs: int = 1,
) -> list[Swept]:
    """Train each method at each rate on the same draws. The weights that stay are those that did best on the draw's own
    small dev set, as in any use of the method; the score is of the task's whole dev set.

    Args:
        jobs: processes, of one thread each; the scores are the same whatever their number. On a GPU it is one.

    Raises:
        UserError: a method that trains nothing; whatever the method or the data find wrong.
    """
    for method in methods:
        if not trainable(method.build(checkpoint, question, 0)):
            raise UserError(f"{method.name} has nothing to train, so no learning rate suits it better than another")
    cells = [Cell(method.name, rate, draw) for method in methods for rate in rates for draw in range(seeds)]
    work = Sweep(dataset, checkpoint, question, {method.name: method for method in methods}, shots)
    scores = compute(work, cells, processes_for(checkpoint, jobs), "sweeping")
    return [
        Swept(cells[start].method, cells[start].rate, scores[start : start + seeds])
        for start in range(0, len(cells), seeds)
    ]


def best_rates(found: Sequence[Swept]) -> dict[str, float]:
    """For each method the rate with the highest mean; of equals the lowest."""
    best: dict[str, Swept] = {}
    for swept in found:
        so_far = best.get(swept.method)
        if not math.isnan(swept.mean) and (not so_far or (swept.mean, -swept.rate) > (so_far.mean, -so_far.rate)):
            best[swept.method] = swept
    return {method: swept.rate for method, swept in best.items()}


def sweep_table(found: Sequence[Swept]) -> str:
    """A row a method, a column a rate, the best marked by a star."""
    rates, best = sorted({swept.rate for swept in found}), best_rates(found)
    means = {(swept.method, swept.rate): swept.mean for swept in found}
    rows = []
    for method in dict.fromkeys(swept.method for swept in found):
        cells = [f"{means[method, rate]:.3f}" + ("*" if best.get(method) == rate else " ") for rate in rates]
        rows.append([method, *cells])
    return table(["method", *(f"{rate:g}" for rate in rates)], rows)
