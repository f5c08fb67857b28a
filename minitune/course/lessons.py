"""What a lesson calls, and how it is run: its figures, tables and results."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Sequence
from pathlib import Path

from minitune.course.table import Lesson
from minitune.files import read_text, shared
from minitune.outputs import check_may_replace
from minitune.report import is_plot, table
from minitune.writing import check_can_write, write_safely, write_text


def run_lesson(lesson: Lesson, fast: bool = False, figures: Path | None = None) -> None:
    """Run a lesson from top to bottom; `fast` takes seconds and shows that it runs, not what it finds."""
    os.environ["MINITUNE_FAST"] = "1" if fast else ""
    if figures:
        os.environ["MINITUNE_FIGURES"] = str(figures)
    check_can_write(figure_path("a figure"))
    if fast:
        print("fast: this shows that the lesson runs; its numbers are not those of the text")
    runpy.run_path(str(lesson.path), run_name="__main__")


def is_fast() -> bool:
    """Whether the lesson is only to show that it runs."""
    return bool(os.environ.get("MINITUNE_FAST"))


def show(figure, name: str) -> None:
    """Save a lesson's matplotlib figure, by default under runs/figures, and say where."""
    path = figure_path(name)
    check_may_replace(path, is_plot, "a figure of a lesson")
    write_safely(path, lambda file: figure.savefig(file, dpi=110, format="png", bbox_inches="tight"))
    print(f"figure: {path}")


def figure_path(name: str) -> Path:
    return Path(os.environ.get("MINITUNE_FIGURES") or "runs/figures") / name


def read_result(name: str) -> dict:
    """A committed result of a longer run, from lessons/results."""
    return json.loads(read_text(shared("lessons") / "results" / name))


def save_result(result: dict, name: str) -> None:
    """Save what a file of lessons/more measured under runs/results, and say where."""
    path = Path("runs/results") / name
    write_text(path, json.dumps(result, indent=1) + "\n")
    print(f"result: {path}")


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a lesson's table under one line that says what it shows."""
    print(f"\n{title}\n\n{table(header, rows)}\n")
