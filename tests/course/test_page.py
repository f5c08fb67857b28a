"""A page: outputs below their code, exercises as stubs, solutions folded, links that lead somewhere."""

import re
from types import SimpleNamespace

import pytest

from minitune.course.links import relink, targets
from minitune.course.page import digest, is_old, page
from minitune.course.table import beside, find_lesson, lessons
from minitune.files import read_text, shared


class Output(dict):
    """As of nbformat: its entries are attributes too."""

    __getattr__ = dict.__getitem__


def cell(kind, source, *tags, out=""):
    said = [Output(output_type="stream", name=name, text=text) for name, text in (("stdout", out), ("stderr", "a bar"))]
    return SimpleNamespace(cell_type=kind, source=source, metadata={"tags": list(tags)}, outputs=said)


@pytest.fixture
def text():
    found = [
        cell("markdown", "# A title\n\n![a figure](figures/01-a.png) and [answers](answers/01.md)"),
        cell("code", "draw()", "hide-input", out="figure: /tmp/x.png\n"),
        cell("code", "def f():\n    # your turn\n    return 1", "exercise"),
        cell("code", "print(f())", out="1\n"),
    ]
    return page(lessons()[1], SimpleNamespace(cells=found))


def test_an_exercise_is_a_stub_with_its_solution_folded(text):
    before, solution = text.split("<details><summary>Solution</summary>")
    assert "    # your turn\n    raise NotImplementedError" in before and "return 1" not in before
    assert "return 1" in solution and "# your turn" not in solution


def test_the_code_of_a_figure_is_folded_and_outputs_are_in_view(text):
    assert "<details><summary>Code</summary>\n\n```python\ndraw()\n```\n\n</details>" in text
    assert "```python\nprint(f())\n```\n\n```text\n1\n```" in text
    assert "figure:" not in text and "a bar" not in text, "where figures went, and stderr, are not for a reader"


def test_links_are_seen_from_the_folder_of_pages(text):
    assert "![a figure](../figures/01-a.png)" in text and "[answers](../answers/01.md)" in text
    before, after = beside(lessons()[1])
    assert f"← {before.number}. {before.title}" in text and f"{after.number}. {after.title} →" in text


def test_targets_are_changed_outside_of_code_alone():
    given = "[a](b.md) ![c](d.png) `[e](f.md)` [g](https://h) [i](#j)\n```\n[k](l.md)\n```\n"
    assert targets(given) == ["b.md", "d.png"]
    changed = relink(given, lambda target, is_image: target.upper() if is_image else "x")
    assert changed == "[a](x) ![c](D.PNG) `[e](f.md)` [g](https://h) [i](#j)\n```\n[k](l.md)\n```\n"


PAGES = [lesson for lesson in lessons() if lesson.page.exists()]


@pytest.mark.parametrize("lesson", PAGES, ids=lambda lesson: lesson.stem)
def test_no_page_is_older_than_its_lesson(lesson):
    assert not is_old(lesson), f"the lesson has changed since its page was made: minitune lesson {lesson.number} --page"


@pytest.mark.parametrize("lesson", PAGES, ids=lambda lesson: lesson.stem)
def test_every_link_of_a_page_leads_somewhere_and_no_traceback_is_shown(lesson):
    text = read_text(lesson.page)
    assert "Traceback" not in text
    for target in targets(text):
        path = lesson.page.parent / target.partition("#")[0]
        assert path.exists(), f"{lesson.page.name} links to {target}: is the page of a neighbour there or gone since?"


def test_there_is_no_page_without_a_lesson():
    assert {path.name for path in (shared("lessons") / "pages").glob("*.md")} == {lesson.page.name for lesson in PAGES}


def test_a_page_of_another_version_is_old(tmp_path, monkeypatch):
    lesson = find_lesson(1)
    monkeypatch.setattr("minitune.course.page.read_text", lambda path: f"<!-- made from {lesson.path.name} 0123 -->")
    assert is_old(lesson)
    monkeypatch.undo()
    assert re.fullmatch(r"[0-9a-f]{16}", digest(lesson))
