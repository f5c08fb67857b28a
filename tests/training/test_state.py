"""Every field of `state.pt`, damaged in many ways: one sentence that names the file, before PyTorch sees it."""

import copy
from math import nan

import pytest
import torch

from minitune.errors import UserError
from minitune.training import pretrain as module
from minitune.training.checkpoint import read_tensors
from minitune.training.pretrain import pretrain
from minitune.training.run import read_run
from tests.training.shared import TEXTS, Kill, run, tiny

__all__ = ["tiny"]
pytestmark = pytest.mark.thorough
VALUES = [None, True, -1, 0, 9, 2**70, -2.5, nan, "text", [], [None], [3.0], {}, {3: "a"}]
VALUES += [torch.zeros(2), torch.tensor(nan), torch.tensor(3.0, dtype=torch.float64)]


def paths(content, path=()):
    """To each part of the content; of many parameters and of a list's parts the first is enough."""
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    is_of_many = isinstance(content, list) or path in (("module",), ("optimizer", "state"))
    for key, part in list(parts)[: 1 if is_of_many else None]:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from paths(part, (*path, key))


def changed(content, path, value):
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


def is_alike(one, other):
    if type(one) is not type(other):
        return False
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.fixture
def state(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("gpt", tmp_path, watch=Kill(3))
    return read_tensors(tmp_path / "state.pt", "pretraining")


def test_no_damage_is_let_through(tmp_path, monkeypatch, state):
    work = []
    with monkeypatch.context() as instead, pytest.raises(pytest.fail.Exception):
        instead.setattr(module, "learn", lambda *parts: work.append(parts[0]) or pytest.fail())
        pretrain("gpt", TEXTS, tmp_path, resume=True)
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("reached the training"))
    learned, taken, refused = read_run(tmp_path), [], 0
    for path in paths(state):
        part = state
        for key in path:
            part = part[key]
        for value in [KeyError, *VALUES]:
            if is_alike(part, value):
                continue
            now = changed(state, path, value)
            monkeypatch.setattr(module, "read_tensors", lambda *_, now=now: now)
            try:
                found = module.resumed_state(tmp_path / "state.pt", learned, work[0].tokenizer)
                module.learn(work[0], learned, tmp_path, found, lambda _: {}, 0.0)
            except UserError as error:
                assert str(tmp_path / "state.pt") in str(error) and "\n" not in str(error), (path, value, error)
                refused += 1
            except pytest.fail.Exception:
                taken.append((path, value))
    harmless = ("lr", "seconds")  # the one is set anew at each step, the other is the time so far
    taken = [(path, value) for path, value in taken if path[-1] not in harmless and path[0] != "losses"]
    assert not taken, f"these were let through: {taken[:9]}"
    assert refused > 300
