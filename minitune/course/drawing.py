"""Diagrams of what a method does to a model, in one visual language for the whole course.

Gray is frozen, orange is learned, white is the text, green is where the answer is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

COLORS = {"text": "white", "frozen": "#d9dde3", "learned": "#ffb55a", "read": "#a8d99c"}


def canvas(width: float, height: float, title: str = "") -> tuple[plt.Figure, Axes]:
    """An empty sheet of `width` x `height` units, about 0.6 inch each."""
    figure, axes = plt.subplots(figsize=(0.6 * width, 0.6 * height), layout="constrained")
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.axis("off")
    if title:
        axes.set_title(title, loc="left", fontsize=11)
    return figure, axes


def box(axes: Axes, x: float, y: float, width: float, height: float, label: str, kind: str = "frozen") -> None:
    """A rounded box with its lower left corner at (x, y)."""
    style = {"facecolor": COLORS[kind], "edgecolor": "#444444", "linewidth": 1.0}
    corner = (x + 0.06, y + 0.06)
    shape = FancyBboxPatch(corner, width - 0.12, height - 0.12, boxstyle="round,pad=0,rounding_size=0.12", **style)
    axes.add_patch(shape)
    axes.text(x + width / 2, y + height / 2, label, ha="center", va="center", fontsize=9)


def matrix(axes: Axes, x: float, y: float, width: float, height: float, kind: str = "frozen") -> None:
    """A plain rectangle of exactly this size, for matrices that are drawn to scale; it may be as thin as a line."""
    axes.add_patch(Rectangle((x, y), width, height, facecolor=COLORS[kind], edgecolor="#444444", linewidth=0.6))


def tokens(axes: Axes, x: float, y: float, row: Sequence[tuple[str, str]], width: float = 1.3) -> list[float]:
    """A row of tokens, each (label, kind); returns the x of each token's middle."""
    for place, (label, kind) in enumerate(row):
        box(axes, x + place * width, y, width, 0.8, label, kind)
    return [x + (place + 0.5) * width for place in range(len(row))]


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color="#444444", linewidth=1.0))


def legend(axes: Axes, x: float, y: float, kinds: Sequence[str]) -> None:
    """What the colors mean, in a row."""
    for place, kind in enumerate(kinds):
        box(axes, x + 2.4 * place, y, 0.5, 0.5, "", kind)
        axes.text(x + 2.4 * place + 0.6, y + 0.25, kind, va="center", fontsize=8)
