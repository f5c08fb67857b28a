"""From what a user asked for to data and a question: a task of the toy world, or a file of the user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minitune.data.examples import Dataset, Example, dataset_from_files, report_texts
from minitune.errors import UserError
from minitune.methods.method import Question
from minitune.predictors.probes import to_examples
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.prompting.template import Template, with_stop
from minitune.readout.verbalizer import parse_label_words, verbalizer
from minitune.training.checkpoint import Checkpoint
from minitune.world.tasks import TASKS, get_task, load_split

SLOTS = ("name", "kind", "food", "price", "area")
DEFAULT_TEMPLATE = "{text} it was {mask}"
MANY_SPLIT = 0.5  # of the words: the model hardly knows the language of such a text


def task_data(name: str, checkpoint: Checkpoint, folder: Path | None = None) -> tuple[Dataset, Question]:
    """A task of the toy world, from the files in `data/tasks`, or below the `data` folder of another world.

    `facts` is asked for one relation at a time, as `facts:born_in`.

    Raises:
        UserError: an unknown task or relation, or one that no method here can be trained on.
    """
    name, _, relation = name.partition(":")
    task = get_task(name)
    rows = {split: load_split(name, split, folder) for split in ("train", "dev", "test")}
    if name == "facts":
        return facts_data(relation, rows, checkpoint)
    if relation:
        raise UserError(f"the task {name!r} has no parts; only facts has, one for each relation")
    if name == "tags":
        pool, dev, test = (
            tuple(TaggedWords(tuple(row["tokens"]), tuple(map(task.labels.index, row["tags"]))) for row in rows[split])
            for split in rows
        )
        return Dataset(name, task.labels, pool, test, dev, by_class=False), Question(task.labels, "{text}", kind="tags")
    if name == "describe":
        pool, dev, test = (tuple(map(to_writing, rows[split])) for split in rows)
        score = SlotScore.of(pool)
        return Dataset(name, (), pool, test, dev, by_class=False), Question((), "{text}", kind="text", score=score)
    if not task.labels or not task.template:
        able = [name for name, task in TASKS.items() if task.labels and task.template]
        raise UserError(
            f"the task {name!r} is not one to train on here; choose one of {', '.join(able)}, tags, describe, facts"
        )
    pool, dev, test = (tuple(to_examples(rows[split], task.labels)) for split in rows)
    question = Question(
        labels=task.labels,
        template=with_stop(task.template, checkpoint.kind),
        label_words=task.label_words,
        is_pair=test[0].text_b is not None,
    )
    return Dataset(name, task.labels, pool, test, dev), question


def facts_data(relation: str, rows: dict[str, list[dict]], checkpoint: Checkpoint) -> tuple[Dataset, Question]:
    """Name the object of a subject, among all words that the model knows; trained on half of the relation's facts.

    The template is the relation's first phrasing in the text, with the subject's place open.
    """
    relations = list(dict.fromkeys(row["relation"] for row in rows["train"]))
    if relation not in relations:
        raise UserError(
            f"facts are asked for one relation at a time; write facts:RELATION with one of {', '.join(relations)}"
        )
    words = tuple(checkpoint.tokenizer.words())
    place = {word: index for index, word in enumerate(words)}
    objects = {row["object"] for split in rows.values() for row in split if row["relation"] == relation}
    if unknown := sorted(objects - set(words)):
        raise UserError(
            f"this model does not know all answers of {relation} as words (not {', '.join(unknown[:3])}): take one "
            "that was pretrained on this world"
        )

    def examples(split: str) -> tuple[Example, ...]:
        pairs = dict.fromkeys((row["subject"], row["object"]) for row in rows[split] if row["relation"] == relation)
        return tuple(Example(subject, None, place[object_]) for subject, object_ in pairs)

    first = next(row for row in rows["train"] if row["relation"] == relation)
    template = re.sub(rf"\b{re.escape(first['subject'])}\b", "{text}", first["phrasing"])
    template = with_stop(template, checkpoint.kind)
    question = Question(words, template, {word: (word,) for word in words}, kind="words")
    dataset = Dataset(f"facts:{relation}", words, examples("train"), examples("test"), examples("dev"), by_class=False)
    return dataset, question


def to_writing(row: dict) -> Writing:
    """A row of `describe`: the values of its slots, and the sentence that tells them."""
    facts = tuple((slot, row[slot]) for slot in SLOTS)
    return Writing(" , ".join(value for _, value in facts) + " .", row["text"], facts)


@dataclass(frozen=True)
class SlotScore:
    """How many of the slots a sentence tells exactly: the right value, and no other value of the same slot."""

    values: dict[str, frozenset[str]]  # of each slot but the name

    @classmethod
    def of(cls, pool: Sequence[Writing]) -> SlotScore:
        slots = {slot: frozenset(dict(writing.facts)[slot] for writing in pool) for slot in SLOTS}
        return cls({slot: values for slot, values in slots.items() if slot != "name"})

    def __call__(self, written: str, example: Writing) -> float:
        told = []
        for slot, value in example.facts:
            if slot == "name":
                told.append(value in written)
                written = written.replace(value, "")  # "the black olive" has no olives on its menu
            else:
                told.append(self.values[slot].intersection(written.split()) == {value})
        return sum(told) / len(told)


def asked_otherwise(
    question: Question, template: str | None, label_words: str | None, checkpoint: Checkpoint, needs_blank: bool = True
) -> Question:
    """The question with a user's own template and label words in place of its own.

    Raises:
        UserError: a template that the model cannot be asked with, label words that cannot be read or are not one token.
    """
    if template is not None:
        Template.parse(template).check(checkpoint.kind, needs_blank=needs_blank)
        question = replace(question, template=template, is_own=True)
    if label_words is not None:
        question = replace(question, label_words=parse_label_words(label_words))
        verbalizer(question.label_words, question.labels, checkpoint.tokenizer)  # refused here, before any training
    return question


def file_data(
    path: Path,
    test_path: Path | None,
    shots: int | None,
    checkpoint: Checkpoint,
    text_column: str = "text",
    label_column: str = "label",
) -> tuple[Dataset, Question]:
    """A user's file. The labels' own names are the label words, if each is one token; else there are none.

    Raises:
        UserError: whatever `dataset_from_files` finds wrong.
    """
    dataset = dataset_from_files(path, test_path, shots or 1, 0, text_column, label_column)
    own_names = {label: (label,) for label in dataset.labels}
    try:
        verbalizer(own_names, dataset.labels, checkpoint.tokenizer)
    except UserError:
        own_names = {}
    template = DEFAULT_TEMPLATE if dataset.test[0].text_b is None else "{text} {text_b} it was {mask}"
    is_pair = dataset.test[0].text_b is not None
    return dataset, Question(dataset.labels, with_stop(template, checkpoint.kind), own_names, is_pair)


def describe(dataset: Dataset, question: Question, checkpoint: Checkpoint) -> list[str]:
    """What was read, in a few lines: rows, classes, how the tokenizer took the texts, and what that means."""
    examples = [*dataset.pool, *dataset.test]
    counts = Counter(example.label for example in examples)
    classes = ", ".join(f"{label} {counts[index]}" for index, label in enumerate(dataset.labels))
    texts = [f"{example.text} {example.text_b or ''}" for example in examples]
    report = report_texts(texts, checkpoint.tokenizer, checkpoint.model.config.context)
    lines = [
        f"{dataset.name}: {len(examples)} rows, {len(dataset.test)} of them kept for the test; classes: {classes}",
        f"the {checkpoint.kind} tokenizer: {report}",
    ]
    if report.cut:
        lines.append(f"{report.cut} texts are longer than the context: their ends are not read")
    if report.split_words > MANY_SPLIT:
        lines.append(
            "most words had to be split: this model knows little of such text; one pretrained on it will serve better "
            f"(minitune pretrain {checkpoint.kind} --text FILE, then --model DIR)"
        )
    if not question.label_words:
        lines.append(
            f"the labels {', '.join(dataset.labels)} are not single tokens of the model, so a verbalizer has no words "
            f"and its rows are left out; give words, as in "
            f'--label-words "{dataset.labels[0]}=...;{dataset.labels[1]}=..."'
        )
    return lines
