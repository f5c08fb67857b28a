"""From what a user asked for to data and a question: a task of the toy world, or a file of the user's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from minitune.data.examples import Dataset, dataset_from_files, report_texts
from minitune.data.tasks import TASKS, get_task, load_split
from minitune.errors import UserError
from minitune.methods import Question
from minitune.probes import to_examples
from minitune.prompting.template import Template, with_stop
from minitune.readout.verbalizer import parse_label_words, verbalizer
from minitune.training.checkpoint import Checkpoint

DEFAULT_TEMPLATE = "{text} it was {mask}"
MANY_SPLIT = 0.5  # of the words: the model hardly knows the language of such a text


def task_data(name: str, checkpoint: Checkpoint) -> tuple[Dataset, Question]:
    """A classification task of the toy world, from the files in `data/tasks`.

    Raises:
        UserError: an unknown task, or one that is no classification.
    """
    task = get_task(name)
    if not task.labels or not task.template:
        able = [name for name, task in TASKS.items() if task.labels and task.template]
        raise UserError(f"the task {name!r} is no classification of texts; choose one of {', '.join(able)}")
    rows = {split: tuple(to_examples(load_split(name, split), task.labels)) for split in ("train", "test")}
    question = Question(
        labels=task.labels,
        template=with_stop(task.template, checkpoint.kind),
        label_words=task.label_words,
        is_pair=rows["test"][0].text_b is not None,
    )
    return Dataset(name, task.labels, rows["train"], rows["test"]), question


def asked_otherwise(
    question: Question, template: str | None, label_words: str | None, checkpoint: Checkpoint
) -> Question:
    """The question with a user's own template and label words in place of its own.

    Raises:
        UserError: a template that the model cannot be asked with, label words that cannot be read or are not one token.
    """
    if template is not None:
        Template.parse(template).check(checkpoint.kind, needs_blank=True)
        question = replace(question, template=template)
    if label_words is not None:
        question = replace(question, label_words=parse_label_words(label_words))
        verbalizer(question.label_words, question.labels, checkpoint.tokenizer)  # refused here, before any training
    return question


def file_data(
    path: Path,
    test_path: Path | None,
    shots: int,
    checkpoint: Checkpoint,
    text_column: str = "text",
    label_column: str = "label",
) -> tuple[Dataset, Question]:
    """A user's file. The labels' own names are the label words, if each is one token; else there are none.

    Raises:
        UserError: whatever `dataset_from_files` finds wrong.
    """
    dataset = dataset_from_files(path, test_path, shots, 0, text_column, label_column)
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
