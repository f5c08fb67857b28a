"""`minitune export`: a tuned method for the library peft, or a checkpoint for the library transformers."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from minitune.commands.paths import a_path, inputs_of, named


def add(group) -> argparse.ArgumentParser:
    e = group.add_parser("export", help="a tuned method for peft, or a model for transformers")
    e.add_argument(
        "source", metavar="DIR", help="what minitune tune saved; for --transformers gpt, bert or a model's folder"
    )
    to = e.add_mutually_exclusive_group(required=True)
    to.add_argument("--peft", type=a_path, metavar="OUT", help="write the tuned method as an adapter of peft")
    to.add_argument(
        "--transformers", type=a_path, metavar="OUT", help="write the model as a folder that transformers loads"
    )
    e.add_argument(
        "--model",
        type=named,
        metavar="bert|gpt|DIR",
        help="with --peft: the model that it was trained on, if it has moved",
    )
    e.add_argument("--force", action="store_true", help="write into OUT even if it holds something already")
    return e


def run(options: argparse.Namespace) -> None:
    from minitune.errors import UserError
    from minitune.exchange.to_peft import peft_files
    from minitune.files import at_home, is_there
    from minitune.models.tensor_file import library
    from minitune.outputs import check_can_fill, write_folder
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.transformers_folder import transformers_files
    from minitune.tuned.saved import FILE, read_tuned
    from minitune.tuned.tuned import open_tuned
    from minitune.writing import alone_in

    out = options.peft or options.transformers
    if options.transformers and is_there(at_home(Path(options.source)) / FILE):
        base = read_tuned(Path(options.source)).base.name
        raise UserError(
            f"{options.source} holds a tuned method, which is not a whole model: --peft OUT writes what it trained, "
            f"and the model that it was trained on is written by minitune export {shlex.quote(base)} --transformers OUT"
        )
    check_can_fill(out, options.force, of_peft() if options.peft else of_transformers(), inputs_of(options))
    check_holds_none_of_ours(out)
    library()  # refused before the work
    if options.peft:
        files, lines = peft_files(open_tuned(options.source, options.model), out)
    elif options.model:
        raise UserError("--model belongs to --peft; a model that is to be exported is named first")
    else:
        checkpoint = load_checkpoint(options.source)
        files = transformers_files(checkpoint)
        model = "GPT2LMHeadModel" if checkpoint.kind == "gpt" else "BertForPreTraining"
        lines = [
            f'load: {model}.from_pretrained("{out}"), and AutoTokenizer.from_pretrained("{out}")',
            'transformers takes "[MASK]" or "<|end|>" in a text for that token; minitune reads letters there, as does '
            "tokenizer(text, split_special_tokens=True)",
        ]
    with alone_in(out):
        write_folder(out, files)
    print("\n".join([f"saved: {out}: {', '.join(sorted(name for name, content in files.items() if content))}", *lines]))


def check_holds_none_of_ours(out: Path) -> None:
    """Raises:
    UserError: a model or a tuned method of minitune is there, whose files would be mixed with what is exported.
    """
    from minitune.errors import UserError

    for name in ("model.pt", "tuned.pt"):
        if (out / name).exists():
            raise UserError(
                f"{out} holds a {name} of minitune: export into another folder, for two would be mixed there"
            )


def of_transformers():
    """Of each file of a folder of transformers, how an older one is known, and what it is."""
    from minitune.outputs import holds_json

    return {
        "model.safetensors": (is_safetensors, "a file of safetensors"),
        "config.json": (holds_json("model_type"), "a model's configuration"),
        "tokenizer.json": (holds_json("model", "added_tokens"), "a tokenizer"),
        "tokenizer_config.json": (holds_json("tokenizer_class"), "a tokenizer's configuration"),
    }


def of_peft():
    """The same of an adapter of peft."""
    from minitune.outputs import holds_json

    return {
        "adapter_model.safetensors": (is_safetensors, "a file of safetensors"),
        "head.safetensors": (is_safetensors, "a file of safetensors"),
        "adapter_config.json": (holds_json("peft_type"), "an adapter's configuration"),
        "README.md": (is_readme, "the README of an exported adapter"),
    }


def is_safetensors(path: Path) -> bool:
    """It begins with the length of a header, in 8 bytes, and the header is JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def is_readme(path: Path) -> bool:
    """Its first line ends in the library's name."""
    with path.open("rb") as file:
        return b"for peft" in file.readline(1000)
