"""Tiny models that know the words of the reviews, and a folder with a good file of them."""

import pytest

from minitune.commands.cli import main
from minitune.data.tokenizers import train_tokenizer
from minitune.models.build import random_model
from minitune.training.checkpoint import Checkpoint, save_checkpoint
from tests.commands.helpers import CONFIGS, REVIEWS, write


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folders of a tiny BERT and a tiny GPT that know the words of the reviews."""
    folder = tmp_path_factory.mktemp("models")
    texts = [text for text, _ in REVIEWS] + ["it was good", "it was bad", "great", "the capital of the country is"]
    for kind, config_class in CONFIGS.items():
        tokenizer = train_tokenizer(kind, texts * 2)
        config = config_class(len(tokenizer), layers=1, width=16, heads=2, inner=24, context=40)
        save_checkpoint(folder / kind, Checkpoint(random_model(config, seed=0), tokenizer))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with a good file of reviews."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reviews.csv", REVIEWS)
    return tmp_path


@pytest.fixture
def no_curve(monkeypatch):
    """A figure takes longer than all the rest of a small run."""
    monkeypatch.setattr("minitune.methods.curve.plot_curve", lambda *_: None)
    monkeypatch.setattr("minitune.methods.compare_report.plot", lambda *_: None)


@pytest.fixture(scope="session")
def tuned(models, tmp_path_factory):
    """A folder with a tuned BERT in it; to look at, not to change."""
    folder = tmp_path_factory.mktemp("tuned")
    write(folder / "reviews.csv", REVIEWS)
    arguments = ["tune", "frozen+head", "--data", folder / "reviews.csv", "--model", models / "bert", "--shots", 2]
    assert main([str(part) for part in (*arguments, "--set", "steps=2", "--out", folder / "t")]) == 0
    return folder / "t"
