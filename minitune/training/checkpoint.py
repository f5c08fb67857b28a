"""Checkpoints: a folder with `model.pt` (weights, configuration, how it was made) and `tokenizer.json`.

`model.pt` is written to one side and moved into place, and read with `weights_only=True`: a file can hold
tensors and plain values, and cannot run code.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from minitune.data.tokenizers import Tokenizer, load_tokenizer
from minitune.errors import UserError
from minitune.files import shared, write_safely
from minitune.models.build import Model, config_from_dict, config_to_dict, random_model

VERSION = 1
SHIPPED = ("bert", "gpt")
BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error)


@dataclass
class Checkpoint:
    model: Model
    tokenizer: Tokenizer
    made: dict[str, Any] = field(default_factory=dict)  # seed, command, what it reached: for people to read
    name: str = ""  # where it was loaded from: bert, gpt or a folder
    lacks: tuple[str, ...] = ()  # the parts that no pretraining has trained, as named in `minitune.models.convert`

    @property
    def kind(self) -> str:
        return self.model.kind


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the model and its tokenizer.

    Raises:
        UserError: the folder cannot be written, or the disk is full; an older checkpoint there is unharmed.
    """
    content = {
        "kind": checkpoint.kind,
        "config": config_to_dict(checkpoint.model.config),
        "weights": {name: tensor.cpu() for name, tensor in checkpoint.model.state_dict().items()},
        "made": checkpoint.made,
        "lacks": checkpoint.lacks,
    }
    # the tokenizer once the larger file is written whole, and that file into place after it: both or none
    save_tokenizer = partial(checkpoint.tokenizer.save, folder / "tokenizer.json")
    write_tensors(folder / "model.pt", "checkpoint", content, before_the_move=save_tokenizer)


def load_checkpoint(name: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """The shipped "bert" or "gpt", or the checkpoint in a folder.

    Raises:
        UserError: nothing is there, or it is damaged, of another version, no checkpoint, or asks to run code.
    """
    folder = shared("checkpoints") / name if name in SHIPPED else Path(name)
    if not folder.is_dir():
        raise UserError(
            f"there is no model {name!r}: it is none of {', '.join(SHIPPED)}, and no folder of that name exists"
        )
    if not (folder / "model.pt").exists() and (folder / "config.json").exists():
        raise UserError(f"{folder} is a folder of transformers: minitune import {folder} --out DIR makes a model of it")
    content = read_tensors(folder / "model.pt", "checkpoint")
    try:
        config = config_from_dict(content["kind"], content["config"])
        model = random_model(config, seed=0)
        model.load_state_dict(content["weights"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder / 'model.pt'} does not fit its own configuration ({first_line(error)}); restore it"
        ) from None
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    if tokenizer.kind != model.kind or len(tokenizer) != config.vocab_size:
        raise UserError(
            f"{folder / 'tokenizer.json'} is a {tokenizer.kind} tokenizer of {len(tokenizer)} tokens, and the model "
            f"is a {model.kind} of {config.vocab_size}: put back the tokenizer that it was trained with"
        )
    lacks = tuple(content.get("lacks", ()))
    return Checkpoint(model.to(device).eval(), tokenizer, content.get("made", {}), str(name), lacks)


def random_twin(checkpoint: Checkpoint, seed: int = 0) -> Checkpoint:
    """The same model with random weights, as before its pretraining: the control of many an experiment."""
    device = next(checkpoint.model.parameters()).device
    twin = random_model(checkpoint.model.config, seed).to(device).eval()
    return Checkpoint(twin, checkpoint.tokenizer, lacks=checkpoint.lacks)


def fingerprint(model: nn.Module) -> str:
    """A short name of a model's exact weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def write_tensors(
    path: Path, what: str, content: dict[str, Any], before_the_move: Callable[[], None] = lambda: None
) -> None:
    """Save tensors and plain values as a minitune file of the sort `what`."""
    stamped = {"minitune": what, "version": VERSION, **content}

    def write(temporary: Path) -> None:
        torch.save(stamped, temporary)
        before_the_move()

    write_safely(path, write)


def read_tensors(path: Path, what: str) -> dict[str, Any]:
    """What `write_tensors` saved.

    Raises:
        UserError: the file is missing, damaged, of another sort or version, or asks to run code.
    """
    try:
        with zipfile.ZipFile(path) as parts:  # what torch.save writes, with a checksum of each part
            if damaged := parts.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no {path}; expected a {what} of minitune there") from None
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            reason = "it holds more than tensors and plain values, and loading it might run code"
        else:
            reason = "it is damaged"
        raise UserError(f"{path} is refused: {reason}; expected a {what} of minitune") from None
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, *BAD_ZIP) as error:
        raise UserError(
            f"{path} is damaged or no {what} of minitune ({first_line(error)}); restore it or make it again"
        ) from None
    if not isinstance(content, dict) or content.get("minitune") != what:
        raise UserError(f"{path} is no {what} of minitune; check the path")
    if content.get("version") != VERSION:
        raise UserError(
            f"{path} is of version {content.get('version')}; this minitune reads version {VERSION}: make it again"
        )
    return content


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
