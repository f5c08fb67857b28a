"""Fitting: the same few lines train every method."""

import pytest
import torch

from minitune.errors import UserError
from minitune.methods import fitting
from minitune.methods.fitting import BATCH_SIZE, fit, steps_for
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.training import loop
from minitune.tuning.rates import default_rate
from minitune.tuning.trained import trainable
from tests import tiny
from tests.naming import expect
from tests.tiny import EXAMPLES

pytestmark = [pytest.mark.lesson04, pytest.mark.lesson06]


def build(name, *settings, kind="bert"):
    method = Method.parse(name, settings)
    return method, method.build(tiny.checkpoint(kind), tiny.question(kind), seed=0)


# by hand


@pytest.mark.parametrize(
    ("examples", "steps"), [(1, 100), (32, 100), (160, 100), (161, 100), (320, 200), (1600, 1000), (9999, 1000)]
)
def test_steps_are_a_hundred_or_ten_epochs_up_to_a_thousand(examples, steps):
    assert steps_for(examples) == steps and BATCH_SIZE == 16


def test_a_look_at_dev_ten_times_and_the_best_weights_stay(monkeypatch):
    method, predictor = build("frozen+head", "steps=20", "lr=0.05")
    looks = iter([0.1, 0.7, 0.2, 0.7, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3])
    kept = []

    def measure(items):
        kept.append(predictor.readout.linear.weight.detach().clone())
        return {"accuracy": next(looks), "loss": 1.0}

    monkeypatch.setattr(predictor, "measure", measure)
    history = fit(method, predictor, EXAMPLES, EXAMPLES[:2], seed=0)
    assert [step for step, _ in history.scores] == list(range(2, 21, 2)) and len(history.losses) == 20
    assert torch.equal(predictor.readout.linear.weight, kept[3]), "of two equal looks the later one stays, not the last"
    assert history.best() == 0.7


def test_a_zero_shot_method_is_left_as_it_is():
    method, predictor = build("zero-shot")
    before = predictor.scores(EXAMPLES)
    history = fit(method, predictor, EXAMPLES, EXAMPLES, seed=0)
    assert history.losses == [] and history.scores == [] and torch.equal(predictor.scores(EXAMPLES), before)


def test_without_a_dev_set_the_last_weights_stay():
    method, predictor = build("frozen+head", "steps=4")
    history = fit(method, predictor, EXAMPLES, [], seed=0)
    assert history.scores == [] and len(history.losses) == 4


def test_steps_come_from_the_setting_then_the_argument_then_the_examples():
    assert len(fit(*build("frozen+head", "steps=3"), EXAMPLES, [], seed=0, steps=5).losses) == 3
    assert len(fit(*build("frozen+head"), EXAMPLES, [], seed=0, steps=5).losses) == 5


# invariants


def rates_of(monkeypatch, name, *settings):
    """What reaches the loop: the rates by parameter, and the step hook."""
    seen = {}

    def train(module, batch_at, config, **rest):
        seen.update(rest, names=[name for name, _ in module.named_parameters()])
        return loop.History()

    monkeypatch.setattr("minitune.methods.fitting.train", train)
    fit(*build(name, "steps=8", *settings), EXAMPLES, [], seed=0)
    return seen


def test_layerwise_rates_belong_to_the_parameters_of_what_is_trained(monkeypatch):
    """A name that the loop does not find is a rate of 1, and nobody would see it."""
    seen = rates_of(monkeypatch, "layerwise+head", "decay=0.5")
    missing = {name for name in seen["names"] if name.startswith("model.")} ^ set(seen["rates"])
    assert not missing, f"no rate by the name of {sorted(missing)[:2]}: the loop knows the predictor module's names"
    expected = {"blocks.1": 1.0, "blocks.0": 0.5, "token_embedding": 0.25, "pooler": 1.0}
    for part, rate in expected.items():
        assert {r for name, r in seen["rates"].items() if name.startswith(f"model.{part}")} == {rate}, part
    assert "readout.linear.weight" not in seen["rates"], "the head learns at the whole rate"
    assert rates_of(monkeypatch, "full+head")["rates"] == {}


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_read_out_with_a_rate_of_its_own_has_it_whatever_the_methods_rate(kind, monkeypatch):
    """The loop is given parts of the method's rate: 3e-3 is three times the 1e-3 of full tuning of a BERT."""
    seen = {}
    monkeypatch.setattr(
        "minitune.methods.fitting.train", lambda module, batch_at, config, **rest: seen.update(rest) or loop.History()
    )
    method, predictor = build("full+probe", "steps=8", kind=kind)
    fit(method, predictor, EXAMPLES, [], seed=0)
    own, whole = READ["probe"].rate[kind], method.rate(predictor)
    assert own != whole
    for name, part in seen["rates"].items():
        assert name.startswith("readout.")
        expect(part * whole, own, {
            "the rate itself is given, and taken as a part of the method's": own * whole,
            "the read-out learns at the method's rate": whole,
        })  # fmt: skip
    assert len(seen["rates"]) == 2


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_rate_is_the_read_outs_where_nothing_else_trains_and_else_the_methods(kind):
    for read in ("soft", "probe", "prototypes"):
        row = READ[read]
        for what in ("frozen", "full", "lora"):
            method, predictor = build(f"{what}+{read}", kind=kind)
            of_method = default_rate(what, kind, predictor.reads_words)
            alone = (row.alone or row.rate)[kind]
            right = alone if what == "frozen" else of_method
            wrong = {"the read-out's own": alone, "the method's": of_method}
            wrong = {cause: value for cause, value in wrong.items() if value != right}
            expect(method.rate(predictor), right, wrong)


