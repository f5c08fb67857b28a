"""What each command does: it reads what was asked for, has the work done elsewhere, and prints a table.

The options come from `cli.py`. What a command needs is imported when it runs: `minitune --help` waits for no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from minitune.errors import UserError


def run_compare(options: argparse.Namespace) -> None:
    from minitune.methods import compare as comparison
    from minitune.methods.method import DEFAULTS, METRIC, Method, all_methods
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device

    device = pick_device(options.device)
    chosen = [] if options.methods in (None, "all") else split_list(options.methods)
    for name in chosen:
        Method.parse(name)  # an unknown one is refused before anything is read
    comparison.check_figure_path(options.plot)
    checkpoint = load_checkpoint(options.model, device)
    dataset, question = asked_for(options, checkpoint)
    methods = chosen or (all_methods(question.kind) if options.methods == "all" else list(DEFAULTS[question.kind]))
    metric = METRIC[question.kind]
    if not question.label_words and question.kind == "classes":
        methods = [name for name in methods if not Method.parse(name).reads_the_blank]
        if not methods:
            raise UserError("every method asked for needs label words; give them with --label-words, or ask for +head")

    for name in methods:
        Method.parse(name).template(question)  # refused now, not after the others have trained
    rows = comparison.compare(dataset, checkpoint, question, methods, options.shots, options.seeds, options.control)
    many = "all examples" if options.shots is None else f"{options.shots} examples" + " a class" * dataset.by_class
    title = f"{dataset.name}, {checkpoint.kind}, {many}, {options.seeds} draws"
    title += f", control: {options.control}" if options.control else ""
    print(f"\n{title}\n")
    print(comparison.compare_table(rows, metric))
    if options.json:
        result = comparison.compare_json(rows, dataset, checkpoint, options.shots, options.seeds, metric)
        save_json(options.json, result)
    comparison.plot_rows(rows, title, options.plot, metric)
    print(f"\nfigure: {options.plot}")


def run_tune(options: argparse.Namespace) -> None:
    from minitune.methods.method import Method
    from minitune.methods.tune import tune
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device

    method = Method.parse(options.method, options.set)
    base = load_checkpoint(options.model, pick_device(options.device))
    dataset, question = asked_for(options, base, method.reads_the_blank)
    out = options.out or Path("runs") / f"{method.name}-{dataset.name}".replace(":", "-")
    result = tune(method, dataset, question, base, options.model, out, options.shots, options.seed)
    print(result.report)
    print(f'\ncurve: {out / "curve.png"}\nuse it: minitune predict {out} "a text"')


def run_predict(options: argparse.Namespace) -> None:
    from minitune.methods.saved import load_tuned
    from minitune.methods.use import predict_file, predict_texts
    from minitune.training.loop import pick_device

    if bool(options.texts) == bool(options.data):
        raise UserError("give either texts, each between quotes, or a file with --data")
    if bool(options.data) != bool(options.out):
        raise UserError("--data and --out belong together: what to read, and where the answers go")
    joined, question, _ = load_tuned(options.folder, options.model, pick_device(options.device))
    if options.data:
        count = predict_file(joined, question, options.data, options.out, options.text_column)
        print(f"saved: {options.out}, {count} rows with a column 'answer'")
    else:
        print(predict_texts(joined, question, options.texts))


def run_explain(options: argparse.Namespace) -> None:
    from minitune.methods.saved import load_tuned
    from minitune.methods.use import explain

    joined, question, _ = load_tuned(options.folder, options.model)
    print(explain(joined, question, options.text))


def run_methods(options: argparse.Namespace) -> None:
    from minitune.methods.tune import methods_table

    print(methods_table())


def run_sweep(options: argparse.Namespace) -> None:
    from minitune.methods.method import Method
    from minitune.methods.questions import task_data
    from minitune.methods.sweep import best_rates, sweep, sweep_table
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.world.folder import world_folder

    methods = [Method.parse(name, options.set) for name in split_list(options.methods)]
    base = load_checkpoint(options.model, pick_device(options.device))
    folder = world_folder(options.world) if options.world else None
    dataset, question = task_data(options.task, base, folder)
    found = sweep(dataset, base, question, methods, options.rates, options.shots, options.seeds)
    print(
        f"\n{dataset.name}, {base.kind} {options.model}, world {options.world}, {options.seeds} draws, score on dev\n"
    )
    print(sweep_table(found))
    if options.json:
        scores = [[None if math.isnan(score) else score for score in s.scores] for s in found]  # NaN is no JSON
        rows = [{"method": s.method, "rate": s.rate, "scores": kept} for s, kept in zip(found, scores, strict=True)]
        settings = {name: getattr(options, name) for name in ("task", "model", "world", "shots", "seeds", "set")}
        save_json(options.json, {**settings, "rows": rows, "best": best_rates(found)})


def run_pretrain(options: argparse.Namespace) -> None:
    import torch

    from minitune.commands.pretraining import pretrain_on_file, pretrain_on_world, write_report
    from minitune.training.loop import pick_device

    if options.threads:
        torch.set_num_threads(options.threads)
    out = options.out or Path("runs") / options.kind
    settings = {name: getattr(options, name) for name in ("size", "steps", "minutes", "seed", "resume")}
    settings["device"] = pick_device(options.device)
    if options.text:
        result, reached = pretrain_on_file(options.kind, options.text, out, **settings), {}
    else:
        result, reached = pretrain_on_world(options.kind, options.world, out, not options.unjoined, **settings)
    print(write_report(out, result, reached, exact_command(options, result.run)))
    print(f"\ncheckpoint and report: {out}")


def exact_command(options: argparse.Namespace, run) -> str:
    """The command that makes the same model again, whatever was said with --minutes or --resume."""
    parts = ["minitune pretrain", run.kind]
    parts += [f"--text {options.text}"] if options.text else [f"--world {options.world}"] * bool(options.world)
    parts += ["--unjoined"] * options.unjoined + [f"--size {run.size}"] * (run.size != "micro")
    return " ".join([*parts, f"--steps {run.steps} --seed {run.seed} --threads {run.threads}"])


def run_data(options: argparse.Namespace) -> None:
    from minitune.world.folder import write_whole_world
    from minitune.world.proofs import prove, report

    if options.prove:
        checks = prove(options.seed)
        print(report(checks))
        if not all(check.ok for check in checks):
            raise UserError(f"the world of seed {options.seed} does not hold what it promises; see the table")
        return
    out = options.out or Path("runs") / f"world-{options.seed}"
    write_whole_world(out, options.seed)
    print(f"the world of seed {options.seed} is in {out}")


def run_lesson(options: argparse.Namespace) -> None:
    from minitune.course.lessons import find_lesson, lessons, run_lesson
    from minitune.report import table

    if options.number is None:
        print(table(["lesson", "title"], [[f"{lesson.number:02}", lesson.title] for lesson in lessons()]))
        return
    run_lesson(find_lesson(options.number), options.fast, options.figures)


def run_notebook(options: argparse.Namespace) -> None:
    from minitune.course.lessons import find_lesson, notebook

    print(notebook(find_lesson(options.number), options.out))


def run_bench(options: argparse.Namespace) -> None:
    from minitune.bench.tables import as_json, as_text, bench

    found = bench(options.seconds)
    print(as_text(found))
    if options.json:
        save_json(options.json, as_json(found))


def asked_for(options: argparse.Namespace, base, reads_the_blank: bool = True):
    """The data and the question that --task or --data and what belongs to them ask for."""
    from minitune.methods.questions import asked_otherwise, describe, file_data, task_data

    if options.test_data and not options.data:
        raise UserError("--test-data belongs to --data; a task has a test file of its own")
    if options.data:
        columns = (options.text_column, options.label_column)
        dataset, question = file_data(options.data, options.test_data, options.shots, base, *columns)
    else:
        dataset, question = task_data(options.task, base)
    needs_blank = reads_the_blank and question.kind in ("classes", "words")
    question = asked_otherwise(question, options.template, options.label_words, base, needs_blank)
    if options.data:
        print("\n".join(describe(dataset, question, base)))
    return dataset, question


def split_list(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("the list of methods is empty; write what@asked+read, separated by commas")
    return list(dict.fromkeys(names))


def save_json(path: Path, content) -> None:
    from minitune.files import write_text

    write_text(path, json.dumps(content, indent=2) + "\n")
    print(f"saved: {path}")
