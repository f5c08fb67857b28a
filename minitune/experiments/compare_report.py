"""A comparison as a table, as a figure, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minitune.experiments.baselines import BASELINES, Row
from minitune.report import in_figure, interval, new_figure, plain, save_figure, size, table

LOWEST = {"rank correlation": -1.0}  # a score; of the others 0
NEAR = 0.02  # of a baseline's mean: no better


def many(shots: int | None) -> str:
    return "all" if shots is None else str(shots)


def by_shots(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each number of examples, in order."""
    return [[row for row in rows if row.shots == shots] for shots in dict.fromkeys(row.shots for row in rows)]


def reference(rows: Sequence[Row]) -> Row:
    """What the others are compared with: the first method that was asked for."""
    return next((row for row in rows if row.method not in BASELINES), rows[0])


# ---- tables ----


def compare_table(rows: Sequence[Row], metric: str = "accuracy", by_class: bool = True) -> str:
    """At one number of examples every measure; at several, the score at each, methods down and examples across. Below
    it, which methods are not clearly better than a baseline.

    Args:
        by_class: so many examples of each class; else in all.
    """
    groups = by_shots(rows)
    doubts = no_better(rows)
    if len(groups) == 1:
        return "\n\n".join([one_table(groups[0], metric), *doubts])
    header = ["method", *(many(group[0].shots) + " a class" * by_class for group in groups), "trainable", "to store"]
    cells = []
    for name in dict.fromkeys(row.method for row in rows):
        its = [row for row in rows if row.method == name]
        scores = [with_interval(row, metric) for row in its]
        cells.append([name, *scores, f"{its[-1].trainable:,}", size(its[-1].bytes)])
    notes = [f"{row.method} at {many(row.shots)}: {row.lopsided}" for row in rows if row.lopsided and row.trainable]
    notes = [f"(nearly all answers are one: {'; '.join(notes)})"] if notes else []
    if any(row.balanced is not None for row in rows):
        balanced = [
            [name, *(f"{row.balanced:.3f}" if row.balanced is not None else "" for row in rows if row.method == name)]
            for name in dict.fromkeys(row.method for row in rows)
        ]
        notes.append(
            "The test has more of one class than of another. The mean accuracy of the classes:\n\n"
            + table(header[: 1 + len(groups)], balanced)
        )
    if any(row.error is not None for row in rows):
        errors = [
            [name, *(plain(row.error, 4) for row in rows if row.method == name)]
            for name in dict.fromkeys(row.method for row in rows)
        ]
        notes.append("The mean absolute error:\n\n" + table(header[: 1 + len(groups)], errors))
    return "\n\n".join([table(header, cells), *notes, *doubts])


def no_better(rows: Sequence[Row]) -> list[str]:
    """Which methods are not clearly better than which baseline, as sentences with their rule.

    The rule: the mean is less than `NEAR` above the baseline's; or, with several draws, the 95% interval of the paired
    difference contains 0.
    """
    told = []
    several = len(by_shots(rows)) > 1
    for baseline in dict.fromkeys(row.method for row in rows if row.method in BASELINES):
        near: dict[str, list[str]] = {}  # by method, the numbers of examples
        for group in by_shots(rows):
            beside = next(row for row in group if row.method == baseline)
            for row in group:
                if row.method not in BASELINES and is_near(row, beside):
                    near.setdefault(row.method, []).append(many(row.shots))
        which = [name + f" at {', '.join(at)}" * several for name, at in near.items()]
        told += [f"Not clearly better than {baseline}: {('; ' if several else ', ').join(which)}"] if near else []
    if told:
        rule = f"the mean is less than {NEAR:g} above it"
        rule += ", or the 95% interval of the difference holds 0" if len(rows[0].draws) > 1 else ""
        told[-1] += f"\n({rule})"
    return ["\n".join(told)] if told else []


def is_near(row: Row, baseline: Row) -> bool:
    mean, low, high = interval([a - b for a, b in zip(row.draws, baseline.draws, strict=True)])
    return mean < NEAR or low < 0 < high


def one_table(rows: Sequence[Row], metric: str) -> str:
    """Every measure. The difference is paired, draw by draw."""
    first = reference(rows)
    of = " [95%]" if len(first.draws) > 1 else ""
    columns = {
        "method": lambda row: row.method,
        f"{metric}{of}": lambda row: with_interval(row, metric),
        f"difference to {first.method}{of}": lambda row: "" if row is first else difference(row, first),
        "mean absolute error": lambda row: "" if row.error is None else plain(row.error, 4),
        "balanced accuracy": lambda row: "" if row.balanced is None else f"{row.balanced:.3f}",
        "trainable": lambda row: f"{row.trainable:,}",
        "seconds to train": lambda row: f"{row.seconds:.1f}",
        "to store": lambda row: size(row.bytes),
        "nearly all answers": lambda row: row.lopsided,
    }
    if not any(row.lopsided for row in rows):
        del columns["nearly all answers"]
    if all(row.balanced is None for row in rows):
        del columns["balanced accuracy"]
    if all(row.error is None for row in rows):
        del columns["mean absolute error"]
    return table(list(columns), [[cell(row) for cell in columns.values()] for row in rows])


