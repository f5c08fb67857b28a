"""`minitune data`: write the toy world of a seed, or prove what it promises."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import whole_number
from minitune.commands.paths import a_path
from minitune.errors import UserError


def add(group) -> argparse.ArgumentParser:
    d = group.add_parser("data", help="write the toy world of a seed, or prove what it promises")
    d.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the world (default: 0)")
    d.add_argument("--out", type=a_path, metavar="DIR", help="default: runs/world-SEED")
    d.add_argument("--prove", action="store_true", help="measure every promise of the world, as a table")
    d.add_argument("--force", action="store_true", help="write into a folder that is there")
    return d


def run(options: argparse.Namespace) -> None:
    from minitune.world.folder import check_is_free, write_whole_world
    from minitune.world.proofs import prove, report
    from minitune.writing import alone_in

    if options.prove:
        checks = prove(options.seed)
        print(report(checks))
        if not all(check.ok for check in checks):
            raise UserError(f"the world of seed {options.seed} does not hold what it promises; see the table")
        return
    out = options.out or Path("runs") / f"world-{options.seed}"
    check_is_free(out, options.force)
    with alone_in(out):
        check_is_free(out, options.force)  # nobody has written there since, or does now
        write_whole_world(out, options.seed)
    print(f"the world of seed {options.seed} is in {out}")
