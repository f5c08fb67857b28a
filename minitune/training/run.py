"""What a pretraining run is, whole: the same run gives the same weights on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minitune.errors import UserError
from minitune.files import is_there, read_made_json
from minitune.models.build import KINDS, SIZES
from minitune.schema import in_range, plain_to

MOST_THREADS = 1024  # more than any machine has, and fewer than crash PyTorch


@dataclass(frozen=True)
class Recipe:
    """How a model of a kind learns best, as found by trying."""

    lr: float
    batch_size: int  # rows of the whole context for GPT, pairs of texts for BERT
    spread: float  # of the first weights
    warmup: int = 100
    weight_decay: float = 0.01

    def __post_init__(self):
        in_range(
            "the recipe",
            {
                "lr": (self.lr, 0 < self.lr < 1e3, "a number above 0"),
                "batch_size": (self.batch_size, 1 <= self.batch_size < 2**20, "a whole number from 1 on"),
                "spread": (self.spread, 0 <= self.spread < 1e3, "a number from 0 on"),
                "warmup": (self.warmup, 0 <= self.warmup < 2**31, "a whole number from 0 on"),
                "weight_decay": (self.weight_decay, 0 <= self.weight_decay < 1e3, "a number from 0 on"),
            },
        )


RECIPES = {
    "gpt": Recipe(lr=1.5e-3, batch_size=8, spread=0.05),
    "bert": Recipe(lr=1.5e-3, batch_size=32, spread=0.05),
}


@dataclass(frozen=True)
class Asked:
    """What was asked for in other words than a run's own: kept so that a resumed run reads the same. The weights
    follow from the run without it."""

    text_file: str = ""  # none is the toy world
    encoding: str = ""
    paragraphs: bool = False
    world: int = 0
    unjoined: bool = False
    minutes: float = 0.0  # 0 where a number of steps was asked for
    probe: str = ""  # a labelled file to measure the model with

    def __post_init__(self):
        in_range(
            "what was asked for",
            {
                "world": (self.world, 0 <= self.world < 2**31, "a whole number from 0 on"),
                "minutes": (self.minutes, 0 <= self.minutes < 1e6, "a number from 0 on"),
            },
        )


@dataclass(frozen=True)
class Run:
    kind: str
    size: str
    seed: int
    steps: int
    threads: int
    text: str  # what was read, and its hash
    recipe: Recipe
    asked: Asked = field(default_factory=Asked)

    def __post_init__(self):
        check_model(self.kind, self.size)
        in_range(
            "the run",
            {
                "seed": (self.seed, 0 <= self.seed < 2**31, "a whole number from 0 on"),
                "steps": (self.steps, 1 <= self.steps < 2**31, "a whole number from 1 on"),
                "threads": (self.threads, 1 <= self.threads <= MOST_THREADS, f"1 to {MOST_THREADS}"),
            },
        )

    @property
    def identity(self) -> dict[str, Any]:
        """All that the weights follow from, as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "asked"}


def check_model(kind: str, size: str | None) -> None:
    if kind not in KINDS:
        raise UserError(f"there is no model {kind!r} to pretrain; choose gpt or bert")
    if size is not None and size not in SIZES:
        raise UserError(f"there is no size {size!r}; choose one of {', '.join(SIZES)}")


def read_run(folder: Path) -> Run:
    """The run that was started in a folder.

    Raises:
        UserError: there is none, or its run.json is damaged.
    """
    path = folder / "run.json"
    if not is_there(path):
        raise UserError(f"there is nothing to resume in {folder}: it has no {path.name}")
    return plain_to(Run, read_made_json(path), str(path))


def check_same(folder: Path, run: Run, given: Mapping[str, Any]) -> None:
    """See that a run goes on as it was started.

    Args:
        given: settings of `Run` or `Asked` by name; None is one that was not given.

    Raises:
        UserError: the run has another one.
    """
    for name, value in given.items():
        has, option = getattr(run if name in run.identity else run.asked, name), name.removesuffix("_file")
        if value is None or value == has:
            continue
        started = f"without {option}" if has == "" or (name, has) == ("minutes", 0.0) else f"with {option} {shown(has)}"
        raise UserError(
            f"the run in {folder} was started {started}, not with {shown(value)}: leave it out to go on with that run, "
            "or start another one in another --out"
        )


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(value) if isinstance(value, str) else str(value)
