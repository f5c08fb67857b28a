"""From a text that a person wrote to an example of the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minitune.data.examples import Example
from minitune.data.words import character_fault
from minitune.errors import UserError
from minitune.predictors.predictor import Predictor
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.prompting.slots import TEXT_SLOTS
from minitune.prompting.template import Rendered
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question

BETWEEN = "||"  # stands between the two texts of a pair


def texts_of(text: str, question: Question) -> tuple[str, str | None]:
    """The one text, or the two, of what a user wrote; a pair is written "one || another".

    Raises:
        UserError: two texts where the question is about one.
    """
    first, between, second = text.partition(BETWEEN)
    if question.is_pair:
        return first.strip(), second.strip()
    if between and question.kind == "classes":
        raise UserError(f"this was trained on single texts, and {text!r} is two with {BETWEEN} between them")
    return text, None


def to_example(text: str, question: Question) -> Example | TaggedWords | Writing:
    """A text that a user wrote, as the task's own examples are.

    Raises:
        UserError: whatever `texts_of` and `as_example` find wrong.
    """
    return as_example(*texts_of(text, question), question)


def as_example(text: str, text_b: str | None, question: Question) -> Example | TaggedWords | Writing:
    """An example of its text, or its two.

    Raises:
        UserError: it is empty, or one text where the question is about two, or two where it is about one.
    """
    text, text_b = text.strip(), (text_b or "").strip()
    if not text:
        raise UserError("there is an empty text; write one, between quotes")
    check_whole(text + text_b)
    if text_b and not question.is_pair:
        raise UserError("this was trained on single texts, and here are two")
    if question.is_pair and not text_b and not KINDS[question.kind].is_turn:  # an instruction may need no input
        raise UserError(f'this was trained on pairs of texts; write both, as in "one text {BETWEEN} another text"')
    return KINDS[question.kind].example(text, text_b or None, 0)


def words_as_example(words: Any) -> TaggedWords:
    """Words to tag that are parted already, as the column `tokens` of a file holds them; they keep their number.

    Raises:
        UserError: it is no list of texts, or an empty one.
    """
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise UserError('a list of words was expected, as in ["Anna", "lives", "here"]')
    check_whole("".join(words))
    return TaggedWords(tuple(" ".join(word.split()) for word in words), (0,) * len(words))


def check_whole(text: str) -> None:
    """Raises:
    UserError: a lone surrogate, or a zero byte.
    """
    if fault := character_fault(text):
        raise UserError(f"a text holds {fault}; write it whole or remove it")


def read_one(predictor: Predictor, example: Any) -> Rendered:
    """An example as it will be read.

    Raises:
        UserError: the model reads nothing of a text, so that its answer would say nothing of it.
    """
    (rendered,) = predictor.render([example])
    slots = {part.kind for part in predictor.template.parts} & set(TEXT_SLOTS)
    asked_for = {slot for slot in slots if getattr(example, slot, "words") != ""}
    if not rendered.cut and not asked_for <= set(rendered.origin):
        raise UserError(
            "the model reads no token of it (is it a lone accent, or a control character?); write words or remove it"
        )
    return rendered


def read_each(predictor: Predictor, examples: Sequence, where: Sequence[str]) -> list[Rendered]:
    """The examples as they will be read, each looked at before any is answered.

    Args:
        where: each example's place, as a person finds it.

    Raises:
        UserError: as of `read_one`, with its place.
    """
    rendered = []
    for example, place in zip(examples, where, strict=True):
        with placed(place):
            rendered.append(read_one(predictor, example))
    return rendered


@contextmanager
def placed(where: str) -> Iterator[None]:
    """What is found wrong inside is told with its place."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
