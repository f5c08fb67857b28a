"""Lessons: the percent format, the notebooks, and what every lesson must have."""

import json
import re

import pytest

from minitune.course.lessons import Cell, cells, find_lesson, lessons, notebook
from minitune.errors import UserError
from minitune.files import read_text

SOURCE = """# %% [markdown]
# # Lesson 9: a title
#
# Text with `code`.

# %%
x = 1  # %% is no mark in the middle of a line

# %%
print(x)
"""


def test_cells_are_parted_and_unmarked():
    assert cells(SOURCE) == [
        Cell("markdown", "# Lesson 9: a title\n\nText with `code`."),
        Cell("code", "x = 1  # %% is no mark in the middle of a line"),
        Cell("code", "print(x)"),
    ]


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.path.stem)
def test_a_lesson_has_all_its_parts(lesson):
    text = read_text(lesson.path)
    for part in ("You need", "To read", "To run", "Expected", "## What to notice", "## Common mistakes"):
        assert part in text, f"{lesson.path.name} lacks {part!r}"
    for part in ("## Exercises", "## Three questions"):
        assert part in text, f"{lesson.path.name} lacks {part!r}"
    for figure in re.findall(r"!\[[^]]*\]\((figures/[^)]+)\)", text):
        assert (lesson.path.parent / figure).exists(), f"{figure} is shown and not there"
        assert f'"{figure.removeprefix("figures/")}"' in text, f"{figure} is shown and never drawn"
    assert not re.search(r"^(def|class) \w*(Attention|LoRA|Verbalizer|Template)\b", text, re.MULTILINE), (
        "a lesson imports methods, and never defines one again"
    )


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.path.stem)
def test_a_notebook_holds_the_same_code(lesson, tmp_path):
    content = json.loads(notebook(lesson, tmp_path).read_text())
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    assert code == [cell.text for cell in cells(read_text(lesson.path)) if cell.kind == "code"]
    compile("\n".join(code), lesson.path.name, "exec")
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])


def test_an_unknown_lesson_names_those_that_are():
    with pytest.raises(UserError, match="no lesson 77; there are 1, "):
        find_lesson(77)
