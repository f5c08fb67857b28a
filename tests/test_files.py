"""How files are read, and how what cannot be read is told."""

import pytest

from minitune import files
from minitune.errors import UserError
from minitune.files import read_json, read_text, shared


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text("what stood here")
    return path


def test_a_byte_order_mark_is_no_text(old):
    old.write_bytes(b"\xef\xbb\xbfhello")
    assert read_text(old) == "hello"


def test_what_cannot_be_read_is_told(tmp_path, old):
    with pytest.raises(UserError, match=r"there is no file .*gone.txt; check the path"):
        read_text(tmp_path / "gone.txt")
    with pytest.raises(UserError, match="it is a folder; a file was expected"):
        read_text(tmp_path)
    with pytest.raises(UserError, match="cannot read"):
        read_text(old / "below")
    with pytest.raises(UserError, match="cannot read"):
        read_text(tmp_path / ("long" * 100))
    old.write_bytes(b"abc\xffdef")
    with pytest.raises(
        UserError, match="is not UTF-8: byte 3 is 0xff; name the file's own, as in --encoding latin-1, or save"
    ):
        read_text(old)


def test_shared_folders_lie_beside_the_package_or_inside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACKAGE", tmp_path / "minitune")
    assert shared("data") == tmp_path / "data"
    (tmp_path / "minitune" / "shared" / "data").mkdir(parents=True)
    assert shared("data") == tmp_path / "minitune" / "shared" / "data" and shared("lessons") == tmp_path / "lessons"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-marked"])
def test_a_file_that_says_its_encoding_is_read_by_it(old, encoding):
    text = "naïve 猫\r\n"
    old.write_bytes(b"\xff\xfe" + text.encode("utf-16-le") if "marked" in encoding else text.encode(encoding))
    assert read_text(old) == text


def test_another_encoding_is_read_when_it_is_named(old):
    old.write_bytes("naïve".encode("latin-1"))
    assert read_text(old, "latin-1") == "naïve"
    with pytest.raises(UserError, match="there is no encoding 'klingon'; utf-8, utf-16"):
        read_text(old, "klingon")
    with pytest.raises(UserError, match="is not ASCII: byte 2 is 0xef; name another"):
        read_text(old, "ascii")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "line 1, column 2"),
        ("[1,\n2,]", "line 2"),
        ("[" * 100_000, "cannot be read"),
        ("1" * 5000, "cannot be read"),
    ],
)
def test_json_that_is_none(old, text, expected):
    old.write_text(text)
    with pytest.raises(UserError, match=expected):
        read_json(old)
