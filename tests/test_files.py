"""How files are read, and how what cannot be read is told."""

from pathlib import Path

import pytest

from minitune import files
from minitune.errors import UserError
from minitune.files import is_folder, is_there, read_json, read_text, shared


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
    with pytest.raises(UserError, match="no file can have a zero byte in its name"):
        read_text(Path("a\0b"))


BAD = "1 byte is not UTF-8: 0xff in line 1, column 4"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"abc\xffdef", f"{BAD}; name the file's own encoding, as in --encoding latin-1, or .* utf-8-replace reads"),
        ("naïve".encode("latin-1") + b"\n", "0xef in line 1, column 3; name the file's own encoding"),
        (
            "é\nöü 猫".encode() + b"\xe9",
            "0xe9 in line 2, column 5, all else is; mend them, or --encoding utf-8-replace",
        ),
        (b"\xff\n\xfe\n\n \xfd\xfc", "4 bytes are not UTF-8: 0xff .*line 2, column 1; 0xfd in line 4, column 2; ...;"),
    ],
)
def test_bytes_that_are_not_utf8_are_counted_and_placed(old, content, expected):
    old.write_bytes(content)
    with pytest.raises(UserError, match=expected) as told:
        read_text(old)
    if "all else is" in expected:
        assert "latin-1" not in str(told.value), "letters that are right in UTF-8 would be read as others"


def test_damaged_utf8_is_read_with_replacements_that_are_counted(old):
    old.write_bytes(b"\xef\xbb\xbf" + "é\ufffd".encode() + b"\xe7\x8c \xff\n")
    assert read_text(old, "utf-8-replace") == "é\ufffd\ufffd \ufffd\n"
    (note,) = files.note_on_replaced(old)
    assert "3 bytes are not UTF-8: 0xe7 in line 1, column 3; 0xff in line 1, column 5, and read as U+FFFD" in note, (
        "a U+FFFD that the file holds itself is no replacement, and the mark at its beginning no column"
    )
    old.write_text("é", encoding="utf-8")
    assert files.note_on_replaced(old) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_recognised(old, encoding):
    old.write_bytes("text,label\nnaïve,good\n".encode(encoding))
    with pytest.raises(UserError, match=f"looks like UTF-16 without its mark.* --encoding {encoding}"):
        read_text(old)
    assert read_text(old, encoding).startswith("text")
    old.write_bytes(b"a\0b\0" + b"text " * 50)
    assert read_text(old).startswith("a\0b\0"), "two zeros are no encoding"


@pytest.mark.parametrize("name", ["rot13", "hex", "zlib", "idna", "punycode", "undefined", "a\0b", "\udce9", "é"])
def test_what_is_no_encoding_of_texts_is_told(old, name):
    with pytest.raises(UserError, match="there is no encoding"):
        read_text(old, name)


def test_what_may_not_be_seen_may_be_there_and_whoever_reads_it_is_told(old, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    assert is_there(old) and is_folder(old), "it would be said not to exist"
    with pytest.raises(UserError, match=r"cannot read .*old.txt: Permission denied"):
        read_text(old)
    monkeypatch.undo()
    assert not is_there(Path("n" * 300)) and not is_folder(Path("n" * 300)) and not is_there(Path("a\0b"))


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
