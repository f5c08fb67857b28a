"""A whole world on disk: written on first use, and again when its word lists or its grammar have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from minitune.files import PACKAGE, shared, write_text
from minitune.world.world import World, write_world


def write_whole_world(out: Path, seed: int, joined: bool = True) -> None:
    """Word lists, tasks, a sample, and the whole pretraining text (about 22 MB), a document a line."""
    write_world(out, seed)
    write_text(out / "text.txt", "".join(f"{text}\n" for text in World(seed, joined=joined).documents()))


def world_folder(seed: int, joined: bool = True, root: Path = Path("runs")) -> Path:
    """The folder of the world of a seed, made now if it is not there or was made by other lists or grammar."""
    folder = root / (f"world-{seed}" if joined else f"world-{seed}-unjoined")
    stamp, now = folder / "made-by", fingerprint()
    if not stamp.exists() or stamp.read_text() != now:
        print(f"writing the toy world of seed {seed} to {folder} ...", flush=True)
        write_whole_world(folder, seed, joined)
        write_text(stamp, now)  # last: a folder with a stamp is whole
    return folder


def fingerprint() -> str:
    """Of the word lists and of the code that writes from them."""
    digest = hashlib.sha256()
    for path in [*sorted((shared("data") / "words").glob("*.toml")), *sorted((PACKAGE / "world").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
