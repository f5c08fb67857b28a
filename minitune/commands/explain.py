"""`minitune explain`: what a tuned method reads, where, and what it makes of it."""

from __future__ import annotations

import argparse

from minitune.commands.options import add_device
from minitune.commands.paths import a_path, inputs_of, named


def add(group) -> argparse.ArgumentParser:
    e = group.add_parser("explain", help="what a tuned method reads, where, and what it makes of it")
    e.add_argument("folder", type=a_path, metavar="DIR", help="where minitune tune saved it")
    e.add_argument("text", metavar="TEXT", help='between quotes; a pair as "one || another"')
    e.add_argument(
        "--plot", type=a_path, metavar="FILE", help="a figure of which tokens moved the answer, as .png, .pdf or .svg"
    )
    e.add_argument(
        "--model", type=named, metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved"
    )
    add_device(e)
    return e


def run(options: argparse.Namespace) -> None:
    from minitune.methods.ask import read_each, to_example
    from minitune.outputs import check_may_replace
    from minitune.report import check_figure_path, is_our_figure
    from minitune.training.loop import pick_device
    from minitune.tuned.attribution import attribute, plot
    from minitune.tuned.explain import explain
    from minitune.tuned.tuned import open_tuned

    if options.plot:
        check_figure_path(options.plot)
        check_may_replace(options.plot, is_our_figure, "a figure of minitune", inputs_of(options))
    tuned = open_tuned(options.folder, options.model, pick_device(options.device))
    example = to_example(options.text, tuned.question)
    read_each(tuned.predictor, [example], ["this text"])
    print(explain(tuned.predictor, example, tuned.base.lacks, tuned.question.found))
    if options.plot:
        found = attribute(tuned.predictor, example)
        plot(found, f"{tuned.method.name}: {found.answer}", options.plot)
        print(f"\nfigure: {options.plot}")
