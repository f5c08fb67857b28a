"""Which examples of a user's file a model can read, before it is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from minitune.data.examples import Dataset, Part
from minitune.data.reading import BadRow, Layout, Reading
from minitune.errors import UserError
from minitune.predictors.writer import Writer, Writing, exact_match
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint

BEGINNING = 200  # characters in which nearly every text has a token
Check = Callable[[Any], Any]  # gives an example back, or raises `BadRow`


def has_tokens(question: Question, checkpoint: Checkpoint) -> Check:
    """Every text that an example has must have a token; a lone accent, or a control character, may have none."""

    def check(example: Any) -> Any:
        texts = [" ".join(example.words)] if hasattr(example, "words") else [example.text, example.text_b]
        for text in filter(None, texts):
            if not any(checkpoint.tokenizer.encode(part.strip()) for part in (text[:BEGINNING], text)):
                raise BadRow(
                    "the model reads no token of a text", "write words or remove the row", "a text without a token"
                )
        return example

    return check


def fits_the_context(question: Question, checkpoint: Checkpoint) -> Check:
    """Instruction and output, which are never cut, must fit the context together."""
    has_token = has_tokens(question, checkpoint)
    if checkpoint.kind != "gpt":  # which is refused later, in a sentence of its own
        return has_token
    writer = Writer(
        checkpoint.model, checkpoint.tokenizer, Template.parse(question.template), exact_match, question.room
    )

    def check(example: Writing) -> Writing:
        has_token(example)
        try:
            writer.item(replace(example, where="", before=()))
        except UserError as error:
            raise BadRow(str(error), "or remove the record", "an output that does not fit the context") from None
        return example

    return check


def kept(dataset: Dataset, check: Check, skip_bad: bool) -> tuple[Dataset, list[str]]:
    """The examples that can be read, and how many were left out.

    Raises:
        UserError: there are some that cannot be read, and they are not to be left out; or no others.
    """
    notes: list[str] = []

    def of(part: Part) -> Part:
        if not part or not part[0].where:  # no file of a user's
            return part
        path = part[0].where.rpartition(", ")[0]
        reading = Reading(Path(path), Layout(skip_bad=skip_bad))
        good = reading.each([(example.where.rpartition(", ")[2], example) for example in part], check)
        notes.extend(f"{path}: {note}" for note in reading.report())
        return part if len(good) == len(part) else type(part)((example for _, example in good), part.labels)

    return replace(dataset, pool=of(dataset.pool), dev=of(dataset.dev), test=of(dataset.test)), notes
