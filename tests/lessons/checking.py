"""How the checks of exercises are run: on whose code, for how long, and what is only still to do."""

from __future__ import annotations

import re
import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minitune.course.cells import cells
from minitune.course.solutions import exercises_of
from minitune.course.table import LESSONS, Lesson
from minitune.errors import UserError
from minitune.files import read_text

TOGETHER = "the lesson's exercises together"  # what a check without a number is of


def lesson_of(path: Path) -> Lesson | None:
    """The lesson whose exercises a file of tests checks: test_22_lora.py checks 22_lora."""
    return next((lesson for lesson in LESSONS if path.stem == f"test_{lesson.stem}"), None)


def load(lesson: Lesson, folder: Path | None, seconds: float) -> types.ModuleType:
    """The exercises of the lesson, from the lesson itself or from a learner's folder."""
    path = folder / lesson.path.name if folder else lesson.path
    if folder and not path.exists():
        pytest.skip(f"{path} is not there; minitune start {folder} writes it")
    try:
        with limit(seconds, f"{path}: a cell"):
            return exercises_of(lesson, read_text(path), path)
    except UserError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def limit(seconds: float, what: str) -> Iterator[None]:
    """Inside, no more than `seconds` may pass: a loop without end is a failure that says `what` did not end."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def ring(*_):
        pytest.fail(f"{what} did not end within {seconds:g} seconds: is there a loop that never stops?", pytrace=False)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def exercise_of(name: str) -> str:
    """The exercise that a check belongs to: test_22_1_shapes is one of exercise 22.1."""
    number = re.match(r"test_(\d+)_(\d+)_", name)
    return f"exercise {number[1]}.{number[2]}" if number else TOGETHER


def to_do(error: BaseException, path: Path) -> str | None:
    """The exercise of `path` whose stub was called, as "22.1", if that is what `error` says."""
    if not isinstance(error, NotImplementedError):
        return None
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    if trace.tb_frame.f_code.co_filename != str(path):  # PyTorch has such errors of its own: a module without forward
        return None
    written = [cell for cell in cells(read_text(path)) if "exercise" in cell.tags and cell.line <= trace.tb_lineno]
    return written[-1].exercise or "an exercise" if written else None
