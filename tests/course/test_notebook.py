"""A notebook: figures inside, links that work from where it is written, stubs for a learner, outputs where asked."""

import json

import pytest

from minitune.course import notebook as module
from minitune.course.notebook import notebook
from minitune.course.running import PAGES, need
from minitune.course.table import Lesson
from minitune.errors import UserError

TEXT = """# %% [markdown]
# # Lesson 90: a title
#
# ![a figure](figures/90-a.png), [answers](answers/90_a.md), [the next](91_b.py)
#
# **Exercise 90.1 (1 minute).** One.

# %% tags=["exercise"]
def f():
    return 1

# %% tags=["hide-input"]
print(f())
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    for path, text in {
        "90_a.py": TEXT,
        "91_b.py": "# %%\n",
        "answers/90_a.md": "One.",
        "figures/90-a.png": "png",
    }.items():
        (tmp_path / "lessons" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lessons" / path).write_text(text)
    monkeypatch.setattr("minitune.course.table.shared", lambda name: tmp_path / name)
    found = [Lesson(90, "a", "a title", "Part"), Lesson(91, "b", "b", "Part")]
    monkeypatch.setattr(module, "lessons", lambda: found)
    return found[0]


def cells_of(path):
    return json.loads(path.read_text())["cells"]


def test_figures_are_inside_and_links_work_beside_it(lesson, tmp_path):
    text, *_ = cells_of(notebook(lesson, tmp_path / "out"))
    source = "".join(text["source"])
    assert "(attachment:90-a.png)" in source and text["attachments"] == {"90-a.png": {"image/png": "cG5n"}}
    assert "(answers/90_a.md)" in source and (tmp_path / "out/answers/90_a.md").read_text() == "One."
    assert "(91_b.ipynb)" in source


def test_a_learner_gets_stubs_and_then_the_check(lesson, tmp_path):
    path = notebook(lesson, tmp_path / "out", exercises=True)
    _, exercise, check = cells_of(path)
    assert path.name == "90_a-exercises.ipynb", "beside the whole notebook, not over it"
    assert "raise NotImplementedError" in exercise["source"][-1] and "".join(check["source"]) == "print(f())"
    assert check["metadata"]["jupyter"] == {"source_hidden": True}, "the code of a figure is folded"


def test_outputs_are_below_their_code(lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "results_of", lambda lesson: {"print(f())": "1"})
    *_, shown = cells_of(notebook(lesson, tmp_path, outputs=True))
    assert shown["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]
    assert notebook(lesson, tmp_path), "the same code with other outputs was not edited"


def test_an_edited_notebook_stays(lesson, tmp_path):
    path = notebook(lesson, tmp_path)
    path.write_text(path.read_text().replace("return 1", "return 2"))
    with pytest.raises(UserError, match="was edited"):
        notebook(lesson, tmp_path)
    assert "return 1" in notebook(lesson, tmp_path, force=True).read_text()


def test_what_is_not_installed_is_a_sentence_with_the_command():
    with pytest.raises(UserError, match=r"a page needs no_such_module, .* pip install -e '.\[pages\]'"):
        need("a page", "json", "no_such_module")


def test_a_lesson_is_run_with_its_outputs(lesson, tmp_path):
    for name in PAGES:
        pytest.importorskip(name)
    *_, shown = cells_of(notebook(lesson, tmp_path, outputs=True))
    assert shown["outputs"][0]["text"] == ["1\n"]
