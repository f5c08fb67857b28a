"""`minitune tune`: train one method on a task or on your own file, measure it on test, save it."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import replace
from pathlib import Path

from minitune.commands.options import (
    add_data,
    add_shots,
    data_asked_for,
    fields_asked_for,
    is_own,
    model_asked_for,
    shots_asked_for,
    whole_number,
)
from minitune.errors import UserError


class MethodHelp(argparse.Action):
    """`minitune tune METHOD --help` lists the settings of that method behind the options."""

    def __call__(self, its_parser, namespace, values, option_string=None):
        from minitune.methods.help import method_help

        its_parser.print_help()
        if namespace.method:
            try:
                print(f"\n{method_help(namespace.method)}")
            except UserError as error:
                its_parser.exit(2, f"minitune tune: {error}\n")
        its_parser.exit()


def add(group) -> argparse.ArgumentParser:
    t = group.add_parser("tune", add_help=False, help="train one method on a task or on your own file, and save it")
    t.add_argument("method", metavar="METHOD", help="what@asked+read, as in compare; `minitune methods` lists them")
    t.add_argument("-h", "--help", nargs=0, action=MethodHelp, help="with a METHOD before it: its settings too")
    add_data(t)
    add_shots(t)
    t.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as often as you like")
    t.add_argument(
        "--seed", type=whole_number, default=0, metavar="N", help="of the draw and of all that is random (default: 0)"
    )
    t.add_argument(
        "--turns",
        type=whole_number,
        default=0,
        metavar="N",
        help="put each instruction to train on behind up to N others, as in a conversation (default: 0)",
    )
    t.add_argument("--out", type=Path, metavar="DIR", help="default: runs/METHOD-TASK-MODEL-SHOTS-SEED")
    t.add_argument("--force", action="store_true", help="replace the tuned method that is in --out")
    return t


def run(options: argparse.Namespace) -> None:
    from minitune.experiments.control import control_of, told_of_one
    from minitune.experiments.curve import plot_curve
    from minitune.experiments.experiment import judge
    from minitune.methods.file_report import describe, words_asked
    from minitune.methods.method import Method
    from minitune.questions.kinds import KINDS
    from minitune.questions.otherwise import asked_otherwise
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device
    from minitune.tuned.saved import FILE, check_is_free
    from minitune.tuned.tuned import stored, tune, tuning_report
    from minitune.writing import check_can_write

    method = Method.parse(options.method, options.set)
    data = data_asked_for(options, options.shots)
    data = data.in_conversations(options.turns, options.seed) if options.turns else data
    kind, shots = KINDS[data.question.kind], shots_asked_for(options, data.question.kind)
    base = load_checkpoint(model_asked_for(options, data.question.kind), pick_device(options.device))
    data = data.readable_by(base)
    if is_own(options) or kind.is_turn:
        needs_blank = method.needs_blank(data.question)
        question = asked_otherwise(data.question, options.template, options.label_words, base, needs_blank)
        asked = words_asked(question, [method.name], base.kind) if question.label_words else []  # else it is refused
        print("\n".join([*describe(replace(data, question=question), base), *asked]))
    out = options.out or default_folder(method.name, data.name, base.name, shots, options.seed)
    curve = out / "curve.png"
    for path in (out / FILE, curve):
        check_can_write(path)
    check_is_free(out, options.force)
    tuned = tune(method, base, data, shots, options.seed, options.template, options.label_words, out)
    tuned.made["test"] = judge(tuned.predictor, data.test)
    tuned.made["columns"] = columns_of(options)  # predict looks for them
    try:
        path = tuned.save(out)
    finally:  # what was measured is shown, whatever the disk says
        control = control_of(data.question.kind, tuned.learned.train, data.test) if is_own(options) else None
        parts = ["\n".join(tuned.question.found), tuning_report(tuned, len(data.test), control)]
        if control:
            score = next(iter(tuned.made["test"].values()))
            parts.append("\n".join(told_of_one(control, method.name, score, data, base)))
        print("\n\n".join(filter(None, parts)))
    example = "a text || another text" if data.question.is_pair else "a text"
    example = "an instruction || its input" if kind.is_turn and data.question.is_pair else example
    print(f'\nstored: {stored(tuned, path)}\nuse it: minitune predict {shlex.quote(str(out))} "{example}"')
    if kind.is_written:
        print(f"talk to it: minitune chat {shlex.quote(str(out))}")
    if tuned.learned.history.losses:
        plot_curve(tuned.learned.history, f"{method.name} on {data.name}", curve)
        print(f"curve: {curve}")


def columns_of(options: argparse.Namespace) -> dict[str, str | None]:
    """What the texts are called in the file that is trained on."""
    if not options.instructions:
        return {"text": options.text_column, "text_b": options.text_b_column}
    from minitune.questions.from_file import FIELDS

    fields = fields_asked_for(options)
    second = FIELDS[1] if fields.text_b is None else fields.text_b or None
    return {"text": fields.text or FIELDS[0], "text_b": second}


def default_folder(method: str, task: str, model: str, shots: int | None, seed: int) -> Path:
    """A folder of its own for each of them."""
    parts = (method, task, Path(model).name, "all" if shots is None else shots, seed)
    return Path("runs") / "-".join(re.sub(r"[^\w.+@-]", "-", str(part))[:60] for part in parts)
