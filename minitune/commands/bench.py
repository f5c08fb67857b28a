"""`minitune bench`: speed and memory on this machine."""

from __future__ import annotations

import argparse

from minitune.commands.options import above_zero
from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("bench", help="speed and memory on this machine, as ratios taken in one run")
    p.add_argument("--seconds", type=above_zero, default=10.0, metavar="S", help="for each measurement (default: 10)")
    p.add_argument("--json", type=a_path, metavar="FILE", help="write every figure there too, as JSON")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.bench.tables import as_json, as_text, bench
    from minitune.outputs import check_may_replace, holds_json
    from minitune.writing import write_json

    if options.json:
        older = holds_json("name", "value", "unit", only=True)
        check_may_replace(options.json, older, "a table of minitune bench")
    found = bench(options.seconds)
    print(as_text(found))
    if options.json:
        write_json(options.json, as_json(found))
        print(f"saved: {options.json}")
