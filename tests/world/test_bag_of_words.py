"""The bag of words knows words and not their order."""

from __future__ import annotations

import pytest

from minitune.data.bags import bags_of
from minitune.world.bag_of_words import bags, logistic_regression

pytestmark = pytest.mark.lesson01


def test_logistic_regression_learns_words_and_not_their_order():
    rows = [["good", "soup"], ["bad", "soup"], ["good", "bread"], ["bad", "bread"]]
    assert logistic_regression((rows, "+-+-"), ([["a", "good", "cake"], ["a", "bad", "cake"]], "+-")) == 1.0
    orders = [["not", "good", "but", "bad"], ["not", "bad", "but", "good"]]
    assert logistic_regression((orders, "-+"), (orders, "-+")) == 0.5


def test_counts_and_labels_by_hand():
    rows = [{"text": "so so good", "label": "+"}, {"text": "bad so", "text_b": "so", "label": "-"}]
    words, labels = bags(rows)
    assert words == [["so", "so", "good"], ["bad", "so", "b:so"]], "the second text's words are mixed with the first's"
    assert labels == ["+", "-"]
    counts = bags_of(words, {"so": 0, "b:so": 1, "bad": 2}).to_dense()
    assert counts.tolist() == [[2, 0, 0], [1, 1, 1]], (
        "words are counted, not only seen; those that are not known are not"
    )
