"""The time of a comparison by method: what a row of `minitune compare` takes, from the draw to the trained method."""

from __future__ import annotations

from functools import partial

from minitune.bench.measure import Figure, in_turn, ratio
from minitune.experiments.experiment import learn
from minitune.methods.method import Method
from minitune.questions.from_task import task_data
from minitune.training.checkpoint import load_checkpoint

REFERENCE = "full+head"
METHODS = (  # one for each kind of work
    "frozen+head",
    "full+verbalizer",
    "lora+verbalizer",
    "prefix-tuning+head",
    "full@manual+prototypes",
    "full+petal",
    "full+lm-bff",
    "frozen@autoprompt+verbalizer",
    "pet",
)
SHOTS = 4  # examples a class


def comparing_figures(kind: str, seconds: float) -> list[Figure]:
    """Each method's time on one draw of `sentiment`, divided by that of `full+head` on the same."""
    checkpoint = load_checkpoint(kind)
    dataset, question = task_data("sentiment").for_model(checkpoint)
    jobs = {
        name: partial(learn, Method.parse(name), checkpoint, question, dataset, SHOTS, 0)
        for name in (REFERENCE, *METHODS)
    }
    times = in_turn(jobs, seconds)
    return [
        Figure(f"{kind} {name}", "times full+head", ratio(times[name], times[REFERENCE]), "times") for name in METHODS
    ]
