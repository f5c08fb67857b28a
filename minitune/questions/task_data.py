"""Labelled examples together with the question that they answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from minitune.data.examples import Dataset, DevSet, Part, TestSet, TrainSet
from minitune.errors import UserError
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.questions.readable import kept
from minitune.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class TaskData:
    """A task of the toy world, or a user's own file. It belongs to no model yet."""

    dataset: Dataset
    question: Question
    notes: tuple[str, ...] = ()  # what was guessed, or looks wrong, in a user's file
    skip_bad: bool = False  # rows of a user's file that cannot be used are left out, not refused

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.dataset.labels

    @property
    def train(self) -> TrainSet:
        """Where training examples are drawn from."""
        return self.dataset.pool

    @property
    def dev(self) -> DevSet:
        return self.dataset.dev

    @property
    def test(self) -> TestSet:
        return self.dataset.test

    def in_conversations(self, turns: int, seed: int = 0) -> TaskData:
        """The same records to train on and to choose by, each behind up to `turns` others, as in a conversation.

        Raises:
            UserError: these are no questions with written replies.
        """
        if not KINDS[self.question.kind].is_turn:
            raise UserError(f"a conversation is made of instructions and replies, and {self.name} has none")
        dice = random.Random(f"turns {seed}")

        def behind_others(part: Part) -> Part:
            several = (dice.sample(part, min(dice.randint(0, turns), len(part))) for _ in part)
            return type(part)(
                replace(one, before=tuple(it for it in others if (it.text, it.text_b) != (one.text, one.text_b)))
                for one, others in zip(part, several, strict=True)
            )  # the same question with its answer would give the answer away

        dataset = replace(self.dataset, pool=behind_others(self.train), dev=behind_others(self.dev))
        return replace(self, dataset=dataset)

    def for_model(self, checkpoint: Checkpoint) -> tuple[Dataset, Question]:
        """The examples, and the question as this model can answer it: its tokenizer decides which words it knows.

        Raises:
            UserError: the model does not know a word that is an answer; examples of a user's file that it cannot read.
        """
        data = self.readable_by(checkpoint)
        return data.dataset, data.question

    def readable_by(self, checkpoint: Checkpoint) -> TaskData:
        """The same, as this model can answer it, without those examples of a user's file that it cannot read.

        Raises:
            UserError: there are such examples, and they are not to be left out; the model does not know a word that is
                an answer.
        """
        kind = KINDS[self.question.kind]
        dataset, notes = kept(self.dataset, kind.check(self.question, checkpoint), self.skip_bad)
        question = kind.for_model(self.question, dataset, checkpoint)
        return replace(self, dataset=dataset, question=question, notes=(*self.notes, *notes))
