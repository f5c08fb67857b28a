"""From a user's file of instructions to examples and a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minitune.data.instructions import FIELDS, Record, read_records
from minitune.data.own import dataset_in_all
from minitune.files import at_home
from minitune.predictors.writer import Writing
from minitune.questions.from_file import check_is_another, with_repeats_told
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData

TEMPLATE = "Human: {text:whole} {text_b} Assistant:"  # the instruction is never cut; the input is, at its end
KEPT = 5  # one record in so many is kept for the test, where there is no test file


def instruction_data(
    path: Path,
    test_path: Path | None = None,
    shots: int | None = None,
    fields: Sequence[str] = FIELDS,
    encoding: str | None = None,
) -> TaskData:
    """A user's records; without a test file, one in five is kept for the test.

    Args:
        shots: so many records must be left for training.

    Raises:
        UserError: whatever `read_records` finds wrong; too few records; a test file that is the training file.
    """
    path, test_path = at_home(path), at_home(test_path) if test_path else None
    check_is_another(test_path, path)
    records = read_records(path, fields, encoding)
    test = read_records(test_path, fields, encoding) if test_path else None
    dataset = dataset_in_all(
        path, (), writings(records), None if test is None else writings(test), shots or 1, part=KEPT
    )
    template = TEMPLATE if any(record.input for record in records) else TEMPLATE.replace(" {text_b}", "")
    question = Question((), template, is_pair="{text_b}" in template, kind="reply")
    return with_repeats_told(TaskData(dataset, question))


def writings(records: Sequence[Record]) -> tuple[Writing, ...]:
    return tuple(Writing(r.instruction, r.output, text_b=r.input, group=r.instruction, where=r.where) for r in records)
