"""Tune: train one method, measure it on test, save it whole, and say what was done."""

import os

import pytest
import torch

from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.methods.method import WHAT, Method
from minitune.methods.saved import FILE, load_tuned, read_tuned
from minitune.methods.tune import formula, method_help, methods_table, tune
from minitune.training.checkpoint import fingerprint, save_checkpoint
from tests import tiny
from tests.methods.test_method import TAGS, TEXT, a_short_first_fit
from tests.methods.test_saved import TAGGED, WRITTEN

__all__ = ["a_short_first_fit"]
pytestmark = pytest.mark.lesson04
POOL = tuple(Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread")
             for label, how in enumerate(("awful", "slow", "great")))  # fmt: skip
TEST = tuple(Example(f"a {how} film", label=label) for label, how in enumerate(("dull", "sad", "clever")))
DATA = Dataset("toy", tiny.LABELS, POOL, TEST)


@pytest.fixture(autouse=True)
def no_figure(request, monkeypatch):
    """A figure takes longer than all the rest; one test looks at it."""
    if "measures_and_saves" not in request.node.name:
        monkeypatch.setattr("minitune.methods.tune.plot_curve", lambda *_: None)


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def run(out, kind, name, *settings, dataset=DATA, question=None, base_name="it", **more):
    method = Method.parse(name, ["steps=4", "lr=0.02", *settings])
    asked = question or tiny.question(kind)
    return tune(method, dataset, asked, tiny.checkpoint(kind), base_name, out, **({"shots": 2} | more))


