"""How things are timed: in turn with what they are compared to, in one run. The clock of a busy machine drifts, and
drifts for both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from minitune.report import size


class Figure(NamedTuple):
    """One number, and where it stands in a table."""

    row: str  # what was done
    measure: str  # the column
    value: float
    unit: str  # "tokens/s", "candidates/s", "times", "share", "bytes" or "bytes a number"

    @property
    def name(self) -> str:
        return f"{self.row}: {self.measure}"

    def __str__(self) -> str:
        if self.unit == "bytes":
            return size(self.value)
        return f"{self.value:,.0f}" if self.unit.endswith("/s") else f"{self.value:.2f}"


def in_turn(jobs: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Run the jobs one after the other, round after round, for about `seconds`; the seconds of each round."""
    for job in jobs.values():  # the first calls allocate
        job()
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[next(iter(jobs))]) < 5:
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(slow: list[float], fast: list[float]) -> float:
    """How many times faster `fast` is: the median over rounds, each compared with its neighbour in time."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside, PyTorch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
