"""The command line: it finds the commands. Each is a module of this room, with `add`, which
makes its parser, and `run`.

Bad input is one sentence and exit status 2; Ctrl-C is 130. What a command needs is imported when it runs: no help and
no mistyped option waits for PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cache

from minitune import __version__
from minitune.commands import (
    bench,
    chat,
    compare,
    data,
    explain,
    export,
    generate,
    import_folder,
    lesson,
    methods,
    notebook,
    predict,
    pretrain,
    site,
    start,
    sweep,
    tune,
)
from minitune.commands.options import Parser
from minitune.commands.terminal import one_sentence, outlets
from minitune.errors import UserError

COMMANDS = (
    compare,
    tune,
    sweep,
    predict,
    explain,
    generate,
    chat,
    methods,
    pretrain,
    import_folder,
    export,
    data,
    lesson,
    notebook,
    start,
    site,
    bench,
)


def main(arguments: Sequence[str] | None = None) -> int:
    with outlets() as (out, _):
        try:
            status = run(arguments)
        except SystemExit as stop:  # argparse's own way out, after --help or a mistyped option
            status = stop.code
        out.flush()
        if out.failure and not isinstance(out.failure, BrokenPipeError):  # a reader that has seen enough is no failure
            complain(f"cannot print: {out.failure.strerror}; files that were to be written are whole")
            status = status or 2
        return status


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; returns its exit status."""
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        options.run(options)
    except UserError as error:
        complain(f"{options.command}: {error}")
        return 2
    except KeyboardInterrupt:
        complain(f"{options.command}: stopped; whatever was saved before is whole", before="\n")
        return 130
    except OSError as error:
        if error.filename is None:
            raise
        complain(f"{options.command}: cannot use {error.filename}: {error.strerror}; check the path and who may use it")
        return 2
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        complain(f"{options.command}: the machine has not enough memory for this; take a smaller model or fewer texts")
        return 2
    return 0


def complain(sentence: str, before: str = "") -> None:
    print(f"{before}minitune {one_sentence(sentence)}", file=sys.stderr)


def is_lack_of_memory(error: Exception) -> bool:
    """Whether Python or PyTorch, which tells it by a RuntimeError, was refused memory."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error)


@cache
def parser() -> argparse.ArgumentParser:
    top = Parser(prog="minitune", description="How pretrained language models are tuned and prompted.")
    top.add_argument("--version", action="version", version=f"minitune {__version__}")
    group = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        its_parser = command.add(group)
        its_parser.set_defaults(run=command.run, parser=its_parser)
    return top
