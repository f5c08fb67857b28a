"""The methods, by the three questions: `what@asked+read`. A new one joins by one entry in one of the tables."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.methods.settings import apply_settings
from minitune.models.build import Model, ModelConfig
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Joined
from minitune.predictors.tagger import Tagger
from minitune.predictors.writer import Writer
from minitune.prompting.template import Part, Template
from minitune.readout.beside import BesideHead
from minitune.readout.head import Head, NumberHead, TokenHead
from minitune.readout.losses import focal
from minitune.readout.verbalizer import Verbalizer, verbalizer
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import TrainConfig
from minitune.tuning.all_or_nothing import all_parameters, freeze, no_parameters, tune_everything
from minitune.tuning.freezing import (
    GradualConfig,
    LayerwiseConfig,
    TopConfig,
    bias_parameters,
    gradual_unfreezing,
    layer_rates,
    norm_parameters,
    output_parameters,
    top_parameters,
    tune_biases,
    tune_norms,
    tune_output,
    tune_top,
)
from minitune.tuning.lora import LoRAConfig, add_lora, lora_parameters
from minitune.tuning.p_tuning import PTuningConfig, add_p_tuning, p_tuning_parameters
from minitune.tuning.p_tuning_v2 import DeepPromptConfig, add_deep_prompt, deep_prompt_parameters
from minitune.tuning.prefix_tuning import PrefixConfig, add_prefix, prefix_parameters
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt, prompt_parameters


@dataclass(frozen=True)
class Question:
    """What a task offers to every method: its labels, a template, and words for the labels.

    Without words (they are not given, and the labels' own names are no single tokens) no verbalizer can be made.
    """

    labels: tuple[str, ...]
    template: str
    label_words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_pair: bool = False  # has a second text
    kind: str = "classes"  # a few; "words": any word is an answer; "tags": one for each word; "text": written freely
    score: Callable | None = None  # of a written text
    is_own: bool = False  # the template is the user's, and is taken as it stands


@dataclass(frozen=True)
class What:
    """An answer to "what may change?": how it is put into a model or before it, and how it trains best."""

    add: Callable[..., Any]  # of the model; and of `config`, `tokenizer`, `name`, if it has parameters of these names
    settings: type | None  # its config
    count: Callable[[Any, ModelConfig], int]  # how many numbers it trains: the docstring is the formula
    lr: float
    lesson: int
    paper: str
    is_soft: bool = False  # needs placeholders in the template
    rates: Callable[[Model, Any], dict[str, float]] | None = None  # of each parameter, as parts of the rate
    before_step: Callable[[Model, Any, int], Callable[[int], None]] | None = None  # of (model, config, steps)

    def put_into(self, model: Model, config: Any, tokenizer: Tokenizer, name: str):
        """What is called in the model's place from now on."""
        offered = {"config": config, "tokenizer": tokenizer, "name": name}
        wanted = inspect.signature(self.add).parameters
        return self.add(model, **{key: value for key, value in offered.items() if key in wanted})


WHAT: dict[str, What] = {
    "full": What(tune_everything, None, all_parameters, 2e-4, 4, "Devlin et al. 2019"),
    "frozen": What(freeze, None, no_parameters, 1e-2, 4, "Devlin et al. 2019"),
    "top": What(tune_top, TopConfig, top_parameters, 5e-4, 5, "Lee et al. 2019"),
    "norms": What(tune_norms, None, norm_parameters, 5e-3, 5, "Frankle et al. 2021"),
    "biases": What(tune_biases, None, bias_parameters, 5e-3, 5, "Ben Zaken et al. 2022"),
    "output": What(tune_output, None, output_parameters, 1e-3, 5, "Howard and Ruder 2018"),
    "layerwise": What(
        tune_everything, LayerwiseConfig, all_parameters, 5e-4, 5, "Howard and Ruder 2018", rates=layer_rates
    ),
    "gradual": What(
        tune_everything, GradualConfig, all_parameters, 2e-4, 5, "Howard and Ruder 2018", before_step=gradual_unfreezing
    ),
    "prompt-tuning": What(add_prompt, PromptConfig, prompt_parameters, 3e-2, 15, "Lester et al. 2021", is_soft=True),
    "p-tuning": What(add_p_tuning, PTuningConfig, p_tuning_parameters, 3e-3, 16, "Liu et al. 2021", is_soft=True),
    "prefix-tuning": What(add_prefix, PrefixConfig, prefix_parameters, 3e-3, 17, "Li and Liang 2021"),
    "p-tuning-v2": What(add_deep_prompt, DeepPromptConfig, deep_prompt_parameters, 3e-2, 18, "Liu et al. 2022"),
    "lora": What(add_lora, LoRAConfig, lora_parameters, 3e-3, 19, "Hu et al. 2021"),
}


# ---- how the question is asked ----


def bare(question: Question) -> Template:
    """The text, or the two texts with the separator between them."""
    return Template.parse("{text} {sep} {text_b}" if question.is_pair else "{text}")


def manual(question: Question) -> Template:
    """Through the task's template, or your own."""
    return Template.parse(question.template)


ASKED = {"bare": bare, "manual": manual}


# ---- how the answer is read ----


def head(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    """C D + C: a linear layer on the text's hidden state."""
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed)


def focal_head(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    """C D + C: the same, trained with focal loss."""
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed, loss=focal)


def beside(question: Question, checkpoint: Checkpoint, seed: int) -> BesideHead:
    """C D + C + K + C K: the same, with a learned vector of K beside the hidden state."""
    return BesideHead(checkpoint.model.config.width, len(question.labels), seed=seed)


def number(question: Question, checkpoint: Checkpoint, seed: int) -> NumberHead:
    """D + 1: one number, trained with squared error; the nearest label is the answer."""
    try:
        numbers = [float(label) for label in question.labels]
    except ValueError:
        raise UserError(
            f"the labels {', '.join(question.labels)} are no numbers, so none can be learned; read them with +head"
        ) from None
    return NumberHead(checkpoint.model.config.width, numbers, seed=seed)


def manual_verbalizer(question: Question, checkpoint: Checkpoint, seed: int) -> Verbalizer:
    """0: words at the blank stand for the classes."""
    return verbalizer(question.label_words, question.labels, checkpoint.tokenizer)


READ = {"head": head, "focal": focal_head, "beside": beside, "number": number, "verbalizer": manual_verbalizer}
AT_THE_BLANK = ("verbalizer",)  # these need a template with a blank


# ---- all three ----

NAMED = {"zero-shot": "frozen@manual+verbalizer"}  # nothing of it trains
DEFAULT = ("zero-shot", "frozen+head", "frozen@manual+head", "full+head", "full+verbalizer", "lora+verbalizer")
DEFAULTS = {  # by the kind of the question
    "classes": DEFAULT,
    "words": ("zero-shot", "full", "lora", "prompt-tuning", "p-tuning"),
    "tags": ("frozen", "full", "lora", "prompt-tuning", "p-tuning-v2"),
    "text": ("full", "lora", "prefix-tuning", "prompt-tuning"),
}
METRIC = {"classes": "accuracy", "words": "accuracy", "tags": "f1", "text": "score"}


@dataclass(frozen=True)
class Method:
    name: str  # as it was written
    what: str
    asked: str
    read: str
    settings: Any = None  # of `what`
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the training's settings

    @classmethod
    def parse(cls, name: str, settings: Sequence[str] = ()) -> Method:
        """Read `what@asked+read`. Left out, `read` is the verbalizer, and `asked` what suits it: the task's template
        for a verbalizer, the bare text for a head.

        Args:
            settings: as they are written behind --set, "rank=8": of what may change, or of the training.

        Raises:
            UserError: a name that is not known, or not of this form; a setting that the method does not have.
        """
        match = re.fullmatch(r"([\w-]+)(?:@([\w-]+))?(?:\+([\w-]+))?", NAMED.get(name, name))
        if not match:
            raise UserError(f"{name!r} is no method; write what@asked+read, as in {', '.join(DEFAULT[:4])}")
        what, asked, read = match.groups()
        read = read or "verbalizer"
        asked = asked or ("manual" if read in AT_THE_BLANK else "bare")
        for part, known in ((what, WHAT), (asked, ASKED), (read, READ)):
            if part not in known:
                raise UserError(
                    f"{name!r} is no method: {part!r} is unknown. A method is what@asked+read, with what in "
                    f"{sorted(WHAT)}, asked in {sorted(ASKED)}, read in {sorted(READ)}; or it is {' or '.join(NAMED)}"
                )
        own = WHAT[what].settings() if WHAT[what].settings else None
        own, training = apply_settings(name, settings, own, TrainConfig(lr=WHAT[what].lr))
        return cls(name, what, asked, read, own, training)

    @property
    def reads_the_blank(self) -> bool:
        return self.read in AT_THE_BLANK

    def template(self, question: Question) -> Template:
        """How the question is asked. A soft prompt is put before the task's own template; in a user's, the number of
        placeholders is the prompt's length.

        Raises:
            UserError: a user's template has no placeholders for a soft prompt, or has them for a method without one.
        """
        template = manual(question) if question.is_own else ASKED[self.asked](question)
        found, what = template.count("soft"), WHAT[self.what]
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
            return Template((Part("soft", count=self.settings.length), *template.parts))
        return template

    def build(
        self, checkpoint: Checkpoint, question: Question, seed: int, into: Model | None = None, name: str = "lora"
    ) -> Joined:
        """Model, template and read-out joined, ready to train.

        Args:
            into: the model to put the method into; a copy of the checkpoint's by default.
            name: what it is called there, where a model can hold several.

        Raises:
            UserError: whatever the method, the template or the read-out finds wrong.
        """
        what, template = WHAT[self.what], self.template(question)
        settings = self.settings
        if what.is_soft and template.count("soft"):
            settings = replace(settings, length=template.count("soft"))
        if getattr(settings, "start", "") == "labels" and not settings.text:
            settings = replace(
                settings, text=" ".join(word for words in question.label_words.values() for word in words)
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = what.put_into(into or copy.deepcopy(checkpoint.model), settings, checkpoint.tokenizer, name)
        device = next(model.parameters()).device
        return self.join(model, checkpoint, template, question, seed).to(device)

    def join(self, model, checkpoint: Checkpoint, template: Template, question: Question, seed: int) -> Joined:
        tokenizer, width = checkpoint.tokenizer, checkpoint.model.config.width
        if self.name in NAMED and question.kind in ("tags", "text"):
            raise UserError(f"{self.name} reads words at a blank, and this task has none; take another method")
        wants = {"words": "verbalizer", "tags": "head", "text": "the model's own words"}.get(question.kind)
        if wants and "+" in self.name and not self.name.endswith(f"+{wants}"):
            raise UserError(f"{self.name}: this task is read by {wants}; write {self.what} alone")
        reads_words = question.kind == "text" or (question.kind != "tags" and self.reads_the_blank)
        if self.what == "output" and not reads_words:
            raise UserError(
                f"{self.name}: output trains the scores of words, and a head reads none; take a task that is answered "
                "in words, and write output alone"
            )
        if question.kind == "tags":
            return Tagger(model, tokenizer, template, TokenHead(width, len(question.labels), seed), question.labels)
        if question.kind == "text":
            return Writer(model, tokenizer, template, question.score)
        return Classifier(model, tokenizer, template, READ[self.read](question, checkpoint, seed), question.labels)

    def training(self, steps: int, seed: int) -> TrainConfig:
        usual = TrainConfig(steps=steps, lr=WHAT[self.what].lr, seed=seed)
        config = replace(usual, **self.changes)
        if "evaluate_every" not in self.changes:
            config = replace(config, evaluate_every=max(1, config.steps // 10))
        return config


def all_methods(kind: str = "classes") -> list[str]:
    """Every combination that suits a question of this kind; zero-shot first, where there is such a thing."""
    if kind == "text":
        return [what for what in WHAT if what != "frozen"]
    if kind == "tags":
        return [what for what in WHAT if what != "output"]
    if kind == "words":
        return [*NAMED, *(what for what in WHAT if what != "frozen")]
    possible = [
        f"{what}@{asked}+{read}"
        for what in WHAT
        for asked in ASKED
        for read in READ
        if read != "number" and (read in AT_THE_BLANK or what != "output") and (asked != "bare" or read != "verbalizer")
    ]
    return [*NAMED, *(method for method in possible if method != NAMED["zero-shot"])]
