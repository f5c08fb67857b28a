"""What the tests of pretraining share: a run of eleven steps on a model below the smallest size."""

import pytest

from minitune.models import build
from minitune.training import pretrain as module
from minitune.training.pretrain import pretrain
from minitune.training.run import Recipe
from tests.conftest import LINES

TEXTS = [
    line.replace("great", word) for word in ("great", "bad", "dull", "sad", "good", "clever") for line in LINES
] * 3
RECIPE = Recipe(lr=0.02, batch_size=5, spread=0.1, warmup=3)
STEPS = 11


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """A size below the smallest, and a shorter context."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(build.SIZES, "pico", {"layers": 1, "width": 12, "heads": 2, "inner": 20})
        patch.setattr(module, "CONTEXT", 33)
        yield


def run(kind, out, texts=TEXTS, **changes):
    """Saved after every step, where nothing else is said."""
    settings = {"size": "pico", "steps": STEPS, "seed": 3, "recipe": RECIPE, "save_seconds": -1.0} | changes
    return pretrain(kind, texts, out, **settings)


class Kill:
    """Ctrl-C at the given look, whatever the clock says."""

    def __init__(self, at):
        self.at, self.looks = at, 0

    def __call__(self, checkpoint):
        self.looks += 1
        if self.looks == self.at:
            raise KeyboardInterrupt
        return {"looks": 1.0}
