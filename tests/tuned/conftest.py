"""The tiny checkpoints on the disk."""

import pytest

from minitune.training.checkpoint import save_checkpoint
from tests import tiny


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The folders of the tiny checkpoints."""
    folder = tmp_path_factory.mktemp("bases")
    for kind in ("gpt", "bert"):
        save_checkpoint(folder / kind, tiny.checkpoint(kind))
    return folder