def with_interval(row: Row, metric: str) -> str:
    """The mean over draws; with the interval, where there are several draws that differ."""
    mean, low, high = within(row, metric)
    return f"{mean:.3f}" if low == high else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def within(row: Row, metric: str) -> tuple[float, float, float]:
    """The mean and the ends of its interval, which are cut where no score can lie."""
    mean, low, high = row.interval
    return mean, max(LOWEST.get(metric, 0.0), low), min(1.0, high)


def difference(row: Row, first: Row) -> str:
    mean, low, high = interval([a - b for a, b in zip(row.draws, first.draws, strict=True)])
    return f"{mean:+.3f}" if low == high else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def compare_json(rows: Sequence[Row], task: str, model: str, seeds: int, metric: str = "accuracy") -> dict:
    kept = ("method", "shots", "score", "draws", "trainable", "seconds", "bytes", "balanced", "error")
    plain = []
    for row in rows:
        low, high = row.interval[1:] if len(row.draws) > 1 else (None, None)  # one draw has no interval
        plain.append({name: getattr(row, name) for name in kept} | {"low": low, "high": high})
    return {"task": task, "model": model, "seeds": seeds, "metric": metric, "rows": plain}


# ---- figures ----


def plot(rows: Sequence[Row], title: str, path: Path, metric: str = "accuracy", by_class: bool = True) -> None:
    """At one number of examples the methods one below the other; at several, their curves."""
    figure = plot_one(rows, metric) if len(by_shots(rows)) == 1 else plot_curves(rows, metric, by_class)
    figure.axes[0].set_title(in_figure(title), fontsize=11)
    save_figure(figure, path)


def plot_one(rows: Sequence[Row], metric: str):
    """One line a method: every draw as a dot, the mean and its 95% interval; a dotted line at the first baseline."""
    figure, axes = new_figure((7, 0.5 * len(rows) + 1.6))
    for height, row in enumerate(reversed(rows)):
        mean, low, high = within(row, metric)
        axes.plot(row.draws, [height] * len(row.draws), "o", color="tab:blue", alpha=0.3, markersize=5, linewidth=0)
        half = [[mean - low], [high - mean]]
        axes.errorbar(mean, height, xerr=half, fmt="D", color="black", capsize=3, markersize=5)
        axes.annotate(f"{mean:.2f}", (1.02, height), xycoords=("axes fraction", "data"), va="center")
        if row.method in BASELINES[:-1]:
            axes.axvline(mean, color="gray", linestyle=":", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.method for row in reversed(rows)])
    axes.set_xlim(min(0.4, *(min(row.draws) for row in rows)) - 0.02, 1.01)
    drawn = "dots: draws; diamond: mean with 95% interval" if len(rows[0].draws) > 1 else "1 draw: no interval"
    axes.set_xlabel(f"{metric} on test ({drawn})")
    axes.grid(axis="x", alpha=0.3)
    return figure


def plot_curves(rows: Sequence[Row], metric: str, by_class: bool):
    """The score against the number of examples: means, with 95% intervals as bands. What does not depend on the
    examples is a dashed line."""
    figure, axes = new_figure((7.5, 4.2))
    at = [many(group[0].shots) for group in by_shots(rows)]
    ends = []
    for name in dict.fromkeys(row.method for row in rows):
        its = [row for row in rows if row.method == name]
        means, lows, highs = zip(*(within(row, metric) for row in its), strict=True)
        if not any(row.trainable for row in its) and len(set(means)) == 1:
            line = axes.axhline(means[-1], linestyle=":" if name in BASELINES else "--", color="gray")
        else:
            style = {"color": "gray", "marker": "x"} if name in BASELINES else {"marker": "o"}
            (line,) = axes.plot(at, means, markersize=4, **style)
            axes.fill_between(at, lows, highs, color=line.get_color(), alpha=0.12, linewidth=0)
        ends.append((means[-1], name, line.get_color()))
    heights = spaced([end for end, _, _ in sorted(ends)], least=0.045)
    for height, (_, name, color) in zip(heights, sorted(ends), strict=True):
        axes.annotate(name, (1.01, height), xycoords=("axes fraction", "data"), va="center", color=color, fontsize=9)
    drawn = "band: 95% interval" if len(rows[0].draws) > 1 else "1 draw: no interval"
    axes.set(xlabel="training examples" + " a class" * by_class, ylabel=f"{metric} on test ({drawn})")
    axes.set_ylim(min(0.4, *(min(row.draws) for row in rows)) - 0.02, 1.01)
    axes.grid(axis="y", alpha=0.3)
    return figure


def spaced(heights: Sequence[float], least: float) -> list[float]:
    """Heights in rising order, moved apart so that labels do not cover each other, the highest at 1 at most."""
    placed = list(heights)
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + least)
    ceiling = 1.0
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - least
    return placed
