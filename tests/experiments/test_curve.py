"""The curve of a training: each point is where it belongs."""

import pytest

from minitune.experiments import curve
from minitune.experiments.curve import plot_curve
from minitune.training.loop import History
from tests.naming import expect

pytestmark = pytest.mark.lesson04


@pytest.fixture
def drawn(monkeypatch):
    """The lines of the figure, by what they are called."""
    found = {}

    def save(figure, path):
        left, *right = figure.axes
        found.update({line.get_label().split()[0]: line.get_xydata().tolist() for line in left.lines})
        found["scores"] = right[0].lines[0].get_xydata().tolist() if right else None

    monkeypatch.setattr(curve, "save_figure", save)
    return found


def test_losses_are_smoothed_backwards_and_looks_stand_at_their_steps(drawn, tmp_path):
    losses = [float(step % 7) + step / 10 for step in range(75)]  # a mean of 3
    looks = [
        (25, {"accuracy": 0.2, "loss": 3.0}),
        (50, {"accuracy": 0.9, "loss": 2.0}),
        (75, {"accuracy": 0.4, "loss": 1.0}),
    ]
    plot_curve(History(losses, looks), "full", tmp_path / "curve.png")
    right = [[step + 1, sum(losses[max(0, step - 2) : step + 1]) / min(step + 1, 3)] for step in range(75)]
    ahead = [[step + 1, sum(losses[step : step + 3]) / min(step + 1, 3)] for step in range(75)]
    expect(drawn["train"], right, {
        "a step's mean holds losses of later steps": ahead,
        "the losses are not smoothed": [[step + 1, loss] for step, loss in enumerate(losses)],
        "the first step is step 0": [[step - 1, loss] for step, loss in right],
    })  # fmt: skip
    expect(drawn["dev"], [[25, 3.0], [50, 2.0], [75, 1.0]], {"the scores are drawn as losses": drawn["scores"]})
    expect(drawn["scores"], [[25, 0.2], [50, 0.9], [75, 0.4]])


def test_without_looks_there_is_one_line(drawn, tmp_path):
    plot_curve(History([2.0, 1.0]), "full", tmp_path / "curve.png")
    assert drawn["train"] == [[1, 2.0], [2, 1.0]] and drawn["scores"] is None
