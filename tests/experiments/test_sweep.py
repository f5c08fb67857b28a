"""A sweep: the same draws at every rate, scored on dev, the test untouched."""

import math

import pytest

from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.experiments import experiment
from minitune.experiments.sweep import Swept, best_rates, sweep, sweep_table
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson04
POOL = tuple(Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread")
             for label, how in enumerate(("awful", "slow", "great")))  # fmt: skip
DEV = tuple(Example(f"a {how} film", label=label) for label, how in enumerate(("dull", "sad", "clever")))
DATA = Dataset("toy", tiny.LABELS, POOL, (), DEV)  # no test at all: a sweep that looks at it fails


def run(names=("frozen+head",), rates=(0.01, 0.1), dataset=DATA, **more):
    methods = [Method.parse(name, ["steps=3"]) for name in names]
    return sweep(
        dataset, tiny.checkpoint("bert"), tiny.question("bert"), methods, rates, **({"shots": 2, "seeds": 2} | more)
    )


# shapes


def test_a_row_for_each_method_and_rate_with_a_score_for_each_draw():
    found = run(("frozen+head", "full+verbalizer"), (0.1, 0.01, 0.001))
    assert [(s.method, s.rate) for s in found] == [
        (name, rate) for name in ("frozen+head", "full+verbalizer") for rate in (0.1, 0.01, 0.001)
    ]
    assert all(len(s.scores) == 2 and all(0 <= score <= 1 for score in s.scores) for s in found)


# by hand


FOUND = [
    Swept("a", 0.1, [0.5, 0.7]),
    Swept("a", 0.01, [0.6, 0.8]),
    Swept("a", 0.001, [0.9, math.nan]),
    Swept("b", 0.1, [0.4, 0.4]),
    Swept("b", 0.01, [0.4, 0.4]),
    Swept("c", 0.1, [math.nan, math.nan]),
    Swept("c", 0.01, [math.nan, math.nan]),
]


def test_the_best_rate_has_the_highest_mean_and_never_blew_up():
    assert FOUND[1].mean == pytest.approx(0.7)
    expect(best_rates(FOUND)["a"], 0.01, {
        "a rate that blew up in one draw is no good rate": 0.001, "the first rate, whatever its scores": 0.1,
    })  # fmt: skip
    assert "c" not in best_rates(FOUND), "a method that blew up at every rate has a best one"


def test_of_equal_rates_the_lowest():
    for order in (FOUND, FOUND[::-1]):
        expect(best_rates(order)["b"], 0.01, {"of equals the highest rate: the next step up may blow up": 0.1})


def test_the_table_marks_the_best():
    lines = sweep_table([s for s in FOUND if s.rate != 0.001]).splitlines()
    assert lines[0].split() == ["method", "0.01", "0.1"]
    assert lines[2].split() == ["a", "0.700*", "0.600"] and lines[4].split() == ["c", "nan", "nan"]


# invariants


def test_every_rate_and_method_sees_the_same_draws_and_the_rate_is_the_one_in_the_row(monkeypatch):
    seen = []

    def spy(method, predictor, train_set, dev, seed, steps):
        seen.append((method.name, method.changes["lr"], seed, tuple(train_set), tuple(dev)))
        config = method.training(predictor, 100, seed)
        expect(config.lr, method.changes["lr"])
        expect(config.steps, 3, {"the other settings of the method are lost beside the rate": 100})
        return fit(method, predictor, train_set, dev, seed)

    monkeypatch.setattr(experiment, "fit", spy)
    run(("frozen+head", "norms"))
    draws = {(name, rate): [row[2:] for row in seen if row[:2] == (name, rate)] for name, rate, *_ in seen}
    assert len(draws) == 4 and len({str(rows) for rows in draws.values()}) == 1, (
        "the rates were not compared on equal draws"
    )
    assert [row[0] for row in draws["norms", 0.1]] == [0, 1]
    one, two = (row[1] for row in draws["norms", 0.1])
    assert one != two


def test_the_score_is_of_the_tasks_dev_set_and_not_of_the_draws(monkeypatch):
    judged = []
    real = Method.build

    def build(self, *args, **rest):
        predictor = real(self, *args, **rest)
        items = predictor.items
        predictor.items = lambda examples: judged.append(tuple(examples)) or items(examples)
        return predictor

    monkeypatch.setattr(Method, "build", build)
    run(rates=(0.1,), seeds=1)
    assert not set(judged[-1]) & set(POOL), "the draw's small dev set judges, which has chosen the weights already"
    assert judged[-1] == DEV
    judged.clear()
    run(rates=(0.1,), seeds=1, dataset=Dataset("toy", tiny.LABELS, POOL, ()))
    assert set(judged[-1]) < set(POOL), "without a dev set the draw's own is what there is"


def test_the_same_sweep_gives_the_same_scores():
    assert run(("lora",)) == run(("lora",))


def test_a_rate_that_blows_up_is_no_number_and_the_others_go_on():
    methods = [Method.parse("full+head", ["steps=4", "warmup=0", "clip=1e30"])]
    found = sweep(DATA, tiny.checkpoint("bert"), tiny.question("bert"), methods, (1e-3, 1e30), shots=2, seeds=1)
    assert not math.isnan(found[0].mean) and math.isnan(found[1].mean)
    assert best_rates(found) == {"full+head": 1e-3} and "nan" in sweep_table(found)


# what is refused


def test_a_method_that_trains_nothing_is_refused():
    with pytest.raises(UserError, match="zero-shot has nothing to train"):
        run(("frozen+head", "zero-shot"))


def test_any_other_mistake_is_passed_on():
    with pytest.raises(UserError, match="lower --shots"):
        run(shots=5)
    with pytest.raises(UserError, match="has no blank"):
        run(("full@bare+verbalizer",))
