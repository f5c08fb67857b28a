"""Lessons: the percent format, the notebooks, and what every lesson must have."""

import json
import re
from fnmatch import fnmatch

import pytest

from minitune.course.cells import Cell, cells
from minitune.course.lessons import read_result, save_result, show_table
from minitune.course.notebook import notebook
from minitune.course.table import beside, find_lesson, lessons
from minitune.errors import UserError
from minitune.files import read_text, shared

MORE = sorted((shared("lessons") / "more").glob("*.py"))

SOURCE = """# %% [markdown]
# # Lesson 9: a title
#
# **Exercise 9.1 (5 minutes).** Text with `code`.


# %% tags=["exercise"]
def one():  # %% is no mark in the middle of a line
    return 1


# %% tags=["hide-input"]

print(one())

# %%
"""


def test_cells_are_parted_and_unmarked():
    text, exercise, shown = cells(SOURCE)
    assert text == Cell("markdown", "# Lesson 9: a title\n\n**Exercise 9.1 (5 minutes).** Text with `code`.", (), 2)
    assert exercise.text.endswith("    return 1") and exercise.tags == ("exercise",)
    assert (exercise.line, exercise.exercise) == (8, "9.1"), "a failure is told with the line of the file"
    assert shown == Cell("code", "print(one())", ("hide-input",), 14), "a cell is no exercise because one is before it"


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.stem)
def test_jupytext_reads_the_same_cells(lesson):
    jupytext = pytest.importorskip("jupytext")
    theirs = [cell for cell in jupytext.read(lesson.path).cells if cell.source.strip()]
    ours = cells(read_text(lesson.path))
    assert [(c.cell_type, c.source.strip()) for c in theirs] == [(c.kind, c.text.strip()) for c in ours]
    assert [tuple(c.metadata.get("tags", ())) for c in theirs] == [c.tags for c in ours]


def test_the_table_and_the_folder_say_the_same():
    assert [lesson.path.name for lesson in lessons()] == sorted(path.name for path in shared("lessons").glob("*.py"))
    assert [lesson.number for lesson in lessons()] == sorted({lesson.number for lesson in lessons()})


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.stem)
def test_a_lesson_and_what_belongs_to_it_have_its_number(lesson):
    text = read_text(lesson.path)
    assert text.startswith(f"# %% [markdown]\n# # Lesson {lesson.number}: {lesson.title}\n"), "title as in the table"
    for name in re.findall(r'\bshow\([^()]*"([^"]+\.png)"\)', text):
        assert name.startswith(f"{lesson.number:02}-"), f"{name} is drawn by lesson {lesson.number}"


@pytest.mark.parametrize("folder", ["answers", "more", "figures", "results", "pages"])
def test_every_file_belongs_to_a_lesson_of_the_table(folder):
    numbers = {lesson.number for lesson in lessons()}
    for path in (shared("lessons") / folder).glob("[0-9][0-9]*"):
        assert int(path.name[:2]) in numbers, f"{folder}/{path.name} belongs to no lesson of the table"


def test_what_is_before_and_after():
    first, second, *_ = lessons()
    assert beside(first) == (None, second) and beside(lessons()[-1])[1] is None


ALWAYS = ("You need", "## Common mistakes", "## Exercises")
BUILT = (  # lessons in which the method is written out before the package does it
    "When you have finished, you can",
    "## The problem",
    "## Write it yourself",
    "## The same, from the package",
    "before measuring",
    "At scale, here, why",
    "## Check yourself",
    "## In one paragraph",
)
REBUILT = (  # lessons in which the learner writes the method
    "**Before this:**",
    "After this lesson you can",
    "## The problem",
    "## Write it yourself",
    "**At scale.**",
    "## In practice",
    "## Common mistakes",
    "## Check yourself",
    "## In one paragraph",
)
SHOWN = ("To read", "To run", "Expected", "## What to notice", "## Three questions")


def is_rebuilt(text: str) -> bool:
    return any("exercise" in cell.tags for cell in cells(text))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.path.stem)
