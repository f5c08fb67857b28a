"""One seed, many streams of random numbers: an epoch has its own, and so has a round of a search.

    stream(seed, number)    drawn from seed * 100,003 + number

Not from seed + number: the second epoch of seed 0 would then be the first of seed 1, and ten draws of an experiment
would share nearly all that is random in them.
"""

from __future__ import annotations

import torch

APART = 100_003  # a prime; streams of two seeds meet only where one of them has a number as large


def stream(seed: int, number: int) -> torch.Generator:
    """The random numbers of one part of what a seed decides, whatever the other parts have drawn.

    Args:
        seed: from 0 to below 2^63.
        number: of the part, from 0.
    """
    return torch.Generator().manual_seed((seed * APART + number) % 2**64)
