"""The site: the committed pages as static HTML, by Sphinx with MyST and Furo, which the extra `pages` brings.

It works from `file://` and fetches nothing from elsewhere: mathematics is written as MathML while the site is made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from minitune.course.running import need
from minitune.course.table import LESSONS, PARTS
from minitune.errors import UserError
from minitune.files import PACKAGE, read_text, shared
from minitune.writing import check_can_write, place_of, write_text

SITE = ("sphinx", "myst_parser", "furo", "latex2mathml", "ziamath")
MARK = ".minitune-site"
SETTINGS = {
    "extensions": ["myst_parser", "minitune.course.mathml"],
    "project": "minitune",
    "html_title": "minitune",
    "html_theme": "furo",
    "html_math_renderer": "mathml",
    "html_show_search_summary": False,  # it is fetched page by page, which a browser refuses from file://
    "html_show_sphinx": False,
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_css_files": ["course.css"],
    "html_static_path": ["_static"],
    "myst_enable_extensions": ["dollarmath", "attrs_inline"],
    "myst_heading_anchors": 3,
    "pygments_style": "friendly",
    "pygments_dark_style": "monokai",
    "exclude_patterns": [],
    "suppress_warnings": ["myst.header", "misc.highlighting_failure"],
}
CSS = """
details { border-left: 3px solid var(--color-background-border); margin: 1em 0; padding: 0 0 0 0.8em; }
details > summary { cursor: pointer; color: var(--color-link); }
article img { background: white; border-radius: 4px; max-width: 100%; height: auto; }
math[display="block"] { margin: 1em 0; overflow-x: auto; overflow-y: hidden; max-width: 100%; }
.highlight pre { overflow-x: auto; }
article .toctree-wrapper > .caption { display: none; }
@media print {
  details::details-content { content-visibility: visible; block-size: auto; }
  .highlight pre { white-space: pre-wrap; }
}
"""


def write_site(out: Path) -> Path:
    """Build the site of all pages that are there; returns its first page. A site that was there is replaced.

    Raises:
        UserError: the extra `pages` is not installed; `out` holds something else; there are no pages.
    """
    check_can_write(out / MARK)
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise UserError(f"{out} holds something that is not a site of minitune: choose another --out")
    if not any(lesson.page.exists() for lesson in LESSONS):
        raise UserError("there are no pages yet: minitune lesson N --page makes that of a lesson")
    need("a site", *SITE)
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "source", Path(folder) / "made"
        gather(source)
        build(source, made)
        replace(made, out)
    return out / "index.html"


def gather(source: Path) -> None:
    """The site's sources: pages, figures, answers, what else they link to, and a first page made from the table."""
    lessons = shared("lessons")
    for name in ("pages", "figures", "answers", "more", "manual", "results"):
        if (lessons / name).is_dir():
            shutil.copytree(lessons / name, source / name)
    for lesson in LESSONS:
        shutil.copy(lesson.path, source)  # what a page links to where the other has no page
    write_text(source / "conf.py", "\n".join(f"{name} = {value!r}" for name, value in SETTINGS.items()) + "\n")
    write_text(source / "index.md", first_page(source))
    write_text(source / "_static" / "course.css", CSS)
    for path in [*source.glob("answers/*.md"), *source.glob("more/*.md")]:
        write_text(path, "---\norphan: true\n---\n\n" + read_text(path))


def first_page(source: Path) -> str:
    """Title, what the course is, the lessons by part; and the manual, if there is one."""
    parts = ["# minitune", introduction()]
    for part in PARTS:
        there = [lesson for lesson in LESSONS if lesson.part == part and lesson.page.exists()]
        if there:
            entries = [f"{lesson.number}. {lesson.title} <pages/{lesson.stem}>" for lesson in there]
            parts += [f"## {part}", contents(part, entries)]
    manual = [f"manual/{path.stem}" for path in sorted(source.glob("manual/*.md"))]
    if manual:
        parts += ["## Manual", contents("Manual", manual)]
    return "\n\n".join(parts) + "\n"


def introduction() -> str:
    """What README says between its title and its first section."""
    beside = shared("lessons").parent / "README.md"
    text = read_text(beside) if beside.exists() else "# minitune\n\nTuning and prompting language models, from scratch."
    paragraphs = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0].partition("\n")[2]
    return re.sub(r"!?\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", paragraphs).strip()


def contents(caption: str, entries: list[str]) -> str:
    return "\n".join(["```{toctree}", f":caption: {caption}", ":maxdepth: 1", "", *entries, "```"])


def build(source: Path, made: Path) -> None:
    """Raises:
    UserError: a page links to nothing, or cannot be read; the sentence has the generator's words.
    """
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-d", made.parent / "trees", source, made]
    paths = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths, "NO_COLOR": "1"}
    )
    warnings = [line for line in run.stderr.splitlines() if line.strip()]
    if run.returncode and not warnings:
        warnings = [f"the generator ended with status {run.returncode}"]
    if warnings:
        where = [line.replace(f"{source}/", "") for line in warnings]
        raise UserError(f"the site was not written, for its pages have faults ({len(where)}): {'; '.join(where[:5])}")


def replace(made: Path, out: Path) -> None:
    """Move the built site to `out`; a file of an older site that is not made any more goes."""
    write_text(made / MARK, "made by minitune site\n")
    target = place_of(out)
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, target)
