"""Tiny models that know the words of the reviews, and a folder with a good file of them."""

import pytest
import torch

from minitune.commands.cli import main
from minitune.data.tokenizers import train_tokenizer
from minitune.models.build import random_model
from minitune.training.checkpoint import Checkpoint, save_checkpoint
from tests.commands.helpers import CONFIGS, RECORDS, REVIEWS, WRITERS, write, write_records


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


@pytest.fixture(scope="session")
def writers(tmp_path_factory):
    """A folder with a GPT, a file of instructions, and for each of WRITERS a folder with what it tuned on them; to look
    at, not to change. What the GPT writes depends on the question."""
    folder = tmp_path_factory.mktemp("writers")
    write_records(folder / "records.json", RECORDS)
    tokenizer = train_tokenizer("gpt", [f"Human: {r['instruction']} {r['input']} Assistant:" for r in RECORDS] * 3)
    config = CONFIGS["gpt"](len(tokenizer), layers=2, width=16, heads=2, inner=24, context=70, spread=0.4)
    model = random_model(config, seed=0)
    breaks = [i for i in range(len(tokenizer)) if "\n" in tokenizer.decode([i])]
    with torch.no_grad():  # the score of a line break is 0, and never the highest: an answer is a line
        model.token_embedding.weight[breaks] = 0
    save_checkpoint(folder / "gpt", Checkpoint(model, tokenizer))
    for method, setting in WRITERS.items():
        arguments = ["tune", method, "--instructions", folder / "records.json", "--model", folder / "gpt"]
        arguments += ["--set", "steps=2", "--set", "lr=0.3", "--set", setting, "--out", folder / method]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("minitune.experiments.curve.plot_curve", lambda *_: None)
            assert main([str(part) for part in arguments]) == 0
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with a good file of reviews."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reviews.csv", REVIEWS)
    return tmp_path


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Processes take a second or two to start, and know nothing of what a test has put in the place of something."""
    monkeypatch.setattr("minitune.experiments.jobs.cores", lambda: 1)


@pytest.fixture
def no_curve(monkeypatch):
    """A figure takes longer than all the rest of a small run."""
    monkeypatch.setattr("minitune.experiments.curve.plot_curve", lambda *_: None)
    monkeypatch.setattr("minitune.experiments.compare_report.plot", lambda *_: None)


@pytest.fixture(scope="session")
def tuned(models, tmp_path_factory):
    """A folder with a tuned BERT in it; to look at, not to change."""
    folder = tmp_path_factory.mktemp("tuned")
    write(folder / "reviews.csv", REVIEWS)
    arguments = ["tune", "frozen+head", "--data", folder / "reviews.csv", "--model", models / "bert", "--shots", 2]
    assert main([str(part) for part in (*arguments, "--set", "steps=2", "--out", folder / "t")]) == 0
    return folder / "t"
