"""`minitune import`: a LoRA that peft saved, as a tuned method that predict and explain take."""

from __future__ import annotations

import argparse
from pathlib import Path

from minitune.commands.options import list_of


def add(group) -> argparse.ArgumentParser:
    i = group.add_parser("import", help="a LoRA that peft saved, as a tuned method")
    i.add_argument("folder", type=Path, metavar="DIR", help="a folder with adapter_config.json")
    i.add_argument("--model", required=True, metavar="bert|gpt|DIR", help="the model that it was trained on")
    i.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tuned method goes")
    i.add_argument(
        "--labels",
        type=list_of(str, "classes"),
        default=[],
        metavar="A,B,C",
        help="the classes, in the order of its classifier",
    )
    i.add_argument("--template", help='how the text is asked, as in "{text} it was {mask} ."')
    i.add_argument("--label-words", metavar="WORDS", help='without a classifier: "positive=great,good;negative=bad"')
    i.add_argument("--force", action="store_true", help="write into --out even if it holds something already")
    return i


def run(options: argparse.Namespace) -> None:
    from minitune.methods.from_peft import from_peft
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.whole_folder import check_can_fill
    from minitune.tuning.lora_peft import names_of

    check_can_fill(options.out, options.force)
    tuned = from_peft(
        options.folder, load_checkpoint(options.model), options.labels, options.template, options.label_words
    )
    path, settings = tuned.save(options.out), tuned.method.settings
    print(f"saved: {path}: {tuned.method.name} of rank {settings.rank} on {names_of(settings.targets)}")
    print(f"classes: {', '.join(tuned.labels)}; asked as {tuned.question.template!r}")
    print(f'use it: minitune predict {options.out} "a text"')
