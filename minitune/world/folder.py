"""A whole world on disk: written on first use, and again when its word lists or its grammar have changed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

from minitune.files import PACKAGE, read_text, shared
from minitune.world.task_rows import Row
from minitune.world.tasks import SPLITS, TASKS
from minitune.world.world import World
from minitune.writing import write_text

SAMPLE = 2_000  # documents
STAMP = "made-by"


def write_whole_world(out: Path, seed: int, joined: bool = True) -> None:
    """Word lists, tasks, a sample, and the whole pretraining text (about 19 MB), a document a line."""
    world = World(seed, joined=joined)
    for source in toml_files():
        write_text(out / "words" / source.name, read_text(source))
    for name, task in TASKS.items():
        for split in SPLITS:
            rows = world.task(name)[split]
            path = out / "tasks" / name / f"{split}.{task.format}"
            write_text(path, as_csv(rows) if task.format == "csv" else as_jsonl(rows))
    write_text(out / "sample.txt", "".join(f"{text}\n" for text in world.documents(SAMPLE)))
    write_text(out / "text.txt", "".join(f"{text}\n" for text in world.documents()))
    write_text(out / STAMP, fingerprint())  # last: a folder with a stamp is whole


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
    if not stamp.exists() or read_text(stamp) != fingerprint():
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
