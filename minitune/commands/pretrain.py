"""`minitune pretrain`: make a GPT or a BERT from the toy world or from a text of your own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from minitune.commands.options import above_zero, add_device, one_or_more, whole_number
from minitune.commands.paths import a_path, inputs_of
from minitune.errors import UserError


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("pretrain", help="make a GPT or a BERT from text")
    p.add_argument("kind", metavar="gpt|bert", help="which kind of model")
    p.add_argument("--text", type=a_path, metavar="FILE", help="any plain text instead of the toy world, a text a line")
    p.add_argument("--paragraphs", action="store_true", default=None, help="the lines between blank ones are a text")
    p.add_argument("--encoding", metavar="NAME", help="of --text, if it is neither UTF-8 nor UTF-16 with its mark")
    p.add_argument("--size", metavar="nano|micro|mini", help="of the model (default: micro)")
    length = p.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=above_zero, metavar="M", help="about so long (default: 15)")
    length.add_argument("--steps", type=one_or_more, metavar="N", help="exactly so long")
    p.add_argument("--seed", type=whole_number, metavar="N", help="of the weights and the batches (default: 0)")
    p.add_argument("--world", type=whole_number, metavar="SEED", help="which toy world (default: 0)")
    p.add_argument(
        "--unjoined", action="store_true", default=None, help="a toy world whose sentences join no opinions (lesson 3)"
    )
    p.add_argument(
        "--probe", type=a_path, metavar="FILE", help="texts and labels: at the end, the gain over random weights"
    )
    p.add_argument("--out", type=a_path, metavar="DIR", help="default: runs/KIND")
    p.add_argument("--resume", action="store_true", help="go on from the last save in --out, as it was begun")
    p.add_argument("--threads", type=threads, metavar="N", help="CPU threads (default: PyTorch's own choice)")
    add_device(p)
    return p


def threads(text: str) -> int:
    number, cores = one_or_more(text), os.cpu_count() or 1
    if number > cores:
        raise argparse.ArgumentTypeError(f"{number} are more than the {cores} cores of this machine")
    return number


def run(options: argparse.Namespace) -> None:
    import torch

    from minitune.experiments.gain import gain, probe_data
    from minitune.predictors.pretraining import pretrain_and_report, reading_of
    from minitune.training.loop import pick_device
    from minitune.training.pretrain import check_is_free
    from minitune.training.run import check_model
    from minitune.writing import check_can_write

    check_model(options.kind, options.size)
    device, out = pick_device(options.device), options.out or Path("runs") / options.kind
    check_can_write(out / "model.pt")
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = {name: getattr(options, name) for name in ("size", "steps", "minutes", "seed")}
    if options.resume:
        asked = asked_before(options, out, settings)
    else:
        check_is_free(out, inputs_of(options))
        asked = asked_now(options)
    probe = probe_data(Path(asked.probe)) if asked.probe else None
    pretrain_and_report(
        options.kind,
        reading_of(options.kind, asked),
        out,
        asked=asked,
        measure=lambda result: gain(result.checkpoint, probe, result.run.seed) if probe else {},
        resume=options.resume,
        device=device,
        **settings,
    )
    print(f"\ncheckpoint and report: {out}")


def asked_now(options: argparse.Namespace):
    from minitune.training.run import Asked

    check_together(options, bool(options.text))
    return Asked(
        text_file=str(options.text or ""),
        encoding=options.encoding or "",
        paragraphs=bool(options.paragraphs),
        world=options.world or 0,
        unjoined=bool(options.unjoined),
        minutes=options.minutes or 0.0,
        probe=str(options.probe or ""),
    )


def asked_before(options: argparse.Namespace, out: Path, settings: dict):
    """What the run in `out` was asked for; a text that has moved is read where it is now.

    Raises:
        UserError: something else is asked for now.
    """
    from dataclasses import replace

    from minitune.training.run import check_same, read_run

    before = read_run(out)
    asked = before.asked
    text = str(options.text) if options.text and not asked.text_file else None  # another text is told by its content
    given = {
        name: getattr(options, name) for name in ("kind", "threads", "encoding", "paragraphs", "unjoined", "world")
    }
    check_same(out, before, given | settings | {"text_file": text})
    check_together(options, bool(asked.text_file))
    moved = {"text_file": options.text, "probe": options.probe}
    return replace(asked, **{name: str(path) for name, path in moved.items() if path})


def check_together(options: argparse.Namespace, is_file: bool) -> None:
    """Raises:
    UserError: an option of the toy world beside a text of one's own, or the other way round.
    """
    for name in ("world", "unjoined") if is_file else ("paragraphs", "encoding"):
        if getattr(options, name) is not None:
            belongs = "is of the toy world, and --text takes its place" if is_file else "belongs to --text"
            raise UserError(f"--{name} {belongs}: leave one of the two out")
