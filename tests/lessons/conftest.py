"""`mine`: the exercises of a test file's lesson, from the lesson itself or with `--mine DIR` from a learner's copy."""

import pytest

from tests.lessons.checking import TOGETHER, exercise_of, lesson_of, limit, load, to_do


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(config, items):
    """Checks belong to their lesson's marker; of a learner's copy nothing but exercises is checked."""
    for item in items:
        if lesson := lesson_of(item.path):
            item.add_marker(lesson.marker)
    if config.option.mine:
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
            own = exercise_of(item.originalname).removeprefix("exercise ")
            pytest.skip(f"{exercise} to do" if own in (exercise, TOGETHER) else f"{own} waits for {exercise}")
        raise
