"""How much memory work takes: done once more in a process of its own, since one process cannot forget its largest
size.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable


def peak_memory(work: Callable[..., object], *arguments: object) -> float:
    """The most memory, in bytes, that a fresh process held while it did `work(*arguments)`, libraries included.

    The system counts a process from its parent's size on. So the parent is not this process, which may have grown
    large, but a small server that starts others.
    """
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        return pool.apply(after, (work, arguments))


def after(work: Callable[..., object], arguments: tuple) -> float:
    work(*arguments)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts in bytes, Linux in KB
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
