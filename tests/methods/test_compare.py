"""Lesson 6: methods by name, fair draws, and the figures of the table."""

import dataclasses

import pytest
import torch

from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.methods import compare
from minitune.methods import method as methods
from minitune.methods.compare import Row, compare_table, majority, run_method, shuffled
from minitune.methods.method import DEFAULT, Method, Question, all_methods
from minitune.models.build import KINDS, random_model
from minitune.training.checkpoint import Checkpoint, fingerprint, random_twin

pytestmark = pytest.mark.lesson06

GOOD = [
    Example(f"the {part} was {word} .", None, 1) for part in ("plot", "soup", "hero") for word in ("clever", "witty")
]
BAD = [Example(f"the {part} was {word} .", None, 0) for part in ("plot", "soup", "hero") for word in ("dull", "awful")]
DATA = Dataset("toy", ("bad", "good"), tuple(GOOD + BAD), tuple(GOOD[:2] + BAD[:2]))
WORDS = {"good": ("great",), "bad": ("awful",)}


@pytest.fixture(params=["gpt", "bert"])
def checkpoint(request):
    tokenizer = request.getfixturevalue(f"{request.param}_tokenizer")
    config_class = KINDS[request.param][1]
    config = config_class(len(tokenizer), layers=2, width=24, heads=3, inner=44, context=31, spread=0.1)
    return Checkpoint(random_model(config, seed=1), tokenizer)


def question(kind):
    return Question(("bad", "good"), "{text} it was {mask}" + (" ." if kind == "bert" else ""), WORDS)


# names


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("full+head", ("full", "bare", "head")),
        ("full", ("full", "manual", "verbalizer")),
        ("frozen@manual+head", ("frozen", "manual", "head")),
        ("zero-shot", ("frozen", "manual", "verbalizer")),
    ],
)
def test_what_is_left_out_of_a_name_is_filled_in(name, parts):
    method = Method.parse(name)
    assert (method.what, method.asked, method.read) == parts and method.name == name


def test_a_new_method_joins_by_one_line(monkeypatch, checkpoint):
    def only_the_norms(model):
        model.requires_grad_(False)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.requires_grad_(True)
        return model

    monkeypatch.setitem(
        methods.WHAT, "norms", methods.What(only_the_norms, None, lambda _, config: 0, 1e-3, 5, "nobody")
    )
    assert "norms@bare+head" in all_methods()
    classifier = Method.parse("norms+head").build(checkpoint, question(checkpoint.kind), seed=0)
    trained = {n for n, p in classifier.named_parameters() if p.requires_grad}
    assert trained and all("norm" in name or name.startswith("readout") for name in trained)


def test_the_default_methods_are_at_most_ten_and_all_known():
    assert len(DEFAULT) <= 10
    for name in (*DEFAULT, *all_methods()):
        Method.parse(name)


# fairness


def test_a_method_leaves_the_checkpoint_as_it_was(checkpoint):
    before = fingerprint(checkpoint.model)
    run_method(Method.parse("full+head"), checkpoint, question(checkpoint.kind), GOOD[:2] + BAD[:2], [], seed=0)
    assert fingerprint(checkpoint.model) == before, "the next method would start from tuned weights"


def test_zero_shot_trains_nothing_and_full_moves_everything_it_reads(checkpoint):
    asked = question(checkpoint.kind)
    draw = GOOD[:2] + BAD[:2]
    still = run_method(Method.parse("zero-shot"), checkpoint, asked, draw, [], seed=0)
    assert fingerprint(still.model) == fingerprint(checkpoint.model)
    moved = run_method(Method.parse("full+verbalizer"), checkpoint, asked, draw, [], seed=0)
    assert fingerprint(moved.model) != fingerprint(checkpoint.model)


def test_frozen_head_keeps_the_body_bit_for_bit(checkpoint):
    tuned = run_method(Method.parse("frozen+head"), checkpoint, question(checkpoint.kind), GOOD[:2] + BAD[:2], [], 0)
    assert fingerprint(tuned.model) == fingerprint(checkpoint.model)


def test_random_weights_are_other_weights_of_the_same_shape(checkpoint):
    twin = random_twin(checkpoint, seed=5)
    assert twin.model.config == checkpoint.model.config and fingerprint(twin.model) != fingerprint(checkpoint.model)


def test_shuffled_labels_keep_the_texts_and_the_counts():
    dealt = shuffled(GOOD + BAD, seed=3)
    assert [e.text for e in dealt] == [e.text for e in GOOD + BAD]
    assert sorted(e.label for e in dealt) == sorted(e.label for e in GOOD + BAD)
    assert dealt != GOOD + BAD


def test_majority_is_the_commonest_class_of_the_pool():
    data = Dataset("toy", ("bad", "good"), (*GOOD, *BAD[:2]), tuple(BAD[:3] + GOOD[:1]))
    assert majority(data, seeds=2).score == 0.25


def test_an_unknown_control_is_refused(checkpoint):
    with pytest.raises(UserError, match="shuffled-labels"):
        compare.compare(DATA, checkpoint, question(checkpoint.kind), ["zero-shot"], 2, 1, control="none")


# the table


def test_the_difference_is_paired_by_draw():
    first = Row("a", 0.6, 0.5, 0.7, [0.5, 0.7], 0, 0.0, 0)
    second = Row("b", 0.7, 0.6, 0.8, [0.6, 0.8], 0, 0.0, 0)  # 0.1 better in each draw: an interval of no width
    assert "+0.100 [+0.100, +0.100]" in compare_table([first, second])


# whether it learns


def test_full_tuning_learns_eight_examples_by_heart(checkpoint, monkeypatch):
    tiny = dataclasses.replace(methods.WHAT["full"], lr=3e-3)  # a tiny model takes larger steps
    monkeypatch.setitem(methods.WHAT, "full", tiny)
    draw = GOOD[:4] + BAD[:4]
    for name in ("full+head", "full+verbalizer"):
        tuned = run_method(Method.parse(name), checkpoint, question(checkpoint.kind), draw, [], seed=0)
        assert tuned.accuracy(draw) == 1.0, name
