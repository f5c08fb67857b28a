"""The curve of a training: the loss of each step, and each look at the dev set."""

from __future__ import annotations

from pathlib import Path

from minitune.report import in_figure, new_figure, save_figure
from minitune.training.loop import History


def plot_curve(history: History, title: str, path: Path) -> None:
    """The training loss of each step, smoothed, and the dev loss and score of each look."""
    window = max(1, len(history.losses) // 25)
    smooth = [
        sum(history.losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(history.losses))
    ]
    figure, axes = new_figure((6.5, 3.6))
    axes.plot(range(1, len(smooth) + 1), smooth, color="tab:blue", label=f"train (mean of {window} steps)")
    if history.scores:
        steps = [step for step, _ in history.scores]
        axes.plot(steps, [look["loss"] for _, look in history.scores], "o-", color="tab:orange", label="dev")
        name = next(iter(history.scores[0][1]))
        right = axes.twinx()
        scores = [look[name] for _, look in history.scores]
        right.plot(steps, scores, "s--", color="tab:green", alpha=0.6, markersize=4)
        right.set_ylabel(f"{name} on dev (green squares)")
        right.set_ylim(min(0, *scores) * 1.03, 1.03)  # a correlation may lie below 0
    axes.set(xlabel="step", ylabel="loss", title=in_figure(title))
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9, loc="center right")
    axes.grid(alpha=0.3)
    save_figure(figure, path)
