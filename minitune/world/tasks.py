"""The nine tasks of the toy world: what each asks, how a prompt may ask it, and where its files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitune.data.reading import Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.files import shared
from minitune.schema import shown, value_to

SPLITS = ("train", "dev", "test")
TEXT = {"text": str, "label": str}
PAIR = {"text": str, "text_b": str, "label": str}


@dataclass(frozen=True)
class Task:
    """What is known of a task beside its rows.

    The templates end in the blank. `template` is of a kind that the pretraining text uses, the two
    `unseen_templates` never occur in it, `irrelevant_template` asks nothing and `misleading_template`
    asks something else.
    """

    name: str
    kind: str  # classification | pair | tagging | regression | generation | fact
    format: str  # csv | jsonl
    fields: Mapping[str, Any]  # what each row has, and of which type
    labels: tuple[str, ...] = ()
    label_words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    template: str = ""
    unseen_templates: tuple[str, ...] = ()
    irrelevant_template: str = ""
    misleading_template: str = ""


RELATION_WORDS = {  # what the first of the two is to the second
    "teacher_of": "teacher",
    "pupil_of": "pupil",
    "parent_of": "parent",
    "child_of": "child",
    "employer_of": "company",
    "worker_of": "worker",
    "lives_in": "neighbour",
}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="sentiment",
            kind="classification",
            format="csv",
            fields=TEXT,
            labels=("negative", "positive"),
            label_words={
                "negative": ("terrible", "bad", "awful"),
                "positive": ("great", "good", "wonderful"),
            },
            template="{text} it was {mask}",
            unseen_templates=("{text} in the end this was {mask}", "{text} everything there was {mask}"),
            irrelevant_template="{text} the dog ran to the {mask}",
            misleading_template="{text} this was a report about {mask}",
        ),
        Task(
            name="topic",
            kind="classification",
            format="csv",
            fields=TEXT,
            labels=("business", "politics", "science", "sports", "weather"),
            label_words={word: (word,) for word in ("business", "politics", "science", "sports", "weather")},
            template="{text} this was a report about {mask}",
            unseen_templates=("{text} all of this was about {mask}", "{text} the story is about {mask}"),
            irrelevant_template="{text} the dog ran to the {mask}",
            misleading_template="{text} it was {mask}",
        ),
        Task(
            name="entail",
            kind="pair",
            format="csv",
            fields=PAIR,
            labels=("maybe", "no", "yes"),
            label_words={word: (word,) for word in ("maybe", "no", "yes")},
            template="{text} is it true that {text_b} ? {mask}",
            unseen_templates=("{text} so {text_b} ? {mask}", "{text} would you say that {text_b} ? {mask}"),
            irrelevant_template="{text} {text_b} . the dog ran to the {mask}",
            misleading_template="{text} is it good that {text_b} ? {mask}",
        ),
        Task(
            name="facts",
            kind="fact",
            format="jsonl",  # each row brings its own template, `phrasing`
            fields={"subject": str, "relation": str, "object": str, "phrasing": str, "count": int},
        ),
        Task(
            name="relations",
            kind="pair",
            format="jsonl",
            fields=PAIR,
            labels=tuple(RELATION_WORDS),
            label_words={label: (word,) for label, word in RELATION_WORDS.items()},
            template="{text} of {text_b} the first is the {mask}",
            unseen_templates=("{text} with {text_b} the first one is a {mask}", "{text} {text_b} : {mask}"),
            irrelevant_template="{text} {text_b} . the dog ran to the {mask}",
            misleading_template="{text} this was a report about {text_b} and {mask}",
        ),
        Task(
            name="tags",
            kind="tagging",
            format="jsonl",
            fields={"tokens": list[str], "tags": list[str]},
            labels=("O", "NAME", "PLACE", "THING"),
        ),
        Task(
            name="rating",
            kind="regression",
            format="csv",
            fields=TEXT,
            labels=("1", "2", "3", "4", "5"),
            label_words={
                "1": ("terrible",),
                "2": ("bad",),
                "3": ("moderate",),
                "4": ("good",),
                "5": ("great",),
            },
            template="{text} it was {mask}",
            unseen_templates=("{text} in the end this was {mask}", "{text} everything there was {mask}"),
            irrelevant_template="{text} the dog ran to the {mask}",
            misleading_template="{text} this was a report about {mask}",
        ),
        Task(
            name="describe",
            kind="generation",
            format="jsonl",
            fields=dict.fromkeys(("name", "kind", "food", "price", "area", "text"), str),
        ),
        Task(
            name="instruct",
            kind="generation",
            format="jsonl",
            fields=dict.fromkeys(("instruction", "input", "output", "kind"), str),
        ),
    )
}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: there is none; the sentence names those that are.
    """
    if name not in TASKS:
        raise UserError(f"there is no task {name!r}; the tasks are {', '.join(TASKS)}")
    return TASKS[name]


def load_split(name: str, split: str, folder: Path | None = None) -> list[dict]:
    """The rows of one file of a task, from `folder` (a `data` folder; the project's own by default).

    Raises:
        UserError: an unknown task or split; a file that is missing or damaged, with its line.
    """
    task = get_task(name)
    if split not in SPLITS:
        raise UserError(f"there is no split {split!r}; the splits are train, dev and test")
    path = (folder or shared("data")) / "tasks" / name / f"{split}.{task.format}"
    return [checked(task, row, f"{path}, {place}") for place, row in read_table(Reading(path)).rows]


def checked(task: Task, row: dict, where: str) -> dict:
    """Raises:
    UserError: the row lacks a field, or has one of another type; a label that is none of the task's.
    """
    for name, kind in task.fields.items():
        if name not in row:
            raise UserError(f"{where}, lacks the field {name!r}; a row of {task.name} has {', '.join(task.fields)}")
        value_to(kind, row[name], f"{where}, {name}")
    labels = [row["label"]] if "label" in task.fields else row.get("tags", [])
    for label in labels:
        if label not in task.labels:
            raise UserError(f"{where}: the label {shown(label)} is none of {', '.join(task.labels)}")
    if "tags" in task.fields and len(row["tags"]) != len(row["tokens"]):
        raise UserError(f"{where}: {len(row['tokens'])} tokens and {len(row['tags'])} tags; each token has one tag")
    return row
