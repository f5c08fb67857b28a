"""The checks themselves: a learner's copy is checked and not the lesson, stubs are to do, and no loop runs for ever."""

import os
import re
import subprocess
import sys

import pytest
import torch

from minitune.course.copies import start
from minitune.course.table import find_lesson
from minitune.files import PACKAGE, read_text
from tests.lessons.checking import exercise_of, lesson_of, limit, load, to_do

LORA = find_lesson(22)


@pytest.mark.skipif(os.name != "posix", reason="there is no alarm on Windows")
def test_a_loop_without_end_is_stopped_and_named():
    says = r"exercise 90\.1 did not end within 0\.01 seconds"
    with pytest.raises(pytest.fail.Exception, match=says), limit(0.01, "exercise 90.1"):
        while True:
            pass
    with limit(1.0, "this"):
        pass


def test_the_names_of_checks_lead_to_their_exercise_and_lesson(tmp_path):
    assert exercise_of("test_22_1_shapes") == "exercise 22.1" and "together" in exercise_of("test_the_package")
    assert lesson_of(tmp_path / "test_22_lora.py") == LORA and lesson_of(tmp_path / "test_checking.py") is None


def raised(mine, call):
    with pytest.raises(NotImplementedError) as error:
        call(mine)
    return error.value


def test_a_stub_is_to_do_and_a_forward_that_was_renamed_is_not(tmp_path):
    start(tmp_path / "mine")
    path = tmp_path / "mine" / LORA.path.name
    mine = load(LORA, tmp_path / "mine", 9.0)
    assert to_do(raised(mine, lambda mine: mine.merge(None)), path) == "22.3"
    assert to_do(ValueError("bad"), path) is None
    path.write_text(
        read_text(LORA.path).replace("    def forward(self, x: Tensor)", "    def forwards(self, x: Tensor)")
    )

    mine = load(LORA, tmp_path / "mine", 9.0)
    error = raised(mine, lambda mine: mine.LoRALinear(torch.nn.Linear(2, 2), 1, 1.0)(torch.ones(1, 2)))
    assert to_do(error, path) is None, "PyTorch's own NotImplementedError is a mistake of the learner's"


def test_a_file_that_cannot_be_read_fails_in_one_sentence(tmp_path):
    start(tmp_path / "mine")
    path = tmp_path / "mine" / LORA.path.name
    path.write_text(read_text(path).replace("def merge(model: nn.Module)", "def merge(model: nn.Module"))
    with pytest.raises(pytest.fail.Exception, match=r"22_lora.py, line \d+: .*correct the line") as failure:
        load(LORA, tmp_path / "mine", 9.0)
    assert failure.value.pytrace is False
    path.unlink()
    with pytest.raises(pytest.skip.Exception, match="is not there; minitune start"):
        load(LORA, tmp_path / "mine", 9.0)


def check(folder, *options):
    """What `pytest --mine` prints, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "--mine", folder, *options]
    paths = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths, "PYTEST_ADDOPTS": ""}
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
    return run.stdout + run.stderr


@pytest.mark.skipif(os.name != "posix", reason="there is no alarm on Windows")
def test_a_learners_copy_is_checked(tmp_path):
    """22.1 is right, 22.2 does not end, and 22.3 has not been begun."""
    start(tmp_path / "mine")
    path = tmp_path / "mine" / LORA.path.name
    whole, rest = read_text(LORA.path), read_text(path)
    first = rest.index("class LoRALinear"), rest.index("# %%", rest.index("class LoRALinear"))
    theirs = whole.index("class LoRALinear"), whole.index("# %%", whole.index("class LoRALinear"))
    rest = rest[: first[0]] + whole[slice(*theirs)] + rest[first[1] :]
    loop = "    while True:\n        pass\n"
    at = rest.index("raise NotImplementedError", rest.index("def add_lora"))
    path.write_text(rest[:at] + "\n" + loop + rest[at + len("raise NotImplementedError") :])
    said = check(tmp_path / "mine", "-m", LORA.marker, "--seconds", "0.2", "--tb", "line")
    assert re.search(r"exercise 22.2 did not end within 0.2 seconds", said), said
    assert not re.search(r"FAILED .*test_22_1", said), f"22.1 is right: {said}"
    assert "22.1 to do" not in said and "22.2 to do" not in said
    assert "test_wrong_versions" not in said and "test_lora.py" not in said, "only exercises are checked"
