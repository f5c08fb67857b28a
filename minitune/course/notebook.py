"""The notebook of a lesson, for Jupyter: format 4.5, with its outputs where the extra `pages` is installed."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from minitune.course.cells import cells
from minitune.course.links import relink, targets
from minitune.course.running import executed, printed
from minitune.course.stubs import stub
from minitune.course.table import Lesson, lessons
from minitune.errors import UserError
from minitune.files import read_bytes, read_text
from minitune.outputs import check_may_replace, holds_json
from minitune.writing import check_can_write, write_text


def notebook(lesson: Lesson, out: Path, force: bool = False, exercises: bool = False, outputs: bool = False) -> Path:
    """Write the lesson as a notebook into the folder `out`, and beside it the answers and files that it links to.

    `exercises` puts stubs in the place of the solutions, and leaves the outputs to the learner. `outputs` runs the
    lesson, which needs the extra `pages`.

    Raises:
        UserError: another notebook is there, perhaps edited, and `force` is off; the folder cannot be written; a cell
            fails.
    """
    ending = "-exercises" if exercises else ""
    path = out / f"{lesson.stem}{ending}.ipynb"
    check_can_write(path)
    check_is_ours(path, lesson, exercises, force)
    check_may_replace(path, holds_json("cells", "nbformat"), "a notebook")
    results = results_of(lesson) if outputs and not exercises else {}
    content = content_of(lesson, exercises, results, ending)
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    copy_linked(lesson, out)
    return path


def check_is_ours(path: Path, lesson: Lesson, exercises: bool, force: bool) -> None:
    """Raises:
    UserError: a notebook is there whose code is not that of the lesson.
    """
    if force or not path.exists():
        return
    try:
        there = [source_of(cell) for cell in json.loads(read_bytes(path))["cells"]]
    except (ValueError, KeyError, TypeError):
        there = None
    ours = content_of(lesson, exercises, {}, "-exercises" if exercises else "")
    if there != [source_of(cell) for cell in ours["cells"]]:
        raise UserError(
            f"{path} is there and was edited, or is of another version of the lesson: choose another --out, or add "
            "--force to write it anew"
        )


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def content_of(lesson: Lesson, exercises: bool, results: dict[str, str], ending: str) -> dict[str, Any]:
    """The notebook as plain values; `results` is what each code cell printed, by its code."""
    written = []
    for index, cell in enumerate(cells(read_text(lesson.path))):
        text, extra, metadata = cell.text, {}, {}
        if cell.tags:
            metadata["tags"] = list(cell.tags)
        if cell.kind == "markdown":
            images = [target for target in targets(text) if target.startswith("figures/")]
            text = relink(text, lambda target, is_image: in_notebook(target, is_image, ending))
            extra = {"attachments": {Path(i).name: {"image/png": encoded(lesson, i)} for i in images}} if images else {}
        else:
            output = results.get(text, "")
            said = {"output_type": "stream", "name": "stdout", "text": (output + "\n").splitlines(keepends=True)}
            extra = {"outputs": [said] if output else [], "execution_count": None}
            if "hide-input" in cell.tags:
                metadata["jupyter"] = {"source_hidden": True}
            if exercises and "exercise" in cell.tags:
                text = stub(text)
        source = text.splitlines(keepends=True)
        written.append({"id": f"cell-{index}", "cell_type": cell.kind, "metadata": metadata, "source": source, **extra})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": written, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def in_notebook(target: str, is_image: bool, ending: str) -> str:
    """Figures are inside the notebook; another lesson is its notebook; all else is copied beside it."""
    if is_image and target.startswith("figures/"):
        return f"attachment:{Path(target).name}"
    for lesson in lessons():
        if target == lesson.path.name:
            return f"{lesson.stem}{ending}.ipynb"
    return target


def encoded(lesson: Lesson, image: str) -> str:
    return base64.b64encode(read_bytes(lesson.path.parent / image)).decode()


def results_of(lesson: Lesson) -> dict[str, str]:
    """What each code cell prints, by its code."""
    with tempfile.TemporaryDirectory() as folder:
        run = executed(lesson, Path(folder))
    return {cell.source.strip(): printed(cell) for cell in run.cells if cell.cell_type == "code"}


def copy_linked(lesson: Lesson, out: Path) -> None:
    """Answers and second-rank experiments, in folders beside the notebook; what a person put there stays."""
    text = "\n".join(cell.text for cell in cells(read_text(lesson.path)) if cell.kind == "markdown")
    for target in targets(text):
        source = lesson.path.parent / target
        if re.match(r"(answers|more)/", target) and source.is_file() and not (out / target).exists():
            write_text(out / target, read_text(source))
