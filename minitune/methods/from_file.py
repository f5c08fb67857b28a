"""From a user's own file to examples and a question."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from minitune.data.examples import Dataset, dataset_from_files, report_texts
from minitune.methods.question import Question
from minitune.methods.task_data import TaskData
from minitune.training.checkpoint import Checkpoint

MANY_SPLIT = 0.5  # of the words: the model hardly knows the language of such a text


def file_data(
    path: Path,
    test_path: Path | None = None,
    shots: int | None = None,
    text_column: str = "text",
    label_column: str = "label",
) -> TaskData:
    """A user's file; without a test file, a part of it is kept for the test.

    Args:
        shots: so many examples a class must be left for training.

    Raises:
        UserError: whatever `dataset_from_files` finds wrong.
    """
    dataset = dataset_from_files(path, test_path, shots or 1, 0, text_column, label_column)
    is_pair = dataset.test[0].text_b is not None
    template = "{text} {text_b} it was {mask}" if is_pair else "{text} it was {mask}"
    return TaskData(dataset, Question(dataset.labels, template, is_pair=is_pair))


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
