"""Every field of every file that is read from disk, damaged in every way: one sentence that names the file, or the same
answers as before; never another exception, never a bad number let through.
"""

import copy
from dataclasses import asdict

import pytest
import torch

from minitune.errors import UserError
from minitune.methods.method import Method
from minitune.training.checkpoint import load_checkpoint, read_tensors, save_checkpoint
from minitune.tuned.saved import FILE, load_tuned, read_tuned, save_tuned
from tests import tiny

pytestmark = pytest.mark.thorough
VALUES = [None, True, -1, 0, 3, 2**70, -2.5, 1e400, float("nan"), "", "text", "\ud83c", b"bytes", [], [None], [3], {}]
VALUES += [{"a": 3}, {3: "a"}, torch.zeros(2), torch.tensor(float("nan")), torch.zeros(2, dtype=torch.complex64)]


def damaged(content, path=()):
    """The content with one part of it changed, removed or added, each part in turn; with the part's path."""
    if isinstance(content, dict):
        for key in content:
            yield (*path, key, "removed"), {k: v for k, v in content.items() if k != key}
            for value in VALUES:
                if type(value) is not type(content[key]) or isinstance(value, torch.Tensor) or value != content[key]:
                    yield (*path, key, value), {**content, key: value}
            for where, changed in damaged(content[key], (*path, key)):
                yield where, {**content, key: changed}
        yield (*path, "added"), {**content, "more": 3}
    elif isinstance(content, list | tuple):
        for place in range(min(2, len(content))):
            for value in VALUES:
                yield (*path, place, value), [*content[:place], value, *content[place + 1 :]]


def sentence_of(read, path):
    """What reading says against the file; None when it takes it."""
    try:
        read()
    except UserError as error:
        said = str(error)
        assert str(path) in said and "\n" not in said, f"{said!r} is no single sentence that names {path}"
        return said


@pytest.fixture
def instead(monkeypatch):
    """Lets a file seem to hold something: writing and reading a thousand of them would take minutes."""
    return lambda module, content: monkeypatch.setattr(f"{module}.read_tensors", lambda path, what: content)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_checkpoint(tmp_path, instead, kind):
    before = tiny.checkpoint(kind, layers=1)
    save_checkpoint(tmp_path, before)
    path, refused, taken = tmp_path / "model.pt", 0, []
    content = read_tensors(path, "checkpoint")
    ids = torch.tensor([before.tokenizer.encode("great soup")])
    content["weights"] = dict(content["weights"])
    for where, changed in damaged({name: part for name, part in content.items() if name != "made"}):
        instead("minitune.training.checkpoint", changed)
        if sentence_of(lambda: load_checkpoint(tmp_path), path):
            refused += 1
        else:
            taken.append(where)
            assert load_checkpoint(tmp_path).model(ids).hidden.isfinite().all(), f"{where} gives answers that are none"
    taken = [where for where in taken if where[-2] != "next_sentence.bias"]  # two zeros are a bias of two
    harmless = {"dropout", "spread", "norm_eps"}  # other numbers than those that were there, within their ranges
    assert {where[-2] for where in taken} <= harmless, f"these were let through: {taken}"
    assert refused > 500


@pytest.mark.parametrize("name", ["lora+head", "prompt-tuning"])
def test_a_tuned_method(tmp_path, instead, monkeypatch, name):
    base = tiny.checkpoint("bert", layers=1)
    save_checkpoint(tmp_path / "base", base)
    base.name = str(tmp_path / "base")
    method, question = Method.parse(name, ["steps=2"]), tiny.question("bert")
    save_tuned(tmp_path, method, method.build(base, question, 0), question, base, {})
    path, taken = tmp_path / FILE, []
    content = asdict(read_tuned(tmp_path))
    expected = load_tuned(tmp_path)[1].scores(tiny.EXAMPLES)
    loaded = {base.name: load_checkpoint(base.name)}
    load = load_checkpoint
    monkeypatch.setattr("minitune.tuned.saved.load_checkpoint", lambda name, device: loaded.get(name) or load(name))
    for where, changed in damaged({name: part for name, part in content.items() if name != "made"}):
        instead("minitune.tuned.saved", changed)
        place = tmp_path if where[:2] == ("base", "name") else path  # a base that is elsewhere is looked for there
        if not sentence_of(lambda: load_tuned(tmp_path), place):
            taken.append(where)
            scores = load_tuned(tmp_path)[1].scores(tiny.EXAMPLES)
            assert scores.isfinite().all() and scores.shape == expected.shape, f"{where} gives answers that are none"
    for where in taken:
        assert where[0] in ("settings", "question", "base"), f"{where} was let through"


def test_every_byte_of_a_tuned_method(tmp_path):
    """One bit turned in each of many places: refused, or without effect."""
    base = tiny.checkpoint("bert", layers=1)
    save_checkpoint(tmp_path / "base", base)
    base.name = str(tmp_path / "base")
    method, question = Method.parse("frozen+head", ["steps=2"]), tiny.question("bert")
    save_tuned(tmp_path, method, method.build(base, question, 0), question, base, {})
    path = tmp_path / FILE
    whole, expected = path.read_bytes(), load_tuned(tmp_path)[1].scores(tiny.EXAMPLES)
    for place in range(0, len(whole), 37):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(changed))
        if not sentence_of(lambda: load_tuned(tmp_path), tmp_path):
            assert torch.equal(load_tuned(tmp_path)[1].scores(tiny.EXAMPLES), expected), f"byte {place} was let through"


def test_the_damage_itself():
    """Else the tests above would show nothing."""
    content = {"a": {"b": [1, 2]}, "c": 3}
    found = {repr(where): changed for where, changed in damaged(copy.deepcopy(content))}
    assert found[repr(("a", "b", "removed"))] == {"a": {}, "c": 3} and found[repr(("added",))] == {**content, "more": 3}
    assert found[repr(("a", "b", 1, "text"))] == {"a": {"b": [1, "text"]}, "c": 3}
