"""Options that name files and folders: how they are read, and which of them a command only reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.errors import UserError
from minitune.files import at_home, shared

OUTPUTS = ("out", "json", "plot", "peft", "transformers", "figures")  # options that name what is written
SOURCES = ("model", "source", "folder")  # options that name a model or what was tuned, also by a word


def a_path(text: str) -> Path:
    """A path as it is written; a shell leaves a quoted ~ as it is.

    Raises:
        ArgumentTypeError: nothing, or ~NAME and there is nobody of that name.
    """
    try:
        return at_home(Path(named(text)))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def named(text: str) -> str:
    """What names something, and may not be empty: an empty variable of a shell would silently mean the default.

    Raises:
        ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("nothing was given; a name was expected, or leave the option out")
    return text


def inputs_of(options: argparse.Namespace) -> list[Path]:
    """All files and folders that a command reads."""
    from minitune.training.checkpoint import SHIPPED

    given = {name: value for name, value in vars(options).items() if value and name not in OUTPUTS}
    paths = [value for value in given.values() if isinstance(value, Path)]
    words = [value for name in SOURCES if isinstance(value := given.get(name), str)]
    return [*paths, *(shared("checkpoints") / word if word in SHIPPED else at_home(Path(word)) for word in words)]
