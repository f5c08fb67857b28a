"""`minitune explain`: what a tuned method reads, where, and what it makes of it."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(group) -> argparse.ArgumentParser:
    e = group.add_parser("explain", help="what a tuned method reads, where, and what it makes of it")
    e.add_argument("folder", type=Path, metavar="DIR")
    e.add_argument("text", metavar="TEXT", help='a pair as "one || another"')
    e.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    return e


def run(options: argparse.Namespace) -> None:
    from minitune.methods.ask import to_example
    from minitune.methods.explain import explain
    from minitune.methods.tuned import open_tuned

    tuned = open_tuned(options.folder, options.model)
    print(explain(tuned.predictor, to_example(options.text, tuned.question), tuned.base.lacks))
