"""A learner's copy: stubs, and never over what a learner wrote."""

import pytest

from minitune.course import copies
from minitune.course.copies import check_is_copy, start
from minitune.course.table import Lesson
from minitune.errors import UserError

TEXT = '# %% tags=["exercise"]\ndef f():\n    return {}\n'


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """Two lessons; the second is not there yet."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "90_a.py").write_text(TEXT.format(1))
    found = [Lesson(90, "a", "a", "Part")]
    monkeypatch.setattr("minitune.course.table.shared", lambda name: tmp_path / name)
    monkeypatch.setattr(copies, "lessons", lambda: found)
    return found


def test_stubs_are_written_and_new_lessons_added(lessons, tmp_path):
    mine = tmp_path / "mine"
    assert start(mine) == [f"written to {mine}: 90_a.py"]
    assert "NotImplementedError" in (mine / "90_a.py").read_text() and "return" not in (mine / "90_a.py").read_text()
    assert start(mine) == [f"{mine} has all lessons already"]
    (mine / "90_a.py").write_text("my work")
    (tmp_path / "lessons" / "91_b.py").write_text(TEXT.format(2))
    lessons.append(Lesson(91, "b", "b", "Part"))
    assert start(mine) == [f"written to {mine}: 91_b.py"], "of a lesson that has not changed there is nothing to say"
    assert (mine / "90_a.py").read_text() == "my work", "what the learner wrote is lost"


def test_a_lesson_that_changed_is_renewed_or_told_of(lessons, tmp_path):
    mine, lesson = tmp_path / "mine", tmp_path / "lessons" / "90_a.py"
    start(mine)
    lesson.write_text("# new\n" + TEXT.format(1))
    (told,) = start(mine)
    assert "new version" in told and (mine / "90_a.py").read_text().startswith("# new"), "it was not begun: renew it"
    (mine / "90_a.py").write_text("my work")
    lesson.write_text("# newer\n" + TEXT.format(1))
    (told,) = start(mine)
    assert "yours is left as it is" in told and (mine / "90_a.py").read_text() == "my work"


def test_only_a_folder_of_lessons_is_taken(lessons, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UserError, match="holds no lessons: --mine wants the folder that `minitune start"):
        check_is_copy(other)
    with pytest.raises(UserError, match="is not there: --mine wants"):
        check_is_copy(tmp_path / "nowhere")
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else"):
        start(other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
