"""What was tuned, on disk: only what training changed, on the base it belongs to, and the same logits bit for bit."""

import copy
import dataclasses
import functools
import math
import os
import pickle
import re
import shutil
from dataclasses import asdict, replace
from itertools import cycle

import pytest
import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.what import WHAT
from minitune.models.build import random_model
from minitune.predictors.writer import exact_match
from minitune.prompting.template import Demonstration
from minitune.questions.question import Question
from minitune.training.checkpoint import (
    Checkpoint,
    fingerprint,
    identity,
    load_checkpoint,
    save_checkpoint,
    write_tensors,
)
from minitune.tuned.saved import FILE, load_tuned, read_tuned, save_tuned
from minitune.tuned.shelf import Shelf
from minitune.tuning.doors import Tuned
from minitune.tuning.lora import lora_layers
from minitune.tuning.trained import count, trainable
from tests import tiny
from tests.tiny import EXAMPLES, SETTINGS, TAGGED, TAGS, TEXT, WRITTEN

pytestmark = pytest.mark.lesson22
STORED = {  # numbers that a method keeps of what it trained, where that is less: L = 2, D = 24
    "p-tuning": 3 * 24,
    "prefix-tuning": 5 * 2 * 2 * 24,
}
WORDS = tuple(tiny.WORDS.values())


@pytest.fixture(autouse=True)
def one_reading_of_each_base(monkeypatch):
    """Loading never changes the base; so it is read from the disk once."""
    monkeypatch.setattr("minitune.tuned.saved.load_checkpoint", read_once)


read_once = functools.cache(load_checkpoint)


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def train(kind, name, settings=(), question=None, examples=EXAMPLES, seed=7):
    """A trained method: what it is, what came of it, what was asked."""
    asked = question or tiny.question(kind)
    method = Method.parse(name, ["steps=3", "lr=0.02", *settings])
    predictor = method.build(tiny.checkpoint(kind), asked, seed)
    fit(method, predictor, examples, [], seed)
    return method, predictor, asked


def save(folder, bases, kind, *trained, name=None):
    method, predictor, asked = trained
    base = replace(tiny.checkpoint(kind), name=str(name or bases / kind))
    return save_tuned(folder, method, predictor, asked, base, {"task": "toy"})


def scores_of(predictor, examples):
    """What the model says, before anything is made of it: its scores, or for a text its loss."""
    with torch.no_grad():
        batch = predictor.collate(predictor.items(examples))
        return predictor.loss(batch) if hasattr(predictor, "write") else predictor(batch)


# shapes: what is in the file


@pytest.mark.parametrize(("what", "kind"), list(zip(WHAT, cycle(("gpt", "bert")), strict=False)))
def test_the_file_holds_what_was_trained_and_nothing_else(what, kind, bases, tmp_path):
    name = what if what == "output" else f"{what}+head"
    method, predictor, asked = train(kind, name, SETTINGS.get(what, ()))
    before, trained = scores_of(predictor, EXAMPLES), count(trainable(predictor.model))
    path = save(tmp_path, bases, kind, method, predictor, asked)
    assert path == tmp_path / FILE and os.listdir(tmp_path) == [FILE]
    weights = read_tuned(tmp_path).weights
    in_model = {name: w for name, w in weights.items() if not name.startswith("readout.")}
    kept = sum(w.numel() for w in in_model.values())
    assert kept == STORED.get(what, trained), f"{kept} numbers of the model are in the file"
    assert trained == WHAT[what].count(method.settings, predictor.model.config)
    of_head = {} if what == "output" else {"readout.linear.weight": 72, "readout.linear.bias": 3}
    message = "without its head it is good in memory and at chance after loading"
    assert {name: w.numel() for name, w in weights.items() if name not in in_model} == of_head, message
    numbers = sum(w.numel() for w in weights.values())
    header = path.stat().st_size - 4 * numbers
    assert 0 < header < 3000 + 400 * len(weights), f"{header} bytes beside 4 for each of {numbers} numbers"
    assert all(w.dtype == torch.float32 and w.untyped_storage().nbytes() == 4 * w.numel() for w in weights.values())
    same = torch.equal(scores_of(load_tuned(tmp_path)[1], EXAMPLES), before)
    assert same, "other scores after loading: with a head of the loader's own seed, or not all of the model"


