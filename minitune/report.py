"""How results are shown: plain tables, and intervals over draws."""

from __future__ import annotations

import math
import os
import statistics
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

from minitune.errors import UserError
from minitune.writing import write_safely

FIGURE_FORMATS = (".png", ".pdf", ".svg")
FIGURE_MARK = "a figure of minitune"  # kept in each: a picture without it is a user's, and is not replaced
LARGEST_FIGURE = 30_000_000  # bytes

# 97.5% quantiles of Student's t for 1, 2, 3, ... degrees of freedom; beyond them the normal distribution's.
T_QUANTILES = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)
T_QUANTILES += (2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048)
CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of control characters, half characters, line breaks
UNSEEN = ("Mn", "Me", "Cf")  # of accents and joiners, which take no column of their own


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% confidence interval of the mean over draws (Student's t); one draw has no interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, mean, mean
    quantile = T_QUANTILES[len(values) - 2] if len(values) - 2 < len(T_QUANTILES) else 1.96
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, a line each row: those of numbers flushed right, the others left."""
    columns = [[one_line(cell) for cell in column] for column in zip(header, *rows, strict=True)]
    widths = [max(map(width, column)) for column in columns]
    is_number = [all(not cell or cell[0] in "+-.0123456789" for cell in column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padding = [" " * (whole - width(cell)) for cell, whole in zip(cells, widths, strict=True)]
        padded = (
            space + cell if right else cell + space
            for cell, space, right in zip(cells, padding, is_number, strict=True)
        )
        return "  ".join(padded).rstrip()

    first, *others = zip(*columns, strict=True)
    return "\n".join([line(first), "  ".join("-" * whole for whole in widths), *map(line, others)])


def one_line(text: str) -> str:
    """Line breaks and other control characters as they are written in code: a cell stays in its line, and as wide as
    it is counted."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in CONTROLS else character
        for character in text
    )


def width(text: str) -> int:
    """The columns of a terminal that a text takes: two for a wide East Asian character, none for a lone accent."""
    return sum(
        0 if unicodedata.category(character) in UNSEEN else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def shortened(text: str, columns: int = 70) -> str:
    """The beginning of a text in one line, at most so wide."""
    text = one_line(" ".join(text.split()))
    if width(text) <= columns:
        return text
    while width(text) > columns - 3:
        text = text[: columns - 3] if len(text) > columns else text[:-1]
    return f"{text}..."


def size(count: float) -> str:
    """A number of bytes for people: 1,234,567 -> 1.2 MB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def plain(number: float, digits: int = 6) -> str:
    """A number for people, of so many digits, and no power of ten where it is not needed: 131313.25 -> 131313."""
    return f"{number:.0f}" if 10**digits <= abs(number) < 1e15 else f"{number:.{digits}g}"


def in_figure(text: str) -> str:
    """A user's text as matplotlib shows it: between two dollars it would read mathematics."""
    return one_line(text).replace("$", r"\$")


def check_figure_path(path: Path) -> None:
    """Raises:
    UserError: the file's ending is no format of figures.
    """
    if path.suffix.lower() not in FIGURE_FORMATS:
        raise UserError(f"{path} is no name for a figure; let it end in one of {', '.join(FIGURE_FORMATS)}")


def new_figure(size: tuple[float, float], columns: int = 1):
    """An empty figure of matplotlib and its axes (of several columns, an array of them). It needs no screen, and no
    setting of the user's decides whether it can be drawn.
    """
    unknown = os.environ.pop("MPLBACKEND", None)  # matplotlib reads it when it is imported, and may refuse it then
    try:
        from matplotlib.figure import Figure
    finally:
        if unknown is not None:
            os.environ["MPLBACKEND"] = unknown
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(1, columns)


def save_figure(figure, path: Path) -> None:
    """Write a matplotlib figure, whole or not at all, in the format that the path's ending names.

    Raises:
        UserError: it cannot be written.
    """
    kind = path.suffix.lower()[1:]
    metadata = {"Software" if kind == "png" else "Creator": FIGURE_MARK}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for a letter that the font lacks
        write_safely(path, lambda file: figure.savefig(file, dpi=120, format=kind, metadata=metadata))


def is_our_figure(path: Path) -> bool:
    """Whether `save_figure` wrote a file: a rerun may replace it."""
    return FIGURE_MARK in figure_text(path)


def is_plot(path: Path) -> bool:
    """Whether a file is a figure of matplotlib, as ours were before they had a mark."""
    return is_our_figure(path) or "Matplotlib" in figure_text(path)


def figure_text(path: Path) -> str:
    """What a figure's file says of itself; of other files, nothing."""
    with path.open("rb") as file:
        content = file.read(LARGEST_FIGURE)
    return content.decode("latin-1") if content.startswith((b"\x89PNG", b"%PDF", b"<?xml", b"<svg")) else ""


def duration(seconds: float) -> str:
    """A time for people: 4,000 seconds -> 1 h 7 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes / 60 / 24:,.0f} days"
