"""From a text that a person wrote to an example of the task."""

from __future__ import annotations

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.methods.kinds import KINDS
from minitune.methods.question import Question
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing

BETWEEN = "||"  # stands between the two texts of a pair


def to_example(text: str, question: Question) -> Example | TaggedWords | Writing:
    """A text that a user wrote, as the task's own examples are; a pair is written "one || another".

    Raises:
        UserError: whatever `as_example` finds wrong.
    """
    first, between, second = text.partition(BETWEEN)
    if question.is_pair:
        return as_example(first, second, question)
    if between and question.kind == "classes":
        raise UserError(f"this was trained on single texts, and {text!r} is two with {BETWEEN} between them")
    return as_example(text, None, question)


def as_example(text: str, text_b: str | None, question: Question) -> Example | TaggedWords | Writing:
    """An example of its text, or its two.

    Raises:
        UserError: it is empty, or one text where the question is about two, or two where it is about one.
    """
    text, text_b = text.strip(), (text_b or "").strip()
    if not text:
        raise UserError("there is an empty text; write one, between quotes")
    if any("\ud800" <= character <= "\udfff" for character in text + text_b):
        raise UserError("a text holds half a character (a lone surrogate like \\ud83c); write it whole or remove it")
    if text_b and not question.is_pair:
        raise UserError("this was trained on single texts, and here are two")
    if question.is_pair and not text_b:
        raise UserError(f'this was trained on pairs of texts; write both, as in "one text {BETWEEN} another text"')
    return KINDS[question.kind].example(text, text_b or None, 0)
