"""The methods, by the three questions: `what@asked+read`. A new one joins by one line in one of the tables."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from minitune.classifier import Classifier
from minitune.errors import UserError
from minitune.models.build import Model
from minitune.prompting.template import Template
from minitune.readout.head import Head
from minitune.readout.verbalizer import verbalizer
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import TrainConfig
from minitune.tuning.all_or_nothing import freeze, tune_everything


@dataclass(frozen=True)
class Question:
    """What a task offers to every method: its labels, a template, and words for the labels.

    Without words (they are not given, and the labels' own names are no single tokens) no verbalizer can be made.
    """

    labels: tuple[str, ...]
    template: str
    label_words: Mapping[str, Sequence[str]]
    is_pair: bool = False  # has a second text


@dataclass(frozen=True)
class What:
    """What may change: puts itself into a model, in place, and says how it trains best."""

    prepare: Callable[[Model], Model]
    lr: float


def bare(question: Question) -> Template:
    return Template.parse("{text} {sep} {text_b}" if question.is_pair else "{text}")


def manual(question: Question) -> Template:
    return Template.parse(question.template)


def head(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed)


def manual_verbalizer(question: Question, checkpoint: Checkpoint, seed: int):
    return verbalizer(question.label_words, question.labels, checkpoint.tokenizer)


WHAT: dict[str, What] = {
    "full": What(tune_everything, lr=2e-4),
    "frozen": What(freeze, lr=1e-2),
}
ASKED = {"bare": bare, "manual": manual}
READ = {"head": head, "verbalizer": manual_verbalizer}
NAMED = {"zero-shot": "frozen@manual+verbalizer"}  # nothing of it trains
DEFAULT = ("zero-shot", "frozen+head", "frozen@manual+head", "full+head", "full+verbalizer")


@dataclass(frozen=True)
class Method:
    name: str  # as it was written
    what: str
    asked: str
    read: str

    @classmethod
    def parse(cls, name: str) -> Method:
        """Read `what@asked+read`. Left out, `read` is the verbalizer, and `asked` what suits it: the task's template
        for a verbalizer, the bare text for a head.

        Raises:
            UserError: a name that is not known, or not of this form.
        """
        match = re.fullmatch(r"([\w-]+)(?:@([\w-]+))?(?:\+([\w-]+))?", NAMED.get(name, name))
        if not match:
            raise UserError(f"{name!r} is no method; write what@asked+read, as in {', '.join(DEFAULT[:4])}")
        what, asked, read = match.groups()
        read = read or "verbalizer"
        asked = asked or ("bare" if read == "head" else "manual")
        for part, known in ((what, WHAT), (asked, ASKED), (read, READ)):
            if part not in known:
                raise UserError(
                    f"{name!r} is no method: {part!r} is unknown. A method is what@asked+read, with what in "
                    f"{sorted(WHAT)}, asked in {sorted(ASKED)}, read in {sorted(READ)}; or it is {' or '.join(NAMED)}"
                )
        return cls(name, what, asked, read)

    def build(self, checkpoint: Checkpoint, question: Question, seed: int) -> Classifier:
        """A classifier on a copy of the checkpoint's model, ready to train."""
        template = ASKED[self.asked](question)
        readout = READ[self.read](question, checkpoint, seed)
        model = WHAT[self.what].prepare(copy.deepcopy(checkpoint.model))
        classifier = Classifier(model, checkpoint.tokenizer, template, readout)
        return classifier.to(next(model.parameters()).device)

    def training(self, steps: int, seed: int) -> TrainConfig:
        return TrainConfig(steps=steps, lr=WHAT[self.what].lr, evaluate_every=max(1, steps // 10), seed=seed)


def all_methods() -> list[str]:
    """Every combination of the three tables that makes a classifier, zero-shot first."""
    combinations = [f"{what}@{asked}+{read}" for what in WHAT for asked in ASKED for read in READ]
    is_possible = [m for m in combinations if not m.endswith("@bare+verbalizer") and m != NAMED["zero-shot"]]
    return [*NAMED, *is_possible]
