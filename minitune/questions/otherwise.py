"""A question that is asked otherwise than its task asks it: with a template and label words of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from minitune.errors import UserError
from minitune.given import text_or_none
from minitune.prompting.slots import TEXT_SLOTS
from minitune.prompting.template import Template
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.readout.phrases import word_reader
from minitune.readout.verbalizer import label_words_of
from minitune.training.checkpoint import Checkpoint


def asked_otherwise(
    question: Question,
    template: str | None,
    label_words: str | Mapping[str, Any] | None,
    checkpoint: Checkpoint,
    needs_blank: bool = True,
) -> Question:
    """The question with a user's own template and label words in place of its own.

    Args:
        label_words: in one of the forms of `label_words_of`.

    Raises:
        UserError: a template that the model cannot be asked with or that leaves the text out, label words that cannot
            be read at its blanks, or where there are no classes.
    """
    kind = KINDS[question.kind]
    template = text_or_none("template", template, 'a text was expected, as in "{text} it was {mask}"')
    if template is not None:
        asked = Template.parse(template)
        if not any(part.kind in ("text", "text_b")[: 1 + question.is_pair] for part in asked.parts):
            raise UserError(
                f"the template {template!r} has no {{text}}, so the answer would not depend on the text: write it "
                "where the text shall stand"
            )
        if kind.is_written:
            check_is_before_an_answer(asked, question)
        asked.check(checkpoint.kind, needs_blank=needs_blank)
        question = replace(question, template=template, is_own=True)
    if label_words is not None:
        if not kind.has_label_words:
            raise UserError("label words stand for classes, and this task has none; leave them out")
        question = replace(question, label_words=label_words_of(label_words))
    if label_words is not None or (template is not None and question.label_words):  # refused before any training
        blanks = question.blanks if needs_blank else 1
        word_reader(question.label_words, question.labels, checkpoint.tokenizer, blanks)
    return question


def check_is_before_an_answer(template: Template, question: Question) -> None:
    """Raises:
    UserError: a template that has a blank, though the answer is written behind it, or that leaves out an input.
    """
    if template.blanks:
        raise UserError(
            f"the template {str(template)!r} has a blank, and here the answer is written behind the whole: leave "
            "{mask} out"
        )
    if (
        KINDS[question.kind].is_turn
        and question.is_pair
        and not {p.kind for p in template.parts}.issuperset(TEXT_SLOTS)
    ):
        raise UserError(
            f"the template {str(template)!r} leaves a part out: write {{text:whole}} where the instruction shall stand "
            "and {text_b} where its input shall"
        )
