"""Every decimal and percentage in the text of a lesson is in its outputs, its code, a result that it reads, or has a
source: prose that a new measurement has made wrong is found.
"""

import json
import math
import re

import pytest

from minitune.course.cells import cells
from minitune.course.table import lessons
from minitune.files import read_text, shared
from tests.lessons.sources import SOURCES

NUMBER = re.compile(r"(?<![\w.,])(\d+\.\d+|\d+(?= ?(?:%|percent|points)))(?![\w.]*\d)( ?(?:%|percent|points))?")
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|\*\*Exercise [\d.]+", re.DOTALL)
REBUILT = [lesson for lesson in lessons() if any("exercise" in cell.tags for cell in cells(read_text(lesson.path)))]


def numbers(text: str) -> list[str]:
    """Decimals and percentages; not those in code, and no numbers of exercises, versions or sections."""
    return [number + "%" * bool(share) for number, share in NUMBER.findall(CODE.sub(" ", text))]


def values_of(content) -> list[float]:
    """All numbers in a result; of the draws in a list their mean, lowest and highest, which a text may tell."""
    if isinstance(content, dict):
        return [value for part in content.values() for value in values_of(part)]
    if isinstance(content, list) and content and all(isinstance(part, int | float) for part in content):
        return [math.fsum(content) / len(content), min(content), max(content)]
    if isinstance(content, list):
        return [value for part in content for value in values_of(part)]
    return [float(content)] if isinstance(content, int | float) else []


def is_among(number: str, values: list[float]) -> bool:
    """Whether a value is `number` when it is rounded as that is; 0.7% may also be the value 0.007."""
    digits = number.removesuffix("%")
    close, wanted = 0.5 * 10 ** -len(digits.partition(".")[2]) + 1e-9, float(digits)
    times = (1, 100) if number.endswith("%") else (1,)
    return any(abs(factor * value - wanted) <= close for value in values for factor in times)


def found_in(lesson) -> tuple[list[float], str]:
    """The values of the results that a lesson reads or points to, and the text of its outputs and its code."""
    source = read_text(lesson.path)
    named = set(re.findall(r'read_result\("([^"]+)"\)', source))
    for more in re.findall(r"\(more/(\w+\.py)\)", source):
        named |= set(
            re.findall(r'save_result\([^()]*"([\w-]+\.json)"\)', read_text(lesson.path.parent / "more" / more))
        )
    results = [json.loads(read_text(shared("lessons") / "results" / name)) for name in sorted(named)]
    page = read_text(lesson.page) if lesson.page.exists() else ""
    shown = "\n".join(re.findall(r"^```(?:text|python)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    return values_of(results), shown + "\n".join(cell.text for cell in cells(source) if cell.kind == "code")


@pytest.mark.parametrize("lesson", REBUILT, ids=lambda lesson: lesson.stem)
def test_the_numbers_of_the_text_are_measured(lesson):
    values, shown = found_in(lesson)
    values = values + [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?", shown)]
    for cell in cells(read_text(lesson.path)):
        for number in numbers(cell.text) if cell.kind == "markdown" else ():
            if number in SOURCES.get(lesson.number, {}):
                continue
            line = next(line for line in cell.text.splitlines() if number.removesuffix("%") in line)
            assert is_among(number, values), (
                f"{lesson.path.name} says {number} ({line.strip()!r}), which neither its outputs nor its results hold: "
                "measure it, or give its source in tests/lessons/sources.py"
            )


def test_what_counts_as_a_number_of_the_text():
    text = "**Exercise 22.1 (12 minutes).** It is 0.97, or 0.7% of 1,024 at 4 bits; `0.5` and GPT2.1, in 3 points"
    assert numbers(text) == ["0.97", "0.7%", "3%"]


def test_a_number_is_found_as_it_is_rounded():
    values = values_of({"a": [0.94, 0.95, 0.99], "b": {"c": 0.0071}, "d": "0.5"})
    assert is_among("0.96", values), "the mean of draws"
    assert is_among("0.94", values) and is_among("0.7%", values), "the lowest draw; a share as a percentage"
    assert not is_among("0.95", values) and not is_among("0.7", values)
