"""What was tuned, on disk: only what training changed, what it was trained for, and which model it belongs to.

`tuned.pt` holds 4 bytes for each trained number, and a header: the method and its settings, the question, the
fingerprint of the base model.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.methods.method import Method
from minitune.methods.question import Question
from minitune.methods.settings import settings_of
from minitune.models.build import Model
from minitune.predictors.predictor import Predictor
from minitune.training.checkpoint import Checkpoint, fingerprint, load_checkpoint, read_tensors, write_tensors
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import trainable

FILE = "tuned.pt"
KEPT = ("labels", "label_words", "is_pair", "kind")  # of a question; the template is kept as it was used
PARTS = {"method": str, "settings": list, "question": dict, "base": dict, "weights": dict}


def save_tuned(
    folder: Path, method: Method, predictor: Predictor, question: Question, base: Checkpoint, made: dict
) -> Path:
    """Write what `method` trained in `predictor`. A network that wrote a prompt is folded into what it wrote, in place.

    Args:
        question: with what was searched for.
        base: the checkpoint that it was trained on; its weights are not written, its name is, to find it again.
        made: how it was made and what it reached, for people to read.

    Raises:
        UserError: the folder cannot be written; what stood there is unharmed.
    """
    if isinstance(predictor.model, Tuned):
        fold(predictor.model)
    content = {
        "method": method.name,
        "settings": settings_of(method.settings),
        "question": {name: getattr(question, name) for name in KEPT} | {"template": str(predictor.template)},
        "base": {"name": base.name, "kind": base.kind, "fingerprint": fingerprint(base.model)},
        "weights": {  # an adapter is called lora in every file, whatever it is called on a shelf
            re.sub(r"\.adapters\.[^.]+\.", ".adapters.lora.", name): tensor.detach().cpu().clone()
            for name, tensor in learned_tensors(predictor).items()
        },
        "made": made,
    }
    write_tensors(folder / FILE, "tuned method", content)
    return folder / FILE


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
    try:
        base = load_checkpoint(model or content["base"]["name"], device)
    except UserError as error:
        hint = "" if model else f" ({folder} was trained on it; if it has moved, say where with --model)"
        raise UserError(f"{error}{hint}") from None
    return *rebuild(folder, content, base), base


def read_tuned(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    content = read_tensors(path, "tuned method")
    missing = set(PARTS) - set(content)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}; restore it or tune again")
    wrong = [part for part, kind in PARTS.items() if not isinstance(content[part], kind)]
    if wrong or not all(isinstance(content["base"].get(part), str) for part in ("name", "kind", "fingerprint")):
        raise UserError(
            f"{path} does not fit its own description (see {', '.join(wrong) or 'base'}); restore it or tune again"
        )
    return content


def rebuild(
    folder: Path, content: dict[str, Any], base: Checkpoint, into: Model | None = None, name: str = "lora"
) -> tuple[Method, Predictor, Question]:
    """The tuned method on `base`: on a copy of its model, or in and before `into` itself, under a name of its own."""
    path, expected, found = folder / FILE, content["base"]["fingerprint"], fingerprint(base.model)
    if found != expected:
        raise UserError(
            f"{path} was trained on the {content['base']['kind']} {content['base']['name']!r} with the fingerprint "
            f"{expected}, and this model has {found}: give the model that it was trained on, with --model"
        )
    try:
        method = Method.parse(content["method"], content["settings"])
        question = Question(**content["question"], is_own=True)
        predictor = method.build(base, question, seed=0, into=into, name=name)
        if isinstance(predictor.model, Tuned):
            fold(predictor.model)
        weights = {key.replace(".adapters.lora.", f".adapters.{name}."): w for key, w in content["weights"].items()}
        places = learned_tensors(predictor)
        if {key: w.shape for key, w in weights.items()} != {key: p.shape for key, p in places.items()}:
            raise ValueError("its weights have other names or shapes than the method's")
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} does not fit its own description ({error}); restore it or tune again") from None
    with torch.no_grad():
        for key, place in places.items():
            place.copy_(weights[key])
    return method, predictor.eval(), question
