"""Lesson 15: words are shared out among the classes, none to two of them."""

import pytest
import torch

from minitune.errors import UserError
from minitune.readout.ranking import check_every_class, share_out
from tests.naming import expect

pytestmark = pytest.mark.lesson15


def test_a_word_that_two_classes_want_goes_to_the_higher_score():
    scores = torch.tensor([[5.0, 4.0, 3.0, 0.0], [6.0, 1.0, 2.0, 0.5]])
    # 40 (6 for b), then 41 (4 for a), 42 (3 for a), and b, whose best but one is taken, has 43 left
    words = share_out(scores, [40, 41, 42, 43], 2, ("a", "b"))
    wrong = {
        "the first class takes its words before the second": [[(40, 5.0), (41, 4.0)], [(42, 2.0), (43, 0.5)]],
        "a word stands for both classes": [[(40, 5.0), (41, 4.0)], [(40, 6.0), (42, 2.0)]],
        "the lowest scores are taken": [[(43, 0.0), (40, 5.0)], [(41, 1.0), (42, 2.0)]],
        "places among the allowed words are taken for ids": [[(1, 4.0), (2, 3.0)], [(0, 6.0), (3, 0.5)]],
    }
    expect(words, [[(41, 4.0), (42, 3.0)], [(40, 6.0), (43, 0.5)]], wrong)


def test_equal_scores_go_to_the_first_class_and_the_first_word():
    words = share_out(torch.zeros(2, 4), [9, 7, 5, 3], 2, ("a", "b"))
    wrong = {
        "ties go to the last class, and the last word": [[(7, 0.0), (9, 0.0)], [(3, 0.0), (5, 0.0)]],
        "a word stands for both classes": [[(9, 0.0), (7, 0.0)], [(9, 0.0), (7, 0.0)]],
    }
    expect(words, [[(9, 0.0), (7, 0.0)], [(5, 0.0), (3, 0.0)]], wrong)


def test_what_is_no_candidate_is_never_taken():
    scores = torch.tensor([[-torch.inf, 1.0], [-torch.inf, 2.0]])
    with pytest.raises(UserError, match="of 2 words that may stand for a class, 0 are left for 'a' where 1 were"):
        share_out(scores, [4, 5], 1, ("a", "b"))


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [([0, 0], ("a", "b"), "'b' has no training example"), ([0, 0], ("a",), "there are not two of them here")],
)
def test_every_class_needs_examples(labels, classes, message):
    with pytest.raises(UserError, match=message):
        check_every_class(torch.tensor(labels), classes)
