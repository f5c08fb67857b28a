"""Progress for a standard error that is no terminal, such as a file: plain lines in place of a bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from minitune.report import duration
from minitune.training.loop import History


def plain_lines(label: str, steps: int, first: int = 0) -> Callable[[int, History], None]:
    """What `train` may call at each look: it prints the step, the losses and the time left, unless a bar is shown.

    Args:
        first: the step that this part of the training starts at.
    """
    started = time.monotonic()

    def tell(step: int, history: History) -> None:
        if sys.stderr is None or sys.stderr.isatty():
            return
        left = (time.monotonic() - started) / (step - first) * (steps - step)
        scores = "".join(f", {name} {score:.3f}" for name, score in history.scores[-1][1].items())
        line = f"{label}: step {step:,} of {steps:,}, loss {history.losses[-1]:.3f}{scores}, {duration(left)} left"
        print(line, file=sys.stderr, flush=True)

    return tell
