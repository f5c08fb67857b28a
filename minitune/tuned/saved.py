"""What was tuned, on disk: only what training changed, what it was trained for, and which model it belongs to.

`tuned.pt` holds 4 bytes for each trained number, and a header: the method and its settings, the question, the
fingerprint of the base model.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.files import at_home, is_there
from minitune.given import called, plain
from minitune.methods.method import Method
from minitune.models.build import Model
from minitune.predictors.predictor import Predictor
from minitune.predictors.writer import ANSWER_ROOM
from minitune.prompting.template import Demonstration
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.schema import check_tensors, plain_to
from minitune.settings import settings_of
from minitune.training.checkpoint import Checkpoint, identity, load_checkpoint, read_tensors, write_tensors
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import trainable

FILE = "tuned.pt"
OTHERS = {  # by a file, what else a folder may hold, and what opens it
    "model.pt": ("a model as it was pretrained", "minitune.load opens it, and --model takes it"),
    "adapter_config.json": ("an adapter of peft", "minitune import makes a tuned method of it"),
    "config.json": ("a model of transformers", "minitune import makes a model of it"),
}


@dataclass(frozen=True)
class Base:
    """The model that something was tuned on: where it was, and what it was."""

    name: str
    kind: str
    identity: str


@dataclass(frozen=True)
class Asked:
    """The question, as far as it is saved; its template is kept as it was used."""

    labels: tuple[str, ...]
    label_words: dict[str, tuple[str, ...]]
    template: str
    is_pair: bool
    kind: str
    demonstrations: tuple[Demonstration, ...] = field(default_factory=tuple)
    found: tuple[str, ...] = field(default_factory=tuple)
    room: int = ANSWER_ROOM

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UserError(f"a question of the kind {self.kind!r}; known are {', '.join(KINDS)}")


@dataclass(frozen=True)
class TunedFile:
    """What `tuned.pt` holds."""

    method: str
    settings: tuple[str, ...]
    question: Asked
    base: Base
    weights: dict[str, Tensor]
    made: dict[str, Any] = field(default_factory=dict)  # how it was made and what it reached, for people to read


def save_tuned(
    folder: Path, method: Method, predictor: Predictor, question: Question, base: Checkpoint, made: dict
) -> Path:
    """Write what `method` trained in `predictor`. A network that wrote a prompt is folded into what it wrote, in place.

    Args:
        question: with what was searched for.
        base: the checkpoint that it was trained on; its weights are not written, its name is, to find it again.
        made: how it was made and what it reached, for people to read; numbers and texts, in lists and dictionaries.

    Raises:
        UserError: `made` holds something else; the folder cannot be written; what stood there is unharmed.
    """
    made = plain(made)
    check_is_plain(made, "made")
    if isinstance(predictor.model, Tuned):
        fold(predictor.model)
    asked = Asked(
        question.labels,
        dict(question.label_words),
        str(predictor.template),
        question.is_pair,
        question.kind,
        question.demonstrations,
        question.found,
        question.room,
    )
    content = {
        "method": method.name,
        "settings": [setting for config in method.configs for setting in settings_of(config)],
        "question": plain(asdict(asked)),
        "base": asdict(Base(base.name, base.kind, identity(base))),
        "weights": {  # an adapter is called lora in every file, whatever it is called on a shelf
            re.sub(r"\.adapters\.[^.]+\.", ".adapters.lora.", name): tensor.detach().cpu().clone()
            for name, tensor in learned_tensors(predictor).items()
        },
        "made": made,
    }
    path = at_home(folder) / FILE
    write_tensors(path, "tuned method", content)
    return path


def check_is_plain(value: Any, name: str) -> None:
    """Raises:
    UserError: it holds what no file of ours is opened with.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            check_is_plain(key, f"a key of {name}")
            check_is_plain(part, f"{name}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            check_is_plain(part, f"{name}[{place}]")
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        raise UserError(f"{name} is {called(value)}, which is not saved; numbers, texts and lists of them are")


def learned_tensors(predictor: Predictor) -> dict[str, Tensor]:
    """By name, what was trained, and what a read-out has measured of the examples (its persistent buffers)."""
    readout = getattr(predictor, "readout", None)
    tensors = readout.state_dict(keep_vars=True) if readout else {}
    measured = {f"readout.{name}": t for name, t in tensors.items() if not isinstance(t, nn.Parameter)}
    return trainable(predictor) | measured


def load_tuned(
    folder: Path, model: str | None = None, device: torch.device | str = "cpu"
) -> tuple[Method, Predictor, Question, Checkpoint]:
    """What `save_tuned` wrote, on its base: the same logits, bit for bit.

    Args:
        model: where the base is now, if not where it was.

    Raises:
        UserError: no such file, a damaged or foreign one, another base, or weights of other names or shapes.
    """
    content = read_tuned(folder)
    base = base_of(folder, content, model, device)
    return *rebuild(folder, content, base), base


def base_of(folder: Path, content: TunedFile, model: str | None, device: torch.device | str) -> Checkpoint:
    """The model that it was trained on, where it was or where it is now."""
    try:
        return load_checkpoint(model or content.base.name, device)
    except UserError as error:
        hint = "" if model else f" ({folder} was trained on it; if it has moved, say where with --model)"
        raise UserError(f"{error}{hint}") from None


def read_tuned(folder: Path) -> TunedFile:
    """Raises:
    UserError: no such file, a damaged or foreign one.
    """
    path = at_home(folder) / FILE
    check_holds_one(path)
    return plain_to(TunedFile, read_tensors(path, "tuned method"), str(path))


def check_holds_one(path: Path) -> None:
    """Raises:
    UserError: there is something else, which is told with what opens it.
    """
    folder = path.parent
    if is_there(path):
        return
    if folder.name == FILE and is_there(folder):
        raise UserError(f"{folder} is the file of a tuned method; give its folder, {folder.parent}")
    for name, (what, opens) in OTHERS.items():
        if is_there(folder / name):
            raise UserError(f"{folder} holds {what}, and no {FILE}: a tuned method was expected; {opens}")


def check_is_free(folder: Path, force: bool) -> None:
    """See before the work that no other tuned method is in a folder.

    Raises:
        UserError: one is there, and `force` is off; the sentence says what it is.
    """
    if force or not (folder / FILE).exists():
        return
    try:
        old = read_tuned(folder)
        held = (
            f"{old.method}, tuned on {old.made['task']} (shots {old.made['shots'] or 'all'}, seed {old.made['seed']})"
        )
    except (UserError, KeyError, TypeError):
        held = f"a {FILE} that is none of this version's"
    raise UserError(f"{folder} holds {held}: choose another --out, or add --force to replace it")


def rebuild(
    folder: Path, content: TunedFile, base: Checkpoint, into: Model | None = None, name: str = "lora"
) -> tuple[Method, Predictor, Question]:
    """The tuned method on `base`: on a copy of its model, or in and before `into` itself, under a name of its own."""
    path, expected, found = folder / FILE, content.base.identity, identity(base)
    if found != expected:
        raise UserError(
            f"{path} was trained on the {content.base.kind} {content.base.name!r} with the fingerprint {expected}, and "
            f"this model (with its tokenizer) has {found}: give the model that it was trained on, with --model"
        )
    weights = {key.replace(".adapters.lora.", f".adapters.{name}."): w for key, w in content.weights.items()}
    try:
        method = Method.parse(content.method, content.settings)
        question = Question(**vars(content.question), is_own=True)
        predictor = method.build(base, question, seed=0, into=into, name=name)
        if isinstance(predictor.model, Tuned):
            fold(predictor.model)
        places = learned_tensors(predictor)
        check_tensors(weights, places, str(path))
    except UserError as error:
        at = "" if str(error).startswith(str(path)) else f"{path} cannot be used: "
        raise UserError(f"{at}{error}") from None
    with torch.no_grad():
        for key, place in places.items():
            place.copy_(weights[key])
    return method, predictor.eval(), question
