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


def read_text(path: Path, encoding: str | None = None) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark; any other encoding when it is named.

    Raises:
        UserError: the file is missing, a folder or a pipe, unreadable, or not in the encoding (with the offending
            byte's place); there is no encoding of that name.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a pipe or a device"
            raise UserError(f"{path} is {what}; a file was expected")
        content = path.read_bytes()
        marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return content.decode(encoding or marked)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except LookupError:
        raise UserError(
            f"there is no encoding {encoding!r}; utf-8, utf-16, latin-1 and cp1252 are common ones"
        ) from None
    except UnicodeDecodeError as error:
        place = f"byte {error.start} is 0x{error.object[error.start]:02x}"
        raise UserError(
            f"{path} is not {'UTF-8' if encoding is None else encoding}: {place}; save the file as UTF-8, or name its "
            "encoding, as in --encoding latin-1"
        ) from None
    except (OSError, ValueError) as error:  # permission denied; a path with a null byte
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
