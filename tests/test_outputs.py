"""What an output may replace; and a folder of files that belong together is written whole, or not at all."""

import contextlib
import os

import pytest

from minitune import outputs
from minitune.errors import UserError
from minitune.outputs import check_can_fill, check_may_replace, holds_json, write_folder

TABLE = holds_json("task", "rows")


def is_a_picture(path):
    return path.read_bytes().startswith((b"\x89PNG", b"%PDF"))


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"text": "a user wrote this"}')
    return path


@pytest.mark.parametrize(
    ("content", "is_ours"),
    [
        (b"", True),  # as mktemp makes it: nothing is lost
        (b'{"task": 1, "rows": []}', True),
        (b'[{"task": 1, "rows": []}]', True),
        (b'{"task": 1}', False),
        (b'["task", "rows"]', False),
        (b"[]", False),
        (b"text,label\na,b\n", False),
        (b"PK\x03\x04\xff\0", False),
        (b'{"task": 1, "rows": []', False),
    ],
)
def test_a_file_of_another_kind_is_not_replaced(tmp_path, content, is_ours):
    path = tmp_path / "table.json"
    path.write_bytes(content)
    with (
        contextlib.nullcontext()
        if is_ours
        else pytest.raises(UserError, match=r"table\.json is there and is not a table")
    ):
        check_may_replace(path, TABLE, "a table")
    assert path.read_bytes() == content


def test_what_a_file_is_called_does_not_make_it_ours(mine):
    with pytest.raises(UserError, match="so it stays as it is: choose another path"):
        check_may_replace(mine, is_a_picture, "a figure")
    mine.write_bytes(b"%PDF-1.4 ...")
    check_may_replace(mine, is_a_picture, "a figure")
    looks = holds_json("task", only=True)
    mine.write_text('{"task": 1, "more": 2}')
    assert not looks(mine) and holds_json("task")(mine)


@pytest.mark.parametrize("way", ["itself", "link", "hard link", "other path", "in a folder", "the folder", "not there"])
def test_an_input_is_never_replaced_whatever_it_holds(tmp_path, mine, way):
    path = mine
    if way == "link":
        path = tmp_path / "link.json"
        path.symlink_to(mine)
    elif way == "hard link":
        path = tmp_path / "hard.json"
        os.link(mine, path)
    elif way == "other path":
        (tmp_path / "a").mkdir()
        path = tmp_path / "a" / ".." / "mine.json"
    elif way == "not there":  # as another output of the same command
        path = mine = tmp_path / "new.json"
    inputs = [None, tmp_path / "other", tmp_path if "folder" in way else mine]
    if way == "the folder":
        with pytest.raises(UserError, match="is used by the same command"):
            check_can_fill(tmp_path, True, inputs=inputs)
        return
    with pytest.raises(UserError, match="is used by the same command"):
        check_may_replace(path, lambda path: True, "anything", inputs)


def test_a_file_that_may_not_be_read_is_not_replaced(mine, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(UserError, match="is there and is not a table"):
        check_may_replace(mine, refuse, "a table")


def test_another_file_beside_the_inputs_is_free(tmp_path, mine):
    check_may_replace(tmp_path / "new.json", TABLE, "a table", [mine, tmp_path, "nowhere"])
    assert os.listdir(tmp_path) == ["mine.json"]


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


def test_folders_in_a_folder(tmp_path):
    write_folder(tmp_path / "out", {"a/b/c.txt": b"1", "a/d.txt": b"2"})
    write_folder(tmp_path / "out", {"a/b/c.txt": b"3"})
    assert (tmp_path / "out" / "a" / "b" / "c.txt").read_bytes() == b"3"
    assert (tmp_path / "out" / "a" / "d.txt").read_bytes() == b"2" and names(tmp_path) == ["out"]


def test_what_stops_the_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    write_folder(tmp_path / "out", {"a": b"old", "b": b"old"})
    write = outputs.write_to_disk

    def full(path, content):
        if path.name == "b":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(outputs, "write_to_disk", full)
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
    check_can_fill(tmp_path / "full", True, {"mine": (lambda path: True, "a file"), "other": (TABLE, "a table")})
    with pytest.raises(UserError, match="mine is there and is not a table"):
        check_can_fill(tmp_path / "full", True, {"mine": (TABLE, "a table")})
    for path in (tmp_path / "full" / "mine", tmp_path / "full" / "mine" / "below"):
        with pytest.raises(UserError, match="mine is a file, and a folder was expected"):
            check_can_fill(path, force=True)


def test_a_folder_behind_a_link_is_the_one_that_it_leads_to(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    write_folder(tmp_path / "link", {"a": b"1"})
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "disk") == ["a"]
