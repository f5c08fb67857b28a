"""Whether tuning was worth it on a user's file: what counting words reaches there, and what to do if it is better."""

from __future__ import annotations

from collections.abc import Sequence

from minitune.data.examples import TestSet, TrainSet, split_share
from minitune.experiments.bag_of_words import fit_bag, measure_bag
from minitune.experiments.baselines import BASELINES, COUNTED, Row, score_known_words
from minitune.experiments.compare_report import by_shots, many
from minitune.methods.file_report import SOME_SPLIT
from minitune.questions.kinds import KINDS
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import Checkpoint

CONTROLS = ("bag-of-words", "known-words")


def control_of(kind: str, train: TrainSet, test: TestSet) -> tuple[str, float] | None:
    """What a method that was tuned on `train` should beat on `test`, and its score; nothing for written texts."""
    if kind in COUNTED:
        return "bag-of-words", next(iter(measure_bag(fit_bag(train), test).values()))
    if KINDS[kind].is_by_word:
        return "known-words", score_known_words(train, test, KINDS[kind].metric)
    return None


def told_of_one(control: tuple[str, float], method: str, score: float, data: TaskData, base: Checkpoint) -> list[str]:
    """A sentence, where the control is better than the one method that was tuned."""
    name, its = control
    if round(its, 3) <= round(score, 3):
        return []
    better = f"{name}, which knows no language model, is better on the test: {its:.3f}, and {method} {score:.3f}"
    return [better, *a_model_of_ones_own(data, base)]


def told_of_all(rows: Sequence[Row], data: TaskData, base: Checkpoint) -> list[str]:
    """A sentence, where the control is better than every method of a comparison."""
    found = []
    for group in by_shots(rows):
        control = next((row for row in group if row.method in CONTROLS), None)
        tuned = [row.score for row in group if row.method not in BASELINES]
        if control and tuned and control.score > max(tuned):
            found.append((control.method, many(group[0].shots)))
    if not found:
        return []
    at = ", ".join(shots for _, shots in found)
    where = f" at {at}{' a class' * data.dataset.by_class}" if len(by_shots(rows)) > 1 else ""
    better = f"{found[0][0]}, which knows no language model, is better than every method here{where}"
    return [better, *a_model_of_ones_own(data, base)]


def a_model_of_ones_own(data: TaskData, base: Checkpoint) -> list[str]:
    """How to get one, where this model has to split many words of the texts."""
    dataset = data.dataset
    texts = [KINDS[data.question.kind].texts(example) for example in (*dataset.pool, *dataset.dev, *dataset.test)]
    share = split_share(texts, base.tokenizer)
    if share <= SOME_SPLIT:
        return []
    folder = f"runs/my-{base.kind}"
    return [
        f"{share:.0%} of the words had to be split; pretrain a model of your own on such text, a text a line: "
        f"minitune pretrain {base.kind} --text FILE --out {folder}, and then add --model {folder}"
    ]
