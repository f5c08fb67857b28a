"""What is measured without training, on a model whose answers are known."""

import pytest
import torch

from minitune.data.tokenizers import train_tokenizer
from minitune.models import BERTConfig, GPTConfig
from minitune.models.build import random_model
from minitune.predictors.probes import commonest_object, news_loss, recall
from minitune.training.checkpoint import Checkpoint
from tests.naming import expect

pytestmark = pytest.mark.lesson03
ROWS = [
    {"relation": "born", "object": "alden", "phrasing": "mira was born in {mask}", "count": 60},
    {"relation": "born", "object": "alden", "phrasing": "tobin was born in {mask}", "count": 60},
    {"relation": "born", "object": "corvo", "phrasing": "ivy was born in {mask}", "count": 60},
    {"relation": "plays", "object": "harp", "phrasing": "mira plays the {mask}", "count": 60},
]
TEXTS = ["mira was born in alden .", "tobin was born in corvo .", "ivy plays the harp ."] * 3


def obsessed(kind: str, word: str) -> Checkpoint:
    """A model that fills every blank with one word: its hidden state always points along the word's embedding."""
    tokenizer = train_tokenizer(kind, TEXTS)
    config_class = {"gpt": GPTConfig, "bert": BERTConfig}[kind]
    model = random_model(config_class(len(tokenizer), layers=1, width=16, heads=2, inner=24, context=60), seed=0)
    with torch.no_grad():
        if kind == "gpt":
            model.norm.weight.zero_()
            model.norm.bias.copy_(model.token_embedding.weight[tokenizer.word_id(word)] * 100)
        else:
            model.decoder_bias[tokenizer.word_id(word)] = 100.0
    return Checkpoint(model.eval(), tokenizer)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_recall_counts_the_likeliest_of_all_words(kind):
    assert recall(obsessed(kind, "alden"), ROWS) == [True, True, False, False]
    assert recall(obsessed(kind, "harp"), ROWS, batch_size=3) == [False, False, False, True]


def test_the_commonest_object_is_counted_by_relation():
    expect(commonest_object(ROWS), 0.75, {  # alden twice of three, harp once of one
        "one object for all relations": 2 / 4,
        "the commonest pair of all is counted for each relation": 4 / 4,
        "a mean over relations, and not over rows": (2 / 3 + 1) / 2,
    })  # fmt: skip


def test_news_loss_is_the_mean_over_every_token_of_the_reports_and_their_end():
    checkpoint = obsessed("gpt", "alden")
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    torch.nn.init.ones_(model.norm.weight)
    reports = [(TEXTS[0], 3.0), (TEXTS[2], 5.0)]
    first, second = ([*tokenizer.encode(text), tokenizer.end_id] for text, _ in reports)
    with torch.no_grad():
        total = 0.0
        for before, report in ((second, first), (first, second)):
            scores = model.logits(model(torch.tensor([before + report])).hidden[0]).log_softmax(dim=-1)
            total -= sum(scores[len(before) + i - 1, token].item() for i, token in enumerate(report))
    loss, entropy = news_loss(checkpoint, reports)
    tokens = len(first) + len(second)
    assert loss == pytest.approx(total / tokens, rel=1e-5), "position t guesses token t + 1, the report's first one too"
    assert entropy == pytest.approx(8.0 / tokens)
