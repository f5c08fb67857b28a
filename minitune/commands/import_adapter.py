"""`minitune import` of an adapter: a LoRA that peft saved, as a tuned method that predict and explain take."""

from __future__ import annotations

import argparse

from minitune.commands.paths import inputs_of
from minitune.errors import UserError


def run(options: argparse.Namespace) -> None:
    from minitune.exchange.from_peft import from_peft
    from minitune.outputs import check_can_fill
    from minitune.training.checkpoint import load_checkpoint
    from minitune.tuned.saved import check_is_free
    from minitune.tuning.lora_peft import names_of
    from minitune.writing import alone_in

    if not options.model:
        raise UserError(f"{options.folder} is a LoRA; name the model that it was trained on, with --model")
    check_can_fill(options.out, options.force, inputs=inputs_of(options))
    check_is_free(options.out, options.force)
    tuned = from_peft(
        options.folder, load_checkpoint(options.model), options.labels or [], options.template, options.label_words
    )
    with alone_in(options.out):
        path, settings = tuned.save(options.out), tuned.method.settings
    print(f"saved: {path}: {tuned.method.name} of rank {settings.rank} on {names_of(settings.targets)}")
    print(f"classes: {', '.join(tuned.labels)}; asked as {tuned.question.template!r}")
    print(f'use it: minitune predict {options.out} "a text"')
