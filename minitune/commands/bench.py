"""`minitune bench`: speed and memory on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import above_zero


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("bench", help="speed and memory on this machine, as ratios taken in one run")
    p.add_argument("--seconds", type=above_zero, default=10.0, metavar="S", help="for each measurement (default: 10)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write every figure there too, as JSON")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.bench.tables import as_json, as_text, bench
    from minitune.writing import check_can_write, write_json

    if options.json:
        check_can_write(options.json)
    found = bench(options.seconds)
    print(as_text(found))
    if options.json:
        write_json(options.json, as_json(found))
        print(f"saved: {options.json}")
