"""A user's own file as a dataset: what trains, and what is kept to test on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minitune.data.examples import Dataset, Example, take_each
from minitune.data.labelled import Labelled, find_columns, numbers_of, odd_labels, read_labelled
from minitune.data.rows import Layout, Table, read_table
from minitune.errors import UserError

MANY_CLASSES = 1000  # more of them are rather ids, or texts, or numbers


@dataclass(frozen=True)
class Own:
    """A file that was read, and the file to test on, if there is one."""

    table: Table
    columns: Layout
    rows: list[Labelled]
    test: list[Labelled] | None = None
    test_table: Table | None = None

    @property
    def name(self) -> str:
        return name_of(self.table.path)

    @property
    def notes(self) -> list[str]:
        of_test = self.test_table.notes if self.test_table else []
        return [*self.table.notes, *(f"{self.test_table.path}: {note}" for note in of_test)]


def name_of(path: Path) -> str:
    """The file's name without its ending; bytes that are no letters are spelled out."""
    return path.stem.encode("utf-8", "backslashreplace").decode()


def read_own(path: Path, test_path: Path | None, layout: Layout) -> Own:
    """Raises:
    UserError: whatever `read_table`, `find_columns` and `read_labelled` find wrong in either file.
    """
    table = read_table(path, layout)
    columns = find_columns(table, layout)
    rows = read_labelled(table, columns)
    if test_path is None:
        return Own(table, columns, rows)
    test_table = read_table(test_path, layout)
    of_reading = list(test_table.notes)
    find_columns(test_table, columns)
    test_table.notes = of_reading  # what is said of the first file's columns is said
    return Own(table, columns, rows, read_labelled(test_table, columns), test_table)


def class_dataset(own: Own, shots: int, seed: int = 0) -> Dataset:
    """Without a test file, a part is kept for the test by seed, the same number of each class.

    Raises:
        UserError: one class only, or far too many; a class too small; an unseen label in the test file.
    """
    path, rows = own.table.path, own.rows
    labels = tuple(sorted({row.label for row in rows}))
    if len(labels) < 2:
        raise UserError(f"every row of {path} has the label {labels[0]!r}; two classes at least were expected")
    if len(labels) > MANY_CLASSES or len(labels) == len(rows) > 10:
        raise UserError(
            f"the column {own.columns.label!r} of {path} has {len(labels)} different labels in {len(rows)} rows: name "
            "the column of the classes with --label-column, or take the labels as numbers with --kind number"
        )
    own.table.notes.extend(odd_labels(rows))
    examples = numbered(rows, labels, path)
    counts = Counter(example.label for example in examples)
    smallest = min(counts, key=counts.__getitem__)
    kept = shots if own.test else shots + 1  # one at the least must be left for the test
    if counts[smallest] < kept:
        raise UserError(
            f"the class {labels[smallest]!r} has {counts[smallest]} examples in {path}, and {shots} a class were "
            f"asked for{'' if own.test else ' beside a test set'}: add some, or lower --shots"
        )
    if own.test:
        return Dataset(own.name, labels, examples, numbered(own.test, labels, own.test_table.path))
    test, pool = take_each(examples, min(counts[smallest] // 2, counts[smallest] - shots), random.Random(seed))
    return Dataset(own.name, labels, tuple(pool), tuple(test))


def numbered(rows: Sequence[Labelled], labels: Sequence[str], path: Path) -> tuple[Example, ...]:
    """Labels as their places in `labels`.

    Raises:
        UserError: a label that is not among them.
    """
    place = {label: index for index, label in enumerate(labels)}
    unseen = sorted({row.label for row in rows} - set(labels))
    if unseen:
        raise UserError(
            f"{path} has labels that the training data lacks: {unseen}; the training data has {list(labels)}"
        )
    return tuple(Example(row.text, row.text_b, place[row.label]) for row in rows)


def number_dataset(own: Own, shots: int, seed: int = 0) -> Dataset:
    """The labels are numbers; so many examples are drawn in all.

    Raises:
        UserError: a label that is no number; all labels the same; too few rows.
    """
    examples = with_numbers(own.rows, own.table)
    if len({example.label for example in examples}) < 2:
        raise UserError(f"every row of {own.table.path} has the label {own.rows[0].label}; there is nothing to learn")
    if own.test:
        test = with_numbers(own.test, own.test_table)
        return dataset_in_all(own.table.path, (), examples, test, shots, seed)
    return dataset_in_all(own.table.path, (), examples, None, shots, seed)


def with_numbers(rows: Sequence[Labelled], table: Table) -> tuple[Example, ...]:
    return tuple(Example(row.text, row.text_b, n) for row, n in zip(rows, numbers_of(rows, table), strict=True))


def dataset_in_all(
    path: Path,
    labels: tuple[str, ...],
    examples: Sequence[Any],
    test: Sequence[Any] | None,
    shots: int,
    seed: int = 0,
    part: int = 2,
) -> Dataset:
    """Examples that are drawn in all, not by class; without a test set, one in `part` is kept for it, by seed.

    Raises:
        UserError: too few.
    """
    if len(examples) < shots + (test is None):
        raise UserError(
            f"{path} has {len(examples)} example{'s' * (len(examples) != 1)}, and {shots} "
            f"{'was' if shots == 1 else 'were'} asked for"
            f"{' beside a test set' if test is None else ''}: add some, or lower --shots"
        )
    if test is None:
        order = random.Random(seed).sample(range(len(examples)), len(examples))
        kept = set(order[: min(max(1, len(examples) // part), len(examples) - shots)])
        test = [example for i, example in enumerate(examples) if i in kept]
        examples = [example for i, example in enumerate(examples) if i not in kept]
    return Dataset(name_of(path), labels, tuple(examples), tuple(test), by_class=False)


def repeated(dataset: Dataset) -> int:
    """How many test examples stand among those to train on, word for word."""
    seen = {content(example) for example in dataset.pool}
    return sum(content(example) in seen for example in dataset.test)


def content(example: Any) -> Hashable:
    """What is read of an example: all but its label."""
    return example.words if hasattr(example, "words") else (example.text, example.text_b)
