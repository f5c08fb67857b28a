"""`minitune site`: all pages of the course as a site of static HTML."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("site", help="write the course's pages as a site (extra: pages)")
    p.add_argument("--out", type=a_path, default=Path("runs/site"), metavar="DIR", help="default: %(default)s")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.site import write_site

    print(write_site(options.out))