def test_networks_that_wrote_a_prompt_are_not_kept(kind, bases, tmp_path):
    for what in ("p-tuning", "prefix-tuning"):
        method, predictor, asked = train(kind, what, SETTINGS[what])
        assert count(trainable(predictor)) > STORED[what]
        save(tmp_path, bases, kind, method, predictor, asked)
        assert list(read_tuned(tmp_path).weights) == ["model.door.source.table"]


def test_the_header_says_what_it_is_for(bases, tmp_path):
    save(tmp_path, bases, "bert", *train("bert", "lora", ["rank=3", "targets=query,up", "dropout=0.25"]))
    content = asdict(read_tuned(tmp_path))
    assert content["method"] == "lora" and content["made"] == {"task": "toy"}
    assert {"rank=3", "targets=query,up", "dropout=0.25", "alpha=8.0"} <= set(content["settings"])
    assert content["question"]["labels"] == tiny.LABELS and content["question"]["template"] == "{text} it was {mask} ."
    assert content["base"] == {
        "name": str(bases / "bert"),
        "kind": "bert",
        "identity": identity(tiny.checkpoint("bert")),
    }


# invariants: loaded equals saved


@pytest.mark.parametrize(("what", "kind"), list(zip(WHAT, cycle(("bert", "gpt", "gpt", "bert")), strict=False)))
def test_loaded_equals_saved_bit_for_bit(what, kind, bases, tmp_path):
    trained = train(kind, f"{what}+beside" if what == "frozen" else what, SETTINGS.get(what, ()))
    before = scores_of(trained[1], EXAMPLES)
    save(tmp_path, bases, kind, *trained)
    assert torch.equal(scores_of(trained[1], EXAMPLES), before), "saving changed what it says"
    _, predictor, question, base = load_tuned(tmp_path)
    assert torch.equal(scores_of(predictor, EXAMPLES), before), f"{what}: other scores after loading"
    assert not predictor.training, "it is opened in training mode: with dropout it says something else each time"
    assert predictor.labels == tiny.LABELS and base.kind == kind
    assert predictor.answers(EXAMPLES) == trained[1].answers(EXAMPLES)
    assert str(predictor.template) == str(trained[1].template) == question.template


READ_TAGS = [what for what in WHAT if what != "output"]


@pytest.mark.parametrize(("what", "kind"), list(zip(READ_TAGS, cycle(("bert", "bert", "gpt")), strict=False)))
def test_a_tagger_comes_back_bit_for_bit(what, kind, bases, tmp_path):
    trained = train(kind, what, SETTINGS.get(what, ()), TAGS, TAGGED)
    before = scores_of(trained[1], TAGGED)
    save(tmp_path, bases, kind, *trained)
    _, predictor, question, _ = load_tuned(tmp_path)
    assert torch.equal(scores_of(predictor, TAGGED), before) and question.kind == "tags"
    assert predictor.answers(TAGGED) == trained[1].answers(TAGGED)


@pytest.mark.parametrize(
    "what", ["full", "output", "prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2", "lora"]
)
def test_a_writer_comes_back_bit_for_bit(what, bases, tmp_path):
    settings = [setting for setting in SETTINGS.get(what, ()) if setting != "shift=false"]
    trained = train("gpt", what, settings, TEXT, WRITTEN)
    before = scores_of(trained[1], WRITTEN)
    save(tmp_path, bases, "gpt", *trained)
    _, predictor, question, _ = load_tuned(tmp_path)
    assert torch.equal(scores_of(predictor, WRITTEN), before) and question.kind == "text"
    assert predictor.answers(WRITTEN) == trained[1].answers(WRITTEN)


