"""`minitune import`: what other libraries saved. The folder tells which: a model of transformers, or a LoRA of peft."""

from __future__ import annotations

import argparse

from minitune.commands import import_adapter, import_model
from minitune.commands.options import list_of, whole_number
from minitune.commands.paths import a_path, named
from minitune.errors import UserError

OF_ADAPTERS = ("model", "labels", "template", "label_words")


def add(group) -> argparse.ArgumentParser:
    i = group.add_parser("import", help="a GPT-2 or a BERT that transformers saved, or a LoRA that peft saved")
    i.add_argument("folder", type=a_path, metavar="DIR", help="with config.json, or with adapter_config.json")
    i.add_argument(
        "--out", type=a_path, metavar="DIR", required=True, help="where it goes: for --model, or for predict"
    )
    i.add_argument("--force", action="store_true", help="replace what is in --out")
    i.add_argument("--seed", type=whole_number, metavar="N", help="of what is new in a model (default: 0)")
    of_adapter = i.add_argument_group("a LoRA of peft")
    of_adapter.add_argument("--model", type=named, metavar="bert|gpt|DIR", help="the model that it was trained on")
    of_adapter.add_argument(
        "--labels", type=list_of(str, "classes"), metavar="A,B,C", help="the classes, in the order of its classifier"
    )
    of_adapter.add_argument("--template", help='how the text is asked, as in "{text} it was {mask} ."')
    of_adapter.add_argument(
        "--label-words", metavar="WORDS", help='without a classifier: "positive=great,good;negative=bad"'
    )
    return i


def run(options: argparse.Namespace) -> None:
    from minitune.exchange.from_peft import is_adapter

    if is_adapter(options.folder):
        if options.seed is not None:
            raise UserError("--seed belongs to models; nothing in a LoRA is drawn")
        import_adapter.run(options)
        return
    given = [f"--{name.replace('_', '-')}" for name in OF_ADAPTERS if getattr(options, name)]
    if given:
        raise UserError(
            f"{given[0]} belongs to a LoRA of peft, and {options.folder} has no adapter_config.json; leave it out"
        )
    import_model.run(options)
