"""A learner's copy of the lessons: each file with stubs in the place of the solutions."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from minitune.course.cells import cells
from minitune.course.stubs import with_stubs
from minitune.course.table import Lesson, lessons
from minitune.errors import UserError
from minitune.files import is_there, read_made_json, read_text
from minitune.writing import check_can_write, write_json, write_text

RECORD = "minitune-lessons.json"  # what `start` has written, so that it knows what the learner has changed
PYTEST = ("pytest.ini", "[pytest]\naddopts = -q -p minitune.course.checks -p no:cacheprovider\n")  # for --mine


def start(folder: Path) -> list[str]:
    """Write each lesson with stubs into `folder`; returns what was done, as sentences. What a learner wrote stays.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    check_can_write(folder / RECORD)
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORD).exists():
        raise UserError(
            f"{folder} holds something else and no {RECORD}: choose a new folder for the lessons, or one that "
            "minitune start has made"
        )
    given = read_record(folder) if (folder / RECORD).exists() else {}
    added, renewed, told = [], [], []
    for lesson in lessons():
        path, text = folder / lesson.path.name, copy_of(lesson)
        theirs = digest(read_text(path)) if path.exists() else None
        if theirs is None:
            added.append(path.name)
        elif theirs == digest(text) or given.get(path.name) == digest(text):
            continue  # it is the same, or the learner has begun
        elif theirs == given.get(path.name):
            renewed.append(path.name)
        else:
            told.append(
                f"{path.name} was changed by you, and the lesson has changed too: yours is left as it is; rename it "
                "and start again to get the new one"
            )
            continue
        write_text(path, text)
        given[path.name] = digest(text)
    if not (folder / PYTEST[0]).exists():
        write_text(folder / PYTEST[0], PYTEST[1])
    write_json(folder / RECORD, given)
    done = [f"written to {folder}: {', '.join(added)}"] if added else []
    done += [f"new version, for you had not begun it: {name}" for name in renewed]
    return [*done, *told] or [f"{folder} has all lessons already"]


def copy_of(lesson: Lesson) -> str:
    text = read_text(lesson.path)
    return with_stubs(text, cells(text))


def digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def read_record(folder: Path) -> dict[str, str]:
    """Raises:
    UserError: the record is damaged.
    """
    record = read_made_json(folder / RECORD)
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        raise UserError(f"{folder / RECORD} is damaged: a name and a digest for each lesson were expected; delete it")
    return record


def check_is_copy(folder: Path) -> None:
    """Raises:
    UserError: the folder is not there, or holds no lesson.
    """
    names = [path.name for path in folder.iterdir()] if is_there(folder) and folder.is_dir() else []
    if RECORD not in names and not any(re.fullmatch(r"\d\d_\w+\.py", name) for name in names):
        state = "is not there" if not is_there(folder) else "holds no lessons"
        raise UserError(f"{folder} {state}: --mine wants the folder that `minitune start FOLDER` has made")
