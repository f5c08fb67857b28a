"""`minitune bench`: speed and memory on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import above_zero


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("bench", help="speed and memory on this machine, as ratios taken in one run")
    p.add_argument("--seconds", type=above_zero, default=10.0, help="for each measurement (default: 10)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write every figure there too")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.bench.pretraining import bench, bench_table
    from minitune.files import write_json

    rows = bench(options.seconds)
    print(bench_table(rows))
    if options.json:
        write_json(options.json, rows)
        print(f"saved: {options.json}")
