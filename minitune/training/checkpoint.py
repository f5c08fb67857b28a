"""Checkpoints: a folder with `model.pt` (weights, configuration, how it was made) and `tokenizer.json`.

`model.pt` is written to one side and moved into place, and read with `weights_only=True`: a file can hold
tensors and plain values, and cannot run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer, load_tokenizer
from minitune.errors import UserError
from minitune.files import at_home, check_is_file, is_folder, is_there, machine_memory, shared
from minitune.models.build import Model, config_from_dict, config_to_dict, empty_model, parameter_count, random_model
from minitune.models.convert import PARTS
from minitune.models.pickled import Refused, first_line, load_pickled
from minitune.report import size
from minitune.schema import check_tensors, plain_to, shown
from minitune.writing import write_safely

VERSIONS = {"checkpoint": 1, "tuned method": 2, "pretraining": 2}
SHIPPED = ("bert", "gpt", "gpt-lists")  # the last has read lists, for lesson 10


@dataclass
class Checkpoint:
    model: Model
    tokenizer: Tokenizer
    made: dict[str, Any] = field(default_factory=dict)  # seed, command, what it reached: for people to read
    name: str = ""  # where it was loaded from: bert, gpt or a folder
    lacks: tuple[str, ...] = ()  # what no pretraining has trained of it, one of `convert.PARTS` each

    @property
    def kind(self) -> str:
        return self.model.kind


@dataclass(frozen=True)
class CheckpointFile:
    """What `model.pt` holds."""

    kind: str
    config: dict[str, Any]  # of the kind's config class, which checks it
    weights: dict[str, Tensor]
    made: dict[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = field(default_factory=tuple)  # older files have none

    def __post_init__(self):
        if unknown := set(self.lacks) - set(PARTS):
            raise UserError(f"lacks names {', '.join(unknown)}, and the parts are {', '.join(PARTS)}")


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
    }
    if checkpoint.lacks:
        content["lacks"] = list(checkpoint.lacks)
    # the tokenizer once the larger file is written whole, and that file into place after it: both or none
    save_tokenizer = partial(checkpoint.tokenizer.save, folder / "tokenizer.json")
    write_tensors(folder / "model.pt", "checkpoint", content, before_the_move=save_tokenizer)


def load_checkpoint(name: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """The shipped "bert" or "gpt", or the checkpoint in a folder.

    Raises:
        UserError: nothing is there, or it is damaged, of another version, no checkpoint, or asks to run code.
    """
    folder = shared("checkpoints") / name if name in SHIPPED else at_home(Path(name))
    if not is_folder(folder):
        raise UserError(
            f"there is no model {str(name)!r}: it is none of {', '.join(SHIPPED)}, and no folder of that name exists"
        )
    path = folder / "model.pt"
    if not is_there(path) and is_there(folder / "config.json"):
        raise UserError(f"{folder} is a folder of transformers: minitune import {folder} --out DIR makes a model of it")
    content = plain_to(CheckpointFile, read_tensors(path, "checkpoint"), str(path))
    config = config_from_dict(content.kind, content.config, f"{path}, config")
    check_size(config, content.weights, path)
    model = empty_model(config)
    check_tensors(content.weights, model.state_dict(), str(path))
    model.load_state_dict({name: tensor.float() for name, tensor in content.weights.items()}, assign=True)
    for parameter in model.parameters():  # the tensors of a file require no gradient
        parameter.requires_grad_(True)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    if tokenizer.kind != model.kind or len(tokenizer) != config.vocab_size:
        raise UserError(
            f"{folder / 'tokenizer.json'} is a {tokenizer.kind} tokenizer of {len(tokenizer)} tokens, and the model "
            f"is a {model.kind} of {config.vocab_size}: put back the tokenizer that it was trained with"
        )
    return Checkpoint(model.to(device).eval(), tokenizer, content.made, str(name), content.lacks)


def check_is_free(folder: Path, force: bool) -> None:
    """See before the work that a model can be saved in a folder without a loss.

    Raises:
        UserError: a model is there, and `force` is off; files of another library or of the user's have the names.
    """
    model, tokenizer = folder / "model.pt", folder / "tokenizer.json"
    if is_there(model) and not is_stamped(model, "checkpoint"):
        raise UserError(f"{model} is there and is not a model of minitune, so it stays as it is: choose another --out")
    if is_there(tokenizer) and not is_there(model):
        raise UserError(
            f"{tokenizer} is there and belongs to no model of minitune, so it stays as it is: choose another --out"
        )
    if is_there(model) and not force:
        raise UserError(f"{folder} holds a model.pt already: choose another --out, or replace it with --force")


def is_stamped(path: Path, what: str) -> bool:
    """Whether `write_tensors` wrote a file of the sort `what`, of whatever version: its stamp is near its beginning."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.startswith(b"PK") and b"minitune" in head and what.encode() in head


def check_size(config, weights: dict[str, Tensor], path: Path) -> None:
    """See that the weights are as many as the configuration says, before a model of that size is made.

    Raises:
        UserError: they are not, or the machine has no memory for them.
    """
    expected, found = parameter_count(config), sum(tensor.numel() for tensor in weights.values())
    if expected != found:
        raise UserError(
            f"{path} holds {found:,} weights and its configuration is of a model of {expected:,}; restore it"
        )
    memory = machine_memory()
    if memory and 4 * expected > memory:
        raise UserError(f"{path} needs {size(4 * expected)} of memory, and this machine has {size(memory)}")


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


def identity(checkpoint: Checkpoint) -> str:
    """A short name of all that a model's answers depend on: its weights, its configuration, its tokenizer."""
    about = {"config": config_to_dict(checkpoint.model.config), "tokenizer": checkpoint.tokenizer.library.to_str()}
    whole = [checkpoint.kind, fingerprint(checkpoint.model), json.dumps(about, sort_keys=True)]
    return hashlib.sha256("\n".join(whole).encode()).hexdigest()[:16]


def write_tensors(
    path: Path, what: str, content: dict[str, Any], before_the_move: Callable[[], None] = lambda: None
) -> None:
    """Save tensors and plain values as a minitune file of the sort `what`; the same content gives the same bytes."""
    stamped = {"minitune": what, "version": VERSIONS[what], **content}

    def write(file: BinaryIO) -> None:
        torch.save(stamped, file)  # given a path, it would write its random name into the file
        before_the_move()

    write_safely(path, write)


def read_tensors(path: Path, what: str) -> dict[str, Any]:
    """What `write_tensors` saved, without its stamp.

    Raises:
        UserError: the file is missing, damaged, of another sort or version, or asks to run code.
    """
    if not is_there(path):
        raise UserError(f"there is no {path}; expected a {what} of minitune there")
    check_is_file(path)
    try:
        content = load_pickled(path)
    except Refused as error:
        raise UserError(f"{path} is refused: {error}; expected a {what} of minitune") from None
    except Exception as error:  # what a damaged pickle can raise has no end
        raise UserError(
            f"{path} is damaged or no {what} of minitune ({first_line(error)}); restore it or make it again"
        ) from None
    stamp = content.pop("minitune", None) if isinstance(content, dict) else None
    if type(stamp) is not str or stamp != what:
        raise UserError(f"{path} is no {what} of minitune; check the path")
    version = content.pop("version", None)
    if type(version) is not int or version != VERSIONS[what]:
        raise UserError(
            f"{path} is of version {shown(version)}; this minitune reads version {VERSIONS[what]}: make it again"
        )
    return content
