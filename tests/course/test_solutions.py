"""What a learner wrote is read: only the exercises are run, and what is wrong is one sentence with its line."""

import pytest

from minitune.course.solutions import exercises_of
from minitune.course.table import Lesson
from minitune.errors import UserError

SOURCE = """# %% [markdown]
# # Lesson 90: adding
#
# **Exercise 90.1 (2 minutes).** Add.

# %% tags=["imports"]
import math


# %% tags=["exercise"]
def add(a, b):
    return math.fsum([a, b])


# %%
assert add(1, 2) == 3

# %% [markdown]
# **Exercise 90.2 (2 minutes).** Twice.


# %% tags=["exercise"]
def twice(a):
    return add(a, a)


# %%
print(twice(2))
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "90_adding.py").write_text(SOURCE)
    monkeypatch.setattr("minitune.course.table.shared", lambda name: tmp_path / name)
    return Lesson(90, "adding", "adding", "Sums")


def read(lesson, old="", new=""):
    assert old in SOURCE
    return exercises_of(lesson, SOURCE.replace(old, new) if old else SOURCE, "90_adding.py")


def test_the_exercises_are_there_and_nothing_else_is_run(lesson, capsys):
    assert read(lesson).twice(4) == 8
    assert capsys.readouterr().out == "", "only imports and exercises are run"


@pytest.mark.parametrize(
    "old, new",
    [
        ("print(twice(2))", "print(twice(2)) )"),
        ("    return add(a, a)", "    print('here')\n    return add(a, a)"),
        ("# %%\nassert", "# %%\nprint('a trial', 1 / 0)\n\n# %%\nassert"),
        ("def twice", "def helper(a):\n    return a\n\n\nprint(helper(3))\n\n\ndef twice"),
    ],
    ids=["a broken line elsewhere", "a print in a function", "a trial that fails", "a helper and a print"],
)
def test_what_a_learner_tries_does_no_harm(lesson, old, new):
    assert read(lesson, old, new).twice(4) == 8


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ("    return add(a, a)", "    return add(a, a", r"line 24: .*never closed.*'return add\(a, a'"),
        ("def twice(a):\n    return add(a, a)\n", "", "90.2 wants twice, and there is nothing of that name; .*removed"),
        ("def twice(a)", "def double(a)", "exercise 90.2 wants twice, .*renamed"),
        (
            '# %% tags=["exercise"]\ndef twice',
            "def twice",
            r"line 22: twice of exercise 90.2 is in no cell .*back above",
        ),
        ('# %% tags=["exercise"]\ndef twice', "# %%\ndef twice", r"line 23: twice of exercise 90.2 is in no cell"),
        ("# %%\nassert add(1, 2) == 3", "assert add(1, 2) == 4", r"line 15: .*90.1 does not run \(Ass.*'# %%' missing"),
        ("import math", "import mathh", r"line 7: the cell of the imports does not run \(ModuleNotFoundError"),
    ],
    ids=["syntax", "removed", "renamed", "mark deleted", "tag deleted", "next mark deleted", "a wrong import"],
)
def test_what_cannot_be_checked_is_a_sentence(lesson, old, new, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        read(lesson, old, new)
    assert str(raised.value).count("\n") == 0