def test_a_template_and_words_of_ones_own_come_back(kind, bases, tmp_path):
    own = tiny.question(kind, template="{soft:2} so {text} , {soft:3} {mask}", is_own=True)
    own = dataclasses.replace(own, label_words={"good": ("clever",), "bad": ("dull",), "fair": ("so",)})
    trained = train(kind, "p-tuning", ["length=4"], own)
    before = scores_of(trained[1], EXAMPLES)
    save(tmp_path, bases, kind, *trained)
    _, predictor, question, _ = load_tuned(tmp_path)
    assert torch.equal(scores_of(predictor, EXAMPLES), before)
    assert question.template == own.template and question.label_words == own.label_words
    assert predictor.model.door.source().shape == (5, 24)


def test_all_of_the_question_comes_back(kind, bases, tmp_path):
    """What a search has found is part of it: shown without its demonstrations, the model is asked something else."""
    words = {"good": ("great:3", "good"), "bad": ("awful",), "fair": ("sad", "slow:0.5")}
    shown = (Demonstration("a dull plot", None, "awful"), Demonstration("so good", None, "great"))
    asked = tiny.question(kind, label_words=words, demonstrations=shown, found=("words: so",), room=7)
    trained = train(kind, "lora", (), asked)
    before = scores_of(trained[1], EXAMPLES)
    save(tmp_path, bases, kind, *trained)
    _, predictor, question, _ = load_tuned(tmp_path)
    for field in ("labels", "label_words", "is_pair", "kind", "demonstrations", "found", "room"):
        assert getattr(question, field) == getattr(asked, field), f"{field} is lost on the way to the file and back"
    assert torch.equal(scores_of(predictor, EXAMPLES), before)


@pytest.mark.parametrize("name", ["frozen+head+calibrated", "frozen+calibrated", "frozen+prototypes", "frozen+number"])
def test_what_was_measured_comes_back(name, kind, bases, tmp_path):
    """A prior is a buffer, and no parameter: it is not trained, and must be saved all the same."""
    asked = tiny.question(kind, labels=("1", "2", "4"), label_words=dict(zip("124", WORDS, strict=True)))
    asked = Question((), "{text}", kind="number", scale=(4.0, 3.0)) if "number" in name else asked
    trained = train(kind, name, (), asked)
    if "calibrated" in name:
        trained[1].calibrate()
    before = scores_of(trained[1], EXAMPLES)
    save(tmp_path, bases, kind, *trained)
    found = scores_of(load_tuned(tmp_path)[1], EXAMPLES)
    assert torch.equal(found, before), "other scores after loading: a prior, or a mean, that was measured is not saved"
    if "number" in name:
        answers = [predictor.answers(EXAMPLES) for predictor in (load_tuned(tmp_path)[1], trained[1])]
        assert answers[0] == answers[1], "the mean and the spread of the numbers are lost"


def test_what_is_opened_drops_nothing_out(kind, bases, tmp_path):
    save(tmp_path, bases, kind, *train(kind, "p-tuning-v2+head", ["dropout=0.9", "length=3", "spread=1"]))
    predictor = load_tuned(tmp_path)[1]
    batch = predictor.collate(predictor.items(EXAMPLES))
    with torch.no_grad():
        again = [predictor(batch) for _ in range(3)]
    message = "it is opened in training mode: dropout is on, and it says something else each time"
    assert torch.equal(again[0], again[1]) and torch.equal(again[1], again[2]), message


