"""The site: made of the pages that are there, in the order of the table, and nothing of it comes from elsewhere."""

import re

import pytest

from minitune.course import site
from minitune.course.site import SITE, first_page, write_site
from minitune.course.table import Lesson
from minitune.errors import UserError


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """Two lessons, of which one has a page."""
    found = (Lesson(90, "a", "a title", "One"), Lesson(91, "b", "b", "Two"))
    for lesson in found:
        (tmp_path / "lessons" / "pages").mkdir(parents=True, exist_ok=True)
        (tmp_path / "lessons" / lesson.path.name).write_text("# %%\n")
    monkeypatch.setattr("minitune.course.table.shared", lambda name: tmp_path / name)
    monkeypatch.setattr(site, "shared", lambda name: tmp_path / name)
    monkeypatch.setattr(site, "LESSONS", found)
    monkeypatch.setattr(site, "PARTS", {"One": (), "Two": ()})
    found[0].page.write_text("# A title\n\n$1{,}024$\n\n<details><summary>More</summary>\n\nfolded\n\n</details>\n")
    return found


def test_the_first_page_lists_what_is_there_by_parts(lessons, tmp_path):
    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "times.md").write_text("# Times")
    text = first_page(tmp_path)
    assert "## One\n\n```{toctree}\n:caption: One" in text and "90. a title <pages/90_a>" in text
    assert "## Two" not in text, "a part whose lessons have no pages yet is not listed"
    assert "manual/times" in text


def test_a_folder_that_holds_something_else_stays(lessons, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "need", lambda *_: None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something that is not a site of minitune"):
        write_site(tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
    lessons[0].page.unlink()
    with pytest.raises(UserError, match="no pages yet: minitune lesson N --page"):
        write_site(tmp_path / "other")


def test_the_site_is_whole_and_fetches_nothing(lessons, tmp_path):
    for name in SITE:
        pytest.importorskip(name)
    (tmp_path / "out").mkdir()
    for name, text in {".minitune-site": "", "old.html": "of a lesson that is gone"}.items():
        (tmp_path / "out" / name).write_text(text)
    write_site(tmp_path / "out")
    assert not (tmp_path / "out" / "old.html").exists(), "a site is replaced by a newer one"
    made = (tmp_path / "out" / "pages" / "90_a.html").read_text()
    assert "<mn>1,024</mn>" in made and "<details><summary>More</summary>" in made
    assert "data:font/woff" in (tmp_path / "out" / "_static" / "math.css").read_text(), "brackets would not stretch"
    for page in (tmp_path / "out").rglob("*.html"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]+\.(?:js|css|woff2?)', page.read_text())
    lessons[0].page.write_text("# A title\n\n![gone](../figures/gone.png)\n")
    with pytest.raises(UserError, match=r"faults \(1\): pages/90_a.md.*gone.png"):
        write_site(tmp_path / "out")
