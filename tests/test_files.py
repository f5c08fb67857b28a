"""How files are written so that nothing is lost, and how what cannot be read is told."""

import os

import pytest

from minitune import files
from minitune.errors import UserError
from minitune.files import read_text, shared, write_safely, write_text


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text("what stood here")
    return path


def fails_with(error):
    def write(temporary):
        temporary.write_text("half of ")
        raise error

    return write


def test_round_trip_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "line\r\nÜ 猫\n")
    assert path.read_bytes() == "line\r\nÜ 猫\n".encode() and read_text(path) == "line\r\nÜ 猫\n"
    write_text(path, "new")
    assert read_text(path) == "new" and list(path.parent.iterdir()) == [path]


def test_a_byte_order_mark_is_no_text(old):
    old.write_bytes(b"\xef\xbb\xbfhello")
    assert read_text(old) == "hello"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("disk"), PermissionError(13, "no")]
)
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
    def write(temporary):
        assert temporary.parent == old.parent and temporary != old, "only within one folder is a move one step"
        temporary.write_text("new")
        assert old.read_text() == "what stood here"

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


def test_what_cannot_be_read_is_told(tmp_path, old):
    with pytest.raises(UserError, match=r"there is no file .*gone.txt; check the path"):
        read_text(tmp_path / "gone.txt")
    with pytest.raises(UserError, match="is a folder; a file was expected"):
        read_text(tmp_path)
    with pytest.raises(UserError, match="cannot read"):
        read_text(old / "below")
    old.write_bytes(b"abc\xffdef")
    with pytest.raises(UserError, match="is not UTF-8: byte 3 is 0xff; save the file as UTF-8"):
        read_text(old)


def test_shared_folders_lie_beside_the_package_or_inside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACKAGE", tmp_path / "minitune")
    assert shared("data") == tmp_path / "data"
    (tmp_path / "minitune" / "shared" / "data").mkdir(parents=True)
    assert shared("data") == tmp_path / "minitune" / "shared" / "data" and shared("lessons") == tmp_path / "lessons"