def test_pairs_come_back(kind, bases, tmp_path):
    pairs = [dataclasses.replace(example, text_b="a dull plot") for example in EXAMPLES]
    trained = train(kind, "prompt-tuning+head", (), tiny.question(kind, is_pair=True), pairs)
    save(tmp_path, bases, kind, *trained)
    _, predictor, question, _ = load_tuned(tmp_path)
    assert question.is_pair and torch.equal(scores_of(predictor, pairs), scores_of(trained[1], pairs))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("full+head", "bert"), ("top+head", "gpt"), ("lora+head", "bert"), ("prefix-tuning+head", "gpt")],
        *[("output", "gpt"), ("output", "bert"), ("frozen+head", "bert")],
    ],
)
def test_what_was_loaded_can_be_trained_on(name, kind, bases, tmp_path):
    trained = train(kind, name)
    save(tmp_path, bases, kind, *trained)
    _, predictor, _, _ = load_tuned(tmp_path)
    assert set(trainable(predictor)) == set(trainable(trained[1])) and trainable(predictor), "it was loaded frozen"
    before = scores_of(predictor, EXAMPLES)
    assert len(fit(trained[0], predictor, EXAMPLES, [], seed=0).losses) == 3
    assert not torch.equal(scores_of(predictor, EXAMPLES), before)


def test_gradual_unfreezing_that_stops_half_way_can_still_be_loaded(kind, bases, tmp_path):
    """In two steps not every layer is unfrozen; what was never unfrozen belongs to the method all the same."""
    trained = train(kind, "gradual+head", ["steps=2"])
    before = scores_of(trained[1], EXAMPLES)
    save(tmp_path, bases, kind, *trained)
    assert torch.equal(scores_of(load_tuned(tmp_path)[1], EXAMPLES), before)


def test_the_base_is_not_changed_by_saving_or_loading(kind, bases, tmp_path):
    before = fingerprint(tiny.checkpoint(kind).model)
    for what in ("full", "prefix-tuning", "lora"):
        save(tmp_path, bases, kind, *train(kind, what))
        *_, base = load_tuned(tmp_path)
        assert fingerprint(base.model) == before == fingerprint(tiny.checkpoint(kind).model)


def test_the_base_may_have_moved(bases, tmp_path):
    trained = train("bert", "lora+head")
    save(tmp_path, bases, "bert", *trained, name="nowhere/at/all")
    with pytest.raises(UserError, match="nowhere/at/all"):
        load_tuned(tmp_path)
    _, predictor, _, _ = load_tuned(tmp_path, str(bases / "bert"))
    assert torch.equal(scores_of(predictor, EXAMPLES), scores_of(trained[1], EXAMPLES))


# what is refused


def test_another_base_is_refused_with_both_fingerprints(bases, tmp_path):
    save(tmp_path, bases, "bert", *train("bert", "lora"))
    other = tiny.checkpoint("bert", seed=5)
    save_checkpoint(tmp_path / "other", other)
    for model in (tmp_path / "other", bases / "gpt"):
        with pytest.raises(UserError, match=r"was trained on the bert .* has [0-9a-f]{16}: .*--model"):
            load_tuned(tmp_path, str(model))
    almost = tiny.checkpoint("bert").model.state_dict() | {"decoder_bias": torch.zeros(1)}
    changed = random_model(other.model.config, seed=0)
    changed.load_state_dict(almost | {"decoder_bias": tiny.checkpoint("bert").model.decoder_bias + 1e-6})
    save_checkpoint(tmp_path / "almost", Checkpoint(changed, other.tokenizer))
    with pytest.raises(UserError, match="was trained on the bert"):
        load_tuned(tmp_path, str(tmp_path / "almost"))


def test_two_words_swapped_in_the_tokenizer_are_another_base(bases, tmp_path):
    """The weights are the same, and every answer would turn round."""
    save(tmp_path, bases, "bert", *train("bert", "lora"))
    shutil.copytree(bases / "bert", tmp_path / "swapped")
    tokenizer = tmp_path / "swapped" / "tokenizer.json"
    text = tokenizer.read_text(encoding="utf-8")
    tokenizer.write_text(text.replace("great", "\n").replace("awful", "great").replace("\n", "awful"), encoding="utf-8")
    with pytest.raises(UserError, match=r"this model \(with its tokenizer\) has"):
        load_tuned(tmp_path, str(tmp_path / "swapped"))


