"""`minitune bench`: what is measured, and the tables that it fills. A further row is a line of `TABLES`, and so is a
further table.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from tqdm import tqdm

from minitune.bench.chatting import chat_figures
from minitune.bench.comparing import comparing_figures
from minitune.bench.generation import generation_figures
from minitune.bench.measure import Figure, threads
from minitune.bench.models import CONFIGS
from minitune.bench.pretraining import own_text_figures, pretraining_figures
from minitune.bench.readers import SETTINGS
from minitune.bench.searching import search_figures
from minitune.bench.tuning import forward_figures, head_figures, step_figures
from minitune.report import table

THREADS = sorted({1, min(2, multiprocessing.cpu_count())})


class Table(NamedTuple):
    reading: str  # a sentence on how to read it
    rows: str  # what a row is
    columns: dict[str, str]  # the measures in their order, and what each is
    work: Sequence[Callable[[float], list[Figure]]]  # each gives figures, and is told for how many seconds to measure


TABLES = {
    "models": Table(
        "Pretraining and generation. Higher is better, except for memory; 1.20 times another rate is a fifth faster.",
        "model and work",
        {
            "tokens/s": "tokens that are learned from, or written, in a second",
            "times transformers": "our rate, divided by that of the library `transformers` at the same work",
            "of bare products": "our rate, divided by that of the matrix products of a training step and nothing else",
            "times uncached": "the rate of writing, divided by the rate without the key/value cache",
            "peak memory": "the most that the process held, PyTorch's own included",
        },
        [
            *(partial(pretraining_figures, kind, count) for kind in CONFIGS for count in THREADS),
            own_text_figures,
            *(partial(generation_figures, rows) for rows in (1, 16)),
        ],
    ),
    "tuning": Table(
        "Tuning, 16 texts of up to 30 tokens a step, one thread. More steps are better, and less time and less memory.",
        "model and method",
        {
            "times full": "steps in the time of one step of full fine-tuning",
            "times peft": "steps in the time of one step by the library `peft` (full and frozen: by `transformers`)",
            "last layer whole": "the same with our last layer computed whole, as theirs is, not only where it is read",
            "states kept": "steps of a head that reads its states once, in the time of one that reads each batch again",
            "forward": "time to read the texts with what was trained, divided by the time without it",
            "memory": "of gradients and optimizer",
            "bytes a number": "that memory, divided by the numbers trained: 4 for the gradient and 8 for AdamW are 12; "
            "less where BERT's heads of pretraining count as trained, which are not read here",
        },
        [
            work
            for kind in CONFIGS
            for work in (
                *(partial(step_figures, kind, what) for what in SETTINGS),
                partial(head_figures, kind),
                partial(forward_figures, kind),
            )
        ],
    ),
    "chatting": Table(
        "One stream of a chat, token by token, one thread. Higher is better; 1.00 is as fast as the model untuned.",
        "model and method",
        {
            "tokens/s": "tokens that are written in a second, the reading of the question included",
            "times base": "that rate, divided by the rate of the model as it was pretrained",
        },
        [chat_figures],
    ),
    "searching": Table(
        "Searching trigger words, 32 candidates of 3 tokens a round, one thread. Higher is better.",
        "model and examples",
        {
            "candidates/s": "candidates whose loss on the examples is known, in a second",
            "times one by one": "that rate, divided by the rate of one candidate after the other",
            "times forward": "that rate, divided by the rate of plain forward passes of as many texts",
        },
        [partial(search_figures, kind, examples) for kind in CONFIGS for examples in (4, 16)],
    ),
    "comparing": Table(
        "A comparison, method by method: search and training on 4 examples a class, one thread. Less is better.",
        "model and method",
        {"times full+head": "the time of the method, divided by that of `full+head` on the same draw"},
        [partial(comparing_figures, kind) for kind in CONFIGS],
    ),
}


def bench(seconds: float) -> dict[str, list[Figure]]:
    """The figures of each table, each measured for about `seconds`; one thread where the row says nothing else."""
    found: dict[str, list[Figure]] = {name: [] for name in TABLES}
    todo = [(name, work) for name, its in TABLES.items() for work in its.work]
    with threads(1):
        for name, work in tqdm(todo, "measuring", leave=False):
            found[name] += work(seconds)
    return found


def as_text(found: dict[str, list[Figure]]) -> str:
    return "\n\n".join(one_table(TABLES[name], figures) for name, figures in found.items())


def one_table(its: Table, figures: Sequence[Figure]) -> str:
    """How to read it, the table, and what the columns are; a column that nothing was measured for is left out."""
    cells = {(figure.row, figure.measure): str(figure) for figure in figures}
    rows = list(dict.fromkeys(figure.row for figure in figures))
    if unknown := {measure for _, measure in cells} - set(its.columns):
        raise KeyError(f"the table has no column for {', '.join(sorted(unknown))}")
    columns = [measure for measure in its.columns if any((row, measure) in cells for row in rows)]
    body = [[row, *(cells.get((row, measure), "") for measure in columns)] for row in rows]
    legend = [f"  {measure}: {its.columns[measure]}" for measure in columns]
    return "\n".join([its.reading, "", table([its.rows, *columns], body), "", *legend])


def as_json(found: dict[str, list[Figure]]) -> list[dict[str, object]]:
    return [
        {"name": figure.name, "value": figure.value, "unit": figure.unit}
        for figures in found.values()
        for figure in figures
    ]
