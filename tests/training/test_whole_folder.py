"""A folder of files that belong together is written whole, or not at all."""

import os

import pytest

from minitune.errors import UserError
from minitune.training.whole_folder import check_can_fill, write_folder


def names(folder):
    return sorted(os.listdir(folder))


def test_a_new_folder_and_one_that_is_there(tmp_path):
    write_folder(tmp_path / "deep" / "out", {"a": b"1", "b": b"2", "c": None})
    assert names(tmp_path / "deep") == ["out"] and names(tmp_path / "deep" / "out") == ["a", "b"]
    (tmp_path / "deep" / "out" / "mine").write_text("stays")
    write_folder(tmp_path / "deep" / "out", {"a": b"3", "b": None})
    assert names(tmp_path / "deep" / "out") == ["a", "mine"], (
        "b is of an older export, and would be taken for this one's"
    )
    assert (tmp_path / "deep" / "out" / "a").read_bytes() == b"3"


def test_what_stops_the_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    write_folder(tmp_path / "out", {"a": b"old", "b": b"old"})
    write = type(tmp_path).write_bytes

    def full(path, content):
        if path.name == "b":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    for name in ("out", "new", "deep/new"):
        with pytest.raises(UserError, match=rf"cannot write .*{name}: .*No space left"):
            write_folder(tmp_path / name, {"a": b"new", "b": b"new"})
    assert names(tmp_path) == ["out"] and (tmp_path / "out" / "a").read_bytes() == b"old"


def test_whether_a_folder_can_be_filled_is_seen_before(tmp_path):
    check_can_fill(tmp_path / "not" / "there", force=False)
    assert names(tmp_path) == [], "looking makes nothing"
    (tmp_path / "empty").mkdir()
    check_can_fill(tmp_path / "empty", force=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(UserError, match=r"holds mine already; .*--force"):
        check_can_fill(tmp_path / "full", force=False)
    check_can_fill(tmp_path / "full", force=True)
    for path in (tmp_path / "full" / "mine", tmp_path / "full" / "mine" / "below"):
        with pytest.raises(UserError, match="mine is a file, and a folder was expected"):
            check_can_fill(path, force=True)


def test_a_folder_behind_a_link_is_the_one_that_it_leads_to(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    write_folder(tmp_path / "link", {"a": b"1"})
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "disk") == ["a"]
