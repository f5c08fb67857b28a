"""From a user's own file to examples and a question: the one way that every file takes.

bytes -> rows -> columns -> kind -> examples -> split -> question
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minitune.data.columns import OF_KIND, check_columns, find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.files import at_home
from minitune.questions.own_kinds import OWN_KINDS, examples_of, find_kind, rows_of
from minitune.questions.split import repeated
from minitune.questions.task_data import TaskData

FIELDS = OF_KIND["instructions"][0]  # of instructions, where nobody says how they are called


def file_data(
    path: Path, test_path: Path | None = None, shots: int | None = None, layout: Layout | None = None
) -> TaskData:
    """A user's file; without a test file, a part of it is kept for the test.

    Args:
        shots: so many examples, of each class or in all, must be left for training.

    Raises:
        UserError: an unknown kind of labels; whatever is wrong with a file.
    """
    path, test_path, layout = at_home(path), at_home(test_path) if test_path else None, layout or Layout()
    if layout.kind not in (None, *OWN_KINDS):
        raise UserError(f"there is no kind {layout.kind!r} of labels; choose one of {', '.join(OWN_KINDS)}")
    check_is_another(test_path, path)
    reading = Reading(path, layout)
    table = read_table(reading)
    columns = find_columns(table, reading)
    kind = find_kind(table, columns, reading)
    rows = rows_of(kind, table, columns, reading)
    labels = kind.labels(rows, columns, reading)
    examples = examples_of(kind, rows, labels, reading)
    test, notes_of_test = None, []
    if test_path:  # the same way, with what is known by now
        its = Reading(test_path, layout)
        its_table = read_table(its)
        its_columns = columns if its_table.has_names == table.has_names else find_columns(its_table, its)
        check_columns(its_table, its_columns, layout.kind)
        test = examples_of(kind, rows_of(kind, its_table, its_columns, its), labels, its)
        notes_of_test = [f"{test_path}: {note}" for note in its.report()]
    dataset = kind.split(path, labels, examples, test, shots or 1, reading.notes)
    question = kind.question(dataset, columns)
    notes = (*reading.report(), *notes_of_test, *repeated(dataset))
    return TaskData(dataset, question, notes, layout.skip_bad)


def named_fields(names: Sequence[str]) -> Layout:
    """What an instruction, its input (which may be left out) and its output are called.

    Raises:
        UserError: other than two or three names, or one of them twice.
    """
    names = [name.strip() if isinstance(name, str) else "" for name in names]
    if len(names) not in (2, 3) or not all(names) or len(set(names)) < len(names):
        raise UserError(
            f"the fields {','.join(names)!r} are not two or three different names; write them as in "
            "instruction,input,output, or instruction,output where there is no input"
        )
    first, *second, last = names
    return Layout(first, second[0] if second else "", last, kind="instructions")


def check_is_another(test_path: Path | None, path: Path) -> None:
    """Raises:
    UserError: the test file is the training file.
    """
    try:
        is_same = bool(test_path) and test_path.samefile(path)
    except (OSError, ValueError):
        is_same = False  # one of them is not there, which reading it will say
    if is_same:
        raise UserError(f"{test_path} is the training file itself; test on rows that are not trained on")
