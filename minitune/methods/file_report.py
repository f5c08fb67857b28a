"""What was read from a user's own file, and what that means for a model: said before anything is trained."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from minitune.data.examples import Dataset, report_texts
from minitune.methods.kinds import KINDS
from minitune.methods.method import Method
from minitune.methods.question import Question
from minitune.methods.task_data import TaskData
from minitune.predictors.spans import is_marked
from minitune.report import plain
from minitune.training.checkpoint import Checkpoint

# Of the words of the shipped models' own tasks at most 7% are split, of plain sentences in their words ("the food was
# bad and the room was cold") 9%, of film reviews as people write them 21% (BERT) and 33% (GPT), of this project's
# README 54%. At 49% every method stood at chance.
SOME_SPLIT, MANY_SPLIT = 0.15, 0.30
SHOWN = 12  # classes or tags that are named one by one


def describe(data: TaskData, checkpoint: Checkpoint) -> list[str]:
    """What was read, in a few lines: rows, labels, what was guessed, and how the tokenizer took the texts."""
    dataset, kind = data.dataset, data.question.kind
    examples = [*dataset.pool, *dataset.test]
    rows = f"{dataset.name}: {len(examples)} {'sentences' if kind == 'spans' else 'rows'}"
    lines = [f"{rows}, {len(dataset.test)} of them for the test; {ABOUT[kind](dataset)}", *data.notes]
    texts = [" ".join(e.words) if kind == "spans" else f"{e.text} {e.text_b or ''}" for e in examples]
    report = report_texts(texts, checkpoint.tokenizer, checkpoint.model.config.context)
    lines.append(f"the {checkpoint.kind} tokenizer: {report}")
    if report.cut:
        lost = "not read, and their tags not counted" if kind == "spans" else "not read"
        lines.append(f"{report.cut} texts are longer than the context: their ends are {lost}")
    if report.split_words > SOME_SPLIT:
        many = report.split_words > MANY_SPLIT
        known = "hardly knows such text, and may do no better than chance" if many else "knows such text in part"
        lines.append(
            f"{report.split_words:.0%} of the words had to be split: this model {known}; one pretrained on it will "
            f"serve better (minitune pretrain {checkpoint.kind} --text FILE, then --model DIR)"
        )
    return lines


def about_classes(dataset: Dataset) -> str:
    counts = Counter(example.label for example in [*dataset.pool, *dataset.test])
    return f"classes: {counted({label: counts[place] for place, label in enumerate(dataset.labels)})}"


def about_numbers(dataset: Dataset) -> str:
    numbers = [example.label for example in [*dataset.pool, *dataset.test]]
    middle = f"median {plain(statistics.median(numbers))}, mean {plain(statistics.fmean(numbers))}"
    return f"numbers from {plain(min(numbers))} to {plain(max(numbers))}, {middle}"


def about_tags(dataset: Dataset) -> str:
    counts = Counter(tag for example in [*dataset.pool, *dataset.test] for tag in example.tags)
    form = "B- begins a thing" if is_marked(dataset.labels) else "neighbours with the same tag are one thing"
    tags = counted({label: counts[place] for place, label in enumerate(dataset.labels) if counts[place]})
    return f"tags: {tags}; F1 is of whole things ({form}), not of words"


ABOUT = {"classes": about_classes, "number": about_numbers, "spans": about_tags}


def counted(counts: dict[str, int]) -> str:
    shown = [f"{label} {count}" for label, count in list(counts.items())[:SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else "")


def words_asked(question: Question, methods: Sequence[str], model_kind: str) -> list[str]:
    """Of methods that read words at the blank: the question with the words that answer it, or that there are none."""
    reading = [method for method in map(Method.parse, methods) if method.needs_label_words]
    if not KINDS[question.kind].is_choice or not reading or question.kind == "words":
        return []
    if not question.label_words:
        example = ";".join(f"{label}=..." for label in question.labels[:2])
        return [
            f"the labels {', '.join(question.labels[:SHOWN])} are not single words of the model, so methods "
            f'that read words have none, and compare leaves them out; give words, as in --label-words "{example}", or '
            "let +petal search for them"
        ]
    words = [", ".join(question.label_words[label]) for label in question.labels[:SHOWN]]
    asked = str(reading[0].template(question, model_kind)).replace("{mask}", " / ".join(words))
    asked = asked.replace("{text}", "...").replace("{text_b}", "...")
    return [f"{reading[0].name} asks: {asked!r} (other words: --label-words)"]