@pytest.fixture(scope="module")
def whole(bases, tmp_path_factory):
    """What a good file holds."""
    folder = tmp_path_factory.mktemp("whole")
    save(folder, bases, "bert", *train("bert", "lora+head"))
    return asdict(read_tuned(folder))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.update(method="prefix-tuning+head", settings=[]), "which does not belong there"),
        (lambda c: c.update(method="lora+beside"), "lacks 'readout.prompt'"),
        (lambda c: c.update(method="lora+verbalizer"), "has no blank"),
        (lambda c: c.update(settings=["rank=2"]), r"A has the shape \(4, 24\); \(2, 24\) was expected"),
        (lambda c: c.update(settings=["targets=query"]), "which does not belong there"),
        (lambda c: c["question"].update(labels=("a", "b")), r"readout.linear.weight has the shape \(3, 24\)"),
        (lambda c: c["weights"].popitem(), "lacks 'readout.linear.bias'"),
        (lambda c: c["weights"].update(more=torch.zeros(2)), "holds 'more', which does not belong there"),
        (lambda c: c["weights"].update({"readout.linear.bias": torch.tensor([0, math.nan, 0])}), "not finite"),
        (
            lambda c: c["weights"].update({"readout.linear.bias": torch.tensor([0, 1e39, 0], dtype=torch.float64)}),
            "beyond float32, which ends at 3.4e38, 1 of 3",
        ),
        (
            lambda c: c["weights"].update({"readout.linear.bias": torch.zeros(3).to(torch.float8_e5m2)}),
            "of torch.float8_e5m2; a tensor of float32 was expected",
        ),
        (
            lambda c: c["weights"].update({"readout.linear.bias": torch.zeros(3, dtype=torch.complex64)}),
            "of torch.complex64; a tensor of float32 was expected",
        ),
        (lambda c: c["weights"].update({"readout.linear.bias": torch.zeros(3).to_sparse()}), "dense tensors of"),
        (lambda c: c["weights"].update({"readout.linear.bias": torch.zeros(1).expand(3)}), "holds fewer numbers"),
        (lambda c: c.update(method="lorra+head"), "'lorra' is unknown"),
        (lambda c: c.update(settings=["rank=0"]), "rank is 0"),
        (lambda c: c.update(settings=["wings=2"]), "no setting 'wings'"),
        (lambda c: c["question"].update(template="{text} {maks}"), "unknown slot"),
        (lambda c: c["question"].update(kind="riddle"), "question: a question of the kind 'riddle'; known are"),
        (lambda c: c.pop("weights"), "lacks the field 'weights'; restore the file"),
        (lambda c: c["question"].pop("labels"), "question lacks the field 'labels'"),
        (lambda c: c["question"].update(wings=2), "question has the unknown field 'wings'"),
        (lambda c: c.update(question=3), "question holds 3"),
        (lambda c: c.update(settings=3), "settings is 3; a list was expected"),
        (lambda c: c.update(settings=[3]), r"settings\[0\] is 3; a text was expected"),
        (lambda c: c.update(method=3), "method is 3; a text was expected"),
        (lambda c: c.update(weights=[1, 2]), r"weights is \[1, 2\]; a mapping was expected"),
        (lambda c: c.update(weights={"readout.linear.bias": 3}), "a Tensor was expected"),
        (lambda c: c["question"].update(labels=3), "labels is 3; a list was expected"),
        (lambda c: c["question"].update(template=3), "template is 3; a text was expected"),
        (lambda c: c.update(base={}), "base lacks the field 'name'"),
        (lambda c: c.update(base="bert"), "base holds 'bert'"),
        (lambda c: c["base"].update(name=3), "base, name is 3; a text was expected"),
    ],
)
def test_a_file_that_does_not_fit_its_own_description_is_one_sentence(whole, tmp_path, change, expected):
    content = copy.deepcopy(whole)
    change(content)
    write_tensors(tmp_path / FILE, "tuned method", content)
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path / FILE))}.*{expected}") as caught:
        load_tuned(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError):
        Shelf(tiny.checkpoint("bert")).add("it", tmp_path)


