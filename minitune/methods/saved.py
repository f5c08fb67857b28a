"""What was tuned, on disk: only what training changed, what it was trained for, and which model it belongs to.

`tuned.pt` holds 4 bytes for each trained number, and a header: the method and its settings, the question, the
fingerprint of the base model.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import torch

from minitune.errors import UserError
from minitune.methods.method import Method, Question
from minitune.methods.settings import settings_of
from minitune.models.build import Model
from minitune.predictors.predictor import Joined
from minitune.training.checkpoint import Checkpoint, fingerprint, load_checkpoint, read_tensors, write_tensors
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.lora import lora_layers
from minitune.tuning.lora_adapters import remove_lora, switch_lora
from minitune.tuning.trained import trainable

FILE = "tuned.pt"
KEPT = ("labels", "label_words", "is_pair", "kind")  # of a question; the template is kept as it was used
PARTS = {"method": str, "settings": list, "question": dict, "base": dict, "weights": dict}


def save_tuned(
    folder: Path, method: Method, joined: Joined, question: Question, base: Checkpoint, base_name: str, made: dict
) -> Path:
    """Write what `method` trained in `joined`. A network that wrote a prompt is folded into what it wrote, in place.

    Args:
        base: the checkpoint that it was trained on; its weights are not written.
        base_name: where `load_tuned` finds it again: bert, gpt or a folder.
        made: how it was made and what it reached, for people to read.

    Raises:
        UserError: the folder cannot be written; what stood there is unharmed.
    """
    if isinstance(joined.model, Tuned):
        fold(joined.model)
    content = {
        "method": method.name,
        "settings": settings_of(method.settings),
        "question": {name: getattr(question, name) for name in KEPT} | {"template": str(joined.template)},
        "base": {"name": base_name, "kind": base.kind, "fingerprint": fingerprint(base.model)},
        "weights": {  # an adapter is called lora in every file, whatever it is called on a shelf
            re.sub(r"\.adapters\.[^.]+\.", ".adapters.lora.", name): parameter.detach().cpu().clone()
            for name, parameter in trainable(joined).items()
        },
        "made": made,
    }
    write_tensors(folder / FILE, "tuned method", content)
    return folder / FILE


def load_tuned(
    folder: Path, model: str | None = None, device: torch.device | str = "cpu"
) -> tuple[Joined, Question, Checkpoint]:
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
    joined, question = rebuild(folder, content, base)
    return joined, question, base


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
) -> tuple[Joined, Question]:
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
        joined = method.build(base, question, seed=0, into=into, name=name)
        if isinstance(joined.model, Tuned):
            fold(joined.model)
        weights = {key.replace(".adapters.lora.", f".adapters.{name}."): w for key, w in content["weights"].items()}
        places = trainable(joined)
        if {key: w.shape for key, w in weights.items()} != {key: p.shape for key, p in places.items()}:
            raise ValueError("its weights have other names or shapes than the method's")
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} does not fit its own description ({error}); restore it or tune again") from None
    with torch.no_grad():
        for key, place in places.items():
            place.copy_(weights[key])
    return joined.eval(), question


class Shelf:
    """Several tuned methods of one base, in memory together: one model, and beside it what each of them trained.

    shelf = Shelf(load_checkpoint("bert"))
    shelf.add("reviews", Path("runs/reviews"))
    shelf.add("news", Path("runs/news"))
    shelf.use("reviews").answers(examples)
    """

    def __init__(self, base: Checkpoint):
        self.base, self.model = base, copy.deepcopy(base.model)
        self.kept: dict[str, Joined] = {}

    def add(self, name: str, folder: Path) -> None:
        """Put a saved method on the shelf.

        Raises:
            UserError: the name is taken, another base, or a method that changes the base's own weights.
        """
        if name in self.kept:
            raise UserError(f"there is something called {name!r} on the shelf already; take another name")
        content = read_tuned(folder)
        of_base = {name for name, _ in self.base.model.named_parameters()}
        own = [key for key in content["weights"] if str(key).replace("model.", "") in of_base]  # untied: model.model.
        if own:
            raise UserError(
                f"{folder} holds weights of the base itself ({own[0]}), which cannot be swapped: load it by itself"
            )
        try:
            self.kept[name], _ = rebuild(folder, content, self.base, into=self.model, name=name)
        except UserError:
            if any(name in layer.adapters for layer in lora_layers(self.model).values()):
                remove_lora(self.model, name)  # it was put in before its weights were found not to fit
            raise

    def use(self, name: str) -> Joined:
        """Switch to one of them; the others wait, unharmed.

        Raises:
            UserError: there is none of that name.
        """
        if name not in self.kept:
            raise UserError(
                f"there is nothing called {name!r} on the shelf; it holds {', '.join(self.kept) or 'nothing'}"
            )
        if lora_layers(self.model):
            names = {adapter for layer in lora_layers(self.model).values() for adapter in layer.adapters}
            switch_lora(self.model, name if name in names else None)
        return self.kept[name]
