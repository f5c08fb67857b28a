"""What an output may replace. All is looked at before the work: a refusal costs nothing, and what a person had stays.

An older output of ours is known by what is in it, never by its name: a user's file may be called anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from minitune.errors import UserError
from minitune.files import is_folder, read_json
from minitune.writing import check_can_write, check_can_write_into, new_temporary, place_of

LARGEST_JSON = 100_000_000  # bytes: no table of ours is larger
Looks = Callable[[Path], bool]  # whether a file is of some kind, by what is in it


def check_may_replace(path: Path, looks_like: Looks, what: str, inputs: Iterable[Path | str | None] = ()) -> None:
    """See before the work that `path` can be written after it, and that nothing is lost by that.

    Args:
        looks_like: whether a file that is there is of the kind that will be written.
        what: that kind in words, as in "a figure of minitune".
        inputs: what else the same command reads or writes; of a folder, every file in it counts.

    Raises:
        UserError: all that `check_can_write` raises; `path` is one of the inputs, perhaps by a link; a file of another
            kind is there.
    """
    check_can_write(path)
    check_is_no_input(path, inputs)
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return  # nothing is there that could be lost
    try:
        is_ours = looks_like(path)
    except OSError:  # it may not be read
        is_ours = False
    if not is_ours:
        raise UserError(f"{path} is there and is not {what}, so it stays as it is: choose another path")


def check_is_no_input(path: Path, inputs: Iterable[Path | str | None]) -> None:
    """Raises:
    UserError: `path` is what the command reads or otherwise writes, or a file of a folder that it reads.
    """
    for source in map(Path, filter(None, inputs)):
        with suppress(OSError):  # a source that cannot be read is told by who reads it
            files = source.iterdir() if is_folder(source) else ()
            if any(is_same(path, other) for other in (source, *files)):
                raise UserError(
                    f"{path} is used by the same command as {source}: choose another path for what it writes"
                )


def is_same(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, by whatever links. Devices and pipes lose nothing."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return False
        return place_of(path) == place_of(other) or path.samefile(other)
    except (OSError, ValueError):
        return False


def holds_json(*keys: str, only: bool = False) -> Looks:
    """Whether a file holds a JSON object with these keys, or a list that begins with one.

    Args:
        only: and with no others.
    """

    def looks(path: Path) -> bool:
        if path.stat().st_size > LARGEST_JSON:
            return False
        try:
            content = read_json(path)
        except UserError:
            return False
        first = content[0] if isinstance(content, list) and content else content
        return isinstance(first, dict) and (set(first) == set(keys) if only else set(keys) <= set(first))

    return looks


# ---- folders of several files that belong together ----


def check_can_fill(
    folder: Path,
    force: bool,
    files: Mapping[str, tuple[Looks, str]] | None = None,
    inputs: Iterable[Path | str | None] = (),
) -> None:
    """See before the work that a folder may be written afterwards.

    Args:
        files: of each that may be written there, by name, how an older one is known, and what it is in words.
        inputs: as of `check_may_replace`.

    Raises:
        UserError: it holds something and `force` is off, it is no folder, nothing can be written there, it is one of
            the inputs, or one of the files is there and is something else.
    """
    inputs = list(inputs)
    check_can_write_into(folder)
    check_is_no_input(folder, inputs)
    if folder.is_dir() and not force and (held := sorted(path.name for path in folder.iterdir())):
        raise UserError(
            f"{folder} holds {held[0]}{' and more' * (len(held) > 1)} already; take another folder, or write into this "
            "one all the same with --force"
        )
    for name, (looks_like, what) in (files or {}).items():
        check_may_replace(folder / name, looks_like, what, inputs)


def write_to_disk(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_folder(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Write the files, by name, into a folder that may be there already. None: no such file may stay there. A name may
    lead into a folder of its own, as in "tasks/topic.csv".

    All are written to one side first: what stops that leaves nothing behind, and what was there unharmed. Other files
    of the folder stay.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    try:
        target = place_of(folder)
        aside = new_temporary(target.parent)
        new = [path for path in (target, *target.parents) if not path.exists()]
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; choose another folder") from None
    try:
        aside.mkdir(parents=True)
        for name, content in files.items():
            if content is not None:
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                write_to_disk(aside / name, content)
        for name, content in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (target / name).unlink(missing_ok=True)
            else:
                os.replace(aside / name, target / name)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for path in new:
            with suppress(OSError):  # it holds what was written, or was never made
                path.rmdir()
