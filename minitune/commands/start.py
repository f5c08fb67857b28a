"""`minitune start`: a learner's copy of the lessons, with stubs in the place of the solutions."""

from __future__ import annotations

import argparse

from minitune.commands.paths import a_path


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("start", help="write the lessons for a learner: each exercise is a stub")
    p.add_argument("folder", type=a_path, metavar="DIR", help="a new folder, or one that has lessons already")
    return p


def run(options: argparse.Namespace) -> None:
    from minitune.course.copies import start

    print("\n".join(start(options.folder)))
    print(f"to check what you write: pytest --mine {options.folder}, with -m lesson02 of one lesson alone")
