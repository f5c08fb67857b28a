"""A conversation with a writer: what was said before stands in front of the question, as far as it fits.

    human : A assistant : B <end> human : C assistant :        the model goes on from here

A turn is put as every question is, so a model that learned from single turns finds nothing new in each of them; a row
of them it has never read. What does not fit is forgotten, the oldest turn first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from minitune.errors import UserError
from minitune.predictors.speaker import Sampling, Speaker, spoken
from minitune.predictors.writer import Writer, Writing


class Asked(NamedTuple):
    """A question in its place in a conversation."""

    ids: list[int]  # of all that is read
    question: list[int]  # of the question alone, without what is learned in it
    forgotten: int  # turns that no longer fit


class Conversation:
    """Keeps what was said, and answers.

    Args:
        turns: of each turn the tokens of its question, its answer, and the end.
    """

    def __init__(self, writer: Writer):
        self.writer, self.speaker = writer, Speaker.of(writer.model)
        self.turns: list[list[int]] = []

    def ask(self, example: Writing) -> Asked:
        """Put a question behind what was said, and forget what no longer fits.

        Raises:
            UserError: the question alone does not fit.
        """
        writer, soft_id = self.writer, self.writer.tokenizer.soft_id
        rendered = writer.question(example)
        if rendered.cut:
            raise UserError(
                f"this takes {rendered.cut} tokens more than the context of {writer.model.context} has room for, "
                "beside an answer; say it in fewer words"
            )
        room, before = writer.model.context - writer.room_behind(rendered.ids) - len(rendered.ids), len(self.turns)
        while sum(map(len, self.turns)) > room:
            del self.turns[0]
        said = [i for turn in self.turns for i in turn]
        question = [i for i in rendered.ids if i != soft_id]
        return Asked([*said, *rendered.ids], question, before - len(self.turns))

    def answer(self, asked: Asked, sampling: Sampling | None = None) -> Iterator[str]:
        """The answer while it is written, piece by piece. A turn whose answer is not taken to its end is not kept."""
        tokenizer, answer = self.writer.tokenizer, []

        def kept() -> Iterator[int]:
            room = self.writer.room_behind(asked.ids)
            for token in self.speaker.speak(asked.ids, room, tokenizer.end_id, sampling):
                answer.append(token)
                yield token

        yield from spoken(tokenizer, kept())
        self.turns.append([*asked.question, *answer, tokenizer.end_id])

    def reset(self) -> None:
        """Forget all that was said."""
        self.turns.clear()
