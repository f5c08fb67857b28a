"""The labels of a user's file: which are numbers, which are the same, and which look wrong."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

LARGEST = 1e30  # a number that float32 still squares the standardized distance of
# zero-width space, marks of direction, soft hyphen, word joiner, byte-order mark: none of them is seen
UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]")
MISSING = ("nan", "none", "null", "na", "n/a", "#n/a")


def label_text(value: Any) -> Any:
    """A label as text: of JSON's numbers and truth values as they are written, of its NaN, which is written for what is
    missing, nothing; a text in its normal form (NFC), without characters that are not seen."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, (bool, int, float)):
        return str(value)
    return UNSEEN.sub("", unicodedata.normalize("NFC", value)).strip() if isinstance(value, str) else value


def number_of(label: str, decimal_comma: bool) -> float | None:
    """The number that a label is, or None. Words for no number, such as nan, are none."""
    text = label.replace(",", ".") if decimal_comma and "." not in label else label
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST and "_" not in text else None


def are_numbers(labels: Sequence[str], decimal_comma: bool) -> bool:
    """Whether labels are rather numbers than classes: many different ones, for which there are hardly two examples
    each. Stars from 1 to 5 are classes, and so are the numbers of 77 topics.
    """
    numbers = {label: number_of(label, decimal_comma) for label in labels}
    if None in numbers.values() or len(numbers) < 3:
        return False
    is_whole = all(number == int(number) for number in numbers.values())
    return len(numbers) > len(labels) / 2 or (len(numbers) > 10 and not is_whole)


def odd_labels(labels: Sequence[str]) -> list[str]:
    """Classes that may be meant as one, and labels that may mean that one is missing, in sentences."""
    counts = Counter(labels)
    alike: dict[Any, list[str]] = defaultdict(list)
    for label in counts:
        number = number_of(label, False)
        folded = unicodedata.normalize("NFKC", label).casefold()
        alike["".join(folded.split()) if number is None else number].append(label)
    notes = [
        "these labels are taken as different classes, and may be meant as one: "
        + ", ".join(f"{label!r} {counts[label]}" for label in group)
        for group in alike.values()
        if len(group) > 1
    ]
    notes += [
        f"{counts[label]} rows have the label {label!r}: if that means that the label is missing, remove them"
        for label in counts
        if label.casefold() in MISSING
    ]
    return notes


def written_otherwise(labels: Sequence[Any]) -> int:
    """How many labels were written in another form, or with characters that are not seen."""
    return sum(isinstance(label, str) and label_text(label) != label.strip() for label in labels)
