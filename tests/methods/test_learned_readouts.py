"""Lesson 17, in methods: soft, probe and prototypes with any answer to the other two questions, saved and opened."""

import copy
from dataclasses import replace

import pytest
import torch

from minitune.data.examples import Dataset, DevSet, Example, TrainSet
from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.several import all_methods
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import load_checkpoint, save_checkpoint
from minitune.tuned.tuned import open_tuned, tune
from minitune.tuning.trained import trainable
from tests import tiny

pytestmark = pytest.mark.lesson17
POOL = [Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread")
        for label, how in enumerate(("awful", "slow", "great"))]  # fmt: skip
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:3])
DECLARED = {
    "soft": {"readout.classes"},
    "probe": {"readout.linear.weight", "readout.linear.bias"},
    "prototypes": {"readout.project", "readout.prototypes"},
}
SETTINGS = {"soft": ["classes_from=random"], "prototypes": ["size=5"]}


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


@pytest.mark.parametrize("read", DECLARED)
def test_what_trains_is_what_is_declared(read, kind):
    method = Method.parse(f"frozen@manual+{read}", ["steps=3"])
    predictor = method.build(tiny.checkpoint(kind), tiny.question(kind), 0)
    before = copy.deepcopy(predictor.state_dict())
    fit(method, predictor, TrainSet(POOL), DevSet(), seed=0)
    moved = {name for name, tensor in predictor.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == DECLARED[read] == set(trainable(predictor)), (
        "other parameters than the declared ones moved, or one of them did not: is the model's output frozen, and is "
        "the start a copy?"
    )


@pytest.mark.parametrize("read", DECLARED)
def test_a_frozen_model_trains_the_read_out_at_its_own_rate(read, kind):
    method = Method.parse(f"frozen+{read}", ["steps=1", "warmup=0"])
    assert method.asked == "manual", "what is read at the blank needs a template"
    predictor = method.build(tiny.checkpoint(kind), tiny.question(kind), 0)
    assert method.training(predictor, 10, seed=0).lr == (READ[read].alone or READ[read].rate)[kind]
    given = replace(method, changes={**method.changes, "lr": 0.5})
    before = {name: p.detach().clone() for name, p in trainable(predictor).items()}
    fit(given, predictor, TrainSet(POOL), DevSet(), seed=0)
    steps = [(p - before[name]).abs().max().item() for name, p in trainable(predictor).items()]
    assert steps == pytest.approx([0.5] * len(steps), rel=0.05), "AdamW's first step is the rate: another one was taken"


@pytest.mark.parametrize(("read", "expected"), [("soft", 0.02), ("prototypes", 0.02 * 1e-2 / 3e-4)])
def test_beside_a_model_that_trains_what_starts_as_words_has_its_rate_and_what_is_new_its_own(read, expected):
    method = Method.parse(f"full@manual+{read}", ["steps=1", "warmup=0", "lr=0.02", "clip=1000"])
    predictor = method.build(tiny.checkpoint("gpt"), tiny.question("gpt"), 0)
    before = {name: p.detach().clone() for name, p in predictor.named_parameters()}
    fit(method, predictor, TrainSet(POOL), DevSet(), seed=0)
    steps = {name: (p - before[name]).abs().max().item() for name, p in predictor.named_parameters()}
    assert steps["model.norm.weight"] == pytest.approx(0.02, rel=0.05)
    assert all(steps[name] == pytest.approx(expected, rel=0.05) for name in DECLARED[read])


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_training_goes_on_in_training_mode_after_a_look_at_dev(dropout):
    """The authors' code for prototypes sets eval mode and stays there."""
    method = Method.parse("full@manual+prototypes")
    predictor = method.build(tiny.checkpoint("bert"), tiny.question("bert"), 0)
    predictor.model.dropout.p = dropout
    predictor.train()
    predictor.loss(predictor.collate(predictor.items(POOL)))
    predictor.measure(predictor.items(POOL))
    assert predictor.training and predictor.model.training and predictor.readout.training, "dropout is off from now on"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("frozen@manual+soft", "gpt"),
        ("lora@manual+soft", "bert"),
        ("prefix-tuning@manual+soft", "gpt"),
        ("frozen@manual+probe+calibrated", "bert"),
        ("prompt-tuning@manual+prototypes", "gpt"),
        ("full@manual+prototypes+calibrated", "bert"),
        ("frozen@autoprompt+prototypes", "gpt"),
    ],
)
def test_with_any_other_answers_it_is_saved_and_opened_bit_for_bit(name, kind, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint(kind))
    base, data = load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question(kind))
    read = name.split("+")[1]
    searching = ["rounds=2"] if "autoprompt" in name else []
    tuned = tune(Method.parse(name, ["steps=3", *searching, *SETTINGS.get(read, [])]), base, data, shots=1)
    tuned.save(tmp_path / "tuned")
    opened, texts = open_tuned(tmp_path / "tuned"), [example.text for example in POOL]
    assert torch.equal(opened.probabilities(texts), tuned.probabilities(texts))
    assert trainable(opened.predictor).keys() == trainable(tuned.predictor).keys()
    assert trainable(opened.predictor).keys() >= {
        key.replace("readout.", "readout.readout." if "calibrated" in name else "readout.") for key in DECLARED[read]
    }


def test_classes_without_words_start_at_random(kind):
    question, checkpoint = tiny.question(kind, label_words={}), tiny.checkpoint(kind)
    with pytest.raises(UserError, match=r"'bad' has no label word; .* --set classes_from=random"):
        Method.parse("frozen+soft").build(checkpoint, question, 0)
    for name, settings in (("frozen+soft", ["classes_from=random"]), ("frozen+probe", []), ("frozen+prototypes", [])):
        assert Method.parse(name, settings).build(checkpoint, question, 0).scores(POOL).shape == (len(POOL), 3)


def test_settings_have_names_of_their_own():
    """A setting's name belongs to one answer: prompt-tuning has a start and a length already."""
    method = Method.parse("prompt-tuning+soft", ["classes_from=random", "start=labels"])
    assert (method.reading.classes_from, method.settings.start) == ("random", "labels")
    assert Method.parse("frozen+prototypes", ["size=7"]).reading.size == 7
    assert {"frozen@manual+soft", "full@manual+prototypes", "full@manual+probe"} <= set(all_methods())


@pytest.mark.parametrize("calibrated", ["", "+calibrated"])
def test_the_loss_of_prototypes_has_both_of_its_terms(kind, calibrated):
    predictor = Method.parse(f"full@manual+prototypes{calibrated}").build(tiny.checkpoint(kind), tiny.question(kind), 0)
    batch = predictor.collate(predictor.items(POOL))
    hidden, readout = predictor.read(batch), predictor.readout
    to_prototypes = readout.loss(readout(hidden, predictor.model), batch["label"])
    between = readout.between(hidden, batch["label"])
    assert between > 0 and predictor.loss(batch).item() == pytest.approx((to_prototypes + between).item(), rel=1e-5), (
        "the pull between examples of a class, L_ins, is not trained"
    )
