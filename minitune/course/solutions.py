"""What was written for the exercises of a lesson, as a module: the lesson's own solutions, or a learner's copy."""

from __future__ import annotations

import ast
import re
import types
from pathlib import Path

from minitune.course.cells import Cell, cells
from minitune.course.table import Lesson, find_lesson
from minitune.errors import UserError
from minitune.files import read_text


def solutions(number: int) -> types.ModuleType:
    """The functions and classes of a lesson's exercises."""
    lesson = find_lesson(number)
    return exercises_of(lesson, read_text(lesson.path), lesson.path)


def exercises_of(lesson: Lesson, source: str, path: Path) -> types.ModuleType:
    """Run the cells tagged `imports` and `exercise` of `source`, a version of `lesson` that is at `path`; nothing else
    of it is run, so that prints, trials and broken lines elsewhere do no harm.

    Raises:
        UserError: an exercise is missing, was renamed, lost the mark of its cell, or does not run.
    """
    module = types.ModuleType(lesson.stem)
    module.__file__ = str(path)
    written = [cell for cell in cells(source) if {"exercise", "imports"} & set(cell.tags)]
    for cell in written:
        run(cell, module, path)
    for exercise, names in wanted(lesson).items():
        for name in names:
            if not hasattr(module, name):
                raise UserError(missing(exercise, name, source, path))
    return module


def run(cell: Cell, module: types.ModuleType, path: Path) -> None:
    """Raises:
    UserError: the cell's code cannot be read, or fails; with the line in the file.
    """
    try:
        exec(compile("\n" * (cell.line - 1) + cell.text, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise UserError(f"{path}, line {error.lineno}: {error.msg}: {line!r}; correct the line") from None
    except Exception as error:
        line, trace = cell.line, error.__traceback__
        while trace:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
            trace = trace.tb_next
        where = f"exercise {cell.exercise}" if cell.exercise else "the imports"
        raise UserError(
            f"{path}, line {line}: the cell of {where} does not run ({type(error).__name__}: {error}); does it hold "
            "more than definitions, or is the line '# %%' missing after it?"
        ) from None


def wanted(lesson: Lesson) -> dict[str, list[str]]:
    """The names that each exercise defines, as {"22.1": ["LoRALinear"]}."""
    found: dict[str, list[str]] = {}
    for cell in cells(read_text(lesson.path)):
        if "exercise" in cell.tags:
            names = found.setdefault(cell.exercise, [])
            names += [node.name for node in ast.parse(cell.text).body if hasattr(node, "name")]
    return found


def missing(exercise: str, name: str, source: str, path: Path) -> str:
    written = re.search(rf"^(?:async def|def|class) {name}\b", source, re.MULTILINE)
    if written:
        line = source.count("\n", 0, written.start()) + 1
        return (
            f"{path}, line {line}: {name} of exercise {exercise} is in no cell that is marked as an exercise; put the "
            "line '# %% tags=[\"exercise\"]' back above it"
        )
    return (
        f"{path}: exercise {exercise} wants {name}, and there is nothing of that name; was it removed or renamed? the "
        "checks and the lesson call it by this name"
    )
