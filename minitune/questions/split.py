"""What of a user's file trains, and what is kept to test on where there is no file for that."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from minitune.data.examples import Dataset, Example, take_each
from minitune.errors import UserError

FEWEST = 0.1  # the least share of each class that is tested on
FEW = 5  # rows of a class; a score of fewer says little


def of_each_class(
    path: Path,
    labels: tuple[str, ...],
    examples: Sequence[Example],
    test: Sequence[Example] | None,
    shots: int,
    notes: list[str],
    seed: int = 0,
) -> Dataset:
    """Without a test set, the same share of each class is kept for it, by seed: half of the smallest one, if that
    leaves it `shots` examples, and of the others no less than a tenth.

    Raises:
        UserError: a class that is too small.
    """
    counts = Counter(example.label for example in examples)
    smallest = min(counts, key=counts.__getitem__)
    needed = shots if test is not None else shots + 1  # one at the least must be left for the test
    if counts[smallest] < needed:
        raise UserError(
            f"the class {labels[smallest]!r} has {counts[smallest]} examples in {path}, and {shots} a class were "
            f"asked for{' beside a test set' if test is None else ''}: add some, or lower --shots"
        )
    if test is None:
        share = min(counts[smallest] // 2, counts[smallest] - shots) / counts[smallest]
        kept = {label: min(max(1, round(max(share, FEWEST) * count)), count - shots) for label, count in counts.items()}
        test, examples = take_each(examples, kept, random.Random(seed))
    tested = Counter(example.label for example in test)
    if rare := [f"{label!r} {tested[place]}" for place, label in enumerate(labels) if tested[place] < FEW]:
        notes.append(f"classes with fewer than {FEW} rows in the test, of which a score says little: {', '.join(rare)}")
    return Dataset(name_of(path), labels, tuple(examples), tuple(test))


def in_all(
    path: Path,
    labels: tuple[str, ...],
    examples: Sequence[Any],
    test: Sequence[Any] | None,
    shots: int,
    notes: list[str],
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


def name_of(path: Path) -> str:
    """The file's name without its ending; bytes that are no letters are spelled out."""
    return path.stem.encode("utf-8", "backslashreplace").decode()


def repeated(dataset: Dataset) -> list[str]:
    """How many test examples are among those to train on, word for word, in a sentence."""
    seen = {content(example) for example in dataset.pool}
    found = sum(content(example) in seen for example in dataset.test)
    if not found:
        return []
    are, their = ("is", "its") if found == 1 else ("are", "their")
    return [
        f"{found} of the {len(dataset.test)} test examples {are} in the training rows too, word for word: {their} "
        "score is no measure of what is new"
    ]


def content(example: Any) -> Hashable:
    """What is read of an example: all but its label."""
    return example.words if hasattr(example, "words") else (example.text, example.text_b)
