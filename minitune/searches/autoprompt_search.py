"""AutoPrompt as an answer to "how is the question asked?": what a draw of examples has to do with it, and the log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.files import read_text
from minitune.predictors.classifier import Classifier, unread
from minitune.predictors.predictor import ExampleBatches, inputs_of
from minitune.prompting.autoprompt import (
    AutoPromptConfig,
    Log,
    Propose,
    allowed_tokens,
    by_gradient,
    search_trigger,
)
from minitune.prompting.template import Template, with_stop
from minitune.prompting.trigger_loss import ModelTriggerLoss
from minitune.questions.question import Question
from minitune.readout.verbalizer import weighed
from minitune.schema import plain_to
from minitune.searches.search import Search
from minitune.settings import settings_of
from minitune.training.checkpoint import identity
from minitune.training.loop import TrainConfig, train
from minitune.tuning.rates import default_rate
from minitune.tuning.trained import trainable
from minitune.writing import write_json

FILE = "search.json"
STEPS = 100  # of a read-out that has yet to learn, before the search


@dataclass(frozen=True)
class SearchFile:
    """What `search.json` holds: of which search it is, and how far that has come."""

    about: dict[str, str]
    log: Log


def trigger_template(question: Question, model_kind: str, settings: AutoPromptConfig) -> Template:
    """The text, words that a search on the training examples finds, and the blank (AutoPrompt, lesson 11)."""
    texts = "{text} {text_b}" if question.is_pair else "{text}"
    return Template.parse(with_stop(f"{texts} {{trigger:{settings.triggers}}} {{mask}}", model_kind))


def find_triggers(search: Search, propose: Propose = by_gradient) -> Question:
    """The question with trigger words in its template that lower the loss of the model as it is.

    Where `search.folder` is given, the log of the search is kept there, an interrupted search is gone on with, and
    Ctrl-C ends it with the best trigger so far.

    Raises:
        UserError: a task without classes, a template without triggers, no word left to stand in one; a log in the
            folder that is damaged or of another search.
    """
    config, template = search.settings, search.template
    count = template.count("trigger")
    if search.question.kind not in ("classes", "words"):
        raise UserError("@autoprompt searches for words with which classes are told apart, and this task has none")
    if not count:
        raise UserError(
            f"the template {str(template)!r} has no place for the words that @autoprompt searches for: write "
            f"{{trigger:{config.triggers}}} where they shall stand, or take @manual"
        )
    tokenizer = search.checkpoint.tokenizer
    allowed = allowed_tokens(tokenizer, label_tokens(search), config.words_only)
    dice = torch.Generator().manual_seed(search.seed)
    start = tuple(allowed[torch.randint(len(allowed), (count,), generator=dice)].tolist())
    classifier = at_start(search, start)
    loss = trigger_loss(classifier, template, search.train)
    chosen_on = search.dev or search.train
    on_dev = trigger_loss(classifier, template, chosen_on)
    everyone = torch.arange(len(chosen_on))

    def dev(trigger: torch.Tensor) -> float:
        return -on_dev.loss_of(trigger[None], everyone).item()

    path = search.folder / FILE if search.folder else None
    about = description(search)
    if path and path.exists():
        log = read_log(path, about, count, set(allowed.tolist()))
    else:
        log = Log(start, dev(torch.tensor(start)))
    log = replace(log, rounds=log.rounds[: config.rounds])
    bar = search.progress(range(len(log.rounds), config.rounds), "searching triggers")
    further = search_trigger(loss, dev, log, allowed, config, search.seed, propose)
    try:
        for _, log in zip(bar, further, strict=False):
            bar.set_postfix(dev_loss=f"{-log.best[1]:.3f}", words=tokenizer.decode(log.best[0]))
            if path:
                write_json(path, asdict(SearchFile(about, log)))
    except KeyboardInterrupt:
        if not path:
            raise
    trigger, score = log.best
    found = [
        f"words found: {' '.join(tokenizer.tokens(trigger))} (loss on {'dev' if search.dev else 'train'} {-score:.3f}; "
        f"at the start of the search, {' '.join(tokenizer.tokens(log.start))}: {-log.dev:.3f})"
    ]
    if len(log.rounds) < config.rounds:
        found.append(
            f"the search was stopped after {len(log.rounds)} of {config.rounds} rounds; the same command with --force "
            "goes on from there"
        )
    asked = str(template.with_triggers(trigger))
    return replace(search.question, template=asked, is_own=True, found=(*search.question.found, *found))


def label_tokens(search: Search) -> list[int]:
    """The tokens that answer: where any word is a label, those that the task's own examples have."""
    words, tokenizer = search.question.label_words, search.checkpoint.tokenizer
    names = search.train.labels or search.question.labels
    return [i for name in names for word in words.get(name, ()) for i in tokenizer.encode(weighed(word)[0])]


