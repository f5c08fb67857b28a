"""`mine`: the exercises of a test file's lesson, from the lesson itself or with `--mine DIR` from a learner's copy."""

import pytest

from minitune.course.copies import check_is_copy
from minitune.errors import UserError
from tests.lessons.checking import exercise_of, lesson_of, limit, load, to_do


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(config, items):
    """Checks belong to their lesson's marker; of a learner's copy nothing but exercises is checked."""
    for item in items:
        if lesson := lesson_of(item.path):
            item.add_marker(lesson.marker)
    if folder := config.option.mine:
        try:
            check_is_copy(folder)
        except UserError as error:
            raise pytest.UsageError(str(error)) from None
        items[:] = [item for item in items if "mine" in getattr(item, "fixturenames", ())]


@pytest.fixture(scope="module")
def mine(request):
    option = request.config.option
    return load(lesson_of(request.path), option.mine, option.seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A check has its time; a stub of a learner is no failure, but still to do."""
    if "mine" not in getattr(item, "fixturenames", ()):
        return (yield)
    option = item.config.option
    try:
        with limit(option.seconds, exercise_of(item.originalname)):
            return (yield)
    except NotImplementedError as error:
        if option.mine and (exercise := to_do(error, option.mine / lesson_of(item.path).path.name)):
            pytest.skip(f"{exercise} to do")
        raise


def pytest_terminal_summary(terminalreporter, config):
    """Of a learner's copy, which exercises are still to do."""
    if config.option.mine:
        reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ())}
        if waiting := sorted(reason.removesuffix(" to do") for reason in reasons if reason.endswith(" to do")):
            terminalreporter.write_line(f"to do: {', '.join(waiting)}")
