"""`minitune compare`: methods side by side on a few examples of a task or of your own file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from minitune.commands.options import (
    add_data,
    add_jobs,
    data_asked_for,
    is_own,
    jobs_asked_for,
    list_of,
    model_asked_for,
    one_or_all,
    one_or_more,
    split_list,
)
from minitune.errors import UserError

USUAL = (1, 4, 16, 64)  # examples a class, or in all


def add(group) -> argparse.ArgumentParser:
    c = group.add_parser("compare", help="methods side by side on a few examples of a task or of your own file")
    add_data(c)
    c.add_argument(
        "--methods", metavar="LIST|all", help="what@asked+read, separated by commas (default: some that suit)"
    )
    c.add_argument(
        "--shots",
        type=list_of(one_or_all, "whole numbers or all"),
        metavar="LIST",
        help="examples a class, of numbers and tags in all (default: as many of 1,4,16,64 as there are rows for)",
    )
    c.add_argument("--seeds", type=one_or_more, default=5, metavar="N", help="how many draws of them (default: 5)")
    c.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, of each method that has it"
    )
    c.add_argument(
        "--control",
        metavar="shuffled-labels|random-weights|irrelevant-template",
        help="take away what a method may learn from",
    )
    add_jobs(c)
    c.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too, as JSON")
    c.add_argument(
        "--plot", type=Path, metavar="FILE", default=Path("runs/compare.png"), help="the figure (default: %(default)s)"
    )
    return c


def run(options: argparse.Namespace) -> None:
    from minitune.experiments.compare import compare
    from minitune.experiments.compare_report import compare_json, compare_table, many, plot
    from minitune.experiments.control import told_of_all
    from minitune.methods.file_report import describe, words_asked
    from minitune.methods.several import all_methods, parse_all
    from minitune.questions.kinds import KINDS
    from minitune.questions.otherwise import asked_otherwise
    from minitune.report import check_figure_path
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.writing import check_can_write, try_all, write_json

    device = pick_device(options.device)
    chosen = [] if options.methods in (None, "all") else split_list(options.methods)
    parse_all(chosen, options.set if chosen else ())  # an unknown one is refused before anything is read
    check_figure_path(options.plot)
    for path in filter(None, (options.plot, options.json)):
        check_can_write(path)
    data = data_asked_for(options, max((n for n in options.shots or () if n), default=None))
    kind = KINDS[data.question.kind]
    checkpoint = load_checkpoint(model_asked_for(options, data.question.kind), device)
    data = data.readable_by(checkpoint)
    dataset = data.dataset
    question = asked_otherwise(data.question, options.template, options.label_words, checkpoint, kind.is_choice)
    methods = chosen or (all_methods(question.kind) if options.methods == "all" else list(kind.default))
    if is_own(options) or kind.is_turn:
        described = describe(replace(data, question=question), checkpoint)
        print("\n".join([*described, *words_asked(question, methods, checkpoint.kind)]))
    shots = options.shots or ([None] if kind.shots is None else usual_shots(dataset))
    methods = those_that_can(methods, question, checkpoint, named=bool(chosen))
    for method in parse_all(methods, options.set):
        method.check(question)
        method.template(question, checkpoint.kind)  # refused now, not after the others have trained

    jobs = jobs_asked_for(options, checkpoint)
    rows = compare(dataset, checkpoint, question, methods, shots, options.seeds, options.control, options.set, jobs)
    examples = f"{', '.join(map(many, shots))} examples" + " a class" * data.dataset.by_class
    draws = f"{options.seeds} draws" if options.seeds > 1 else "1 draw: no interval"
    title = f"{data.name}, {checkpoint.kind}, {examples}, {draws}"
    title += f", control: {options.control}" if options.control else ""
    print(f"\n{title}\n")
    print(compare_table(rows, kind.metric, dataset.by_class))
    if is_own(options) and (told := told_of_all(rows, data, checkpoint)):
        print("\n".join(["", *told]))
    content = compare_json(rows, data.name, checkpoint.kind, options.seeds, kind.metric) | {"set": options.set}
    writes = [lambda: write_json(options.json, content)] if options.json else []
    try_all(*writes, lambda: plot(rows, title, options.plot, kind.metric, dataset.by_class))
    if options.json:
        print(f"saved: {options.json}")
    print(f"\nfigure: {options.plot}")


def usual_shots(dataset) -> list[int]:
    """The usual numbers of examples, as far as there are rows for them; which are left out is printed."""
    from collections import Counter

    counts = Counter(example.label for example in dataset.pool) if dataset.by_class else {None: len(dataset.pool)}
    there_are = min(counts.values())
    fitting = [n for n in USUAL if n <= there_are]
    if left_out := [n for n in USUAL if n > there_are]:
        print(
            f"for {' or '.join(map(str, left_out))} examples{' a class' * dataset.by_class} it has too few rows beside "
            f"its test: {', '.join(map(str, fitting))} {'are' if len(fitting) > 1 else 'is'} compared (--shots asks "
            "for others)"
        )
    return fitting


def those_that_can(methods: list[str], question, checkpoint, named: bool) -> list[str]:
    """The methods that this question and this model can be asked with; which ones are left out, and why, is printed.

    Args:
        named: the user named them. Then only a lack of label words leaves one out; what the model lacks refuses it.

    Raises:
        UserError: none is left.
    """
    from minitune.methods.method import Method
    from minitune.questions.kinds import KINDS

    if not question.label_words and KINDS[question.kind].is_choice:
        methods = [name for name in methods if not Method.parse(name).needs_label_words]
        if not methods:
            raise UserError(
                "every method asked for needs label words; give them with --label-words, let +petal search for "
                "them, or ask for +head"
            )
    if named:
        return methods
    misses = {name: Method.parse(name).misses(question, checkpoint) for name in methods}
    for why in sorted(set(filter(None, misses.values()))):
        print(f"left out: {', '.join(name for name in misses if misses[name] == why)} (each {why})")
    able = [name for name, why in misses.items() if not why]
    if not able:
        raise UserError("nothing is left to compare; name the methods with --methods")
    return able
