"""What a pretraining run is going to do, said before it begins: what it reads, how often, how long, in how much memory,
and whether that can be enough."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from minitune.data.texts import counted
from minitune.models.build import SIZES
from minitune.report import duration, size
from minitune.training.pretrain import CONTEXT, Pretraining
from minitune.training.run import Run

# When pretraining is of use, as far as our trials tell, with BERTs of the size micro. Two lines between what failed and
# what did not, no more exact than the gaps between the trials:
# - On a text of 128,000 words (reviews of films, SST-2) no length of training helped the tasks; on 2.5 million words
#   and more (AG News; the toy world) it did.
# - On AG News 1,570 steps, about 3 million tokens, gained nothing over random weights (0.41 against 0.38 with 16
#   examples a class), and 8,687 steps, about 16 million, 40 points (0.79). In the toy world BERTs left chance between
#   3 and 11 million tokens.
ENOUGH_TEXT = 500_000  # tokens
ENOUGH_READ = 5_000_000  # tokens, those that are read again counted again
LATER = 1e8  # bytes: what is loaded for the report's figure


def plan(work: Pretraining, run: Run, per_step: float | None) -> list[str]:
    """In a few lines.

    Args:
        per_step: seconds, where they were measured.
    """
    texts, read = work.texts, work.tokens_per_step * run.steps
    cut = f"; {counted(texts.cut, 'text')} longer than the context cut into pieces of it" if texts.cut else ""
    parameters = sum(p.numel() for p in work.model.parameters())
    time = f", about {duration(per_step * run.steps)}" if per_step else ""
    return [
        f"{counted(len(texts.ids), 'token')} of {len(work.tokenizer):,} kinds{cut}",
        f"{run.kind} {run.size}: {counted(parameters, 'parameter')}, a context of {CONTEXT} tokens; about "
        f"{size(max(most_held(), held() + training_memory(work, run) + LATER))} of memory",
        f"{counted(run.steps, 'step')} of {work.tokens_per_step:,.0f} tokens, {millions(read)} in all: the text "
        f"{times(run.steps / work.batches.per_epoch)}{time}",
        *warnings(len(texts.ids), read, run.steps),
    ]


def warnings(tokens: int, read: float, steps: int) -> list[str]:
    """What is too little to be of use; training goes on all the same.

    Args:
        tokens: of the text.
        read: tokens in all.
    """
    found = []
    if tokens < ENOUGH_TEXT:
        found.append(
            f"warning: {counted(tokens, 'token')} of text are few; in our trials one of 128,000 words helped no task, "
            f"however long the training, and less than about {ENOUGH_TEXT:,} tokens promise little"
        )
    if read < ENOUGH_READ:
        enough = math.ceil(ENOUGH_READ / max(1, read / steps))
        found.append(
            f"warning: {millions(read)} are few to read; in our trials less than about {millions(ENOUGH_READ)} gained "
            f"nothing over random weights: --steps {enough} would read so many"
        )
    return found


def millions(tokens: float) -> str:
    return f"{tokens:,.0f} tokens" if tokens < 1e5 else f"{tokens / 1e6:,.1f} million tokens"


def times(passes: float) -> str:
    """How often a text is read."""
    return f"{passes:,.1f} times" if passes >= 1 else f"in part, {passes:.1%} of it"


def most_held() -> float:
    """Bytes that this process has held at the most so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts in bytes
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def held() -> float:
    """Bytes that this process holds now, or where only that is told, has held at the most."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * float(os.sysconf("SC_PAGE_SIZE")) if statm.exists() else most_held()


def training_memory(work: Pretraining, run: Run) -> float:
    """Bytes, by a formula: of each weight its gradient and the optimizer's two means, twice while they are saved; of
    each token what a block keeps for the way back, and its scores of all words, of which three tables are held."""
    shape, tokens = SIZES[run.size], work.tokens_per_step
    weights = sum(p.numel() for p in work.model.parameters()) * 5
    block = 14 * shape["width"] + 3 * shape["inner"] + 2 * shape["heads"] * CONTEXT
    guessed = tokens if run.kind == "gpt" else 0.35 * tokens
    return 4.0 * (weights + tokens * shape["layers"] * block + 3 * guessed * len(work.tokenizer))
