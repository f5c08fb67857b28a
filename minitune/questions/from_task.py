"""From a task of the toy world to examples and a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.predictors.probes import to_examples
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.world.asking import ALONE, TOGETHER
from minitune.world.tasks import TASKS, get_task, load_split

SLOTS = ("name", "kind", "food", "price", "area")


def task_data(name: str, folder: Path | None = None) -> TaskData:
    """A task of the toy world, from the files in `data/tasks`, or below the `data` folder of another world.

    `facts` is asked for one relation at a time, as `facts:born_in`. `instruct` is tested on single instructions,
    `instruct:together` on two at once.

    Raises:
        UserError: an unknown task or relation, or one that no method here can be trained on.
    """
    name, _, part = name.partition(":")
    task = get_task(name)
    rows = {split: load_split(name, split, folder) for split in ("train", "dev", "test")}
    if name == "facts":
        return facts_data(part, rows)
    if name == "instruct":
        return instruct_data(part, rows)
    if part:
        raise UserError(
            f"the task {name!r} has no parts; facts has, one for each relation, and instruct has instruct:{TOGETHER}"
        )
    if name == "tags":
        pool, dev, test = (
            tuple(TaggedWords(tuple(row["tokens"]), tuple(map(task.labels.index, row["tags"]))) for row in rows[split])
            for split in rows
        )
        dataset = Dataset(name, task.labels, pool, test, dev, by_class=False)
        return TaskData(dataset, Question(task.labels, "{text}", kind="tags"))
    if name == "describe":
        pool, dev, test = (tuple(map(to_writing, rows[split])) for split in rows)
        question = Question((), "{text}", kind="text", score=SlotScore.of(pool))
        return TaskData(Dataset(name, (), pool, test, dev, by_class=False), question)
    if not task.labels or not task.template:
        able = [name for name, task in TASKS.items() if task.labels and task.template]
        raise UserError(
            f"the task {name!r} is not one to train on here; choose one of {', '.join(able)}, tags, describe, "
            "instruct, facts"
        )
    pool, dev, test = (tuple(to_examples(rows[split], task.labels)) for split in rows)
    is_pair, patterns = test[0].text_b is not None, task.unseen_templates
    question = Question(task.labels, task.template, task.label_words, is_pair, patterns=patterns)
    return TaskData(Dataset(name, task.labels, pool, test, dev), question)


def facts_data(relation: str, rows: dict[str, list[dict]]) -> TaskData:
    """Name the object of a subject, among all words that the model knows; trained on half of the relation's facts.

    The template is the relation's first phrasing in the text, with the subject's place open.
    """
    relations = list(dict.fromkeys(row["relation"] for row in rows["train"]))
    if relation not in relations:
        raise UserError(
            f"facts are asked for one relation at a time; write facts:RELATION with one of {', '.join(relations)}"
        )
    objects = sorted({row["object"] for split in rows.values() for row in split if row["relation"] == relation})

    def examples(split: str) -> tuple[Example, ...]:
        pairs = dict.fromkeys((row["subject"], row["object"]) for row in rows[split] if row["relation"] == relation)
        return tuple(Example(subject, None, objects.index(object_)) for subject, object_ in pairs)

    first = next(row for row in rows["train"] if row["relation"] == relation)
    template = re.sub(rf"\b{re.escape(first['subject'])}\b", "{text}", first["phrasing"])
    labels = tuple(objects)
    dataset = Dataset(f"facts:{relation}", labels, examples("train"), examples("test"), examples("dev"), by_class=False)
    return TaskData(dataset, Question(labels, template, kind="words"))


def instruct_data(part: str, rows: dict[str, list[dict]]) -> TaskData:
    """Follow instructions that are worded as none to train on."""
    part = part or ALONE
    if part not in (ALONE, TOGETHER):
        raise UserError(f"instruct has no part {part!r}; write instruct, or instruct:{TOGETHER} for two at once")
    rows = rows | {"test": [row for row in rows["test"] if row["part"] == part]}
    pool, dev, test = (
        tuple(Writing(r["instruction"], r["output"], text_b=r["input"], group=r["kind"]) for r in rows[split])
        for split in rows
    )
    name = "instruct" if part == ALONE else f"instruct:{part}"
    question = Question((), "human : {text:whole} {text_b} assistant :", is_pair=True, kind="reply")
    return TaskData(Dataset(name, (), pool, test, dev, by_class=False), question)


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
