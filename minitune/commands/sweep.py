"""`minitune sweep`: which learning rate suits a method, on the dev set of a task."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from minitune.commands.options import above_zero, add_device, list_of, one_or_all, one_or_more, split_list, whole_number


def add(group) -> argparse.ArgumentParser:
    s = group.add_parser("sweep", help="which learning rate suits a method, on the dev set of a task")
    s.add_argument("methods", metavar="METHODS", help="what@asked+read, separated by commas")
    s.add_argument("--task", default="sentiment")
    s.add_argument("--model", default="bert", metavar="bert|gpt|DIR")
    s.add_argument("--world", type=whole_number, default=0, metavar="SEED", help="of the toy world (default: 0)")
    s.add_argument(
        "--rates",
        type=list_of(above_zero, "numbers above 0"),
        default="1e-4,3e-4,1e-3,3e-3,1e-2,3e-2",
        metavar="LIST",
        help="default: %(default)s",
    )
    s.add_argument("--shots", type=one_or_all, default=16, metavar="K|all", help="examples a class (default: 16)")
    s.add_argument("--seeds", type=one_or_more, default=3, metavar="N", help="how many draws of them (default: 3)")
    s.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as often as you like")
    s.add_argument("--json", type=Path, metavar="FILE", help="write the scores there too")
    add_device(s)
    return s


def run(options: argparse.Namespace) -> None:
    from minitune.files import write_json
    from minitune.methods.from_task import task_data
    from minitune.methods.method import Method
    from minitune.methods.sweep import best_rates, sweep, sweep_table
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.world.folder import world_folder

    methods = [Method.parse(name, options.set) for name in split_list(options.methods)]
    base = load_checkpoint(options.model, pick_device(options.device))
    data = task_data(options.task, world_folder(options.world) if options.world else None)
    rates = sorted(options.rates)
    dataset, question = data.for_model(base)
    found = sweep(dataset, base, question, methods, rates, options.shots, options.seeds)
    print(f"\n{data.name}, {base.kind} {options.model}, world {options.world}, {options.seeds} draws, score on dev\n")
    print(sweep_table(found))
    if options.json:
        scores = [[None if math.isnan(score) else score for score in s.scores] for s in found]  # NaN is no JSON
        rows = [{"method": s.method, "rate": s.rate, "scores": kept} for s, kept in zip(found, scores, strict=True)]
        settings = {name: getattr(options, name) for name in ("task", "model", "world", "shots", "seeds", "set")}
        write_json(options.json, {**settings, "rows": rows, "best": best_rates(found)})
        print(f"saved: {options.json}")
