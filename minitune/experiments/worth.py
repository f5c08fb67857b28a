r"""How many examples one method is worth to another: the distance between two learning curves, measured sideways.

Accuracy against the number of examples n gives each method a curve. At a height a that both curves pass, the one needs
n(a) examples and the other m(a). What the first is worth is the mean over the common height [low, high]:

    examples    1/(high - low)  integral of  m(a) - n(a)  da
    times       exp of the same mean of  log m(a) - log n(a)

The examples are the paper's measure, and the larger sizes count most in it; the times say how many times as many the
other needs, wherever on the curve one stands. Below 0, and below 1, the other is in front.

A curve is the mean over draws. It lies straight between two sizes over log n, and it never falls: what a method has
reached with fewer examples counts with more as well. The interval comes from resampling the draws (the bootstrap).

Le Scao and Rush 2021, "How Many Data Points is a Prompt Worth?", section 4 (arXiv 2103.08493).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minitune.errors import UserError

STRIPS = 2000  # of the common height, in the integrals
Curve = Mapping[int, Sequence[float]]  # the accuracy of each draw, by the number of examples


@dataclass(frozen=True)
class Worth:
    """What one method is worth to another. An interval is (lowest, highest), and holds 95% of the resamples."""

    examples: float
    times: float
    height: tuple[float, float]  # common to both curves
    examples_interval: tuple[float, float]
    times_interval: tuple[float, float]
    resamples: int  # that had a height in common, and make the intervals


def worth(first: Curve, other: Curve, resamples: int = 1000, seed: int = 0) -> Worth:
    """How many more examples `other` needs to be as good as `first`.

    Args:
        first, other: with as many draws at each size, the same ones in the same order.

    Raises:
        UserError: the numbers of draws differ; the curves have no height in common, as where the one begins above the
            best of the other.
    """
    counts = {len(scores) for curve in (first, other) for scores in curve.values()}
    if len(counts) != 1:
        raise UserError(
            f"the curves have {sorted(counts)} draws at their sizes; each size needs as many, the same ones"
        )
    draws = counts.pop()
    curves = [(np.array(sorted(curve)), np.array([curve[size] for size in sorted(curve)])) for curve in (first, other)]
    height = common_height(*curves)
    if height is None:
        raise UserError(
            "the curves have no height in common, so no number of examples makes them equal; measure smaller or larger "
            "sizes"
        )
    random, found = np.random.default_rng(seed), []
    for _ in range(resamples):
        chosen = random.integers(draws, size=draws)  # the same for both: the draws are paired
        sampled = [(sizes, scores[:, chosen]) for sizes, scores in curves]
        if common_height(*sampled):
            found.append(sideways(*sampled))
    lows, highs = np.quantile(found, (0.025, 0.975), axis=0) if found else np.full((2, 2), np.nan)
    examples, times = sideways(*curves)
    intervals = [(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]
    return Worth(examples, times, height, *intervals, len(found))


def reached(curve: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The accuracy that is reached with at most so many examples: sizes (S,), draws (S, N) -> (S,)."""
    return np.maximum.accumulate(curve[1].mean(axis=1))


def common_height(first: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]):
    """From the higher start to the lower end of two curves; None, if the one ends below the other's start."""
    low = max(reached(curve)[0] for curve in (first, other))
    high = min(reached(curve)[-1] for curve in (first, other))
    return (float(low), float(high)) if low < high else None


def sideways(first: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """The mean distance between two curves over their common height: examples, times."""
    low, high = common_height(first, other)
    heights = low + (high - low) * (np.arange(STRIPS) + 0.5) / STRIPS  # the middle of each strip
    n, m = (np.interp(heights, reached(curve), np.log(curve[0])) for curve in (first, other))  # log examples
    return float((np.exp(m) - np.exp(n)).mean()), float(np.exp((m - n).mean()))