def test_a_lesson_has_all_its_parts(lesson):
    text = read_text(lesson.path)
    is_built = "## Write it yourself" in text
    for part in REBUILT if is_rebuilt(text) else (*ALWAYS, *(BUILT if is_built else SHOWN)):
        assert part in text, f"{lesson.path.name} lacks {part!r}"
    if is_built:
        answers = lesson.path.parent / "answers" / f"{lesson.path.stem}.md"
        assert answers.exists(), f"{lesson.path.name} asks questions, and {answers.name} does not answer them"
    for figure in re.findall(r"!\[[^]]*\]\((figures/[^)]+)\)", text):
        assert (lesson.path.parent / figure).exists(), f"{figure} is shown and not there"
        assert f'"{figure.removeprefix("figures/")}"' in text, f"{figure} is shown and never drawn"


@pytest.mark.parametrize("path", [*(lesson.path for lesson in lessons()), *MORE], ids=lambda path: path.stem)
def test_every_table_has_a_heading_and_our_own_word_is_explained(path):
    text = read_text(path)
    assert not re.search(r"print\(\s*table\(", text), "a table is printed without a heading: use show_table"
    code = "\n".join(cell.text for cell in cells(text) if cell.kind == "code")
    if re.search(r"\.door\b", code):
        assert "our word for" in text, "the code says `door`, and no sentence explains the word"


@pytest.mark.parametrize("path", MORE, ids=lambda path: path.stem)
def test_what_belongs_to_a_lesson_is_pointed_to_and_its_result_is_there(path):
    text = read_text(path)
    lesson = find_lesson(int(path.name[:2]))
    assert text.startswith(f"# %% [markdown]\n# # Lesson {lesson.number}, more: "), "the first line names its lesson"
    assert "**Belongs to**" in text and "**To run:**" in text
    assert path.name in read_text(lesson.path), f"{lesson.path.name} does not point to more/{path.name}"
    compile(text, path.name, "exec")
    for name in re.findall(r'save_result\(.*?"([\w-]+\.json)"\)', text, re.DOTALL):
        assert read_result(name), f"{path.name} writes {name}, which lessons/results lacks"


def test_every_stored_result_is_used():
    texts = "".join(read_text(path) for path in [*(lesson.path for lesson in lessons()), *MORE])
    named = re.findall(r"\d\d-[\w*-]+\.json", texts)  # a lesson may name a family of sweeps, 04-rates-*.json
    for path in sorted((shared("lessons") / "results").glob("*.json")):
        assert any(fnmatch(path.name, name) for name in named), f"no lesson speaks of results/{path.name}"


def test_a_table_is_printed_under_its_heading(capsys):
    show_table("What the table shows", ["method", "score"], [["full", "0.91"]])
    lines = capsys.readouterr().out.split("\n")
    assert lines[1] == "What the table shows", "the heading stands above the table, with a blank line before it"
    assert lines[3].split() == ["method", "score"] and lines[5].split() == ["full", "0.91"]


def test_a_result_is_saved_beside_the_runs_and_read_from_the_lessons(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_result({"draws": 5}, "00-example.json")
    assert json.loads((tmp_path / "runs/results/00-example.json").read_text()) == {"draws": 5}
    assert "runs/results/00-example.json" in capsys.readouterr().out, "a person must learn where the result went"
    with pytest.raises(UserError, match=r"lessons/results/00-example.json"):
        read_result("00-example.json")


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.path.stem)
def test_a_notebook_holds_the_same_code(lesson, tmp_path):
    content = json.loads(notebook(lesson, tmp_path).read_text())
    assert not any("outputs" in cell and cell["outputs"] for cell in content["cells"])
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    assert code == [cell.text for cell in cells(read_text(lesson.path)) if cell.kind == "code"]
    compile("\n".join(code), lesson.path.name, "exec")
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])


def test_an_unknown_lesson_names_those_that_are():
    with pytest.raises(UserError, match="no lesson 77; there are 1, "):
        find_lesson(77)
