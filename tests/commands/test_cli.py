"""What all commands have in common: one sentence for bad input, status 2; Ctrl-C is 130."""

import json

from tests.commands.helpers import run


def test_lessons_are_listed_and_converted(capsys, here):
    status, out, _ = run(capsys, "lesson")
    assert status == 0 and "a GPT by hand" in out
    status, out, _ = run(capsys, "notebook", 1)
    notebook = json.loads((here / out.strip()).read_text())
    assert notebook["nbformat"] == 4 and {"code", "markdown"} == {cell["cell_type"] for cell in notebook["cells"]}


def test_ctrl_c_is_130(capsys, here, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minitune.course.lessons.lessons", interrupted)
    status, _, err = run(capsys, "lesson")
    assert status == 130 and "stopped" in err
