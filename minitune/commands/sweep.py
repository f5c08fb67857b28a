"""`minitune sweep`: which learning rate suits a method, on the dev set of a task or of your own file."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

from minitune.commands.options import (
    above_zero,
    add_data,
    add_jobs,
    add_shots,
    data_asked_for,
    is_own,
    jobs_asked_for,
    list_of,
    model_asked_for,
    one_or_more,
    shots_asked_for,
    split_list,
    whole_number,
)
from minitune.errors import UserError


def add(group) -> argparse.ArgumentParser:
    s = group.add_parser(
        "sweep", help="which learning rate suits a method, on the dev set of a task or of your own file"
    )
    s.add_argument("methods", metavar="METHODS", help="what@asked+read, separated by commas")
    add_data(s)
    s.add_argument("--world", type=whole_number, default=0, metavar="SEED", help="of the toy world (default: 0)")
    s.add_argument(
        "--rates",
        type=list_of(above_zero, "numbers above 0"),
        default="1e-4,3e-4,1e-3,3e-3,1e-2,3e-2",
        metavar="LIST",
        help="learning rates (default: %(default)s)",
    )
    add_shots(s)
    s.add_argument("--seeds", type=one_or_more, default=3, metavar="N", help="how many draws of them (default: 3)")
    s.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, of each method that has it"
    )
    add_jobs(s)
    s.add_argument("--json", type=Path, metavar="FILE", help="write the scores there too, as JSON")
    return s


def run(options: argparse.Namespace) -> None:
    from minitune.experiments.sweep import best_rates, sweep, sweep_table
    from minitune.methods.file_report import describe
    from minitune.methods.several import parse_all
    from minitune.questions.kinds import KINDS
    from minitune.questions.otherwise import asked_otherwise
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.world.folder import world_folder
    from minitune.writing import check_can_write, write_json

    if options.world and is_own(options):
        raise UserError("--world belongs to the tasks of the toy world, and a file was given; leave one of them out")
    if options.json:
        check_can_write(options.json)
    methods = parse_all(split_list(options.methods), options.set)
    data = data_asked_for(options, options.shots, world_folder(options.world) if options.world else None)
    shots = shots_asked_for(options, data.question.kind)
    model = model_asked_for(options, data.question.kind)
    base = load_checkpoint(model, pick_device(options.device))
    data = data.readable_by(base)
    dataset, question = data.dataset, data.question
    needs_blank = any(method.needs_blank(question) for method in methods)
    question = asked_otherwise(question, options.template, options.label_words, base, needs_blank)
    if is_own(options) or KINDS[question.kind].is_turn:
        print("\n".join(describe(replace(data, question=question), base)))
    jobs = jobs_asked_for(options, base)
    found = sweep(dataset, base, question, methods, sorted(options.rates), shots, options.seeds, jobs)
    of = "" if is_own(options) else f", world {options.world}"
    score = f"{KINDS[question.kind].metric} on dev" + ", the test rows untouched" * is_own(options)
    model_told = base.kind if model == base.kind else f"{base.kind} {model}"
    examples = f"{shots or 'all'} examples" + " a class" * dataset.by_class
    print(f"\n{data.name}, {model_told}{of}, {examples}, {options.seeds} draw{'s' * (options.seeds > 1)}, {score}\n")
    print(f"{sweep_table(found)}\n\n(*: the best, of equals the lowest)")
    if options.json:
        scores = [[None if math.isnan(score) else score for score in s.scores] for s in found]  # NaN is no JSON
        rows = [{"method": s.method, "rate": s.rate, "scores": kept} for s, kept in zip(found, scores, strict=True)]
        settings = {"model": model, "shots": shots}
        settings |= {name: getattr(options, name) for name in ("world", "seeds", "set")}
        write_json(options.json, {"task": data.name, **settings, "rows": rows, "best": best_rates(found)})
        print(f"saved: {options.json}")
