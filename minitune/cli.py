"""The commands. Each says what it reads, does its work elsewhere, and prints a table.

Bad input is one sentence and exit status 2; Ctrl-C is 130.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from minitune import __version__
from minitune.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f"minitune {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nminitune {options.command}: stopped; whatever was saved before is whole", file=sys.stderr)
        return 130
    return 0


# ---- the commands ----


def run_compare(options: argparse.Namespace) -> None:
    from minitune import compare as comparison
    from minitune.methods import DEFAULTS, METRIC, Method, all_methods
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device

    device = pick_device(options.device)
    chosen = [] if options.methods in (None, "all") else split_list(options.methods)
    for name in chosen:
        Method.parse(name)  # an unknown one is refused before anything is read
    comparison.check_figure_path(options.plot)
    checkpoint = load_checkpoint(options.model, device)
    dataset, question = asked_for(options, checkpoint)
    methods = chosen or (all_methods() if options.methods == "all" else list(DEFAULTS[question.kind]))
    metric = METRIC[question.kind]
    if not question.label_words and question.kind == "classes":
        methods = [name for name in methods if not Method.parse(name).reads_the_blank]
        if not methods:
            raise UserError("every method asked for needs label words; give them with --label-words, or ask for +head")

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
    from minitune.methods import Method
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.tune import tune

    method = Method.parse(options.method, options.set)
    base = load_checkpoint(options.model, pick_device(options.device))
    dataset, question = asked_for(options, base, method.reads_the_blank)
    out = options.out or Path("runs") / f"{method.name}-{dataset.name}".replace(":", "-")
    result = tune(method, dataset, question, base, options.model, out, options.shots, options.seed)
    print(result.report)
    print(f'\ncurve: {out / "curve.png"}\nuse it: minitune predict {out} "a text"')


def run_predict(options: argparse.Namespace) -> None:
    from minitune.saved import load_tuned
    from minitune.training.loop import pick_device
    from minitune.use import predict_file, predict_texts

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
    from minitune.saved import load_tuned
    from minitune.use import explain

    joined, question, _ = load_tuned(options.folder, options.model)
    print(explain(joined, question, options.text))


def run_methods(options: argparse.Namespace) -> None:
    from minitune.tune import methods_table

    print(methods_table())


def run_sweep(options: argparse.Namespace) -> None:
    from minitune.data.folder import world_folder
    from minitune.methods import Method
    from minitune.questions import task_data
    from minitune.sweep import best_rates, sweep, sweep_table
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device

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
        rows = [{"method": s.method, "rate": s.rate, "scores": s.scores} for s in found]
        settings = {name: getattr(options, name) for name in ("task", "model", "world", "shots", "seeds", "set")}
        save_json(options.json, {**settings, "rows": rows, "best": best_rates(found)})


def run_pretrain(options: argparse.Namespace) -> None:
    import torch

    from minitune.pretraining import pretrain_on_file, pretrain_on_world, write_report
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
    from minitune.data.checks import prove, report
    from minitune.data.folder import write_whole_world

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
    from minitune.bench import bench, bench_table

    rows = bench(options.seconds)
    print(bench_table(rows))
    if options.json:
        save_json(options.json, rows)


def asked_for(options: argparse.Namespace, base, reads_the_blank: bool = True):
    """The data and the question that --task or --data and what belongs to them ask for."""
    from minitune.questions import asked_otherwise, describe, file_data, task_data

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


# ---- their options ----


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="minitune", description="How pretrained language models are tuned and prompted.")
    top.add_argument("--version", action="version", version=f"minitune {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_compare(commands)
    add_tune(commands)
    add_use(commands)
    add_pretrain(commands)

    data = commands.add_parser("data", help="write the toy world of a seed, or prove what it promises")
    data.add_argument("--seed", type=whole_number, default=0)
    data.add_argument("--out", type=Path, metavar="DIR", help="default: runs/world-SEED")
    data.add_argument("--prove", action="store_true", help="measure every promise of the world, as a table")
    data.set_defaults(run=run_data)

    lesson = commands.add_parser("lesson", help="run a lesson, or list them")
    lesson.add_argument("number", type=whole_number, nargs="?", metavar="N")
    lesson.add_argument("--fast", action="store_true", help="in seconds: shows that it runs, not what it finds")
    lesson.add_argument("--figures", type=Path, metavar="DIR", help="where figures go; default: runs/figures")
    lesson.set_defaults(run=run_lesson)

    notebook = commands.add_parser("notebook", help="write a lesson as a Jupyter notebook")
    notebook.add_argument("number", type=whole_number, metavar="N")
    notebook.add_argument("--out", type=Path, default=Path("runs/notebooks"), metavar="DIR")
    notebook.set_defaults(run=run_notebook)

    bench = commands.add_parser("bench", help="speed and memory on this machine, as ratios taken in one run")
    bench.add_argument("--seconds", type=above_zero, default=10.0, help="for each measurement (default: 10)")
    bench.add_argument("--json", type=Path, metavar="FILE")
    bench.set_defaults(run=run_bench)
    return top


def add_compare(commands) -> None:
    c = commands.add_parser("compare", help="methods side by side on a few examples of a task or of your own file")
    add_data(c)
    c.add_argument("--methods", metavar="LIST|all", help="what@asked+read, separated by commas")
    c.add_argument("--shots", type=one_or_all, default=16, metavar="K|all", help="examples a class (default: 16)")
    c.add_argument("--seeds", type=one_or_more, default=5, metavar="N", help="how many draws of them (default: 5)")
    c.add_argument("--control", metavar="shuffled-labels|random-weights|irrelevant-template")
    c.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    c.add_argument("--plot", type=Path, metavar="FILE", default=Path("runs/compare.png"), help="default: %(default)s")
    c.set_defaults(run=run_compare)


def add_data(c: argparse.ArgumentParser) -> None:
    """What is asked of which model: for every command that trains on a task or a file."""
    c.add_argument("--task", default="sentiment", help="a task of the toy world (default: sentiment)")
    c.add_argument("--data", type=Path, metavar="FILE", help="your own .csv, .tsv or .jsonl instead of a task")
    c.add_argument("--test-data", type=Path, metavar="FILE", help="its test part; else some of --data is kept for it")
    c.add_argument("--text-column", default="text", metavar="C")
    c.add_argument("--label-column", default="label", metavar="C")
    c.add_argument("--model", default="bert", metavar="bert|gpt|DIR")
    c.add_argument("--template", help='how the question is asked, as in "{text} it was {mask} ."')
    c.add_argument("--label-words", metavar="WORDS", help='as in "positive=great,good;negative=bad"')
    c.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")


class MethodHelp(argparse.Action):
    """`minitune tune METHOD --help` lists the settings of that method behind the options."""

    def __call__(self, its_parser, namespace, values, option_string=None):
        from minitune.tune import method_help

        its_parser.print_help()
        if namespace.method:
            try:
                print(f"\n{method_help(namespace.method)}")
            except UserError as error:
                its_parser.exit(2, f"minitune tune: {error}\n")
        its_parser.exit()


def add_tune(commands) -> None:
    t = commands.add_parser("tune", add_help=False, help="train one method on a task or on your own file, and save it")
    t.add_argument("method", metavar="METHOD", help="what@asked+read, as in compare; `minitune methods` lists them")
    t.add_argument("-h", "--help", nargs=0, action=MethodHelp, help="with a METHOD before it: its settings too")
    add_data(t)
    t.add_argument("--shots", type=one_or_all, default=16, metavar="K|all", help="examples a class (default: 16)")
    t.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as often as you like")
    t.add_argument("--seed", type=whole_number, default=0, help="of the draw and of all that is random")
    t.add_argument("--out", type=Path, metavar="DIR", help="default: runs/METHOD-TASK")
    t.set_defaults(run=run_tune)

    s = commands.add_parser("sweep", help="which learning rate suits a method, on the dev set of a task")
    s.add_argument("methods", metavar="METHODS", help="what@asked+read, separated by commas")
    s.add_argument("--task", default="sentiment")
    s.add_argument("--model", default="bert", metavar="bert|gpt|DIR")
    s.add_argument("--world", type=whole_number, default=0, metavar="SEED", help="of the toy world (default: 0)")
    s.add_argument("--rates", type=rates, default="1e-4,3e-4,1e-3,3e-3,1e-2,3e-2", metavar="LIST")
    s.add_argument("--shots", type=one_or_all, default=16, metavar="K|all")
    s.add_argument("--seeds", type=one_or_more, default=3, metavar="N")
    s.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    s.add_argument("--json", type=Path, metavar="FILE")
    s.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")
    s.set_defaults(run=run_sweep)


def add_use(commands) -> None:
    p = commands.add_parser("predict", help="what a tuned method says of your texts")
    p.add_argument("folder", type=Path, metavar="DIR", help="where minitune tune saved it")
    p.add_argument("texts", nargs="*", metavar="TEXT", help='between quotes; a pair as "one || another"')
    p.add_argument("--data", type=Path, metavar="FILE", help="a .csv, .tsv or .jsonl of texts instead")
    p.add_argument("--out", type=Path, metavar="FILE", help="the same rows with a column for the answer")
    p.add_argument("--text-column", default="text", metavar="C")
    p.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    p.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")
    p.set_defaults(run=run_predict)

    e = commands.add_parser("explain", help="what a tuned method reads, where, and what it makes of it")
    e.add_argument("folder", type=Path, metavar="DIR")
    e.add_argument("text", metavar="TEXT")
    e.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    e.set_defaults(run=run_explain)

    m = commands.add_parser("methods", help='every answer to "what may change?": lesson, paper, parameters')
    m.set_defaults(run=run_methods)


def add_pretrain(commands) -> None:
    p = commands.add_parser("pretrain", help="make a GPT or a BERT from text")
    p.add_argument("kind", metavar="gpt|bert")
    p.add_argument("--text", type=Path, metavar="FILE", help="any UTF-8 text, instead of the toy world")
    p.add_argument("--size", default="micro", metavar="nano|micro|mini")
    length = p.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=above_zero, metavar="M", help="about so long (default: 15)")
    length.add_argument("--steps", type=one_or_more, metavar="N", help="exactly so long")
    p.add_argument("--seed", type=whole_number, default=0, help="of the weights and the batches")
    p.add_argument("--world", type=whole_number, default=0, metavar="SEED", help="which toy world (default: 0)")
    p.add_argument("--unjoined", action="store_true", help="a toy world whose sentences join no opinions (lesson 3)")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: runs/KIND")
    p.add_argument("--resume", action="store_true", help="go on from the last save in --out")
    p.add_argument("--threads", type=one_or_more, metavar="N", help="CPU threads (default: PyTorch's own choice)")
    p.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")
    p.set_defaults(run=run_pretrain)


# ---- numbers and lists ----


def whole_number(text: str) -> int:
    return checked(text, int, lambda n: 0 <= n < 2**31, "a whole number from 0 on")


def one_or_more(text: str) -> int:
    return checked(text, int, lambda n: 1 <= n < 2**31, "a whole number from 1 on")


def one_or_all(text: str) -> int | None:
    return None if text == "all" else one_or_more(text)


def rates(text: str) -> list[float]:
    return sorted(above_zero(part) for part in text.split(",") if part.strip())


def above_zero(text: str) -> float:
    return checked(text, float, lambda n: 0 < n < 1e6, "a number above 0")


def checked(text: str, convert, is_good, expected: str):
    try:
        number = convert(text)
    except ValueError:
        number = None
    if number is None or not is_good(number):
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; {expected} was expected")
    return number


def split_list(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("the list of methods is empty; write what@asked+read, separated by commas")
    return list(dict.fromkeys(names))


def save_json(path: Path, content) -> None:
    from minitune.files import write_text

    write_text(path, json.dumps(content, indent=2) + "\n")
    print(f"saved: {path}")
