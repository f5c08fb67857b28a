"""Methods side by side: the same draws of few examples, the same test, each at its own learning rate."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from minitune.classifier import Classifier
from minitune.data.examples import Dataset, Example, draw_few
from minitune.errors import UserError
from minitune.files import write_safely
from minitune.fitting import fit
from minitune.methods import Method, Question
from minitune.prompting.template import with_stop
from minitune.report import interval, size, table
from minitune.training.checkpoint import Checkpoint, random_twin

CONTROLS = ("shuffled-labels", "random-weights", "irrelevant-template")
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
    method: Method, checkpoint: Checkpoint, question: Question, train_set: list[Example], dev: list[Example], seed: int
) -> Classifier:
    """Train one method on one draw; the weights that did best on dev stay."""
    classifier = method.build(checkpoint, question, seed)
    fit(method, classifier, train_set, dev, seed)
    return classifier


def compare(
    dataset: Dataset,
    checkpoint: Checkpoint,
    question: Question,
    methods: Sequence[str],
    shots: int = 16,
    seeds: int = 5,
    control: str | None = None,
) -> list[Row]:
    """A row for each method, and between them `majority` and `random-weights` to measure them by.

    Raises:
        UserError: an unknown method or control; a class with fewer examples than `shots`.
    """
    if control is not None and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}; choose one of {', '.join(CONTROLS)}")
    if control == "irrelevant-template":
        question = replace(question, template=with_stop(IRRELEVANT, checkpoint.kind))
    if control == "random-weights":
        checkpoint = random_twin(checkpoint)
    chosen = {name: (Method.parse(name), checkpoint) for name in methods}
    chosen["random-weights"] = (Method.parse("full+head"), random_twin(checkpoint))

    rows = [majority(dataset, seeds)]
    bar = tqdm(total=len(chosen) * seeds, desc="comparing", disable=None, leave=False)
    for name, (method, start) in chosen.items():
        accuracies, seconds, predicted, trainable = [], [], Counter(), 0
        for seed in range(seeds):
            bar.set_postfix(method=name, draw=seed)
            train_set, dev = draw_few(dataset.pool, shots, seed, dataset.labels)
            if control == "shuffled-labels":
                train_set, dev = shuffled(train_set, seed), shuffled(dev, seed)
            began = time.perf_counter()
            classifier = run_method(method, start, question, train_set, dev, seed)
            guesses = classifier.scores(dataset.test).argmax(dim=1).tolist()
            seconds.append(time.perf_counter() - began)
            accuracies.append(sum(g == e.label for g, e in zip(guesses, dataset.test, strict=True)) / len(guesses))
            predicted.update(guesses)
            trainable = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
            bar.update()
        commonest, count = predicted.most_common(1)[0]
        share = count / predicted.total()
        lopsided = f"{share:.0%} {dataset.labels[commonest]}" if share > 0.9 else ""
        mean, low, high = interval(accuracies)
        rows.append(Row(name, mean, low, high, accuracies, trainable, sum(seconds) / seeds, 4 * trainable, lopsided))
    bar.close()
    return rows


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


def compare_table(rows: Sequence[Row]) -> str:
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
    header = ["method", "accuracy [95%]", f"less {first.method} [95%]", "trainable", "seconds", "to store", "one class"]
    if not any(row.lopsided for row in rows):
        header, cells = header[:-1], [line[:-1] for line in cells]
    return table(header, cells)


def compare_json(rows: Sequence[Row], dataset: Dataset, checkpoint: Checkpoint, shots: int, seeds: int) -> dict:
    kept = ("method", "score", "low", "high", "draws", "trainable", "seconds", "bytes")
    plain = [{name: value for name, value in asdict(row).items() if name in kept} for row in rows]
    return {
        "task": dataset.name,
        "model": checkpoint.kind,
        "shots": shots,
        "seeds": seeds,
        "metric": "accuracy",
        "rows": plain,
    }


def check_figure_path(path: Path) -> None:
    """Raises:
    UserError: the file's ending is no format of figures.
    """
    if path.suffix not in FIGURE_FORMATS:
        raise UserError(f"{path} is no name for a figure; let it end in one of {', '.join(FIGURE_FORMATS)}")


def plot_rows(rows: Sequence[Row], title: str, path: Path) -> None:
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
    axes.set_xlabel("accuracy on test (dots: draws; diamond: mean with 95% interval)")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    write_safely(path, lambda temporary: figure.savefig(temporary, dpi=120, format=path.suffix[1:]))
    plt.close(figure)
