"""`minitune notebook`: write a lesson as a Jupyter notebook."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from minitune.commands.options import whole_number
from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("notebook", help="write a lesson as a Jupyter notebook")
    p.add_argument("number", type=whole_number, metavar="N", help="which lesson")
    p.add_argument("--exercises", action="store_true", help="stubs in the place of the solutions")
    p.add_argument("--no-outputs", action="store_true", help="do not run it")
    p.add_argument("--out", type=a_path, default=Path("runs/notebooks"), metavar="DIR", help="default: %(default)s")
    p.add_argument("--force", action="store_true", help="replace a notebook that was edited")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.notebook import notebook
    from minitune.course.running import PAGES, has
    from minitune.course.table import find_lesson

    lesson = find_lesson(options.number)
    outputs = has(*PAGES) and not options.no_outputs and not options.exercises
    print(notebook(lesson, options.out, options.force, options.exercises, outputs))
    if not (outputs or options.no_outputs or options.exercises):
        print("without outputs: those need pip install -e '.[pages]'", file=sys.stderr)
