"""Plausible wrong versions of every exercise: each is caught by a check of that exercise, in words that help."""

import importlib
import inspect
import re

import pytest

from minitune.course.solutions import exercises_of, wanted
from minitune.course.table import LESSONS
from minitune.files import read_text
from tests.lessons.checking import exercise_of

CHECKED = {
    lesson: importlib.import_module(f"tests.lessons.test_{lesson.stem}")
    for lesson in LESSONS
    if importlib.util.find_spec(f"tests.lessons.test_{lesson.stem}")
}
VERSIONS = [
    pytest.param(lesson, exercise, *version, id=f"{exercise} {version[0]}", marks=getattr(pytest.mark, lesson.marker))
    for lesson, module in CHECKED.items()
    for exercise, versions in module.WRONG.items()
    for version in versions
]


@pytest.mark.parametrize("lesson, exercise, name, old, new, says", VERSIONS)
def test_a_wrong_version_is_caught_by_a_telling_message(lesson, exercise, name, old, new, says):
    source = read_text(lesson.path)
    assert source.count(old) == 1, (
        f"{old!r} must be in the lesson once, to be replaced; it is there {source.count(old)}x"
    )
    wrong = exercises_of(lesson, source.replace(old, new), lesson.path)
    said = failure_of(CHECKED[lesson], exercise, wrong)
    assert said, f"no check of exercise {exercise} catches this: {name}"
    assert re.search(says, said), f"{name} is caught, but not by {says!r}: {said}"


def failure_of(module, exercise: str, mine) -> str | None:
    """What the first check of the exercise that fails says."""
    for name, check in vars(module).items():  # in the order of the file
        if name.startswith("test_") and exercise_of(name) == f"exercise {exercise}":
            assert list(inspect.signature(check).parameters) == ["mine"], f"{name} must take nothing but `mine`"
            try:
                check(mine)
            except (AssertionError, pytest.fail.Exception) as error:
                return str(error)
    return None


@pytest.mark.parametrize("lesson", CHECKED, ids=lambda lesson: lesson.stem)
def test_every_exercise_has_checks_and_four_wrong_versions(lesson):
    versions = CHECKED[lesson].WRONG
    assert set(versions) == set(wanted(lesson)), "each exercise of the lesson has its row, and no other"
    for exercise, found in versions.items():
        assert len(found) >= 4, f"exercise {exercise} has {len(found)} wrong versions; four or more are wanted"


def test_every_lesson_with_exercises_has_checks():
    missing = [lesson.stem for lesson in LESSONS if wanted(lesson) and lesson not in CHECKED]
    assert not missing, f"exercises without checks: {missing}"
