"""`minitune pretrain`: make a GPT or a BERT from the toy world or from a text of your own."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import above_zero, add_device, one_or_more, whole_number


def add(group) -> argparse.ArgumentParser:
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
    add_device(p)
    return p


def run(options: argparse.Namespace) -> None:
    import torch

    from minitune.predictors.pretraining import pretrain_on_file, pretrain_on_world, write_report
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
