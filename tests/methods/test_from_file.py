"""From a user's own file to examples and a question."""

import csv

import pytest

from minitune.methods.file_report import describe, words_asked
from minitune.methods.from_file import file_data
from minitune.models import BERTConfig
from minitune.models.build import random_model
from minitune.training.checkpoint import Checkpoint
from tests.conftest import LINES

pytestmark = pytest.mark.lesson06


def file_of(path, test, shots, checkpoint):
    return file_data(path, test, shots).for_model(checkpoint)


@pytest.fixture
def checkpoint(bert_tokenizer):
    config = BERTConfig(len(bert_tokenizer), layers=1, width=12, heads=2, inner=20, context=16)
    return Checkpoint(random_model(config, seed=0), bert_tokenizer)


def write(path, rows, header=("text", "label")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def test_labels_that_are_single_tokens_are_their_own_words(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(f"{line} {i}", ("great", "awful")[i % 2]) for i, line in enumerate(LINES)])
    data, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert data.labels == ("awful", "great") and question.label_words == {"awful": ("awful",), "great": ("great",)}
    assert question.template.endswith("{mask}") and not question.is_pair
    assert len(data.test) == 4 and len(data.pool) == 4, "half is kept for the test, but never a training shot"


def test_a_class_without_a_word_is_said_with_the_way_out(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(line, ("5 stars", "1 star")[i % 2]) for i, line in enumerate(LINES)])
    _, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert not question.label_words
    assert "--label-words" in words_asked(question, ["full+head", "full"], "bert")[0]
    assert not words_asked(question, ["full+head"], "bert"), "nobody asked for a verbalizer"


def test_what_was_read_is_counted(tmp_path, checkpoint):
    long = "the plot was clever and gripping . " * 5
    write(tmp_path / "a.csv", [(long, "great"), ("the plot \u4f60\u597d", "awful")] * 2)
    text = "\n".join(describe(file_data(tmp_path / "a.csv", None, 1), checkpoint))
    assert "4 rows" in text and "awful 2, great 2" in text
    assert "2 texts are longer than the context" in text, "a text that is cut must be counted"
    assert "4 unknown tokens" in text, "two characters that BERT's tokenizer has never seen, twice"


def test_foreign_text_points_to_pretraining(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("quarterly revenue exceeded expectations", "great"), ("shares tumbled", "awful")] * 3)
    lines = describe(file_data(tmp_path / "a.csv", None, 1), checkpoint)
    assert any("100% of the words" in line and "minitune pretrain bert --text" in line for line in lines)


def test_pairs_are_read_with_both_texts(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("a", "b", "great"), ("c", "d", "awful")] * 2, header=("text", "text_b", "label"))
    data, question = file_of(tmp_path / "a.csv", None, 1, checkpoint)
    assert question.is_pair and {e.text_b for e in data.test} <= {"b", "d"} and "{text_b}" in question.template
