"""What the labels of a user's file may be: classes, numbers, tags, or the outputs that instructions want.

A new kind joins here, in one entry. Each says how a row is checked, what its examples are, how they are split, and what
is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from minitune.data.columns import USUAL, Columns, Fields
from minitune.data.examples import Dataset, Example
from minitune.data.labels import are_numbers, label_text, number_of, odd_labels, written_otherwise
from minitune.data.reading import BadRow, Reading
from minitune.data.rows import Table
from minitune.errors import UserError
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.own_rows import Labelled, record, text_and_label, text_and_number, words_and_tags
from minitune.questions.question import Question
from minitune.questions.split import in_all, of_each_class

ASKED_OF_ANY_TEXT = ("it was", "this is", "in short ,")  # what may come before the label of any text
INSTRUCTED = "Human: {text:whole} {text_b} Assistant:"  # the instruction is never cut; the input is, at its end
MANY_CLASSES = 1000  # more of them are rather ids, or texts, or numbers
OUTSIDE = "O"


@dataclass(frozen=True)
class OwnKind:
    """What depends on the kind of the labels of a user's file.

    Args:
        row: a row, checked; raises `BadRow`. Its arguments are the columns, what is in them, and whether a comma in a
            number is its decimal point.
        labels: the names of the classes or tags, from the rows to train on; of others none.
        example: what a predictor learns from, of a row and the place of each label.
        split: the examples that train and those that test; its arguments are those of `in_all`.
        question: what is asked of them.
    """

    row: Callable[[Columns, Fields, bool], Labelled]
    labels: Callable[[Sequence[Labelled], Columns, Reading], tuple[str, ...]]
    example: Callable[[Labelled, dict[str, int]], Any]
    split: Callable[..., Dataset]
    question: Callable[[Dataset, Columns], Question]


def find_kind(table: Table, columns: Columns, reading: Reading) -> OwnKind:
    """The kind that is named; otherwise a guess, which is noted where another one would do."""
    asked, raw = reading.layout.kind, [row.get(columns.label) for _, row in table.rows]
    labels = [label for label in map(label_text, raw) if label]
    names, comma = [label for label in labels if isinstance(label, str)], table.delimiter == ";"
    if asked is None:
        asked = guess(columns, labels, names, comma)
        several = len(set(names))
        if asked == "number":
            reading.notes.append(
                f"the labels are taken as numbers, for there are {several} different ones in {len(names)} rows; --kind "
                "classes takes each as a class"
            )
        elif asked == "classes" and names and all(number_of(name, comma) is not None for name in names):
            reading.notes.append(
                f"the labels are numbers, and are taken as {several} classes; --kind number learns the number itself"
            )
    if asked == "classes" and (written := written_otherwise(raw)):
        reading.notes.append(
            f"labels that are read without characters that are not seen, or in their usual form: {written}"
        )
    if asked == "number" and comma and any("," in name for name in names):
        reading.notes.append("a comma in a label is read as the decimal point")
    return OWN_KINDS[asked]


def guess(columns: Columns, labels: Sequence[Any], names: Sequence[str], comma: bool) -> str:
    if labels and isinstance(labels[0], list):
        return "tags"
    if (columns.text, columns.label) == (USUAL[2][0], USUAL[2][2]):
        return "instructions"
    return "number" if are_numbers(names, comma) else "classes"


def rows_of(kind: OwnKind, table: Table, columns: Columns, reading: Reading) -> list[Labelled]:
    """The rows, checked."""
    comma = table.delimiter == ";"

    def checked(row: dict[str, Any]) -> Labelled:
        for column in (columns.text, columns.label):
            if column not in row:
                raise BadRow(
                    f"there is no {column!r}, only {', '.join(map(repr, row)) or 'nothing'}", "add it or remove the row"
                )
        return kind.row(columns, Fields(*(column and row.get(column) for column in columns)), comma)

    rows = reading.each(table.rows, checked)
    return [row._replace(where=f"{table.path}, {place}") for place, row in rows]


def examples_of(kind: OwnKind, rows: Sequence[Labelled], labels: Sequence[str], reading: Reading) -> tuple[Any, ...]:
    """Raises:
    UserError: a label that is not among `labels`.
    """
    place = {label: index for index, label in enumerate(labels)}
    placed = [(row.where.removeprefix(f"{reading.path}, "), row) for row in rows]
    return tuple(example for _, example in reading.each(placed, lambda row: kind.example(row, place)))


# ---- names of classes and tags ----


def class_names(rows: Sequence[Labelled], columns: Columns, reading: Reading) -> tuple[str, ...]:
    """Raises:
    UserError: one class only, or far too many.
    """
    labels = tuple(sorted({row.label for row in rows}))
    if len(labels) < 2:
        raise UserError(f"every row of {reading.path} has the label {labels[0]!r}; two classes at least were expected")
    if len(labels) > MANY_CLASSES or len(labels) == len(rows) > 10:
        raise UserError(
            f"the column {columns.label!r} of {reading.path} has {len(labels)} different labels in {len(rows)} rows: "
            "name the column of the classes with --label-column, or take the labels as numbers with --kind number"
        )
    reading.notes.extend(odd_labels([row.label for row in rows]))
    return labels


def of_numbers(rows: Sequence[Labelled], columns: Columns, reading: Reading) -> tuple[str, ...]:
    """None.

    Raises:
        UserError: there is one number only.
    """
    if len({row.label for row in rows}) < 2:
        raise UserError(f"every row of {reading.path} has the label {rows[0].label:g}; there is nothing to learn")
    return ()


def of_outputs(rows: Sequence[Labelled], columns: Columns, reading: Reading) -> tuple[str, ...]:
    """None."""
    return ()


def tag_names(rows: Sequence[Labelled], columns: Columns, reading: Reading) -> tuple[str, ...]:
    """The tags, that of words outside first. Where B- is used, I- of the same thing may come, and the other way.

    Raises:
        UserError: there is one tag only.
    """
    tags = {tag for row in rows for tag in row.label} - {OUTSIDE}
    if not tags:
        raise UserError(f"every word of {reading.path} has the tag {OUTSIDE}; there is nothing to find")
    if all(re.fullmatch("[BI]-.+", tag) for tag in tags):
        tags |= {mark + tag[1:] for tag in tags for mark in "BI"}
    return (OUTSIDE, *sorted(tags))


# ---- examples ----


def place_of(label: str, place: dict[str, int]) -> int:
    if label not in place:
        raise BadRow(
            f"the label {label!r} is not in the training data, which has {', '.join(place)}",
            "mend it or remove the row",
            "a label that the training data lacks",
        )
    return place[label]


def of_a_class(row: Labelled, place: dict[str, int]) -> Example:
    return Example(row.text, row.text_b, place_of(row.label, place), row.where)


def of_a_number(row: Labelled, place: dict[str, int]) -> Example:
    return Example(row.text, row.text_b, row.label, row.where)


def of_tags(row: Labelled, place: dict[str, int]) -> TaggedWords:
    return TaggedWords(row.text, tuple(place_of(tag, place) for tag in row.label), row.where)


def of_a_reply(row: Labelled, place: dict[str, int]) -> Writing:
    return Writing(row.text, row.label, text_b=row.text_b, group=row.text, where=row.where)


# ---- what is asked ----


def a_class(dataset: Dataset, columns: Columns) -> Question:
    texts = "{text} {text_b}" if columns.text_b else "{text}"
    template, *patterns = (f"{texts} {asked} {{mask}}" for asked in ASKED_OF_ANY_TEXT)
    return Question(dataset.labels, template, is_pair=bool(columns.text_b), patterns=tuple(patterns))


def a_number(dataset: Dataset, columns: Columns) -> Question:
    template = "{text} {sep} {text_b}" if columns.text_b else "{text}"
    return Question((), template, is_pair=bool(columns.text_b), kind="number")


def tags(dataset: Dataset, columns: Columns) -> Question:
    return Question(dataset.labels, "{text}", kind="spans")


def a_reply(dataset: Dataset, columns: Columns) -> Question:
    """The input has a place where one record has one."""
    has_inputs = any(example.text_b for example in (*dataset.pool, *dataset.test))
    template = INSTRUCTED if has_inputs else INSTRUCTED.replace(" {text_b}", "")
    return Question((), template, is_pair=has_inputs, kind="reply")


OWN_KINDS: dict[str, OwnKind] = {
    "classes": OwnKind(text_and_label, class_names, of_a_class, of_each_class, a_class),
    "number": OwnKind(text_and_number, of_numbers, of_a_number, in_all, a_number),
    "tags": OwnKind(words_and_tags, tag_names, of_tags, in_all, tags),
    "instructions": OwnKind(record, of_outputs, of_a_reply, partial(in_all, part=5), a_reply),
}
