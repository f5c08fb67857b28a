"""A plugin of pytest: `pytest --mine DIR` checks the exercises in a learner's folder, `pytest -m lesson22` one lesson.

The project's pyproject.toml loads it, and so does the pytest.ini that `minitune start` writes: `pytest --mine .` works
in the learner's folder too. The checks themselves are the project's tests/lessons.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from minitune.course.copies import check_is_copy
from minitune.course.table import LESSONS
from minitune.errors import UserError
from minitune.files import PACKAGE

CHECKS = PACKAGE.parent / "tests" / "lessons"


def pytest_addoption(parser) -> None:
    parser.addoption("--mine", type=Path, metavar="DIR", help="check the exercises of a learner's lessons alone")
    parser.addoption("--seconds", type=float, default=30.0, help="the longest that the check of an exercise may take")


def pytest_configure(config) -> None:
    """Raises:
    UsageError: --mine names no folder of lessons; the checks are not here.
    """
    for lesson in LESSONS:
        config.addinivalue_line("markers", f"{lesson.marker}: {lesson.title}")
    if config.option.mine is None:
        return
    config.option.mine = config.option.mine.resolve()
    try:
        check_is_copy(config.option.mine)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    if not CHECKS.is_dir():
        raise pytest.UsageError("the checks are not installed with the package: clone the project, pip install -e .")
    if config.args_source is not config.ArgsSource.ARGS:  # no file was asked for
        config.args = [str(CHECKS)]


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Of a learner's copy, which exercises are still to do."""
    if config.option.mine:
        reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ())}
        for line in sorted(reason for reason in reasons if reason.endswith(" to do") or " waits for " in reason):
            terminalreporter.write_line(line)