def at_start(search: Search, start: Sequence[int]) -> Classifier:
    """The frozen model with its read-out. One that has yet to learn does so with the words that the search starts from:
    else the search would please random numbers."""
    classifier = search.classifier(search.template.with_triggers(start))
    if trainable(classifier):
        rate = default_rate("frozen", search.checkpoint.kind, classifier.reads_words)
        batches = ExampleBatches(classifier, search.train, search.settings.batch, search.seed)
        train(classifier, batches.batch, TrainConfig(steps=STEPS, lr=rate, seed=search.seed), label="read-out")
    return classifier.requires_grad_(False).eval()


def trigger_loss(classifier: Classifier, template: Template, examples: Sequence[Example]) -> ModelTriggerLoss:
    """The loss of a classifier as a function of the trigger in `template`."""
    model, readout = classifier.model, classifier.readout
    device = next(model.parameters()).device
    asking = Classifier(model, classifier.tokenizer, template, readout)
    batch = {name: tensor.to(device) for name, tensor in asking.collate(unread(asking, examples)).items()}
    if readout.reads == "blanks":
        place = batch["blanks"].flatten(0, 1)  # (B, K, L) -> (B K, L)
    else:
        place = batch["blank" if readout.reads == "blank" else "text_end"][:, None]
    return ModelTriggerLoss(
        model, readout, inputs_of(batch, model.kind), place, batch["label"], classifier.tokenizer.trigger_id
    )


# ---- the log ----


def description(search: Search) -> dict[str, str]:
    """What decides how a search goes, but for its length."""
    examples = repr([[(e.text, e.text_b, e.label) for e in part] for part in (search.train, search.dev)])
    settings = [setting for setting in settings_of(search.settings) if not setting.startswith("rounds=")]
    return {
        "model": identity(search.checkpoint),
        "template": str(search.template),
        "label words": repr(sorted((label, tuple(words)) for label, words in search.question.label_words.items()))[
            :2000
        ],
        "settings": " ".join(settings),
        "seed": str(search.seed),
        "examples": hashlib.sha256(examples.encode(errors="backslashreplace")).hexdigest()[:16],
    }


def read_log(path: Path, about: dict[str, str], count: int, allowed: set[int]) -> Log:
    """Args:
        count: the tokens of the trigger.
        allowed: the ids that it may hold.

    Raises:
        UserError: the file is damaged, or of another search.
    """
    text, mend = read_text(path), "remove it, or choose another --out"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no log of a search ({error}); {mend}") from None
    found = plain_to(SearchFile, content, str(path))
    for name, value in about.items():
        if found.about.get(name) != value:
            raise UserError(f"{path} is the log of another search, with another {name}: {mend}")
    log = found.log
    if len(log.start) != count:
        raise UserError(f"{path} has a trigger of {len(log.start)} tokens, and the template has {count}: {mend}")
    if unknown := {*log.start, *(its.token for its in log.rounds)} - allowed:
        raise UserError(f"{path} has the token {min(unknown)}, which no trigger here may hold: {mend}")
    if any(its.accepted and its.dev is None for its in log.rounds):
        raise UserError(f"{path} lacks the score of a trigger that was accepted: {mend}")
    return log
