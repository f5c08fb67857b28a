"""The command line: it finds the commands. Each is a module of this room, with `add`, which
makes its parser, and `run`.

Bad input is one sentence and exit status 2; Ctrl-C is 130. What a command needs is imported when it runs: no help and
no mistyped option waits for PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minitune import __version__
from minitune.commands import (
    bench,
    compare,
    data,
    explain,
    export,
    import_adapter,
    lesson,
    methods,
    notebook,
    predict,
    pretrain,
    sweep,
    tune,
)
from minitune.commands.options import Parser
from minitune.errors import UserError

COMMANDS = (
    compare,
    tune,
    sweep,
    predict,
    explain,
    export,
    import_adapter,
    methods,
    pretrain,
    data,
    lesson,
    notebook,
    bench,
)


def main(arguments: Sequence[str] | None = None) -> int:
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        options.run(options)
    except UserError as error:
        print(f"minitune {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nminitune {options.command}: stopped; whatever was saved before is whole", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="minitune", description="How pretrained language models are tuned and prompted.")
    top.add_argument("--version", action="version", version=f"minitune {__version__}")
    group = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        its_parser = command.add(group)
        its_parser.set_defaults(run=command.run, parser=its_parser)
    return top
