"""Where the project's own files lie, and how files are written so that nothing is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from minitune.errors import UserError

PACKAGE = Path(__file__).resolve().parent


def shared(name: str) -> Path:
    """The folder `name` (data, checkpoints, lessons): beside the package in a clone, inside it in a wheel."""
    beside, inside = PACKAGE.parent / name, PACKAGE / "shared" / name
    return inside if inside.exists() else beside


def write_safely(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write(temporary)` and move the result to `path` in one step.

    Whatever stops it (a full disk, Ctrl-C, a kill), `path` holds either the old file or the new one.

    Raises:
        UserError: the folder cannot be made or written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        raise UserError(
            f"cannot write {path}: {error}; free some space or choose another folder (what stood there is unharmed)"
        ) from error
    finally:
        with suppress(OSError):  # it was moved, or could never be written
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_safely(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        UserError: the file is missing, a folder, unreadable or not UTF-8 (with the offending byte's place).
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; a file was expected") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def check_can_write(path: Path, bytes_needed: int = 0) -> None:
    """See before the work that `path` can be written after it; nothing is left behind.

    Raises:
        UserError: a folder has that name, a file stands where a folder belongs, the folder cannot be written to.
    """
    folder = path.resolve().parent
    while not folder.exists():
        folder = folder.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}; choose another place")


def read_json(path: Path) -> Any:
    """The plain values in a JSON file.

    Raises:
        UserError: all that `read_text` raises; no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no valid JSON ({error}); restore it") from None


def machine_memory() -> int | None:
    """Bytes of main memory that this machine has, where the system tells it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
