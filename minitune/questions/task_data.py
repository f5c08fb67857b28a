"""Labelled examples together with the question that they answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from minitune.data.examples import Dataset, DevSet, Part, TestSet, TrainSet
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.questions.question import Question
from minitune.readout.phrases import word_reader
from minitune.readout.verbalizer import Verbalizer
from minitune.training.checkpoint import Checkpoint

MOST = 8  # times that a text is read to score names that nobody asked for as label words


@dataclass(frozen=True)
class TaskData:
    """A task of the toy world, or a user's own file. It belongs to no model yet."""

    dataset: Dataset
    question: Question
    notes: tuple[str, ...] = ()  # what was guessed, or looks wrong, in a user's file

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
        if self.question.kind != "reply":
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

        Where any word is an answer, all words of the model are labels, the task's own ones first. Without label words,
        the labels' own names are taken, if they can be read at the blank without much ado. A reply has as much room as
        the longest one to train on.

        Raises:
            UserError: the model does not know a word that is an answer.
        """
        question = self.question
        if question.kind == "words":
            known = checkpoint.tokenizer.words()
            if unknown := sorted(set(self.labels) - set(known)):
                raise UserError(
                    f"this model does not know all answers of {self.name} as words (not {', '.join(unknown[:3])}): "
                    "take one that was pretrained on this world"
                )
            words = (*self.labels, *(word for word in known if word not in set(self.labels)))
            question = replace(question, labels=words, label_words={word: (word,) for word in words})
        if question.kind == "classes" and not question.label_words:
            question = replace(question, label_words=names_as_words(question, checkpoint.tokenizer))
        if question.kind == "reply":
            answers = checkpoint.tokenizer.encode_many([example.answer.strip() for example in self.train])
            question = replace(question, room=max(map(len, answers)) + 1)
        return self.dataset, question


def names_as_words(question: Question, tokenizer: Tokenizer) -> dict[str, tuple[str, ...]]:
    """The labels' own names as label words; or nothing, where one cannot be read, or holds a word in pieces ("cor ##por
    ##ate" says little to the model), or where every text would have to be read more than `MOST` times."""
    names = {label: (label,) for label in question.labels}
    try:
        reader = word_reader(names, question.labels, tokenizer, question.blanks)
    except UserError:
        return {}
    whole = not any(tokenizer.is_split(part) for label in question.labels for part in label.split())
    return names if whole and (isinstance(reader, Verbalizer) or len(reader.fills) <= MOST) else {}
