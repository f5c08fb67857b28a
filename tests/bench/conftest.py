"""The shipped models, read from the disk once."""

import copy
import functools
from dataclasses import replace

import pytest

from minitune.training.checkpoint import load_checkpoint

read_once = functools.cache(load_checkpoint)


@pytest.fixture(autouse=True)
def one_reading_of_each_model(monkeypatch):
    """The work that is timed changes its model: each gets a copy."""

    def copied(kind):
        return replace(read_once(kind), model=copy.deepcopy(read_once(kind).model))

    for module in ("chatting", "readers", "tuning"):
        monkeypatch.setattr(f"minitune.bench.{module}.load_checkpoint", copied)
