"""A method, `what@asked+read`: read from its name, and built into a predictor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.files import machine_memory
from minitune.given import text
from minitune.methods.asked import ASKED, manual
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.models.build import Model, copied
from minitune.predictors.predictor import Predictor
from minitune.prompting.slots import Part
from minitune.prompting.template import Template
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.readout.calibrated import Calibrated
from minitune.readout.face import ReadOut
from minitune.readout.verbalizer import weighed
from minitune.report import size
from minitune.settings import apply_settings
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import TrainConfig
from minitune.tuning.doors import Tuned
from minitune.tuning.rates import default_rate
from minitune.tuning.trained import trainable

NAMED = {"zero-shot": "frozen@manual+verbalizer", "pet": "full@pet+distilled"}
EXAMPLES = "zero-shot, frozen+head, frozen@manual+head, full+head"


@dataclass(frozen=True)
class Method:
    name: str  # as it was written
    what: str
    asked: str
    read: str
    settings: Any = None  # of `what`
    asking: Any = None  # the settings of `asked`
    reading: Any = None  # the settings of `read`
    is_calibrated: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the training's settings

    @classmethod
    def parse(cls, name: str, settings: Sequence[str] | Mapping[str, Any] = ()) -> Method:
        """Read `what@asked+read`, or `what@asked+read+calibrated`. Left out, `read` is the verbalizer, and `asked` what
        suits it: the task's template for what is read at the blank, the bare text for a head.

        Args:
            settings: of the three answers, or of the training; by name, or as they are written behind --set, "rank=8".

        Raises:
            UserError: a name that is not known, or not of this form; a setting that the method does not have.
        """
        name = text("method", name, f"a method is written what@asked+read, as in {EXAMPLES}")
        match = re.fullmatch(
            r"([\w-]+)(?:@([\w-]+))?(?:\+(?!calibrated$)([\w-]+))?(\+calibrated)?", NAMED.get(name, name)
        )
        if not match:
            raise UserError(f"{name!r} is no method; write what@asked+read, as in {EXAMPLES}")
        what, asked, read, calibrated = match.groups()
        read = read or "verbalizer"
        asked = asked or ("manual" if read not in READ or READ[read].at_the_blank else "bare")
        for part, known in ((what, WHAT), (asked, ASKED), (read, READ)):
            if part not in known:
                raise UserError(
                    f"{name!r} is no method: {part!r} is unknown. A method is what@asked+read, with what in "
                    f"{sorted(WHAT)}, asked in {sorted(ASKED)}, read in {sorted(READ)}, with +calibrated after it if "
                    f"wanted; or it is {' or '.join(NAMED)}"
                )
        own = [answer.settings() if answer.settings else None for answer in (WHAT[what], ASKED[asked], READ[read])]
        own, training = apply_settings(name, settings, own, TrainConfig())
        return cls(name, what, asked, read, *own, is_calibrated=bool(calibrated), changes=training)

    @property
    def configs(self) -> tuple[Any, ...]:
        """The settings of all three answers; an answer without any has None."""
        return self.settings, self.asking, self.reading

    @property
    def needs_label_words(self) -> bool:
        """Whether words for the classes must be given: the answer is read by them, and none are searched for."""
        return READ[self.read].needs_words

    def needs_blank(self, question: Question) -> bool:
        """Whether the answer is read from what the model made of a blank."""
        return KINDS[question.kind].needs_blank(READ[self.read].at_the_blank)

    def template(self, question: Question, model_kind: str) -> Template:
        """How the question is asked. A soft prompt is put before the task's own template; in a user's, the number of
        placeholders is the prompt's length.

        Raises:
            UserError: a user's template has no placeholders for a soft prompt, or has them for a method without one;
                or it has triggers, and nothing searches for them.
        """
        template = self.asks(question, model_kind)
        found, what = template.count("soft"), WHAT[self.what]
        if template.count("trigger") and not ASKED[self.asked].search:
            raise UserError(
                f"the template {question.template!r} has triggers, and @{self.asked} searches for none: take "
                "@autoprompt"
            )
        if found and not what.is_soft:
            raise UserError(
                f"the template {question.template!r} has placeholders, and {self.what} learns no soft prompt"
            )
        if what.is_soft and not found:
            if question.is_own:
                raise UserError(
                    f"the template {question.template!r} has no placeholder for a soft prompt: write "
                    f"{{soft:{self.settings.length}}} where it shall stand"
                )
            return self.before(template)
        return template

    def asks(self, question: Question, model_kind: str) -> Template:
        """How the question is asked, before a soft prompt is put before it."""
        if question.is_own:
            template = manual(question, model_kind)
        else:
            template = ASKED[self.asked].asks(question, model_kind, self.asking)
        return replace(template, demonstrations=question.demonstrations)

    def before(self, template: Template) -> Template:
        """The template with a soft prompt before it."""
        return replace(template, parts=(Part("soft", count=self.settings.length), *template.parts))

    def readout(self, question: Question, checkpoint: Checkpoint, seed: int) -> ReadOut:
        """How the answer is read."""
        readout = READ[self.read].reads(question, checkpoint, seed, self.reading)
        return Calibrated(readout, len(question.labels)) if self.is_calibrated else readout

    def build(
        self, checkpoint: Checkpoint, question: Question, seed: int, into: Model | None = None, name: str = "lora"
    ) -> Predictor:
        """Model, template and read-out joined, ready to train.

        Args:
            into: the model to put the method into; a copy of the checkpoint's by default.
            name: what it is called there, where a model can hold several.

        Raises:
            UserError: whatever the method, the template or the read-out finds wrong.
        """
        what, template = WHAT[self.what], self.template(question, checkpoint.kind)
        self.check(question)
        self.check_base(question, checkpoint)
        settings = self.settings
        if what.is_soft and template.count("soft"):
            settings = replace(settings, length=template.count("soft"))
        check_memory(self.name, what.count(settings, checkpoint.model.config))
        if getattr(settings, "start", "") == "labels" and not settings.text:
            settings = replace(
                settings,
                text=" ".join(weighed(word)[0] for words in question.label_words.values() for word in words),
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = what.put_into(into or copied(checkpoint.model), settings, checkpoint.tokenizer, name)
        return self.join(model, checkpoint, question, seed)

    def join(self, model: Model | Tuned, checkpoint: Checkpoint, question: Question, seed: int) -> Predictor:
        """A model that the method was put into, with the template and the read-out."""
        template, device = self.template(question, checkpoint.kind), next(model.parameters()).device
        if isinstance(model, Tuned) and model.door.positions:
            try:
                template.render(Example("a", "a"), checkpoint.tokenizer, model.context)
            except UserError as error:
                taken = f"{model.door.positions} of its {model.model.context} places are taken by the prefix"
                raise UserError(f"{error}; {taken}, whose setting is length") from None
        read = partial(self.readout, question, checkpoint, seed)
        predictor = KINDS[question.kind].join(model, checkpoint, template, question, read, seed).to(device)
        if self.what == "output" and not predictor.reads_words:
            raise UserError(
                f"{self.name}: output trains the scores of words, and its read-out reads none; take a task that is "
                "answered in words, and write output alone"
            )
        return predictor

    def check(self, question: Question) -> None:
        """Raises:
        UserError: the method does not suit a question of this kind.
        """
        kind = KINDS[question.kind]
        if self.name in NAMED and not kind.is_choice:
            raise UserError(f"{self.name} reads words at a blank, and this task has none; take another method")
        if self.is_calibrated and not kind.is_choice:
            raise UserError(f"{self.name}: calibration is of classes, and this task has none; leave +calibrated out")
        if READ[self.read].search and question.kind != "classes":
            raise UserError(
                f"{self.name} searches for words that stand for classes, and this task has no classes; write "
                f"{self.what} alone"
            )
        if kind.read_by and "+" in self.name and not self.name.endswith(f"+{kind.read_by}"):
            raise UserError(f"{self.name}: this task is read by {kind.read_by}; write {self.what} alone")

    def check_base(self, question: Question, checkpoint: Checkpoint) -> None:
        """Raises:
        UserError: the method needs a part that the model came without.
        """
        if missing := self.misses(question, checkpoint):
            raise UserError(f"{self.name} {missing}")

    def misses(self, question: Question, checkpoint: Checkpoint) -> str:
        """Why the method cannot be put into this model, which came without a part of what pretraining trains; or
        nothing, if it can."""
        kind, model = KINDS[question.kind], f"the model {checkpoint.name or checkpoint.kind}"
        if self.needs_blank(question) and "MLM head" in checkpoint.lacks:
            instead = "a model that was saved with it" if kind.read_by else "a method with +head"
            return f"reads words at the blank, and {model} came without its MLM head; take {instead}"
        if kind.needs_pooler(READ[self.read].at_the_blank) and "pooler" in checkpoint.lacks:
            able = [name for name, what in WHAT.items() if what.trains_the_pooler]
            if self.what not in able:
                return (
                    f"reads the text through BERT's pooler, and {model} came without one: take a method that trains "
                    f"it, {', '.join(f'{name}+{kind.read_by or self.read}' for name in able)}"
                )
        return ""

    def rate(self, predictor: Predictor) -> float:
        """The default learning rate: the read-out's own where nothing else trains, and else that of what may change."""
        kind, read = predictor.model.kind, READ[self.read]
        own = read.alone or read.rate
        if own and not trainable(predictor.model):
            return own[kind]
        return default_rate(self.what, kind, predictor.reads_words)

    def training(self, predictor: Predictor, steps: int, seed: int) -> TrainConfig:
        """How it trains: what was set, and where no learning rate was, the default for such a predictor."""
        config = replace(TrainConfig(steps=steps, lr=self.rate(predictor), seed=seed), **self.changes)
        if "evaluate_every" not in self.changes:
            config = replace(config, evaluate_every=max(1, config.steps // 10))
        return config


def check_memory(name: str, numbers: int) -> None:
    """See that the machine can hold what a method trains: 4 bytes each for number and gradient, 8 for AdamW.

    Raises:
        UserError: it cannot; said before any of it is made.
    """
    memory, needed = machine_memory(), 16 * numbers
    if memory and needed > memory:
        raise UserError(
            f"{name} would train {numbers:,} numbers, {size(needed)} with their gradients and the optimizer, and this "
            f"machine has {size(memory)}: take smaller settings or a smaller model"
        )
