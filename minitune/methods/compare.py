"""Methods side by side: the same draws of few examples, the same test, each at its own learning rate."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from minitune.data.examples import Dataset, Example, draw
from minitune.errors import UserError
from minitune.files import write_safely
from minitune.methods.fitting import fit
from minitune.methods.method import Method, Question
from minitune.predictors.predictor import Joined
from minitune.prompting.template import with_stop
from minitune.report import interval, size, table
from minitune.training.checkpoint import Checkpoint, random_twin
from minitune.tuning.doors import Tuned, fold
from minitune.tuning.trained import count, trainable

CONTROLS = ("shuffled-labels", "random-weights", "irrelevant-template")  # the first and last: of classes alone
FIGURE_FORMATS = (".png", ".pdf", ".svg")
IRRELEVANT = "{text} the capital of the country is {mask}"


@dataclass
class Row:
    method: str
    score: float  # mean over draws
    low: float  # 95% interval of the mean
    high: float
    draws: list[float]
    trainable: int  # parameters
    seconds: float  # of one draw, training and test
    bytes: int  # to store what was trained, in float32
    lopsided: str = ""  # the class that takes more than 90% of the predictions, if one does


def run_method(
    method: Method, checkpoint: Checkpoint, question: Question, train_set: Sequence, dev: Sequence, seed: int
) -> Joined:
    """Train one method on one draw; the weights that did best on dev stay."""
    joined = method.build(checkpoint, question, seed)
    fit(method, joined, train_set, dev, seed)
    return joined


def compare(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[str],
    shots: int | None = 16,
    seeds: int = 5,
    control: str | None = None,
) -> list[Row]:
    """A row for each method, and between them `majority` and `random-weights` to measure them by.

    Raises:
        UserError: an unknown method or control; a class with fewer examples than `shots`.
    """
    if control is not None and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}; choose one of {', '.join(CONTROLS)}")
    if control in CONTROLS[::2] and question.kind != "classes":
        raise UserError(f"the control {control} belongs to tasks of a few classes; {dataset.name} is none")
    if control == "irrelevant-template":
        question = replace(question, template=with_stop(IRRELEVANT, checkpoint.kind))
    if control == "random-weights":
        checkpoint = random_twin(checkpoint)
    chosen = {name: (Method.parse(name), checkpoint) for name in methods}
    from_nothing = "full+head" if question.kind == "classes" else "full"
    chosen["random-weights"] = (Method.parse(from_nothing), random_twin(checkpoint))

    rows = [majority(dataset, seeds)] if question.kind in ("classes", "words") else []
    bar = tqdm(total=len(chosen) * seeds, desc="comparing", disable=None, leave=False)
    for name, (method, start) in chosen.items():
        scores, seconds, answered, trained, stored = [], [], Counter(), 0, 0
        for seed in range(seeds):
            bar.set_postfix(method=name, draw=seed)
            train_set, dev = draw(dataset, shots, seed)
            if control == "shuffled-labels":
                train_set, dev = shuffled(train_set, seed), shuffled(dev, seed)
            began = time.perf_counter()
            joined = run_method(method, start, question, train_set, dev, seed)
            scores.append(next(iter(joined.measure(joined.items(dataset.test)).values())))
            seconds.append(time.perf_counter() - began)
            if question.kind in ("classes", "words"):
                answered.update(joined.answers(dataset.test))
            trained = count(trainable(joined))
            if isinstance(joined.model, Tuned):
                fold(joined.model)
            stored = count(trainable(joined))
            bar.update()
        mean, low, high = interval(scores)
        row = Row(name, mean, low, high, scores, trained, sum(seconds) / seeds, 4 * stored, one_answer(answered))
        rows.append(row)
    bar.close()
    return rows


def one_answer(answered: Counter) -> str:
    """The class that takes more than 90% of the answers, if one does."""
    if not answered:
        return ""
    answer, times = answered.most_common(1)[0]
    share = times / answered.total()
    return f"{share:.0%} {answer}" if share > 0.9 else ""


def majority(dataset: Dataset, seeds: int) -> Row:
    """Always the class that is commonest in the pool."""
    commonest = Counter(example.label for example in dataset.pool).most_common(1)[0][0]
    score = sum(example.label == commonest for example in dataset.test) / len(dataset.test)
    return Row("majority", score, score, score, [score] * seeds, 0, 0.0, 0, f"100% {dataset.labels[commonest]}")


def shuffled(examples: list[Example], seed: int) -> list[Example]:
    """The same examples with their labels dealt out anew: nothing is left to learn."""
    labels = [example.label for example in examples]
    random.Random(f"shuffle {seed}").shuffle(labels)
    return [replace(example, label=label) for example, label in zip(examples, labels, strict=True)]


def compare_table(rows: Sequence[Row], metric: str = "accuracy") -> str:
    """The rows as text. The paired difference is to the first method, draw by draw."""
    first = next((row for row in rows if row.method not in ("majority", "random-weights")), rows[0])
    cells = []
    for row in rows:
        paired = interval([a - b for a, b in zip(row.draws, first.draws, strict=True)])
        difference = "" if row is first else f"{paired[0]:+.3f} [{paired[1]:+.3f}, {paired[2]:+.3f}]"
        cells.append([
            row.method,
            f"{row.score:.3f} [{max(0, row.low):.3f}, {min(1, row.high):.3f}]",
            difference,
            f"{row.trainable:,}",
            f"{row.seconds:.1f}",
            size(row.bytes),
            row.lopsided,
        ])  # fmt: skip
    header = [
        "method",
        f"{metric} [95%]",
        f"less {first.method} [95%]",
        "trainable",
        "seconds",
        "to store",
        "one class",
    ]
    if not any(row.lopsided for row in rows):
        header, cells = header[:-1], [line[:-1] for line in cells]
    return table(header, cells)


def compare_json(
    rows: Sequence[Row],
    dataset: Dataset,
    checkpoint: Checkpoint,
    shots: int | None,
    seeds: int,
    metric: str = "accuracy",
) -> dict:
    kept = ("method", "score", "low", "high", "draws", "trainable", "seconds", "bytes")
    plain = [{name: value for name, value in asdict(row).items() if name in kept} for row in rows]
    return {
        "task": dataset.name,
        "model": checkpoint.kind,
        "shots": shots,
        "seeds": seeds,
        "metric": metric,
        "rows": plain,
    }


def check_figure_path(path: Path) -> None:
    """Raises:
    UserError: the file's ending is no format of figures.
    """
    if path.suffix not in FIGURE_FORMATS:
        raise UserError(f"{path} is no name for a figure; let it end in one of {', '.join(FIGURE_FORMATS)}")


def plot_rows(rows: Sequence[Row], title: str, path: Path, metric: str = "accuracy") -> None:
    """One line a method: every draw as a dot, the mean and its 95% interval; chance by the majority row."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1.6), constrained_layout=True)
    for height, row in enumerate(reversed(rows)):
        axes.plot(row.draws, [height] * len(row.draws), "o", color="tab:blue", alpha=0.3, markersize=5, linewidth=0)
        half = [[row.score - max(0, row.low)], [min(1, row.high) - row.score]]
        axes.errorbar(row.score, height, xerr=half, fmt="D", color="black", capsize=3, markersize=5)
        axes.annotate(f"{row.score:.2f}", (1.02, height), xycoords=("axes fraction", "data"), va="center")
        if row.method == "majority":
            axes.axvline(row.score, color="gray", linestyle=":", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.method for row in reversed(rows)])
    axes.set_xlim(min(0.4, *(min(row.draws) for row in rows)) - 0.02, 1.01)
    axes.set_xlabel(f"{metric} on test (dots: draws; diamond: mean with 95% interval)")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    write_safely(path, lambda temporary: figure.savefig(temporary, dpi=120, format=path.suffix[1:]))
    plt.close(figure)
