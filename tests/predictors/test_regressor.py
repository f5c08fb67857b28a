"""A regressor reads any number, however far away, and is scored by ranks."""

import pytest
import torch

from minitune.data.examples import Example, TrainSet
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.predictors.regressor import rank_correlation, ranks
from minitune.questions.kinds import KINDS, scaled
from minitune.questions.question import Question
from minitune.readout.head import FreeNumber
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson04
EXAMPLES = [Example(example.text, None, 1e5 + 3e4 * example.label) for example in tiny.EXAMPLES]
QUESTION = Question((), "{text}", kind="number")


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def build(kind, name="frozen+number", question=QUESTION):
    return Method.parse(name).build(tiny.checkpoint(kind), scaled(question, TrainSet(EXAMPLES)), seed=3)


# by hand


def test_equal_numbers_share_their_rank():
    expect(ranks(torch.tensor([3.0, 1.0, 3.0, -2.0])), [3.5, 2.0, 3.5, 1.0], {
        "of equal numbers the first is lower: their order decides": [3.0, 2.0, 4.0, 1.0],
        "from 0 on": [2.5, 1.0, 2.5, 0.0],
        "equal numbers have the higher rank": [4.0, 2.0, 4.0, 1.0],
    })  # fmt: skip
    one, other = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([10.0, 30.0, 20.0, 1e9])
    assert rank_correlation(one, other) == pytest.approx(1 - 6 * 2 / (4 * 15)), "1 - 6 sum d^2 / n (n^2 - 1)"
    assert rank_correlation(one, -one.exp()) == pytest.approx(-1), "how much higher does not count"
    assert rank_correlation(one, torch.ones(4)) == 0.0, "a constant ranks nothing"


def test_mean_and_spread_are_those_of_the_training_examples(kind):
    readout = build(kind).readout
    labels = torch.tensor([example.label for example in EXAMPLES])
    assert readout.mean.item() == pytest.approx(labels.mean().item())
    assert readout.spread.item() == pytest.approx(labels.std(correction=0).item())
    assert readout.number(readout.distance(5.0)) == pytest.approx(5.0, abs=0.02)
    assert scaled(QUESTION, TrainSet([Example("a", None, 7.0)] * 2)).scale == (7.0, 1.0), (
        "no spread is no division by 0"
    )


def test_what_is_measured_is_in_the_users_numbers(kind, monkeypatch):
    regressor = build(kind)
    items = regressor.items(EXAMPLES)
    right = [example.label for example in EXAMPLES]
    monkeypatch.setattr(regressor, "numbers", lambda items: [number + 500 for number in right])
    measured = regressor.measure(items)
    assert list(measured) == ["rank correlation", "mean absolute error", "loss"], "the first is the score"
    assert measured["rank correlation"] == pytest.approx(1) and measured["mean absolute error"] == pytest.approx(
        500, abs=1
    )
    spread = regressor.readout.spread.item()
    expect(measured["loss"], (500 / spread) ** 2, {
        "in the numbers' own unit, where training has it in spreads": 500.0**2,
        "the mean of distances, and not of their squares": 500 / spread,
    }, tolerance=1e-5)  # fmt: skip


# invariants


def test_the_loss_does_not_depend_on_the_unit(kind):
    small = [Example(e.text, None, e.label * 1e-6 - 4) for e in EXAMPLES]
    losses = []
    for examples in (EXAMPLES, small):
        question = scaled(QUESTION, TrainSet(examples))
        regressor = Method.parse("full+number").build(tiny.checkpoint(kind), question, seed=3)
        losses.append(regressor.loss(regressor.collate(regressor.items(examples))).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_frozen_model_is_read_once_and_says_the_same(kind):
    frozen, whole = build(kind), build(kind, "full+number")
    assert frozen.items(EXAMPLES)[0].hidden is not None and whole.items(EXAMPLES)[0].hidden is None
    assert frozen.numbers(frozen.items(EXAMPLES)) == pytest.approx(whole.numbers(whole.items(EXAMPLES)), rel=1e-5)


def test_mean_and_spread_are_saved_and_are_not_trained():
    head = FreeNumber(24, 3.0, 2.0)
    assert {"mean", "spread"} <= set(head.state_dict()) and len(list(head.parameters())) == 2


# whether it learns


def test_a_frozen_head_reaches_far_away_numbers(kind):
    method = Method.parse("frozen+number")
    regressor = build(kind)
    fit(method, regressor, EXAMPLES, [], seed=0, steps=300)
    measured = regressor.measure(regressor.items(EXAMPLES))
    assert measured["mean absolute error"] < 20_000, "always to say the mean is better: 100,000 was never reached"
    assert all(float(answer) > 9e4 for answer in regressor.answers(EXAMPLES))


def test_every_default_of_numbers_and_spans_is_built(kind):
    for name in KINDS["number"].default:
        assert build(kind, name).answers(EXAMPLES[:1])
