"""`minitune predict`: what a tuned method says of your texts."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import add_device
from minitune.errors import UserError


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("predict", help="what a tuned method says of your texts")
    p.add_argument("folder", type=Path, metavar="DIR", help="where minitune tune saved it")
    p.add_argument("texts", nargs="*", metavar="TEXT", help='between quotes; a pair as "one || another"')
    p.add_argument("--data", type=Path, metavar="FILE", help="a .csv, .tsv or .jsonl of texts instead")
    p.add_argument("--out", type=Path, metavar="FILE", help="the same rows with a column for the answer")
    p.add_argument("--text-column", default="text", metavar="C")
    p.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    add_device(p)
    return p


def run(options: argparse.Namespace) -> None:
    if bool(options.texts) == bool(options.data):
        raise UserError("give either texts, each between quotes, or a file with --data")
    if bool(options.data) != bool(options.out):
        raise UserError("--data and --out belong together: what to read, and where the answers go")

    from minitune.methods.answers import predict_file, predict_texts
    from minitune.methods.tuned import open_tuned
    from minitune.training.loop import pick_device

    tuned = open_tuned(options.folder, options.model, pick_device(options.device))
    if options.data:
        count = predict_file(tuned.predictor, tuned.question, options.data, options.out, options.text_column)
        print(f"saved: {options.out}, {count} rows with a column 'answer'")
    else:
        print(predict_texts(tuned.predictor, tuned.question, options.texts))
