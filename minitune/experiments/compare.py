"""Methods side by side: the same draws of few examples, the same test, each at its own learning rate."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.experiments.baselines import BASELINES_OF, Row
from minitune.experiments.experiment import Trial, learn, trial
from minitune.methods.several import parse_all
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint, random_twin
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import count, trainable

CONTROLS = ("shuffled-labels", "random-weights", "irrelevant-template")
SUITED = {"shuffled-labels": ("classes", "number"), "irrelevant-template": ("classes",)}  # the kinds of question
IRRELEVANT = "{text} the capital of the country is {mask}"
LOPSIDED = 0.9  # a share of the answers that is worth a word


def compare(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[str],
    shots: Sequence[int | None] = (16,),
    seeds: int = 5,
    control: str | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
) -> list[Row]:
    """For each method a row at each number of examples; first what needs no model (`majority`, of numbers `median`),
    last `random-weights`, to measure them by.

    Args:
        shots: examples a class; None is all.
        seeds: how many draws of them; all methods see the same.
        settings: for each method that has them.

    Raises:
        UserError: an unknown method or control; a setting that no method has; a class with fewer examples than `shots`.
    """
    if control is not None and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}; choose one of {', '.join(CONTROLS)}")
    if control in SUITED and question.kind not in SUITED[control]:
        suited = " or ".join(SUITED[control])
        raise UserError(f"the control {control} belongs to tasks of {suited}; {dataset.name} is none")
    if control == "irrelevant-template":
        question = replace(question, template=IRRELEVANT)
    if control == "random-weights":
        checkpoint = random_twin(checkpoint)
    kind = KINDS[question.kind]
    *parsed, from_nothing = parse_all([*methods, kind.from_nothing], settings)
    for method in parsed:
        method.check_base(question, checkpoint)  # refused now, not after the others have trained
    chosen = {method.name: (method, checkpoint) for method in parsed}
    chosen["random-weights"] = (from_nothing, random_twin(checkpoint))

    rows = [baseline(dataset, many, seeds) for baseline in BASELINES_OF.get(question.kind, ()) for many in shots]
    bar = tqdm(total=len(chosen) * len(shots) * seeds, desc="comparing", disable=None, leave=False)
    for name, (method, start) in chosen.items():
        for many in shots:
            trials = []
            for seed in range(seeds):
                bar.set_postfix(method=name, draw=seed)
                learned = learn(method, start, question, dataset, many, seed, control == "shuffled-labels")
                trials.append(trial(learned, dataset.test))
                bar.update()
            rows.append(row_of(name, many, trials, dataset))
    bar.close()
    return rows


def row_of(name: str, shots: int | None, trials: Sequence[Trial], dataset: Dataset) -> Row:
    """What the trials of one method on all draws come to."""
    last = trials[-1].learned.predictor
    trained = count(trainable(last))
    if isinstance(last.model, Tuned):
        fold(last.model)  # a network that wrote a prompt is not stored
    answered: Counter[str] = Counter()
    if statistics.fmean(t.test.get("largest share", 0.0) for t in trials) > LOPSIDED:
        answered.update(answer for t in trials for answer in t.learned.predictor.answers(dataset.test))
    balanced = [t.test["balanced accuracy"] for t in trials if "balanced accuracy" in t.test]
    errors = [t.test["mean absolute error"] for t in trials if "mean absolute error" in t.test]
    return Row(
        method=name,
        shots=shots,
        draws=[t.score for t in trials],
        trainable=trained,
        seconds=statistics.fmean(t.learned.seconds for t in trials),
        bytes=4 * count(trainable(last)),
        balanced=statistics.fmean(balanced) if balanced else None,
        lopsided=one_answer(answered),
        error=statistics.fmean(errors) if errors else None,
    )


def one_answer(answered: Counter) -> str:
    """The class that takes more than 90% of the answers, if one does."""
    if not answered:
        return ""
    answer, times = answered.most_common(1)[0]
    share = times / answered.total()
    return f"{share:.0%} {answer}" if share > LOPSIDED else ""
