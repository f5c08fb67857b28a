"""How is the answer read? Each answer makes a read-out: a head on the hidden state, or a verbalizer at the blank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minitune.errors import UserError
from minitune.questions.question import Question
from minitune.readout.autoprompt_words import AutoPromptWordsConfig
from minitune.readout.beside import BesideHead
from minitune.readout.face import ReadOut
from minitune.readout.head import Head, NumberHead
from minitune.readout.lm_bff_words import LMBFFWordsConfig
from minitune.readout.losses import focal
from minitune.readout.petal import PetalConfig
from minitune.readout.phrases import Phrases, word_reader
from minitune.readout.probe import Probe
from minitune.readout.prototypes import PrototypeConfig, Prototypes
from minitune.readout.soft import SoftConfig, SoftVerbalizer, at_random, from_words
from minitune.readout.verbalizer import Verbalizer, verbalizer
from minitune.searches import label_search
from minitune.searches.pet import as_taught
from minitune.searches.search import SearchFor
from minitune.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Read:
    """An answer to "how is the answer read?".

    Args:
        readout: makes the read-out of a question, by seed; with its settings, where it has some.
        at_the_blank: it reads what the model made of the blank, so the template needs one.
        needs_words: it reads, or starts from, label words that are given.
        search: finds label words on training examples first, and returns the question with them.
        settings: its config.
        rate: the learning rate of its own parameters, by model; by default they have the method's.
        alone: the same where nothing else trains, if it is another one there.
    """

    readout: Callable[..., ReadOut]
    at_the_blank: bool = False
    needs_words: bool = False
    search: SearchFor | None = None
    settings: type | None = None
    rate: Mapping[str, float] | None = None
    alone: Mapping[str, float] | None = None

    def reads(self, question: Question, checkpoint: Checkpoint, seed: int, settings: Any) -> ReadOut:
        return self.readout(question, checkpoint, seed, *([settings] if self.settings else []))


def head(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    """C D + C: a linear layer on the text's hidden state."""
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed)


def focal_head(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    """C D + C: the same, trained with focal loss."""
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed, loss=focal)


def distilled(question: Question, checkpoint: Checkpoint, seed: int) -> Head:
    """C D + C: the same, trained on soft labels, to say what their teacher says."""
    return Head(checkpoint.model.config.width, len(question.labels), seed=seed, loss=as_taught)


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


def manual_verbalizer(question: Question, checkpoint: Checkpoint, seed: int) -> Verbalizer | Phrases:
    """0: words at the blank stand for the classes."""
    return word_reader(question.label_words, question.labels, checkpoint.tokenizer, question.blanks)


def found_words(question: Question, checkpoint: Checkpoint, seed: int, settings: Any) -> Verbalizer | Phrases:
    """0: words at the blank stand for the classes, as a search with these settings found them."""
    return manual_verbalizer(question, checkpoint, seed)


def soft(question: Question, checkpoint: Checkpoint, seed: int, config: SoftConfig) -> SoftVerbalizer:
    """C D: a vector for each class at the blank, which starts at its words (WARP)."""
    if config.classes_from == "random":
        return SoftVerbalizer(at_random(checkpoint.model, len(question.labels), seed))
    try:
        manual = verbalizer(question.label_words, question.labels, checkpoint.tokenizer)
    except UserError as error:
        raise UserError(f"{error}; or let the classes start at random, with --set classes_from=random") from None
    return SoftVerbalizer(from_words(checkpoint.model, manual))


def probe(question: Question, checkpoint: Checkpoint, seed: int) -> Probe:
    """C D + C: a linear layer on the hidden state at the blank."""
    return Probe(checkpoint.model.config.width, len(question.labels), seed)


def prototypes(question: Question, checkpoint: Checkpoint, seed: int, config: PrototypeConfig) -> Prototypes:
    """S D + C S: cosines with a prototype of each class at the blank, in a space of S numbers (ProtoVerb)."""
    return Prototypes(checkpoint.model.config.width, len(question.labels), config, seed)


READ = {
    "head": Read(head),
    "focal": Read(focal_head),
    "distilled": Read(distilled),
    "beside": Read(beside),
    "number": Read(number),
    "verbalizer": Read(manual_verbalizer, at_the_blank=True, needs_words=True),
    "petal": Read(found_words, at_the_blank=True, search=label_search.petal, settings=PetalConfig),
    "lm-bff": Read(found_words, at_the_blank=True, search=label_search.lm_bff, settings=LMBFFWordsConfig),
    "autoprompt": Read(found_words, at_the_blank=True, search=label_search.autoprompt, settings=AutoPromptWordsConfig),
    "soft": Read(soft, at_the_blank=True, needs_words=True, settings=SoftConfig, alone={"bert": 1e-2, "gpt": 3e-2}),
    "probe": Read(probe, at_the_blank=True, rate={"bert": 3e-3, "gpt": 3e-3}),
    "prototypes": Read(prototypes, at_the_blank=True, settings=PrototypeConfig, rate={"bert": 1e-2, "gpt": 1e-2}),
}
