"""A question as a model can answer it: its tokenizer decides which words it knows, and how long answers are."""

from __future__ import annotations

from dataclasses import replace

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.questions.question import Question
from minitune.readout.phrases import word_reader
from minitune.readout.verbalizer import Verbalizer
from minitune.training.checkpoint import Checkpoint

MOST = 8  # times that a text is read to score names that nobody asked for as label words


def names_as_words(question: Question, dataset: Dataset, checkpoint: Checkpoint) -> Question:
    """With the labels' own names as label words, where none were given; or without, where a name cannot be read, or
    holds a word in pieces ("cor ##por ##ate" says little to the model), or where every text would have to be read more
    than `MOST` times."""
    if question.label_words:
        return question
    names, tokenizer = {label: (label,) for label in question.labels}, checkpoint.tokenizer
    try:
        reader = word_reader(names, question.labels, tokenizer, question.blanks)
    except UserError:
        return question
    is_whole = not any(tokenizer.is_split(part) for label in question.labels for part in label.split())
    costs_little = isinstance(reader, Verbalizer) or len(reader.fills) <= MOST
    return replace(question, label_words=names) if is_whole and costs_little else question


def all_words(question: Question, dataset: Dataset, checkpoint: Checkpoint) -> Question:
    """With all words of the model as labels, the task's own ones first.

    Raises:
        UserError: the model does not know a word that is an answer.
    """
    known, own = checkpoint.tokenizer.words(), set(dataset.labels)
    if unknown := sorted(own - set(known)):
        raise UserError(
            f"this model does not know all answers of {dataset.name} as words (not {', '.join(unknown[:3])}): take one "
            "that was pretrained on this world"
        )
    words = (*dataset.labels, *(word for word in known if word not in own))
    return replace(question, labels=words, label_words={word: (word,) for word in words})


def room_of_the_longest(question: Question, dataset: Dataset, checkpoint: Checkpoint) -> Question:
    """With as much room for an answer as the longest one to train on takes, its end among it."""
    answers = checkpoint.tokenizer.encode_many([example.answer.strip() for example in dataset.pool])
    return replace(question, room=max(map(len, answers)) + 1)
