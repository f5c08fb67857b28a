"""`minitune lesson`: run a lesson, or list them."""

from __future__ import annotations

import argparse

from minitune.commands.options import whole_number
from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("lesson", help="run a lesson, or list them")
    p.add_argument("number", type=whole_number, nargs="?", metavar="N", help="which; without it they are listed")
    p.add_argument("--fast", action="store_true", help="in seconds: shows that it runs, not what it finds")
    p.add_argument("--figures", type=a_path, metavar="DIR", help="where figures go (default: runs/figures)")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.lessons import find_lesson, lessons, run_lesson
    from minitune.report import table

    if options.number is None:
        print(table(["lesson", "title"], [[f"{lesson.number:02}", lesson.title] for lesson in lessons()]))
        return
    run_lesson(find_lesson(options.number), options.fast, options.figures)
