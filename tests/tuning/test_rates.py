"""Default learning rates: each is the best of the committed sweeps of another world, and nobody's guess."""

import json
import statistics
from collections import defaultdict

import pytest

from minitune.files import shared
from minitune.methods.method import Method
from minitune.methods.what import WHAT
from minitune.tuning.rates import RATES, default_rate

pytestmark = pytest.mark.lesson04
NEAR, FAR = "sentiment", "rating"  # to what the models were pretrained on
HARM = 0.02  # of accuracy that may be lost on the near task for the far one's sake
HAS_NONE = {("frozen", "verbalizer"), ("output", "head")}  # nothing to train, and nothing that is read


def swept(kind: str, task: str) -> dict[str, dict[float, float]]:
    """For each method, its mean dev score over draws at each rate."""
    scores = defaultdict(dict)
    for file in sorted((shared("lessons") / "results" / "default_rates").glob(f"{kind}-{task}*.json")):
        for row in json.loads(file.read_text())["rows"]:
            if None not in row["scores"]:  # at this rate it blew up
                scores[row["method"]][row["rate"]] = statistics.fmean(row["scores"])
    return scores


def best_rate(near: dict[float, float], far: dict[float, float]) -> float:
    """Of the rates that lose little on the near task, the best on the far one; of equals the lowest."""
    harmless = [rate for rate in near if rate in far and near[rate] >= max(near.values()) - HARM - 1e-9]
    return max(harmless, key=lambda rate: (round(far[rate], 9), -rate))


def test_the_best_rate_by_hand():
    near = {0.001: 0.90, 0.003: 0.89, 0.01: 0.87}
    assert best_rate(near, {0.001: 0.4, 0.003: 0.5, 0.01: 0.9}) == 0.003, "0.01 loses 3 points on the near task"
    assert best_rate(near, {0.001: 0.5, 0.003: 0.5, 0.01: 0.9}) == 0.001


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_each_default_is_the_best_rate_of_the_sweeps(kind):
    near, far = swept(kind, NEAR), swept(kind, FAR)
    for what in WHAT:
        for read in ("head", "verbalizer"):
            if (what, read) in HAS_NONE:
                continue
            name = f"{what}+{read}"
            best, default = best_rate(near[name], far[name]), default_rate(what, kind, read == "verbalizer")
            assert default == best, f"{name} with {kind}: {default} is set, and {best} did best"


def test_every_method_has_a_rate_and_no_other_has():
    assert list(RATES) == list(WHAT)
    assert all(len(rates) == 4 and all(0 < rate < 1 for rate in rates) for rates in RATES.values())


def test_a_rate_that_is_given_goes_before_the_default():
    assert Method.parse("lora", {"lr": 0.5}).changes["lr"] == 0.5 and "lr" not in Method.parse("lora").changes
    assert (
        default_rate("lora", "gpt", True) == RATES["lora"][3]
        and default_rate("lora", "bert", False) == RATES["lora"][0]
    )
