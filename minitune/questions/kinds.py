"""The kinds of question, and all that depends on the kind: a new kind joins here, in one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean, pstdev
from typing import Any

from torch import nn

from minitune.data.examples import Dataset, Example, TrainSet
from minitune.models.build import Model
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor
from minitune.predictors.regressor import Regressor
from minitune.predictors.tagger import TaggedWords, Tagger
from minitune.predictors.writer import Writer, Writing, exact_match
from minitune.prompting.template import Template
from minitune.questions import about
from minitune.questions.for_model import all_words, names_as_words, room_of_the_longest
from minitune.questions.question import Question
from minitune.questions.readable import Check, fits_the_context, has_tokens
from minitune.readout.head import FreeNumber, TokenHead
from minitune.training.checkpoint import Checkpoint
from minitune.tuning.doors import Tuned

# (model, checkpoint, template, question, how a classifier is read, seed) -> predictor
Join = Callable[[Model | Tuned, Checkpoint, Template, Question, Callable[[], nn.Module], int], Predictor]


@dataclass(frozen=True)
class Kind:
    """What depends on the kind of a question.

    Args:
        join: model, template and read-out made into a predictor; the arguments are those of `Join`.
        example: what a predictor is given, from a text, its second text or None, and the place of its label.
        metric: the score's name; higher is better.
        default: the methods that are compared when none is named.
        from_nothing: how the model with random weights is trained, to measure the others by.
        without: answers to "what may change?" that train nothing on such a question.
        read_by: the only way to read it; none = any read-out does.
        is_choice: the answer is one of the labels, so that answers can be counted.
        is_written: the answer is a text, which only a GPT writes.
        shots: examples that are trained on where nobody says how many; None is all.
        most_steps: of training, where nobody says how many.
        measured: what is measured of the training examples before anything else, and is written into the question.
        for_model: the question as a model can answer it, whose tokenizer decides which words it knows.
        check: which examples of a user's file a model can read.
        has_label_words: words may stand for the answers.
        is_turn: question and answer can be a turn of a conversation; a second text may be empty.
        is_by_word: each word has an answer of its own.
        called: what the examples of a file are called.
        summary: a dataset in a few words.
        texts: all that is read of an example.
    """

    join: Join
    example: Callable[[str, str | None, int], Any]
    metric: str
    default: tuple[str, ...]
    from_nothing: str = "full"
    without: tuple[str, ...] = ()
    read_by: str = ""
    is_choice: bool = False
    is_written: bool = False
    shots: int | None = 16
    most_steps: int = 1000
    measured: Callable[[Question, TrainSet], Question] = lambda question, train: question
    for_model: Callable[[Question, Dataset, Checkpoint], Question] = lambda question, dataset, checkpoint: question
    check: Callable[[Question, Checkpoint], Check] = has_tokens
    has_label_words: bool = False
    is_turn: bool = False
    is_by_word: bool = False
    called: str = "rows"
    summary: Callable[[Dataset], str] = about.classes
    texts: Callable[[Any], str] = about.texts_of

    def needs_blank(self, at_the_blank: bool) -> bool:
        """Whether a read-out that reads what the model made of a blank does so for such a question."""
        return self.is_choice and at_the_blank

    def needs_pooler(self, at_the_blank: bool) -> bool:
        """Whether the whole text is read, of BERT at [CLS] through its pooler."""
        return self.join in (classifier, regressor) and not self.needs_blank(at_the_blank)


def classifier(
    model: Model | Tuned, checkpoint: Checkpoint, template: Template, question: Question, read: Callable, seed: int
) -> Classifier:
    return Classifier(model, checkpoint.tokenizer, template, read(), question.labels)


def tagger(
    model: Model | Tuned,
    checkpoint: Checkpoint,
    template: Template,
    question: Question,
    read: Callable,
    seed: int,
    metric: str = "f1",
) -> Tagger:
    readout = TokenHead(checkpoint.model.config.width, len(question.labels), seed)
    return Tagger(model, checkpoint.tokenizer, template, readout, question.labels, metric)


def regressor(
    model: Model | Tuned, checkpoint: Checkpoint, template: Template, question: Question, read: Callable, seed: int
) -> Regressor:
    readout = FreeNumber(checkpoint.model.config.width, *question.scale, seed=seed)
    return Regressor(model, checkpoint.tokenizer, template, readout)


def scaled(question: Question, train: TrainSet) -> Question:
    """With the mean and the spread of the numbers that are trained on."""
    numbers = [example.label for example in train]
    return replace(question, scale=(fmean(numbers), pstdev(numbers) or 1.0))


def writer(
    model: Model | Tuned, checkpoint: Checkpoint, template: Template, question: Question, read: Callable, seed: int
) -> Writer:
    score, metric = (question.score, "score") if question.score else (exact_match, "exact match")
    return Writer(model, checkpoint.tokenizer, template, score, question.room, metric)


def words_to_tag(text: str, text_b: str | None, label: int) -> TaggedWords:
    return TaggedWords(tuple(text.split()), tuple(label for _ in text.split()))


TAGS = Kind(
    join=tagger,
    example=words_to_tag,
    metric="f1",
    default=("frozen", "full", "lora", "prompt-tuning", "p-tuning-v2"),
    without=("output",),
    read_by="head",
    is_by_word=True,
    called="sentences",
    summary=about.tags,
    texts=about.words_of,
)
KINDS: dict[str, Kind] = {
    "classes": Kind(  # a few
        join=classifier,
        example=Example,
        metric="accuracy",
        default=("zero-shot", "frozen+head", "full+head", "full+verbalizer", "lora+verbalizer"),
        from_nothing="full+head",
        is_choice=True,
        for_model=names_as_words,
        has_label_words=True,
    ),
    "words": Kind(  # any word is an answer
        join=classifier,
        example=Example,
        metric="accuracy",
        default=("zero-shot", "full", "lora", "prompt-tuning", "p-tuning"),
        without=("frozen",),
        read_by="verbalizer",
        is_choice=True,
        for_model=all_words,
        has_label_words=True,
    ),
    "tags": TAGS,  # one for each word
    "spans": replace(
        TAGS, join=partial(tagger, metric="span f1"), metric="span f1"
    ),  # neighbours name a thing together
    "number": Kind(  # any number
        join=regressor,
        example=Example,
        metric="rank correlation",
        default=("frozen+number", "full+number", "lora+number", "biases+number", "p-tuning-v2+number"),
        from_nothing="full+number",
        without=("output",),
        read_by="number",
        measured=scaled,
        summary=about.numbers,
    ),
    "text": Kind(  # written freely
        join=writer,
        example=lambda text, text_b, label: Writing(text),
        metric="score",
        default=("full", "lora", "prefix-tuning", "prompt-tuning"),
        without=("frozen",),
        read_by="the model's own words",
        is_written=True,
    ),
    "reply": Kind(  # to an instruction, with or without an input; one text is right
        join=writer,
        example=lambda text, text_b, label: Writing(text, text_b=text_b or ""),
        metric="exact match",
        default=("frozen", "full", "lora", "prefix-tuning", "prompt-tuning"),
        read_by="the model's own words",
        is_written=True,
        shots=None,
        most_steps=4000,
        for_model=room_of_the_longest,
        check=fits_the_context,
        is_turn=True,
        called="records",
        summary=about.instructions,
    ),
}
