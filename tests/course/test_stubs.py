"""The stub of an exercise: bodies go; what a learner needs in order to write them stays."""

import ast

import pytest

from minitune.course.cells import cells
from minitune.course.stubs import stub, with_stubs, without_hints

WHOLE = '''@decorated
class Layer(Base):
    """A layer.

    Of two lines.
    """

    size: int = 3  # given

    @property
    def half(self) -> int:
        """Half of it."""
        return self.size // 2

    def forward(
        self,
        x,
    ):
        # the first comment belongs to the body
        y = x
        # your turn: two lines
        # of a hint

        # not a hint
        def inner(z):
            # your turn, inside
            return z

        return inner(y)

    class Part:
        async def run(self):
            return 1


LIMIT = 3


def one(x): return "# your turn is no comment here"
'''
STUB = '''@decorated
class Layer(Base):
    """A layer.

    Of two lines.
    """

    size: int = 3  # given

    @property
    def half(self) -> int:
        """Half of it."""
        raise NotImplementedError

    def forward(
        self,
        x,
    ):
        # your turn: two lines
        # of a hint
        # your turn, inside
        raise NotImplementedError

    class Part:
        async def run(self):
            raise NotImplementedError


LIMIT = 3


def one(x):
    raise NotImplementedError'''


def test_a_stub_keeps_signatures_docstrings_and_hints_and_no_body():
    assert stub(WHOLE) == STUB


@pytest.mark.parametrize(
    "solution, expected",
    [
        ('def f():\n    """Doc."""\n', 'def f():\n    """Doc."""\n    raise NotImplementedError'),
        ('def f():\n    """Doc,\n    longer."""\n    return 1', 'def f():\n    """Doc,\n    longer."""\n    raise '),
        ("def f():\n\treturn 1", "def f():\n\traise NotImplementedError"),
        ("def f():\n    @wrapped\n    def g():\n        pass\n    return g", "def f():\n    raise NotImplementedError"),
        ("def f(é='é'): return é", "def f(é='é'):\n    raise NotImplementedError"),
        ("if True:\n    def f():\n        return 1", "if True:\n    def f():\n        raise NotImplementedError"),
    ],
    ids=["a docstring alone", "a long docstring", "tabs", "a decorator inside", "one line", "below an if"],
)
def test_a_stub_of_every_form_of_function(solution, expected):
    made = stub(solution)
    assert made.startswith(expected)
    ast.parse(made)
    assert "return" not in made and "wrapped" not in made, f"a part of the solution is left: {made}"


def test_the_shown_solution_has_no_hints():
    shown = without_hints("def f():\n    # your turn: add\n    # both\n    x = '# your turn'\n    # kept\n    return x")
    assert shown == "def f():\n    x = '# your turn'\n    # kept\n    return x"


def test_a_file_with_stubs_differs_only_in_its_exercises():
    given = '# %%\na = 1\n\n\n# %% tags=["exercise"]\ndef f():\n    return 1\n\n\n# %%\nprint(f())\n'
    assert with_stubs(given, cells(given)) == given.replace("return 1", "raise NotImplementedError")
