"""`minitune tune`: one method on one task or file, trained, measured on test, saved; and its curve as a figure."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from minitune.data.examples import Dataset, draw
from minitune.errors import UserError
from minitune.files import write_safely
from minitune.methods.fitting import fit, steps_for
from minitune.methods.method import ASKED, READ, WHAT, Method, Question
from minitune.methods.saved import save_tuned
from minitune.methods.settings import settings_of
from minitune.predictors.predictor import Joined
from minitune.report import size, table
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import History, TrainConfig
from minitune.tuning.trained import count, trainable, trainable_table


@dataclass
class Result:
    joined: Joined
    history: History
    test: dict[str, float]
    report: str


def tune(
    method: Method,
    dataset: Dataset,
    question: Question,
    base: Checkpoint,
    base_name: str,
    out: Path,
    shots: int | None = 16,
    seed: int = 0,
) -> Result:
    """Train, measure, and write `tuned.pt` and `curve.png` to `out`.

    Raises:
        UserError: nothing is trainable, or whatever the method or the data find wrong; nothing is written then.
    """
    train_set, dev = draw(dataset, shots, seed)
    joined = method.build(base, question, seed)
    if not trainable(joined):
        raise UserError(
            f"{method.name} has nothing to train: every parameter is frozen; minitune compare measures it as it is"
        )
    print(trainable_table(joined), "\n")
    cut = sum(item.rendered.cut > 0 for item in joined.items(train_set))
    if cut:
        print(f"{cut} of {len(train_set)} texts are cut: with the prompt they pass the context\n")
    start = time.perf_counter()
    history = fit(method, joined, train_set, dev, seed)
    seconds = time.perf_counter() - start
    test = joined.measure(joined.items(dataset.test))
    config = method.training(steps_for(len(train_set)), seed)
    made = {"task": dataset.name, "shots": shots, "seed": seed, "training": asdict(config), "test": test}
    path = save_tuned(out, method, joined, question, base, base_name, made)
    plot_curve(history, f"{method.name} on {dataset.name}", out / "curve.png")
    numbers = count(trainable(joined))
    score, value = next(iter(test.items()))
    rows = [
        ["training examples / dev / test", f"{len(train_set)} / {len(dev)} / {len(dataset.test)}"],
        ["steps, learning rate", f"{config.steps}, {config.lr:g}"],
        ["seconds", f"{seconds:.1f}"],
        [f"{score} on dev, best look", f"{history.best():.3f}" if history.scores else "none: no dev set"],
        [f"{score} on test", f"{value:.3f}"],
        ["loss on test", f"{test['loss']:.3f}"],
        ["stored", f"{path}: {numbers:,} numbers, {size(path.stat().st_size)}"],
    ]
    return Result(joined, history, test, table([method.name, dataset.name], rows))


def method_help(name: str) -> str:
    """What a method is, and every setting that --set takes, with its default.

    Raises:
        UserError: an unknown method.
    """
    method = Method.parse(name)
    what = WHAT[method.what]
    lines = [f"{method.name}: lesson {what.lesson}, {what.paper}; trains {formula(method.what)}", ""]
    lines += ["--set, of the method:"] + [f"  {line}" for line in settings_of(method.settings) or ["nothing"]]
    training = TrainConfig(lr=what.lr)
    lines += ["--set, of the training (steps: by default 10 epochs, from 100 to 1000):"]
    return "\n".join(lines + [f"  {line}" for line in settings_of(training)])


def formula(what: str) -> str:
    """How many numbers a method trains: the first sentence of its count's docstring."""
    return " ".join((WHAT[what].count.__doc__ or "").split("\n\n")[0].split()).rstrip(".")


def methods_table() -> str:
    """A table for each of the three questions: what@asked+read."""
    what = [[name, f"{row.lesson:02}", row.paper, formula(name)] for name, row in WHAT.items()]
    header = ["what may change", "lesson", "paper", "trains"]
    letters = "D width, L layers, I inner width, V vocabulary, P length of a prompt, k layers, r rank, C classes"
    others = [
        table([question, ""], [[name, function.__doc__.rstrip(".")] for name, function in answers.items()])
        for question, answers in (("how it is asked", ASKED), ("how the answer is read", READ))
    ]
    return "\n\n".join([table(header, what), f"({letters})", *others])


def plot_curve(history: History, title: str, path: Path) -> None:
    """The training loss of each step, smoothed, and the dev loss and score of each look."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    window = max(1, len(history.losses) // 25)
    smooth = [
        sum(history.losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(history.losses))
    ]
    figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    axes.plot(range(1, len(smooth) + 1), smooth, color="tab:blue", label=f"train (mean of {window} steps)")
    if history.scores:
        steps = [step for step, _ in history.scores]
        axes.plot(steps, [look["loss"] for _, look in history.scores], "o-", color="tab:orange", label="dev")
        name = next(iter(history.scores[0][1]))
        right = axes.twinx()
        right.plot(steps, [look[name] for _, look in history.scores], "s--", color="tab:green", alpha=0.6, markersize=4)
        right.set_ylabel(f"{name} on dev (green squares)")
        right.set_ylim(0, 1.03)
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9, loc="center right")
    axes.grid(alpha=0.3)
    write_safely(path, lambda temporary: figure.savefig(temporary, dpi=120, format="png"))
    plt.close(figure)
