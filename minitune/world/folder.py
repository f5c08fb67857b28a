"""A whole world on disk: written on first use, and again when its word lists or its grammar have changed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

from minitune.errors import UserError
from minitune.files import PACKAGE, is_there, read_text, shared
from minitune.outputs import write_folder
from minitune.world.task_rows import Row
from minitune.world.tasks import SPLITS, TASKS
from minitune.world.world import World
from minitune.writing import check_can_write

SAMPLE = 2_000  # documents
STAMP = "made-by"


def write_whole_world(out: Path, seed: int, joined: bool = True) -> None:
    """Word lists, tasks, a sample, and the whole pretraining text (about 19 MB), a document a line; all or nothing.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    world = World(seed, joined=joined)
    files = {f"words/{source.name}": read_text(source) for source in toml_files()}
    for name, split, file in task_files():
        rows = world.task(name)[split]
        files[file] = as_csv(rows) if file.endswith("csv") else as_jsonl(rows)
    files["sample.txt"] = "".join(f"{text}\n" for text in world.documents(SAMPLE))
    files["text.txt"] = "".join(f"{text}\n" for text in world.documents())
    files[STAMP] = fingerprint()  # last: a folder with a stamp is whole
    write_folder(out, {name: text.encode() for name, text in files.items()})


def task_files() -> list[tuple[str, str, str]]:
    """Each task, each of its splits, and the file of that."""
    return [(name, split, f"tasks/{name}/{split}.{task.format}") for name, task in TASKS.items() for split in SPLITS]


def check_is_free(out: Path, force: bool) -> None:
    """See before the work that a world can be written to a folder without a loss.

    Raises:
        UserError: it holds something, and `force` is off; files of the user's have the names of the world's.
    """
    check_can_write(out / STAMP)
    if not is_there(out) or not any(out.iterdir()):
        return
    if not force:
        raise UserError(f"{out} is there already: choose another --out, or add --force to write the world over it")
    if is_there(out / STAMP) and re.fullmatch("[0-9a-f]{64}", read_text(out / STAMP)):
        return
    names = [f"words/{source.name}" for source in toml_files()]
    names += [*(file for _, _, file in task_files()), "sample.txt", "text.txt", STAMP]
    if others := [name for name in names if is_there(out / name)]:
        raise UserError(
            f"{out / others[0]} is there and belongs to no whole world of minitune, so it stays as it is: choose "
            "another --out, or remove it"
        )


def as_csv(rows: Sequence[Row]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_jsonl(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def world_folder(seed: int, joined: bool = True, root: Path = Path("runs")) -> Path:
    """The folder of the world of a seed, made now if it is not there or was made by other lists or grammar."""
    folder = root / (f"world-{seed}" if joined else f"world-{seed}-unjoined")
    stamp = folder / STAMP
    if not is_there(stamp) or read_text(stamp) != fingerprint():
        print(f"writing the toy world of seed {seed} to {folder} ...", flush=True)
        write_whole_world(folder, seed, joined)
    return folder


def fingerprint() -> str:
    """Of the word lists and of the code that writes from them."""
    digest = hashlib.sha256()
    for path in [*toml_files(), *sorted((PACKAGE / "world").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def toml_files() -> list[Path]:
    return sorted((shared("data") / "words").glob("*.toml"))
