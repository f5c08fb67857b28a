"""The bag of words knows words and not their order."""

from __future__ import annotations

import pytest

from minitune.world.bag_of_words import logistic_regression

pytestmark = pytest.mark.lesson01


def test_logistic_regression_learns_words_and_not_their_order():
    rows = [["good", "soup"], ["bad", "soup"], ["good", "bread"], ["bad", "bread"]]
    assert logistic_regression((rows, "+-+-"), ([["a", "good", "cake"], ["a", "bad", "cake"]], "+-")) == 1.0
    orders = [["not", "good", "but", "bad"], ["not", "bad", "but", "good"]]
    assert logistic_regression((orders, "-+"), (orders, "-+")) == 0.5
