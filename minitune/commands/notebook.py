"""`minitune notebook`: write a lesson as a Jupyter notebook."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import whole_number
from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("notebook", help="write a lesson as a Jupyter notebook")
    p.add_argument("number", type=whole_number, metavar="N", help="which lesson")
    p.add_argument("--out", type=a_path, default=Path("runs/notebooks"), metavar="DIR", help="default: %(default)s")
    p.add_argument("--force", action="store_true", help="replace a notebook that was edited")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.lessons import find_lesson, notebook

    print(notebook(find_lesson(options.number), options.out, options.force))
