"""Plain lines where no bar can be drawn."""

import io
import sys

import pytest

from minitune.report import duration
from minitune.training.loop import History
from minitune.training.progress import plain_lines

HISTORY = History(losses=[9.0, 2.5], scores=[(2, {"held-out loss": 3.25, "sentiment": 0.5})])


def test_a_line_tells_step_losses_and_time_left(capsys):
    plain_lines("pretraining gpt", 3000)(2000, HISTORY)
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "pretraining gpt: step 2,000 of 3,000, loss 2.500, held-out loss 3.250, sentiment 0.500, 0 s left\n"
    )


def test_on_a_terminal_the_bar_is_enough(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    plain_lines("training", 3)(2, HISTORY)
    assert sys.stderr.getvalue() == ""


def test_the_time_left_of_a_resumed_run_counts_its_own_steps(monkeypatch, capsys):
    clock = iter([100.0, 160.0])
    monkeypatch.setattr("minitune.training.progress.time.monotonic", lambda: next(clock))
    plain_lines("training", 1000, first=900)(910, HISTORY)  # 10 steps in 60 s: 90 more take 540 s
    assert capsys.readouterr().err.endswith("9 min left\n"), "the steps before the resume took no time of this process"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (6060, "1 h 41 min"), (1e6, "12 days")],
)
def test_a_time_for_people(seconds, text):
    assert duration(seconds) == text
