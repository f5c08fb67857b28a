"""How files are written so that nothing is lost.

A file is written to one side, brought to the disk, and moved into place in one step: whatever stops it, its name holds
either the old file or the new one. What cannot be moved (a device, a pipe) is written where it is.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from minitune.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: folders are not locked there
    fcntl = None


def write_safely(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Call `write(file)` with an open binary file, and let what it wrote stand at `path`.

    Behind a link its target is replaced; the mode of a file that was there stays. What is no regular file is written in
    place.

    Raises:
        UserError: the folder cannot be made or written to, or the disk is full.
    """
    opened = Watched()
    try:
        target = place_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            with open(target, "wb") as opened.file:
                write(opened)
        else:
            remove_leftovers(target.parent)
            replace(target, write, opened)
    except Exception as error:
        reason = error if isinstance(error, OSError) else opened.failure  # torch.save reports a full disk otherwise
        if reason is None:
            raise
        raise UserError(
            f"cannot write {path}: {reason.strerror or reason}; free some space or choose another folder (what stood "
            "there is unharmed)"
        ) from error


def place_of(path: Path) -> Path:
    """Where `path` leads, behind all links.

    Raises:
        OSError: its links lead in a circle, or no file can have that name.
    """
    try:
        return path.resolve()
    except (RuntimeError, ValueError) as error:  # a circle, as older Pythons tell it; a zero byte
        raise OSError(None, f"no file can be there ({error})") from None


def replace(target: Path, write: Callable[[BinaryIO], None], opened: Watched) -> None:
    """Write beside `target`, under a name that nobody can guess and lay a link at, and move it there."""
    temporary = new_temporary(target.parent)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "wb") as opened.file:
            write(opened)
            opened.file.flush()
            os.fsync(descriptor)  # else a power cut after the move leaves an empty file under the name
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    finally:
        with suppress(OSError):  # it was moved, or could never be written
            temporary.unlink()


class Watched(io.RawIOBase):
    """An open file that remembers why it could not be written: libraries tell of it in words of their own."""

    def __init__(self):
        self.file: BinaryIO | None = None
        self.failure: OSError | None = None

    def write(self, data) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.file.seekable()

    def seek(self, *place) -> int:
        return self.file.seek(*place)

    def tell(self) -> int:
        return self.file.tell()


def new_temporary(folder: Path) -> Path:
    return folder / f".minitune-{os.getpid()}-{secrets.token_hex(8)}.part"


def remove_leftovers(folder: Path) -> None:
    """What a process that was killed while it wrote has left in `folder`."""
    for leftover in folder.glob(".minitune-*-*.part"):
        process = leftover.name.split("-")[1]
        if os.name == "posix" and process.isdigit() and not is_running(int(process)):
            with suppress(OSError):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; half a character (a lone surrogate) as its escape."""
    write_safely(path, lambda file: file.write(text.encode("utf-8", errors="backslashreplace")))


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON, whole or not at all; other alphabets stay readable."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def check_can_write(path: Path, bytes_needed: int = 0) -> None:
    """See before the work that `path` can be written after it; nothing is left behind.

    Raises:
        UserError: a folder has that name, a file stands where a folder belongs, the folder cannot be written to, the
            name is too long, the disk has less room than `bytes_needed`.
    """
    try:
        target = place_of(path)
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder, and a file was expected")
        if target.exists() and not target.is_file():
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        if len(os.fsencode(target.name)) > 255:
            raise OSError(None, "the name is too long for a file")
        check_folder(target.parent, bytes_needed)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another place") from None


def check_can_write_into(folder: Path) -> None:
    """The same of files in `folder`, which need not be there yet.

    Raises:
        UserError: it is no folder, or cannot be written to.
    """
    try:
        check_folder(place_of(folder))
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}; choose another place") from None


def check_folder(folder: Path, bytes_needed: int = 0) -> None:
    """See that files can be written to `folder`, which need not be there yet.

    Raises:
        OSError: they cannot.
    """
    while not folder.exists() and folder != folder.parent:
        if len(os.fsencode(folder.name)) > 255:
            raise OSError(None, f"the name {folder.name[:20]}... is too long for a folder")
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(None, f"{folder} is a file, and a folder was expected there")
    trial = new_temporary(folder)
    try:
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    finally:
        with suppress(OSError):
            trial.unlink()
    free = shutil.disk_usage(folder).free
    if free < bytes_needed:
        raise OSError(None, f"{bytes_needed:,} bytes are needed on the disk and {free:,} are free")


def try_all(*writes: Callable[[], None]) -> None:
    """Call each, though another fails: what can be written is written.

    Raises:
        UserError: what the first of those that failed said.
    """
    failures = []
    for write in writes:
        try:
            write()
        except UserError as error:
            failures.append(error)
    if failures:
        raise failures[0]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone; whatever ends the process lets it go. It is made if it is not there, and
    removed if nothing was written there.

    Raises:
        UserError: another process holds it; the folder cannot be made.
    """
    check_can_write_into(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    descriptor = None
    try:
        descriptor = held(folder)
        yield
    finally:
        for path in made:  # while it is held: another run that has opened it meanwhile finds it gone, and makes it anew
            with suppress(OSError):  # something was written there
                path.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def held(folder: Path) -> int | None:
    """A descriptor that holds a folder, made if it is not there, until it is closed; None where the system has no
    locks.

    Raises:
        UserError: another process holds it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(
                f"another run is writing to {folder} at this moment: wait for its end, or choose another --out"
            ) from None
        except OSError:
            return descriptor  # a file system without locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                return descriptor
        os.close(descriptor)  # another run removed it between the two steps
