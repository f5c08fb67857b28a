"""What all commands have in common: one sentence for bad input, status 2; Ctrl-C is 130."""

import json

import pytest

from tests.commands.helpers import run


def test_lessons_are_listed_and_converted(capsys, here):
    status, out, _ = run(capsys, "lesson")
    assert status == 0 and "a GPT by hand" in out
    status, out, _ = run(capsys, "notebook", 1, "--no-outputs")
    notebook = json.loads((here / out.strip()).read_text())
    assert notebook["nbformat"] == 4 and {"code", "markdown"} == {cell["cell_type"] for cell in notebook["cells"]}


def test_ctrl_c_is_130(capsys, here, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minitune.course.table.lessons", interrupted)
    status, _, err = run(capsys, "lesson")
    assert status == 130 and "stopped" in err


def test_what_the_system_refuses_is_one_sentence_with_its_path(capsys, here, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied", "some/folder")

    monkeypatch.setattr("minitune.course.table.lessons", refused)
    status, _, err = run(capsys, "lesson")
    assert (status, err) == (
        2,
        "minitune lesson: cannot use some/folder: Permission denied; check the path and who may use it\n",
    )


def test_what_the_system_refuses_without_a_path_is_a_mistake_of_ours(capsys, here, monkeypatch):
    def fail(*_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("minitune.course.table.lessons", fail)
    with pytest.raises(OSError, match="Bad file"):
        run(capsys, "lesson")


def test_a_quoted_home_is_the_home(capsys, here, monkeypatch):
    monkeypatch.setenv("HOME", str(here / "home"))
    assert run(capsys, "notebook", 1, "--no-outputs", "--out", "~/notes")[0] == 0
    assert list((here / "home" / "notes").glob("*.ipynb")) and not (here / "~").exists()
