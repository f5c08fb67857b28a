"""`minitune lesson`: run a lesson, or list them."""

from __future__ import annotations

import argparse

from minitune.commands.options import whole_number
from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("lesson", help="run a lesson, or list them")
    p.add_argument("number", type=whole_number, nargs="?", metavar="N", help="which; without it they are listed")
    p.add_argument("--fast", action="store_true", help="in seconds: shows that it runs, not what it finds")
    p.add_argument("--page", action="store_true", help="write its page, with outputs, to lessons/pages (extra: pages)")
    p.add_argument("--figures", type=a_path, metavar="DIR", help="where figures go (default: runs/figures)")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.lessons import run_lesson
    from minitune.course.table import find_lesson, lessons
    from minitune.report import table

    if options.number is None:
        if options.page:
            options.parser.error("--page: which lesson? minitune lesson N --page")
        rows = [[f"{lesson.number:02}", lesson.title, lesson.part] for lesson in lessons()]
        print(table(["lesson", "title", "part"], rows))
        return
    if options.page:
        from minitune.course.page import write_page

        if options.fast or options.figures:
            options.parser.error("--page runs the whole lesson, and its figures go to lessons/figures")
        print(write_page(find_lesson(options.number)))
        return
    run_lesson(find_lesson(options.number), options.fast, options.figures)
