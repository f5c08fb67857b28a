"""Where the project's own files lie, and how files are read."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minitune.errors import UserError

PACKAGE = Path(__file__).resolve().parent
REPLACING = "utf-8-replace"  # an encoding of ours
NO_ALPHABETS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")  # Python's, and of no files
MOST_PLACES = 3  # that a sentence names
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def shared(name: str) -> Path:
    """The folder `name` (data, checkpoints, lessons): beside the package in a clone, inside it in a wheel."""
    beside, inside = PACKAGE.parent / name, PACKAGE / "shared" / name
    return inside if inside.exists() else beside


def at_home(path: Path) -> Path:
    """Raises:
    UserError: ~NAME, and there is nobody of that name.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise UserError(f"{path} begins with the home of somebody who is not known here; write the path out") from None


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; a name beyond all length, or with a zero byte, is that of none. In a
    folder that nobody may look into it might be: whoever reads it is told so."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, as of `is_there`."""
    try:
        return path.is_dir()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Inside, a file that cannot be read is told in a sentence.

    Raises:
        UserError: it is missing, a folder, a pipe or a device, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(None, f"it is {'a folder' if path.is_dir() else 'a pipe or a device'}; a file was expected")
        yield
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise UserError(f"cannot read {path}: no file can have a zero byte in its name; check the path") from None


def read_bytes(path: Path) -> bytes:
    """What a regular file holds.

    Raises:
        UserError: the file is missing, a folder, a pipe or a device, or cannot be read.
    """
    with readable(path):
        return path.read_bytes()


def check_is_file(path: Path) -> None:
    """Raises:
    UserError: all that `read_bytes` raises.
    """
    with readable(path):
        path.open("rb").close()


def read_text(path: Path, encoding: str | None = None) -> str:
    """The text of a file: UTF-8, or UTF-16 where the file begins with its mark, unless `encoding` names another.

    Args:
        encoding: beside those of Python "utf-8-replace", which reads what is not UTF-8 as U+FFFD.

    Raises:
        UserError: all that `read_bytes` raises; no encoding of texts; another encoding than the file's (with the places
            of what is not in it).
    """
    content = read_bytes(path)
    if encoding == REPLACING:
        return decoded(content)[0].removeprefix("\ufeff")
    if not encoding and (found := unmarked(content)):
        raise UserError(
            f"{path} looks like UTF-16 without its mark, for every other byte of it is zero: name it, as in --encoding "
            f"{found}, or save it as UTF-8"
        )
    chosen = encoding or next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        if codecs.lookup(chosen).name in NO_ALPHABETS:
            raise LookupError
        return content.decode(chosen)
    except UnicodeDecodeError as error:
        raise UserError(misread(path, content, chosen, error, is_named=bool(encoding))) from None
    except (LookupError, ValueError):  # a ValueError for a name with a zero byte, or with half a character
        raise UserError(
            f"there is no encoding {chosen!r}; utf-8, utf-16, latin-1, cp1252, gb18030 and shift_jis are some"
        ) from None


def unmarked(content: bytes) -> str | None:
    """The UTF-16 that this seems to be, of most alphabets, though it does not begin with its mark: every other byte is
    zero."""
    head = content[:4096]
    if head.startswith(tuple(MARKS)) or len(head) < 4:
        return None
    first, second = (head[start::2].count(0) / (len(head) // 2) for start in (0, 1))
    if max(first, second) < 0.4 or min(first, second) > 0.05:
        return None
    return "utf-16-le" if second > first else "utf-16-be"


def decoded(content: bytes) -> tuple[str, list[tuple[int, int]]]:
    """The text of bytes that are nearly UTF-8, with U+FFFD for what is not, and where that begins and ends."""
    places = []

    def note(error: UnicodeDecodeError) -> tuple[str, int]:
        places.append((error.start, error.end))
        return "\ufffd", error.end

    codecs.register_error("minitune.note", note)
    return content.decode("utf-8", "minitune.note"), places


def told_places(content: bytes, places: Sequence[tuple[int, int]]) -> str:
    """ "2 bytes are not UTF-8: 0xef in line 3, column 7; 0xfc in line 9, column 1" """
    count = sum(end - start for start, end in places)
    told = []
    for start, _ in places[:MOST_PLACES]:
        line_start = content.rfind(b"\n", 0, start) + 1
        line, column = (
            content.count(b"\n", 0, start) + 1,
            len(decoded(content[line_start:start])[0].removeprefix("\ufeff")) + 1,
        )
        told.append(f"0x{content[start]:02x} in line {line}, column {column}")
    more = "; ..." if len(places) > MOST_PLACES else ""
    return f"{count:,} byte{'s are' if count > 1 else ' is'} not UTF-8: {'; '.join(told)}{more}"


def misread(path: Path, content: bytes, chosen: str, error: UnicodeDecodeError, is_named: bool) -> str:
    """A sentence on a file that is not in an encoding."""
    if codecs.lookup(chosen).name not in ("utf-8", "utf-8-sig"):
        start = error.start
        place = f"byte {start} is 0x{content[start]:02x}" if start < len(content) else "it ends early"
        return f"{path} is not {chosen.upper()}: {place}; {'name another' if is_named else 'save it as UTF-8'}"
    text, places = decoded(content)
    replace = f"--encoding {REPLACING} reads each as U+FFFD"
    others = sum(character > "\x7f" for character in text) - len(places)
    if others > len(places):  # letters beyond ASCII that are right: the file is UTF-8, and damaged
        return f"{path}: {told_places(content, places)}, all else is; mend them, or {replace}"
    return (
        f"{path}: {told_places(content, places)}; name the file's own encoding, as in --encoding latin-1, or save it "
        f"as UTF-8 (if it is UTF-8 that was damaged, {replace})"
    )


def note_on_replaced(path: Path) -> list[str]:
    """What "utf-8-replace" has to replace in a file, in a sentence; none where nothing.

    Raises:
        UserError: all that `read_bytes` raises.
    """
    content = read_bytes(path)
    places = decoded(content)[1]
    return [f"{told_places(content, places)}, and read as U+FFFD"] if places else []


def read_json(path: Path, encoding: str | None = None) -> Any:
    """The plain values in a JSON file.

    Raises:
        UserError: all that `read_text` raises; no JSON (with its line and column).
    """
    return json_in(read_text(path, encoding), path)


def json_in(text: str, path: Path) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; restore it"
        ) from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
        raise UserError(f"{path} holds JSON that cannot be read ({error}); restore it") from None


def read_made_text(path: Path) -> str:
    """The text of a file that a program wrote, in UTF-8: no option names another encoding.

    Raises:
        UserError: all that `read_bytes` raises; another encoding.
    """
    content = read_bytes(path)
    try:
        return content.decode(next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: it is not UTF-8 from byte {error.start} on; restore it") from None


def read_made_json(path: Path) -> Any:
    """The plain values in a JSON file that a program wrote.

    Raises:
        UserError: all that `read_made_text` raises; no JSON (with its line and column).
    """
    return json_in(read_made_text(path), path)


def machine_memory() -> int | None:
    """Bytes of main memory that this machine has, where the system tells it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
