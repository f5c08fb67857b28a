"""The methods in words: the tables of `minitune methods`, and the settings of one method."""

from __future__ import annotations

from collections.abc import Sequence

from minitune.methods.asked import ASKED
from minitune.methods.method import NAMED, Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.report import table
from minitune.settings import settings_of
from minitune.training.loop import TrainConfig
from minitune.tuning.rates import RATES

BY_CASE = ("steps=", "lr=", "evaluate_every=", "seed=")  # settings without one default; the seed is an option
CALIBRATED = "0: after any of these, of classes: what it answers to a text that says nothing is taken off (lesson 10)"


def method_help(name: str) -> str:
    """What a method is, and every setting that --set takes, with its default.

    Raises:
        UserError: an unknown method.
    """
    method = Method.parse(name)
    what = WHAT[method.what]
    lines = [f"{method.name}: lesson {what.lesson}, {what.paper}; trains {formula(method.what)}", ""]
    own = [setting for config in method.configs for setting in settings_of(config)]
    lines += ["--set, of the method:"] + [f"  {line}" for line in own or ["nothing"]]
    lines += ["--set, of the training (steps: by default 10 epochs, from 100 to 1000; lr: as in the table below;"]
    lines += ["evaluate_every: by default a tenth of the steps):"]
    lines += [f"  {line}" for line in settings_of(TrainConfig()) if not line.startswith(BY_CASE)]
    return "\n".join([*lines, "", rates_table([method.what])])


def rates_table(names: Sequence[str]) -> str:
    """The default learning rate of each method, by what it is used with."""
    rows = [[name, *(f"{rate:g}" for rate in RATES[name])] for name in names]
    return table(["learning rate", "BERT, a head", "BERT, words", "GPT, a head", "GPT, words"], rows)


def formula(what: str) -> str:
    """How many numbers a method trains: the first sentence of its count's docstring."""
    return " ".join((WHAT[what].count.__doc__ or "").split("\n\n")[0].split()).rstrip(".")


def methods_table() -> str:
    """A table for each of the three questions: what@asked+read."""
    what = [[name, f"{row.lesson:02}", row.paper, formula(name)] for name, row in WHAT.items()]
    header = ["what may change", "lesson", "paper", "trains"]
    letters = "D width, L layers, I inner width, V vocabulary, P length of a prompt, k layers, r rank, C classes"
    asked = [[name, its.template.__doc__.rstrip(".")] for name, its in ASKED.items()]
    read = [[name, (its.search or its.readout).__doc__.rstrip(".")] for name, its in READ.items()]
    read.append(["... +calibrated", CALIBRATED])
    others = [
        table(["how it is asked", ""], asked),
        table(["how the answer is read", ""], read),
        table(["a name for a whole method", ""], [list(pair) for pair in NAMED.items()]),
    ]
    return "\n\n".join([table(header, what), f"({letters})", *others, rates_table(list(WHAT))])
