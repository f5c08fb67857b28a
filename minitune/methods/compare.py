"""Methods side by side: the same draws of few examples, the same test, each at its own learning rate."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.methods.experiment import Trial, learn, trial
from minitune.methods.kinds import KINDS
from minitune.methods.method import Method
from minitune.methods.question import Question
from minitune.report import interval
from minitune.training.checkpoint import Checkpoint, random_twin
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import count, trainable

CONTROLS = ("shuffled-labels", "random-weights", "irrelevant-template")  # the first and last: of classes alone
IRRELEVANT = "{text} the capital of the country is {mask}"
LOPSIDED = 0.9  # a share of the answers that is worth a word
BASELINES = ("majority", "random-weights")  # rows to measure the others by


@dataclass(frozen=True)
class Row:
    """One method at one number of examples, over all draws."""

    method: str
    shots: int | None  # examples a class (None: all)
    draws: list[float]  # the score of each
    trainable: int = 0  # parameters
    seconds: float = 0.0  # of one draw's training
    bytes: int = 0  # to store what was trained, in float32
    balanced: float | None = None  # mean accuracy of the classes, where the test has more of one than of another
    lopsided: str = ""  # the class that takes more than 90% of the answers, if one does

    @property
    def score(self) -> float:
        return statistics.fmean(self.draws)

    @property
    def interval(self) -> tuple[float, float, float]:
        """Mean, and the ends of its 95% interval over draws."""
        return interval(self.draws)


def compare(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[str],
    shots: Sequence[int | None] = (16,),
    seeds: int = 5,
    control: str | None = None,
) -> list[Row]:
    """For each method a row at each number of examples; first `majority`, last `random-weights`, to measure them by.

    Args:
        shots: examples a class; None is all.
        seeds: how many draws of them; all methods see the same.

    Raises:
        UserError: an unknown method or control; a class with fewer examples than `shots`.
    """
    if control is not None and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}; choose one of {', '.join(CONTROLS)}")
    if control in CONTROLS[::2] and question.kind != "classes":
        raise UserError(f"the control {control} belongs to tasks of a few classes; {dataset.name} is none")
    if control == "irrelevant-template":
        question = replace(question, template=IRRELEVANT)
    if control == "random-weights":
        checkpoint = random_twin(checkpoint)
    kind = KINDS[question.kind]
    chosen = {name: (Method.parse(name), checkpoint) for name in methods}
    for method, start in chosen.values():
        method.check_base(question, start)  # refused now, not after the others have trained
    chosen["random-weights"] = (Method.parse(kind.from_nothing), random_twin(checkpoint))

    rows = [majority(dataset, many, seeds) for many in shots] if kind.is_choice else []
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
    return Row(
        method=name,
        shots=shots,
        draws=[t.score for t in trials],
        trainable=trained,
        seconds=statistics.fmean(t.learned.seconds for t in trials),
        bytes=4 * count(trainable(last)),
        balanced=statistics.fmean(balanced) if balanced else None,
        lopsided=one_answer(answered),
    )


def one_answer(answered: Counter) -> str:
    """The class that takes more than 90% of the answers, if one does."""
    if not answered:
        return ""
    answer, times = answered.most_common(1)[0]
    share = times / answered.total()
    return f"{share:.0%} {answer}" if share > LOPSIDED else ""


def majority(dataset: Dataset, shots: int | None, seeds: int) -> Row:
    """Always the class that is commonest in the pool."""
    commonest = Counter(example.label for example in dataset.pool).most_common(1)[0][0]
    counts = Counter(example.label for example in dataset.test)
    score = counts[commonest] / len(dataset.test)
    balanced = (commonest in counts) / len(counts) if len(set(counts.values())) > 1 else None
    return Row("majority", shots, [score] * seeds, balanced=balanced, lopsided=f"100% {dataset.labels[commonest]}")
