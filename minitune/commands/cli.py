"""The command line: what can be asked for, and how. What each command does is in `commands.py`.

Bad input is one sentence and exit status 2; Ctrl-C is 130.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from minitune import __version__
from minitune.commands import run as commands
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


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="minitune", description="How pretrained language models are tuned and prompted.")
    top.add_argument("--version", action="version", version=f"minitune {__version__}")
    group = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_compare(group)
    add_tune(group)
    add_use(group)
    add_pretrain(group)

    data = group.add_parser("data", help="write the toy world of a seed, or prove what it promises")
    data.add_argument("--seed", type=whole_number, default=0)
    data.add_argument("--out", type=Path, metavar="DIR", help="default: runs/world-SEED")
    data.add_argument("--prove", action="store_true", help="measure every promise of the world, as a table")
    data.set_defaults(run=commands.run_data)

    lesson = group.add_parser("lesson", help="run a lesson, or list them")
    lesson.add_argument("number", type=whole_number, nargs="?", metavar="N")
    lesson.add_argument("--fast", action="store_true", help="in seconds: shows that it runs, not what it finds")
    lesson.add_argument("--figures", type=Path, metavar="DIR", help="where figures go; default: runs/figures")
    lesson.set_defaults(run=commands.run_lesson)

    notebook = group.add_parser("notebook", help="write a lesson as a Jupyter notebook")
    notebook.add_argument("number", type=whole_number, metavar="N")
    notebook.add_argument("--out", type=Path, default=Path("runs/notebooks"), metavar="DIR")
    notebook.set_defaults(run=commands.run_notebook)

    bench = group.add_parser("bench", help="speed and memory on this machine, as ratios taken in one run")
    bench.add_argument("--seconds", type=above_zero, default=10.0, help="for each measurement (default: 10)")
    bench.add_argument("--json", type=Path, metavar="FILE")
    bench.set_defaults(run=commands.run_bench)
    return top


def add_compare(group) -> None:
    c = group.add_parser("compare", help="methods side by side on a few examples of a task or of your own file")
    add_data(c)
    c.add_argument("--methods", metavar="LIST|all", help="what@asked+read, separated by commas")
    c.add_argument("--shots", type=one_or_all, default=16, metavar="K|all", help="examples a class (default: 16)")
    c.add_argument("--seeds", type=one_or_more, default=5, metavar="N", help="how many draws of them (default: 5)")
    c.add_argument("--control", metavar="shuffled-labels|random-weights|irrelevant-template")
    c.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    c.add_argument("--plot", type=Path, metavar="FILE", default=Path("runs/compare.png"), help="default: %(default)s")
    c.set_defaults(run=commands.run_compare)


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
        from minitune.methods.tune import method_help

        its_parser.print_help()
        if namespace.method:
            try:
                print(f"\n{method_help(namespace.method)}")
            except UserError as error:
                its_parser.exit(2, f"minitune tune: {error}\n")
        its_parser.exit()


def add_tune(group) -> None:
    t = group.add_parser("tune", add_help=False, help="train one method on a task or on your own file, and save it")
    t.add_argument("method", metavar="METHOD", help="what@asked+read, as in compare; `minitune methods` lists them")
    t.add_argument("-h", "--help", nargs=0, action=MethodHelp, help="with a METHOD before it: its settings too")
    add_data(t)
    t.add_argument("--shots", type=one_or_all, default=16, metavar="K|all", help="examples a class (default: 16)")
    t.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as often as you like")
    t.add_argument("--seed", type=whole_number, default=0, help="of the draw and of all that is random")
    t.add_argument("--out", type=Path, metavar="DIR", help="default: runs/METHOD-TASK")
    t.set_defaults(run=commands.run_tune)

    s = group.add_parser("sweep", help="which learning rate suits a method, on the dev set of a task")
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
    s.set_defaults(run=commands.run_sweep)


def add_use(group) -> None:
    p = group.add_parser("predict", help="what a tuned method says of your texts")
    p.add_argument("folder", type=Path, metavar="DIR", help="where minitune tune saved it")
    p.add_argument("texts", nargs="*", metavar="TEXT", help='between quotes; a pair as "one || another"')
    p.add_argument("--data", type=Path, metavar="FILE", help="a .csv, .tsv or .jsonl of texts instead")
    p.add_argument("--out", type=Path, metavar="FILE", help="the same rows with a column for the answer")
    p.add_argument("--text-column", default="text", metavar="C")
    p.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    p.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps")
    p.set_defaults(run=commands.run_predict)

    e = group.add_parser("explain", help="what a tuned method reads, where, and what it makes of it")
    e.add_argument("folder", type=Path, metavar="DIR")
    e.add_argument("text", metavar="TEXT")
    e.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    e.set_defaults(run=commands.run_explain)

    m = group.add_parser("methods", help='every answer to "what may change?": lesson, paper, parameters')
    m.set_defaults(run=commands.run_methods)


def add_pretrain(group) -> None:
    p = group.add_parser("pretrain", help="make a GPT or a BERT from text")
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
    p.set_defaults(run=commands.run_pretrain)


# ---- numbers and lists ----


def whole_number(text: str) -> int:
    return checked(text, int, lambda n: 0 <= n < 2**31, "a whole number from 0 on")


def one_or_more(text: str) -> int:
    return checked(text, int, lambda n: 1 <= n < 2**31, "a whole number from 1 on")


def one_or_all(text: str) -> int | None:
    return None if text == "all" else one_or_more(text)


def rates(text: str) -> list[float]:
    numbers = sorted({above_zero(part) for part in text.split(",") if part.strip()})
    if not numbers:
        raise argparse.ArgumentTypeError(
            "the list of rates is empty; numbers above 0, separated by commas, were expected"
        )
    return numbers


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
