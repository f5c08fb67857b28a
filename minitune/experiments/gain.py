"""What a pretraining has brought for a question of one's own: the model beside its twin with random weights, trained in
the same way on the same few examples."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

from minitune.data.examples import TestSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn, trial
from minitune.methods.method import Method
from minitune.questions.from_file import file_data
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import Checkpoint, random_twin

METHODS = ("frozen+head", "full+head")  # what the model knows already, and what it learns from there
SHOTS, DRAWS, TESTED = 16, 3, 500


def probe_data(path: Path) -> TaskData:
    """The labelled examples of a file, checked before a long training.

    Raises:
        UserError: whatever is wrong with the file; it has no classes.
    """
    try:
        data = file_data(path)
    except UserError as error:
        raise UserError(f"--probe reads the columns text and label of a file: {error}") from None
    if data.question.kind != "classes":
        raise UserError(f"{path} has no classes, and --probe measures with classes; give a file of texts and labels")
    test = data.test if len(data.test) <= TESTED else random.Random(0).sample(list(data.test), TESTED)
    return replace(data, dataset=replace(data.dataset, test=TestSet(test, data.labels)))


def gain(checkpoint: Checkpoint, data: TaskData, seed: int = 0) -> dict[str, list[float]]:
    """The accuracy of each draw on the file's test part, by name.

    Args:
        seed: that the model's own first weights were drawn with.
    """
    dataset, question = data.for_model(checkpoint)
    shots = min(SHOTS, min(Counter(example.label for example in dataset.pool).values()))
    models = {"": checkpoint, ", random weights": random_twin(checkpoint, seed)}
    return {
        f"{data.name}, {shots} a class: {name}{whose}": [
            trial(learn(Method.parse(name), model, question, dataset, shots, draw), dataset.test).score
            for draw in range(DRAWS)
        ]
        for name in METHODS
        for whose, model in models.items()
    }
