"""How files are written so that nothing is lost."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from minitune.errors import UserError
from minitune.files import read_text
from minitune.writing import alone_in, check_can_write, write_safely, write_text

posix = pytest.mark.skipif(os.name != "posix", reason="of systems with links, pipes and modes")


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text("what stood here")
    return path


def fails_with(error):
    def write(file):
        file.write(b"half of ")
        raise error

    return write


def test_round_trip_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "line\r\nÜ 猫\n")
    assert path.read_bytes() == "line\r\nÜ 猫\n".encode() and read_text(path) == "line\r\nÜ 猫\n"
    write_text(path, "new")
    assert read_text(path) == "new" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "no")])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(old, error):
    with pytest.raises(UserError, match=r"cannot write .*old.txt: .*free some space or choose another folder"):
        write_safely(old, fails_with(error))
    assert old.read_text() == "what stood here" and list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_what_is_no_failure_of_the_disk_is_passed_on(old, error):
    with pytest.raises(type(error)):
        write_safely(old, fails_with(error))
    assert old.read_text() == "what stood here" and list(old.parent.iterdir()) == [old]


def test_the_new_file_is_written_to_one_side(old):
    def write(file):
        file.write(b"new")
        assert old.read_text() == "what stood here"
        (beside,) = [path for path in old.parent.iterdir() if path != old]  # only within one folder is a move one step
        assert str(os.getpid()) in beside.name and len(beside.name) > 30, "a name that can be guessed can be planted"

    write_safely(old, write)
    assert old.read_text() == "new"


def test_a_move_that_fails_leaves_the_old_file(old, monkeypatch):
    def fail(source, target):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="cannot write"):
        write_text(old, "new")
    assert old.read_text() == "what stood here" and list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("below", ["x.txt", "deep/x.txt"])
def test_a_folder_that_is_a_file(old, below):
    with pytest.raises(UserError, match="cannot write"):
        write_text(old / below, "new")
    assert old.read_text() == "what stood here"


def test_a_target_that_is_a_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "folder", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_half_a_character_is_written_as_its_escape(old):
    write_text(old, "a\ud83cb")
    assert read_text(old) == "a\\ud83cb"


# what else can stand at a path


@posix
def test_a_mode_and_a_link_stay(old):
    old.chmod(0o600)
    write_text(old, "new")
    assert old.stat().st_mode & 0o777 == 0o600, "a private file was made public"
    link = old.with_name("link")
    link.symlink_to(old.name)
    write_text(link, "through the link")
    assert link.is_symlink() and old.read_text() == "through the link"


def device(folder, name, minor):
    """A device in a folder of the test's own. (A mistake would replace the system's, where the test runs as root.)"""
    path = folder / name
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.open("wb").close()
    except OSError:
        pytest.skip("making a device needs root")
    return path


@posix
def test_a_device_is_written_where_it_is(tmp_path):
    null = device(tmp_path, "null", 3)
    write_text(null, "text")
    assert null.is_char_device(), "the device was replaced by a file"


@posix
def test_a_full_disk_is_called_so(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*full: No space left on device; free some space"):
        write_text(device(tmp_path, "full", 7), "text")


@posix
def test_a_pipe_is_written_where_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "through the pipe")
    assert os.read(reader, 100) == b"through the pipe" and pipe.is_fifo()
    os.close(reader)
    with pytest.raises(UserError, match=r"pipe: it is a pipe or a device; a file was expected"):
        read_text(pipe)


@posix
def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    left, written = tmp_path / f".minitune-{process.pid}-00.part", tmp_path / f".minitune-{os.getppid()}-00.part"
    left.touch()
    written.touch()
    folder = left.with_name(left.name.replace("00", "01"))
    (folder / "words").mkdir(parents=True)
    write_text(tmp_path / "new.txt", "new")
    assert not left.exists() and not folder.exists() and written.exists()


def test_a_file_is_on_the_disk_before_it_has_its_name(old, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append("synced"))
    monkeypatch.setattr(os, "replace", lambda *paths: done.append("moved"))
    write_text(old, "new")
    assert done == ["synced", "moved"], "after a power cut the name would hold an empty file"


# before the work


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("old.txt/below.json", "old.txt is a file, and a folder was expected"),
        ("old.txt/a/b.json", "old.txt is a file, and a folder was expected"),
        (".", "it is a folder"),
        ("n" * 300, "too long"),
        ("n" * 300 + "/x.json", "too long"),
        ("/proc/x.json", ""),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before(old, monkeypatch, path, expected):
    monkeypatch.chdir(old.parent)
    with pytest.raises(UserError, match=f"^cannot write .*{expected}"):
        check_can_write(Path(path))
    assert list(old.parent.iterdir()) == [old]


def test_an_output_that_can_be_written_leaves_no_trace(old):
    check_can_write(old)
    check_can_write(old.with_name("new"))
    check_can_write(old.parent / "a" / "b" / "new")
    assert list(old.parent.iterdir()) == [old] and old.read_text() == "what stood here"
    with pytest.raises(UserError, match="bytes are needed on the disk"):
        check_can_write(old, bytes_needed=10**18)


def test_a_folder_that_was_held_for_nothing_is_not_left(tmp_path):
    with pytest.raises(ZeroDivisionError), alone_in(tmp_path / "a" / "run"):
        assert (tmp_path / "a" / "run").is_dir()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with alone_in(tmp_path / "a" / "run"):
        (tmp_path / "a" / "run" / "result").touch()
    assert (tmp_path / "a" / "run" / "result").exists()


@posix
def test_a_folder_that_another_run_removes_meanwhile_is_made_anew(tmp_path, monkeypatch):
    opened, removed = os.open, []

    def open_late(path, *flags):
        descriptor = opened(path, *flags)
        if Path(path) == tmp_path / "run" and not removed:
            removed.append(path)
            (tmp_path / "run").rmdir()  # as the end of a run does that wrote nothing
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    with alone_in(tmp_path / "run"):
        assert (tmp_path / "run").is_dir() and removed, "a folder is held that nobody sees"


@posix
def test_a_folder_serves_one_run_at_a_time(tmp_path):
    hold = "import sys; from pathlib import Path; from minitune.writing import alone_in\n"
    hold += "with alone_in(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another run is writing to"), alone_in(tmp_path / "run"):
            pass
        other.kill()
    with alone_in(tmp_path / "run"):  # whatever ended it, the folder is free
        pass