def test_a_file_that_is_damaged_or_foreign_is_one_sentence(bases, tmp_path):
    path = save(tmp_path, bases, "bert", *train("bert", "lora"))
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:-30], whole.replace(b"identity", b"identify"), b"PK"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"tuned\.pt .*(damaged|refused)") as caught:
            load_tuned(tmp_path)
        assert "\n" not in str(caught.value)
    torch.save({"weights": {}}, path)
    with pytest.raises(UserError, match="is no tuned method of minitune"):
        load_tuned(tmp_path)
    path.write_bytes((bases / "bert" / "model.pt").read_bytes())
    with pytest.raises(UserError, match="is no tuned method of minitune"):
        load_tuned(tmp_path)
    torch.save({"minitune": "tuned method", "version": 99}, path)
    with pytest.raises(UserError, match="version 99"):
        load_tuned(tmp_path)
    torch.save({"minitune": "tuned method", "version": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"of version a tensor \(2,\)"):
        load_tuned(tmp_path)
    torch.save({"minitune": torch.zeros(2), "version": 2}, path)
    with pytest.raises(UserError, match="is no tuned method of minitune"):
        load_tuned(tmp_path)
    with pytest.raises(UserError, match=r"there is no .*tuned\.pt"):
        load_tuned(tmp_path / "nowhere")


class Evil:
    """What runs a command when a careless loader unpickles it."""

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_file_that_asks_to_run_code_is_refused_and_runs_nothing(tmp_path):
    Evil.folder = str(tmp_path / "owned")
    torch.save({"minitune": "tuned method", "version": 2, "weights": Evil()}, tmp_path / FILE)
    with pytest.raises(UserError, match="refused"):
        load_tuned(tmp_path)
    (tmp_path / FILE).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="tuned"):
        load_tuned(tmp_path)
    assert not (tmp_path / "owned").exists(), "loading ran code from the file"


def test_a_write_that_fails_leaves_the_old_file(bases, tmp_path, monkeypatch):
    trained = train("bert", "lora")
    path = save(tmp_path, bases, "bert", *trained)
    before = path.read_bytes()

    def full_disk(content, to):
        to.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(UserError, match=r"cannot write .*unharmed"):
        save(tmp_path, bases, "bert", *train("bert", "lora", ["rank=2"]))
    assert path.read_bytes() == before and os.listdir(tmp_path) == [FILE]


# several on one base


@pytest.fixture(scope="module")
def saved(bases, tmp_path_factory):
    """For each kind: methods saved, and what each says of the examples when it is loaded alone."""
    folder = tmp_path_factory.mktemp("saved")
    alone = {}
    names = ("lora+head", "prefix-tuning", "prompt-tuning", "frozen+head", "p-tuning-v2+head")
    for kind in ("gpt", "bert"):
        for index, name in enumerate(names):
            save(folder / kind / name, bases, kind, *train(kind, name, ["lr=0.05"], seed=index))
        save(folder / kind / "wide", bases, kind, *train(kind, "lora", ["rank=5", "targets=query,up", "lr=0.05"]))
        save(folder / kind / "tags", bases, kind, *train(kind, "lora", ["rank=2"], TAGS, TAGGED))
        for name in (*names, "wide"):
            alone[kind, name] = load_tuned(folder / kind / name)[1].scores(EXAMPLES)
    return folder, alone


def test_a_shelf_switches_back_and_forth_without_a_trace(saved, kind):
    folder, alone = saved
    base = tiny.checkpoint(kind)
    shelf, before = Shelf(base), fingerprint(base.model)
    names = [name for its_kind, name in alone if its_kind == kind]
    for name in names:
        shelf.add(name.replace("+", "-"), folder / kind / name)
    assert len({alone[kind, name].sum().item() for name in names}) == len(names)
    for name in (*names, *reversed(names), names[0], names[-1], names[0], "prefix-tuning", "wide", "frozen+head"):
        scores = shelf.use(name.replace("+", "-")).scores(EXAMPLES)
        assert torch.equal(scores, alone[kind, name]), f"{name} on the shelf says something else than alone"
    assert fingerprint(base.model) == before
    held = {name.replace(".base.", "."): tensor for name, tensor in shelf.model.state_dict().items()}
    assert all(torch.equal(held[name], tensor) for name, tensor in base.model.state_dict().items())


