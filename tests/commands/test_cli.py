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


@pytest.mark.parametrize("command", [("lesson", 1, "--page"), ("site", "--out", "site")], ids=["page", "site"])
def test_an_extra_that_is_not_installed_is_named_with_its_command(capsys, here, monkeypatch, command):
    monkeypatch.setattr("minitune.course.running.has", lambda *_: False)
    status, _, err = run(capsys, *command)
    assert status == 2 and "not installed here: pip install -e '.[pages]'" in err, err
    assert not (here / "site").exists()


def test_a_notebook_without_the_extra_has_no_outputs_and_says_so(capsys, here, monkeypatch):
    monkeypatch.setattr("minitune.course.running.has", lambda *_: False)
    status, out, err = run(capsys, "notebook", 1)
    assert status == 0 and (here / out.strip()).exists() and "without outputs" in err


def test_a_learners_copy_is_started(capsys, here):
    status, out, _ = run(capsys, "start", "mine")
    assert status == 0 and "pytest --mine mine" in out
    assert "NotImplementedError" in (here / "mine" / "22_lora.py").read_text()


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
