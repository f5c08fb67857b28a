"""What is printed never ends the work, and Ctrl-C always does, also while PyTorch is being imported."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from minitune.commands.cli import main
from minitune.commands.terminal import Outlet, outlets, printable, stop_at_once_in_an_import
from tests.commands.helpers import run

posix = pytest.mark.skipif(os.name != "posix", reason="of systems with pipes and signals")


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
def test_a_stream_that_fails_is_left_alone(monkeypatch, error):
    monkeypatch.setattr(sys, "stdout", Broken(error))
    with outlets() as (out, _):
        print("one line")
        print("and another")
        assert out.failure is error


def test_a_process_without_streams_prints_to_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with outlets():
        print("nobody hears this")
        assert not sys.stdout.isatty()


def test_control_characters_are_written_out():
    assert printable("a\x1b[31mred\x07\x9b\r\n\tend") == "a\\x1b[31mred\\x07\\x9b\\x0d\n\tend"
    assert printable("naïve 猫") == "naïve 猫", "only control characters are none of a text"


def test_another_alphabet_is_no_failure():
    raw = io.BytesIO()
    outlet = Outlet(io.TextIOWrapper(raw, encoding="ascii"), escape=True)
    outlet.write("é \udcff")
    outlet.flush()
    assert raw.getvalue() == b"\\xe9 \\udcff" and outlet.failure is None


def test_a_control_character_in_a_name_does_not_reach_the_terminal(capsys, here):
    status, _, err = run(capsys, "predict", "no\x1b[31mwhere", "a text")
    assert status == 2 and "\\x1b[31m" in err and "\x1b" not in err


def test_a_control_character_that_is_printed_does_not_reach_the_terminal(capsys):
    with outlets():
        print("a label of \x1b[31m")
    assert capsys.readouterr().out == "a label of \\x1b[31m\n"


def command(*arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-m", "minitune", *arguments], **pipes)


@posix
def test_a_closed_pipe_ends_quietly():
    with command("lesson") as process:
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b""), "no traceback, no complaint"


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
def test_a_full_output_is_one_sentence():
    with open("/dev/full", "wb") as full, command("lesson", stdout=full) as process:
        assert process.wait() == 2
        assert (
            process.stderr.read()
            == b"minitune cannot print: No space left on device; files that were to be written are whole\n"
        )


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["--version"], ["lesson"]])
def test_a_help_that_cannot_be_printed_is_no_success(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    assert main(arguments) == 2, "it ends with 0 though nobody has read it"
    assert capsys.readouterr().err.startswith("minitune cannot print: No space left on device")
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(32, "Broken pipe")))
    assert main(arguments) == 0, "a reader that has seen enough is no failure"


# Ctrl-C

IMPORTING = """
import signal, sys
from minitune.commands.terminal import stop_at_once_in_an_import
signal.signal(signal.SIGINT, stop_at_once_in_an_import)
try:
    import swallows
except BaseException:
    pass
print("went on")
"""


@posix
def test_an_import_that_swallows_ctrl_c_is_stopped(tmp_path):
    """As compiled modules do."""
    swallows = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
    (tmp_path / "swallows.py").write_text(swallows)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", IMPORTING], env=environment, capture_output=True)
    assert (done.returncode, done.stdout) == (130, b""), "the import swallowed Ctrl-C, and the work went on"
    assert b"stopped" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.thorough
@posix
def test_the_command_line_sets_the_handler_before_it_imports_anything_large():
    with command("compare", "--seeds", "1") as process:
        time.sleep(0.5)  # somewhere in its imports, or soon after them
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert b"stopped" in process.stderr.read()


def test_elsewhere_it_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt):
        stop_at_once_in_an_import(signal.SIGINT, sys._getframe())