def test_the_dev_set_is_what_the_weights_are_chosen_by_and_the_seed_what_the_batches_follow(monkeypatch):
    method, predictor = build("frozen+head", "steps=10")
    looked, batches = [], []
    monkeypatch.setattr(predictor, "measure", lambda items: looked.append(len(items)) or {"accuracy": 0.0, "loss": 1.0})
    real = fitting.ExampleBatches
    monkeypatch.setattr(fitting, "ExampleBatches", lambda *its: batches.append(its[2:]) or real(*its))
    fit(method, predictor, EXAMPLES, EXAMPLES[:2], seed=8)
    expect(looked[0], 2, {"the weights are chosen by the examples that they were trained on": 6})
    expect(batches[0], (BATCH_SIZE, 8), {"all draws have the batches of seed 0": (BATCH_SIZE, 0)})


def test_a_layer_of_half_the_rate_moves_half_as_far():
    """AdamW's first step is as long as the rate, whatever the gradient."""
    method, predictor = build("layerwise+head", "steps=1", "lr=0.001", "decay=0.25", "weight_decay=0", "warmup=0")
    before = {name: p.detach().clone() for name, p in predictor.named_parameters()}
    fit(method, predictor, EXAMPLES, [], seed=0)
    moved = {name: (p - before[name]).abs().max().item() for name, p in predictor.named_parameters()}
    for layer, rate in (("blocks.1", 1), ("blocks.0", 0.25)):
        found = moved[f"model.{layer}.mlp.up.weight"]
        assert found == pytest.approx(0.001 * rate, rel=1e-2), f"{layer} moved by {found}"


def test_gradual_unfreezing_starts_at_the_top_and_leaves_all_on():
    method, predictor = build("gradual+head", "steps=1", "lr=0.01")
    before, declared = {n: p.detach().clone() for n, p in predictor.named_parameters()}, set(trainable(predictor))
    fit(method, predictor, EXAMPLES, [], seed=0)
    moved = {name for name, p in predictor.named_parameters() if not torch.equal(p, before[name])}
    assert moved and all(name.startswith(("model.blocks.1", "model.pooler", "readout")) for name in moved)
    assert set(trainable(predictor)) == declared, "what was not unfrozen yet is lost when it is saved"


@pytest.mark.parametrize("what", [what for what in WHAT if what not in ("full", "layerwise", "gradual", "frozen")])
def test_a_part_with_nothing_to_train_stays_in_eval_mode(what, monkeypatch):
    """Dropout of a frozen base would be noise that nothing learns from."""
    monkeypatch.setattr("minitune.tuning.prefix_tuning.FIT_STEPS", 2)
    method, predictor = build(what, "steps=1")
    modes = {}
    loss = predictor.loss

    def watched(batch):
        modes.update({name: part.training for name, part in predictor.named_modules()})
        return loss(batch)

    monkeypatch.setattr(predictor, "loss", watched)
    fit(method, predictor, EXAMPLES, [], seed=0)
    for name, part in predictor.named_modules():
        has = list(part.parameters())
        if has and not any(p.requires_grad for p in has):
            assert not modes[name], f"{name} is frozen and in training mode"
    assert not predictor.training


def test_a_rate_that_blows_up_is_one_sentence():
    with pytest.raises(UserError, match=r"lower the learning rate \(it is 1e\+30\)"):
        fit(*build("full+head", "lr=1e30", "warmup=0", "clip=1e30", "steps=9"), EXAMPLES, [], seed=0)
