"""A folder of several files that belong together: written to one side, and moved into place when all are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from minitune.errors import UserError
from minitune.writing import check_can_write, new_temporary


def check_can_fill(folder: Path, force: bool) -> None:
    """See before the work that a folder may be written afterwards.

    Raises:
        UserError: it holds something and `force` is off, it is no folder, or nothing can be written there.
    """
    check_can_write(folder / "a file")
    if folder.is_dir() and not force and (held := sorted(path.name for path in folder.iterdir())):
        raise UserError(
            f"{folder} holds {held[0]}{' and more' * (len(held) > 1)} already; take another folder, or write into this "
            "one all the same with --force"
        )


def write_folder(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Write the files, by name, into a folder that may be there already. None: no such file shall stay there.

    All are written to one side first: what stops that leaves nothing behind, and what stood there unharmed. Other files
    of the folder stay.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    target = folder.resolve()
    aside = new_temporary(target.parent)
    new = [path for path in (target, *target.parents) if not path.exists()]
    try:
        aside.mkdir(parents=True)
        for name, content in files.items():
            if content is not None:
                (aside / name).write_bytes(content)
        target.mkdir(exist_ok=True)
        for name, content in files.items():
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
