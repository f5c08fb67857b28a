"""Default learning rates: each is the best of the committed sweeps of another world, and nobody's guess."""

import json
import statistics
from collections import defaultdict

import pytest

from minitune.files import shared
from minitune.methods.method import Method
from minitune.methods.rates import RATES, default_rate
from minitune.methods.what import WHAT

pytestmark = pytest.mark.lesson04
TASKS = ("sentiment", "rating")
HAS_NONE = {("frozen", "verbalizer"), ("output", "head")}  # nothing to train, and nothing that is read


def swept(kind: str) -> dict[str, dict[float, float]]:
    """For each method the score at each rate: the mean over both tasks of the mean over draws."""
    scores = defaultdict(lambda: defaultdict(list))
    for task in TASKS:
        files = sorted((shared("lessons") / "results").glob(f"rates-{kind}-{task}*.json"))
        for row in (row for file in files for row in json.loads(file.read_text())["rows"]):
            if None not in row["scores"]:
                scores[row["method"]][row["rate"]].append(statistics.fmean(row["scores"]))
    return {
        method: {rate: statistics.fmean(both) for rate, both in rates.items() if len(both) == len(TASKS)}
        for method, rates in scores.items()
    }


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_each_default_is_the_best_rate_of_the_sweeps(kind):
    found = swept(kind)
    for what in WHAT:
        for read in ("head", "verbalizer"):
            if (what, read) in HAS_NONE:
                continue
            means = found[f"{what}+{read}"]
            best = max(means, key=lambda rate: (round(means[rate], 9), -rate))
            default = default_rate(what, kind, read == "verbalizer")
            assert default == best, f"{what}+{read} with {kind}: {default} is set, and {best} did best: {means}"


def test_every_method_has_a_rate_and_no_other_has():
    assert list(RATES) == list(WHAT)
    assert all(len(rates) == 4 and all(0 < rate < 1 for rate in rates) for rates in RATES.values())


def test_a_rate_that_is_given_goes_before_the_default():
    assert Method.parse("lora", {"lr": 0.5}).changes["lr"] == 0.5 and "lr" not in Method.parse("lora").changes
    assert (
        default_rate("lora", "gpt", True) == RATES["lora"][3]
        and default_rate("lora", "bert", False) == RATES["lora"][0]
    )
