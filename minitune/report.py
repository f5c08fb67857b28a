"""How results are shown: plain tables, and intervals over draws."""

from __future__ import annotations

import math
import statistics
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

from minitune.errors import UserError
from minitune.writing import write_safely

FIGURE_FORMATS = (".png", ".pdf", ".svg")

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
    if path.suffix not in FIGURE_FORMATS:
        raise UserError(f"{path} is no name for a figure; let it end in one of {', '.join(FIGURE_FORMATS)}")


def save_figure(figure, path: Path) -> None:
    """Write a matplotlib figure, whole or not at all, in the format that the path's ending names; and close it.

    Raises:
        UserError: it cannot be written.
    """
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for a letter that the font lacks
        write_safely(path, lambda file: figure.savefig(file, dpi=120, format=path.suffix[1:]))
    pyplot.close(figure)


def duration(seconds: float) -> str:
    """A time for people: 4,000 seconds -> 1 h 7 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes / 60 / 24:,.0f} days"
