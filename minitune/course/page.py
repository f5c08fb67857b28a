"""The page of a lesson: Markdown with its outputs, in lessons/pages, for the project's web page and for the site."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from minitune.course.links import relink
from minitune.course.running import executed, printed
from minitune.course.stubs import stub, without_hints
from minitune.course.table import Lesson, beside, lessons
from minitune.files import read_bytes, read_text, shared
from minitune.writing import check_can_write, write_safely, write_text


def write_page(lesson: Lesson) -> Path:
    """Run the lesson, and write its page and its figures into the folder of lessons.

    Raises:
        UserError: the extra `pages` is not installed; a cell failed; a file cannot be written.
    """
    kept = shared("lessons") / "figures"
    check_can_write(lesson.page)
    check_can_write(kept / "a figure")
    with tempfile.TemporaryDirectory() as folder:
        text = page(lesson, executed(lesson, Path(folder)))
        for drawn in sorted(Path(folder).glob("*.png")):
            content = read_bytes(drawn)
            write_safely(kept / drawn.name, lambda file, content=content: file.write(content))
    write_text(lesson.page, text)
    return lesson.page


def page(lesson: Lesson, notebook) -> str:
    """The page as text: outputs below their code, exercises as stubs, solutions and the code of figures folded."""
    parts = [navigation(lesson)]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            parts.append(relink(cell.source, from_pages))
            continue
        if "exercise" in tags:
            parts.append(python(stub(cell.source)))
            parts.append(folded("Solution", python(without_hints(cell.source))))
        else:
            code = python(cell.source)
            parts.append(folded("Code", code) if "hide-input" in tags else code)
        if output := printed(cell):
            parts.append(f"```text\n{output}\n```")
    parts += ["---", navigation(lesson), f"<!-- made from {lesson.path.name} {digest(lesson)} -->"]
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts)) + "\n"


def python(code: str) -> str:
    return f"```python\n{code}\n```"


def folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def navigation(lesson: Lesson) -> str:
    """Links to the pages of the lessons before and after."""
    before, after = beside(lesson)
    links = []
    if before:
        links.append(f"[← {before.number}. {before.title}]({seen_from_pages(before)})")
    links.append(lesson.part)
    if after:
        links.append(f"[{after.number}. {after.title} →]({seen_from_pages(after)})")
    return " · ".join(links)


def seen_from_pages(lesson: Lesson) -> str:
    """A lesson's page, or its file where no page has been made yet."""
    return lesson.page.name if lesson.page.exists() else f"../{lesson.path.name}"


def from_pages(target: str, is_image: bool) -> str:
    """A target as it is written in a lesson, seen from lessons/pages."""
    for lesson in lessons():
        if target == lesson.path.name:
            return seen_from_pages(lesson)
    return f"../{target}"


def digest(lesson: Lesson) -> str:
    """Of the lesson's file, whatever its line ends."""
    return hashlib.sha256(read_text(lesson.path).replace("\r\n", "\n").encode()).hexdigest()[:16]


def is_old(lesson: Lesson) -> bool:
    """Whether the lesson's page was made from another version of its file."""
    return f"<!-- made from {lesson.path.name} {digest(lesson)} -->" not in read_text(lesson.page)