def test_a_shelf_holds_the_base_once(saved, kind):
    shelf = Shelf(tiny.checkpoint(kind))
    for name in ("lora+head", "wide", "prompt-tuning", "tags"):
        shelf.add(name.replace("+", "-"), saved[0] / kind / name)
    for name, predictor in shelf.kept.items():
        inside = predictor.model.model if isinstance(predictor.model, Tuned) else predictor.model
        is_same = inside is shelf.model
        assert is_same, f"{name} has a copy of the base for itself"
    assert {name for layer in lora_layers(shelf.model).values() for name in layer.adapters} == {
        "lora-head",
        "wide",
        "tags",
    }
    assert shelf.use("tags").answers(TAGGED) and trainable(shelf.use("tags").model).keys() == {
        f"{path}.adapters.tags.{part}"
        for path, layer in lora_layers(shelf.model).items()
        if "tags" in layer.adapters
        for part in "AB"
    }, "another adapter than the one in use is trainable"


def test_a_frozen_model_on_a_shelf_is_read_without_any_adapter(saved, kind):
    """Its features are read once and kept: of the base alone, whatever was switched on before."""
    folder, alone = saved
    shelf = Shelf(tiny.checkpoint(kind))
    shelf.add("plain", folder / kind / "frozen+head")
    shelf.add("wide", folder / kind / "wide")
    shelf.use("wide")
    plain = shelf.use("plain")
    scores = plain(plain.collate(plain.items(EXAMPLES)))
    torch.testing.assert_close(scores, alone[kind, "frozen+head"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        *[("full", "bert"), ("top", "gpt"), ("norms", "bert"), ("biases", "gpt"), ("layerwise", "bert")],
        *[("gradual", "gpt"), ("output", "gpt"), ("output", "bert")],
    ],
)
def test_a_shelf_refuses_what_changes_the_base_and_stays_as_it_was(what, saved, kind, bases, tmp_path):
    save(tmp_path, bases, kind, *train(kind, what))
    shelf = Shelf(tiny.checkpoint(kind))
    shelf.add("prefix", saved[0] / kind / "prefix-tuning")
    if what == "output" and kind == "gpt":  # a matrix beside the model: nothing of the base is changed
        shelf.add("it", tmp_path)
        assert torch.equal(shelf.use("it").scores(EXAMPLES), load_tuned(tmp_path)[1].scores(EXAMPLES))
    else:
        with pytest.raises(UserError, match=r"holds weights of the base itself .*load it by itself"):
            shelf.add("it", tmp_path)
    assert torch.equal(shelf.use("prefix").scores(EXAMPLES), saved[1][kind, "prefix-tuning"])
    assert fingerprint(shelf.model) == fingerprint(tiny.checkpoint(kind).model)


def test_a_shelf_refuses_names_and_other_bases(saved):
    folder = saved[0]
    shelf = Shelf(tiny.checkpoint("bert"))
    with pytest.raises(UserError, match="it holds nothing"):
        shelf.use("it")
    shelf.add("it", folder / "bert" / "prefix-tuning")
    with pytest.raises(UserError, match="called 'it' on the shelf already"):
        shelf.add("it", folder / "bert" / "prompt-tuning")
    with pytest.raises(UserError, match="nothing called 'other' on the shelf; it holds it"):
        shelf.use("other")
    with pytest.raises(UserError, match="was trained on the gpt"):
        shelf.add("gpt", folder / "gpt" / "prefix-tuning")
    with pytest.raises(UserError, match=r"cannot be called 'v1\.2'"):
        shelf.add("v1.2", folder / "bert" / "wide")
    assert list(shelf.kept) == ["it"] and not lora_layers(shelf.model)


