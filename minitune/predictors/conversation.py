"""A conversation with a writer: what was said before stands in front of the question, as far as it fits.

    human : A assistant : B <end> human : C assistant :        the model goes on from here

What does not fit is forgotten, the oldest turn first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from minitune.errors import UserError
from minitune.predictors.speaker import Sampling, Speaker, spoken
from minitune.predictors.writer import Writer, Writing


class Asked(NamedTuple):
    """A question in its place in a conversation."""

    ids: list[int]  # of all that is read
    example: Writing
    forgotten: int  # turns that no longer fit


class Conversation:
    """Keeps what was said, and answers.

    Args:
        turns: the questions with their answers.
    """

    def __init__(self, writer: Writer):
        self.writer, self.speaker = writer, Speaker.of(writer.model)
        self.turns: list[Writing] = []

    def ask(self, example: Writing) -> Asked:
        """Put a question behind what was said, and forget what no longer fits.

        Raises:
            UserError: the question alone does not fit.
        """
        writer = self.writer
        rendered = writer.question(replace(example, before=tuple(self.turns)))
        if rendered.cut:
            most = "at least " * rendered.is_cut_more
            raise UserError(
                f"this takes {most}{rendered.cut} tokens more than the context of {writer.model.context} has room for, "
                "beside an answer; say it in fewer words"
            )
        said, fitting = rendered.origin.count("before"), 0
        while said:
            fitting += 1
            said -= len(writer.said(self.turns[-fitting]))
        forgotten = len(self.turns) - fitting
        del self.turns[:forgotten]
        return Asked(rendered.ids, example, forgotten)

    def answer(self, asked: Asked, sampling: Sampling | None = None) -> Iterator[str]:
        """The answer while it is written, piece by piece. A turn whose answer is not taken to its end is not kept."""
        tokenizer, pieces = self.writer.tokenizer, []
        room = self.writer.room_behind(asked.ids)
        for piece in spoken(tokenizer, self.speaker.speak(asked.ids, room, tokenizer.end_id, sampling)):
            pieces.append(piece)
            yield piece
        self.turns.append(replace(asked.example, answer="".join(pieces)))

    def reset(self) -> None:
        """Forget all that was said."""
        self.turns.clear()
