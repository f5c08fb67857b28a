"""Lessons: files `lessons/NN_name.py` in percent format, found, run, and turned into notebooks.

A cell starts with a line "# %%" (code) or "# %% [markdown]" (text, every line behind "# "). Plain `python` runs
such a file, editors open it as a notebook, and `notebook` writes the .ipynb.
"""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitune.errors import UserError
from minitune.files import read_bytes, read_text, shared
from minitune.outputs import check_may_replace, holds_json
from minitune.report import is_plot, table
from minitune.writing import check_can_write, write_safely, write_text


@dataclass(frozen=True)
class Lesson:
    number: int
    path: Path

    @property
    def title(self) -> str:
        first = next((line for line in read_text(self.path).splitlines() if line.startswith("# # ")), "# # untitled")
        return re.sub(r"^Lesson \d+[:.]? *", "", first.removeprefix("# # "))


def lessons() -> list[Lesson]:
    """All lessons, in order."""
    found = (re.fullmatch(r"(\d\d)_\w+\.py", path.name) for path in sorted(shared("lessons").glob("*.py")))
    return [Lesson(int(match[1]), shared("lessons") / match[0]) for match in found if match]


def find_lesson(number: int) -> Lesson:
    """Raises:
    UserError: there is no lesson of that number; the sentence names those that are.
    """
    for lesson in lessons():
        if lesson.number == number:
            return lesson
    raise UserError(f"there is no lesson {number}; there are {', '.join(str(lesson.number) for lesson in lessons())}")


def run_lesson(lesson: Lesson, fast: bool = False, figures: Path | None = None) -> None:
    """Run a lesson from top to bottom; `fast` takes seconds and shows that it runs, not what it finds."""
    os.environ["MINITUNE_FAST"] = "1" if fast else ""
    if figures:
        os.environ["MINITUNE_FIGURES"] = str(figures)
    check_can_write(figure_path("a figure"))
    runpy.run_path(str(lesson.path), run_name="__main__")


def is_fast() -> bool:
    """Whether the lesson shall only show that it runs."""
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


@dataclass(frozen=True)
class Cell:
    kind: str  # "code" or "markdown"
    text: str


def cells(source: str) -> list[Cell]:
    """The cells of a file in percent format, without their marks."""
    found = []
    for mark, body in re.findall(r"^# %%([^\n]*)\n(.*?)(?=^# %%|\Z)", source, flags=re.MULTILINE | re.DOTALL):
        if "[markdown]" in mark:
            lines = [re.sub(r"^# ?", "", line) for line in body.strip().splitlines()]
            found.append(Cell("markdown", "\n".join(lines)))
        elif body.strip():
            found.append(Cell("code", body.strip()))
    return found


def notebook(lesson: Lesson, out: Path, force: bool = False) -> Path:
    """Write the lesson as a Jupyter notebook (format 4.5); returns its path.

    Raises:
        UserError: another notebook stands there, perhaps edited, and `force` is off; the folder cannot be written.
    """
    content = {
        "cells": [
            {
                "id": f"cell-{index}",
                "cell_type": cell.kind,
                "metadata": {},
                "source": cell.text.splitlines(keepends=True),
                **({"outputs": [], "execution_count": None} if cell.kind == "code" else {}),
            }
            for index, cell in enumerate(cells(read_text(lesson.path)))
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path, text = out / f"{lesson.path.stem}.ipynb", json.dumps(content, indent=1) + "\n"
    check_can_write(path)
    if path.exists() and not force and read_bytes(path) != text.encode():
        raise UserError(
            f"{path} is there and was edited, or is of another version of the lesson: choose another --out, or add "
            "--force to write it anew"
        )
    check_may_replace(path, holds_json("cells", "nbformat"), "a notebook")
    write_text(path, text)
    return path