def test_what_is_on_a_shelf_can_be_trained_on_and_saved_again(saved, bases, tmp_path):
    shelf = Shelf(tiny.checkpoint("bert"))
    for name in ("lora+head", "wide"):
        shelf.add(name.replace("+", "-"), saved[0] / "bert" / name)
    predictor, method = shelf.use("lora-head"), Method.parse("lora+head", ["steps=3", "lr=0.05"])
    fit(method, predictor, EXAMPLES, [], seed=0)
    before = scores_of(predictor, EXAMPLES)
    assert not torch.equal(before, saved[1]["bert", "lora+head"])
    save(tmp_path, bases, "bert", method, predictor, tiny.question("bert"))
    assert torch.equal(scores_of(load_tuned(tmp_path)[1], EXAMPLES), before), "it has another name on the shelf"
    assert torch.equal(shelf.use("wide").scores(EXAMPLES), saved[1]["bert", "wide"]), "its neighbour was trained too"


def test_a_file_that_does_not_fit_leaves_nothing_on_the_shelf(whole, saved, tmp_path):
    content = copy.deepcopy(whole)
    content["weights"].popitem()
    write_tensors(tmp_path / FILE, "tuned method", content)
    shelf = Shelf(tiny.checkpoint("bert"))
    shelf.add("wide", saved[0] / "bert" / "wide")
    with pytest.raises(UserError, match=r"lacks 'readout.linear.bias'"):
        shelf.add("it", tmp_path)
    assert {name for layer in lora_layers(shelf.model).values() for name in layer.adapters} == {"wide"}
    shelf.add("it", saved[0] / "bert" / "lora+head")  # the name is free: mend the file and add it again
    assert torch.equal(shelf.use("it").scores(EXAMPLES), saved[1]["bert", "lora+head"])
    assert torch.equal(shelf.use("wide").scores(EXAMPLES), saved[1]["bert", "wide"])


def test_examples_are_read_by_hand(saved, kind):
    """The file's own numbers put into the equation: logits of a frozen model with the stored head."""
    folder, alone = saved
    weights = read_tuned(folder / kind / "frozen+head").weights
    model, tokenizer = tiny.checkpoint(kind).model, tiny.checkpoint(kind).tokenizer
    example = Example("great soup")
    ids = tokenizer.encode(example.text)
    ids = [tokenizer.cls_id, *ids, tokenizer.sep_id] if kind == "bert" else ids
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).hidden[0, 0 if kind == "bert" else -1]
        pooled = torch.tanh(model.pooler(hidden)) if kind == "bert" else hidden
        expected = weights["readout.linear.weight"] @ pooled + weights["readout.linear.bias"]
    torch.testing.assert_close(alone[kind, "frozen+head"][0], expected, rtol=1e-4, atol=1e-5)


def test_a_question_needs_no_score_to_be_saved(bases, tmp_path):
    """How a text is scored is a function, and no file holds it."""
    asked = Question((), "{text}", kind="text", score=lambda written, example: 1.0)
    save(tmp_path, bases, "gpt", *train("gpt", "lora", (), asked, WRITTEN))
    _, predictor, question, _ = load_tuned(tmp_path)
    assert question.score is None and len(predictor.write(WRITTEN)) == 2
    assert (predictor.score, predictor.metric) == (exact_match, "exact match"), "what needs no function scores it"


def test_words_of_several_tokens_with_weights_are_opened_as_they_were(kind, bases, tmp_path):
    words = {"good": ("so great:3", "good"), "bad": ("awful",), "fair": ("sad", "very slow")}
    method, predictor, asked = train(kind, "biases+verbalizer", question=tiny.question(kind, label_words=words))
    save(tmp_path, bases, kind, method, predictor, asked)
    _, opened, question, _ = load_tuned(tmp_path)
    assert question.label_words == words
    assert torch.equal(scores_of(opened, EXAMPLES), scores_of(predictor, EXAMPLES))
