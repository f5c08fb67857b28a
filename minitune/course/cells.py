"""The cells of a lesson: a file in percent format, as jupytext and the editors know it.

A cell starts with a line "# %%" (code) or "# %% [markdown]" (text, every line after "# "). The line may end in tags:
`exercise` (a function or class that the learner writes), `imports` (what the exercises need), `hide-input` (the code of
a figure: folded on a page). Plain `python` runs such a file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

MARK = re.compile(r"^# %%(?!%)([^\n]*)(?:\n|\Z)", re.MULTILINE)
EXERCISE = re.compile(r"\*\*Exercise (\d+\.\d+)")


@dataclass(frozen=True)
class Cell:
    kind: str  # "code" or "markdown"
    text: str
    tags: tuple[str, ...] = ()
    line: int = 1  # of its first line of text, in the file
    exercise: str = ""  # which one it belongs to, as "22.1": what the last text before it calls an exercise


def cells(source: str) -> list[Cell]:
    """The cells of a file in percent format, without their marks; empty ones are left out."""
    found, exercise = [], ""
    marks = list(MARK.finditer(source))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = source[mark.end() : following.start() if following else len(source)]
        text = body.strip()
        line = source.count("\n", 0, mark.end()) + 1 + body[: len(body) - len(body.lstrip())].count("\n")
        if "[markdown]" in mark[1]:
            text = "\n".join(re.sub(r"^# ?", "", line) for line in text.splitlines())
            exercise = (EXERCISE.findall(text) or [exercise])[-1]
            found.append(Cell("markdown", text, tags_of(mark[1]), line))
        elif text:
            tags = tags_of(mark[1])
            found.append(Cell("code", text, tags, line, exercise if "exercise" in tags else ""))
    return found


def tags_of(mark: str) -> tuple[str, ...]:
    """What the end of a cell's first line says, as in `# %% tags=["exercise"]`."""
    written = re.search(r"\btags=(\[[^]]*\])", mark)
    try:
        return tuple(json.loads(written[1])) if written else ()
    except ValueError:
        return ()
