"""Where the project's own files lie, and how files are read."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minitune.errors import UserError

PACKAGE = Path(__file__).resolve().parent
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
    """Whether there is such a file or folder; a name beyond all length, or with a zero byte, is that of none."""
    try:
        return path.exists()
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

    Raises:
        UserError: all that `read_bytes` raises; another encoding (with the offending byte's place).
    """
    content = read_bytes(path)
    chosen = encoding or next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(chosen)
    except UnicodeDecodeError as error:
        hint = "name another" if encoding else "name the file's own, as in --encoding latin-1, or save it as UTF-8"
        place = f"byte {error.start} is 0x{content[error.start]:02x}" if error.start < len(content) else "it ends early"
        raise UserError(f"{path} is not {chosen.upper()}: {place}; {hint}") from None
    except (LookupError, ValueError):  # no such name, or one that none can have: with a zero byte, half a character
        raise UserError(
            f"there is no encoding {chosen!r}; utf-8, utf-16, latin-1, cp1252, gb18030 and shift_jis are some"
        ) from None


def read_json(path: Path, encoding: str | None = None) -> Any:
    """The plain values in a JSON file.

    Raises:
        UserError: all that `read_text` raises; no JSON (with its line and column).
    """
    text = read_text(path, encoding)
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; restore it"
        ) from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure
        raise UserError(f"{path} holds JSON that cannot be read ({error}); restore it") from None


def machine_memory() -> int | None:
    """Bytes of main memory that this machine has, where the system tells it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
