"""The gain over random weights, on a labelled file of one's own."""

import csv
from collections import Counter
from types import SimpleNamespace

import pytest

from minitune.errors import UserError
from minitune.experiments import gain as module
from minitune.experiments.gain import gain, probe_data
from minitune.training.checkpoint import fingerprint, random_twin
from tests.naming import expect
from tests.tiny import checkpoint

WORDS = {"good": ("great", "good", "clever"), "bad": ("awful", "dull", "sad")}


@pytest.fixture
def file(tmp_path):
    def write(count, labels=("good", "bad")):
        rows = [
            (f"the {part} was {WORDS[label][i % 3]} {i}", label)
            for label in labels
            for i in range(count)
            for part in ("film", "soup")
        ]
        with open(tmp_path / "mine.csv", "w", newline="", encoding="utf-8") as target:
            csv.writer(target).writerows([("text", "label"), *rows])
        return tmp_path / "mine.csv"

    return write


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_model_and_its_twin_are_trained_on_the_same_examples(kind, file, monkeypatch):
    seen = []
    real = module.learn

    def few_steps(method, start, question, dataset, shots, seed):
        learned = real(module.Method.parse(method.name, ["steps=2"]), start, question, dataset, shots, seed)
        seen.append((method.name, start, seed, learned.train))
        return learned

    monkeypatch.setattr(module, "learn", few_steps)
    base = checkpoint(kind)
    scores = gain(base, probe_data(file(4)), seed=5)
    assert list(scores) == [
        f"mine, 4 a class: {name}{whose}" for name in ("frozen+head", "full+head") for whose in ("", ", random weights")
    ]
    assert all(len(draws) == 3 and all(0 <= score <= 1 for score in draws) for draws in scores.values())
    assert len({train for _, _, seed, train in seen if seed == 1}) == 1, "each sees another draw"
    models = [start for name, start, seed, _ in seen if (name, seed) == ("full+head", 0)]
    assert models[0] is base and models[1] is not base
    weights = [fingerprint(its.model) for its in (models[1], random_twin(base, 5), random_twin(base), base)]
    assert weights[0] != weights[3], "the twin has the pretrained weights"
    assert weights[0] == weights[1], "the twin is not what the model itself started from" + (
        ", but that of seed 0" * (weights[0] == weights[2])
    )


def test_the_rarest_class_says_how_many_examples_there_are(file, monkeypatch):
    """Twelve of one class and three of the other, to draw from: all draws need as many of each."""
    path, shots = file(9), []
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:1] + lines[1:19] + lines[19:25]) + "\n", encoding="utf-8")
    monkeypatch.setattr(module, "learn", lambda *its: shots.append(its[4]))
    monkeypatch.setattr(module, "trial", lambda learned, test: SimpleNamespace(score=0.5))
    data = probe_data(path)
    gain(checkpoint("gpt"), data)
    counts = Counter(example.label for example in data.dataset.pool)
    assert max(counts.values()) > min(counts.values()) and len(shots) == 12
    expect(shots[0], min(counts.values()), {"as many as are asked for elsewhere, which a class lacks": module.SHOTS})


def test_the_test_part_is_cut_down_and_keeps_all_classes(file, monkeypatch):
    monkeypatch.setattr(module, "TESTED", 10)
    data = probe_data(file(20))
    assert len(data.test) == 10 and {example.label for example in data.test} == {0, 1}
    assert data.test == probe_data(file(20)).test and data.test.labels == ("bad", "good")


def test_a_file_that_cannot_be_probed_is_refused(file, tmp_path):
    with pytest.raises(UserError, match="two classes"):
        probe_data(file(3, labels=("good",)))
    with pytest.raises(UserError, match="there is no file"):
        probe_data(tmp_path / "nowhere.csv")
