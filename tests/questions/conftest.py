"""A BERT of few places that knows the words of the tests."""

import pytest

from minitune.models import BERTConfig
from minitune.models.build import random_model
from minitune.training.checkpoint import Checkpoint


@pytest.fixture
def checkpoint(bert_tokenizer):
    config = BERTConfig(len(bert_tokenizer), layers=1, width=12, heads=2, inner=20, context=16)
    return Checkpoint(random_model(config, seed=0), bert_tokenizer)