def test_it_trains_measures_and_saves(kind, tmp_path, capsys):
    save_checkpoint(tmp_path / "base", tiny.checkpoint(kind))
    before = fingerprint(tiny.checkpoint(kind).model)
    result = run(tmp_path / "out", kind, "prefix-tuning+head", "length=3", base_name=str(tmp_path / "base"), seed=5)
    assert sorted(os.listdir(tmp_path / "out")) == ["curve.png", FILE]
    assert (tmp_path / "out" / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert len(result.history.losses) == 4 and [step for step, _ in result.history.scores] == [1, 2, 3, 4]
    assert set(result.test) == {"accuracy", "loss"}
    assert result.test["accuracy"] == pytest.approx(result.joined.accuracy(TEST))
    made = read_tuned(tmp_path / "out")["made"]
    assert (made["task"], made["shots"], made["seed"], made["test"]) == ("toy", 2, 5, result.test)
    assert made["training"]["steps"] == 4 and made["training"]["lr"] == 0.02
    joined, _, _ = load_tuned(tmp_path / "out")
    assert torch.equal(joined.scores(TEST), result.joined.scores(TEST)), "what was measured is not what was saved"
    assert fingerprint(tiny.checkpoint(kind).model) == before
    printed = capsys.readouterr().out
    assert "door.source.inner.weight" in printed and "readout.linear.bias" in printed, "what trains is shown first"


def test_the_report_by_hand(kind, tmp_path):
    result = run(tmp_path, kind, "frozen+head")
    rows = {line[:31].strip(): line[31:].strip() for line in result.report.splitlines()[2:]}
    assert rows["training examples / dev / test"] == "6 / 6 / 3" and rows["steps, learning rate"] == "4, 0.02"
    assert rows["accuracy on dev, best look"] == f"{result.history.best():.3f}"
    assert rows["accuracy on test"] == f"{result.test['accuracy']:.3f}"
    assert rows["loss on test"] == f"{result.test['loss']:.3f}"
    size = (tmp_path / FILE).stat().st_size
    assert rows["stored"] == f"{tmp_path / FILE}: 75 numbers, {size / 1000:.1f} KB"


def test_what_is_stored_is_counted_without_the_network_that_wrote_it(tmp_path):
    report = run(tmp_path, "bert", "p-tuning", "length=3").report
    assert f"{tmp_path / FILE}: 72 numbers" in report, "the encoder is not in the file"


def test_all_of_the_pool_and_what_no_dev_set_leaves(tmp_path):
    report = run(tmp_path, "bert", "frozen+head", shots=None).report
    assert "9 / 3 / 3" in report, "a fifth of the pool is kept"
    beside = Dataset("toy", tiny.LABELS, POOL, TEST, TEST)
    assert "12 / 3 / 3" in run(tmp_path, "bert", "frozen+head", shots=None, dataset=beside).report
    assert "none: no dev set" in run(tmp_path, "bert", "frozen+head", shots=4).report
    assert len(run(tmp_path, "bert", "frozen+head", "evaluate_every=0").history.scores) == 0


def test_tags_and_texts_are_measured_by_their_own_scores(kind, tmp_path):
    tags = Dataset("tags", TAGS.labels, tuple(TAGGED * 2), tuple(TAGGED), by_class=False)
    result = run(tmp_path, kind, "p-tuning-v2", dataset=tags, question=TAGS)
    assert list(result.test) == ["f1", "loss"] and "f1 on test" in result.report
    if kind == "gpt":
        texts = Dataset("texts", (), tuple(WRITTEN * 2), tuple(WRITTEN), by_class=False)
        result = run(tmp_path, kind, "lora", dataset=texts, question=TEXT)
        assert list(result.test) == ["score", "loss"] and "score on test" in result.report


def test_texts_that_are_cut_are_counted(tmp_path, capsys):
    long = Dataset("long", tiny.LABELS, tuple(Example("great soup " * 40, label=i % 3) for i in range(6)), TEST)
    run(tmp_path, "bert", "frozen+head", dataset=long, shots=1)
    assert "3 of 3 texts are cut" in capsys.readouterr().out
    run(tmp_path, "bert", "frozen+head")
    assert "are cut" not in capsys.readouterr().out


def test_the_same_command_gives_the_same_file_of_numbers(tmp_path):
    first, second = (run(tmp_path / name, "bert", "p-tuning+head", seed=3) for name in "ab")
    assert first.history.losses == second.history.losses
    one, two = (read_tuned(tmp_path / name)["weights"] for name in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = run(tmp_path / "c", "bert", "p-tuning+head", seed=4)
    assert other.history.losses != first.history.losses


def test_nothing_to_train_writes_nothing(tmp_path, kind):
    for name in ("zero-shot", "frozen"):
        with pytest.raises(UserError, match="nothing to train: every parameter is frozen; minitune compare"):
            run(tmp_path / "out", kind, name)
    with pytest.raises(UserError, match="lower --shots"):
        run(tmp_path / "out", kind, "frozen+head", shots=5)
    with pytest.raises(UserError, match="lower the learning rate"):
        run(tmp_path / "out", kind, "full+head", "lr=1e30", "warmup=0", "clip=1e30", "evaluate_every=0")
    assert not (tmp_path / "out").exists()


# what is said of the methods


@pytest.mark.parametrize("what", WHAT)
def test_the_help_of_a_method_lists_its_settings_with_their_defaults(what):
    text = method_help(f"{what}+head")
    method, lr = Method.parse(what), WHAT[what].lr
    assert WHAT[what].paper in text and f"lesson {WHAT[what].lesson}" in text and formula(what) in text
    own, _, training = text.partition("of the training")
    if method.settings is None:
        assert "  nothing" in own
    else:
        for name, value in vars(method.settings).items():
            written = str(value).lower() if isinstance(value, bool) else value
            written = ",".join(value) if isinstance(value, tuple) else written
            assert f"  {name}={written}\n" in own
    assert f"  lr={lr}\n" in training and "  weight_decay=0.01\n" in training and "  keep_best=true" in training
    given = [line.strip() for line in training.splitlines() if line.startswith("  ")]
    Method.parse(what, given)  # each line can be given back as it stands


def test_every_method_has_a_line_with_its_formula():
    text = methods_table()
    for what in WHAT:
        assert formula(what) and "\n" not in formula(what)
        assert any(line.startswith(f"{what} ") and formula(what) in line for line in text.splitlines()), what
    with pytest.raises(UserError, match="'lorra' is unknown"):
        method_help("lorra")
