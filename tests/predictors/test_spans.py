"""Spans: read off tags by hand, in every way of writing them."""

import pytest

from minitune.predictors.spans import span_f1, spans_of

pytestmark = pytest.mark.lesson04
BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
PLAIN = ("O", "PER", "LOC")
BMES = ("O", "B-PER", "M-PER", "E-PER", "S-PER")
BARE = ("O", "B", "I")
LETTERS = ("O", "B", "K")  # names of things, and no marks
BIOES = ("O", "B-PER", "I-PER", "E-PER", "S-PER")


@pytest.mark.parametrize(
    ("labels", "tags", "expected"),
    [
        (BIO, [1, 2, 0, 1], {(0, 1, "PER"), (3, 3, "PER")}),
        (BIO, [1, 1, 2], {(0, 0, "PER"), (1, 2, "PER")}),  # B- begins another one
        (BIO, [1, 4, 4], {(0, 0, "PER"), (1, 2, "LOC")}),  # another name begins another one
        (BIO, [2, 2, 0, 0, 4], {(0, 1, "PER"), (4, 4, "LOC")}),  # IOB1: I- may begin
        (PLAIN, [1, 1, 2, 0, 2], {(0, 1, "PER"), (2, 2, "LOC"), (4, 4, "LOC")}),
        (BIOES, [4, 4, 1, 2, 3, 2, 0], {(0, 0, "PER"), (1, 1, "PER"), (2, 4, "PER"), (5, 5, "PER")}),
        (BMES, [1, 2, 3, 4, 0, 1, 3], {(0, 2, "PER"), (3, 3, "PER"), (5, 6, "PER")}),
        (BARE, [1, 2, 2, 0, 1, 1], {(0, 2, ""), (4, 4, ""), (5, 5, "")}),
        (LETTERS, [1, 1, 2], {(0, 1, "B"), (2, 2, "K")}),
        (BIO, [0, 0], set()),
        (BIO, [], set()),
    ],
)
def test_spans_by_hand(labels, tags, expected):
    message = "a thing of several words is scored piece by piece" if labels in (BMES, BARE) else ""
    assert spans_of(tags, labels) == expected, message


def test_half_of_a_name_is_no_name():
    right = [[1, 2, 0, 3], [1]]  # three things
    assert span_f1(right, right, BIO) == 1.0
    assert span_f1([[1, 0, 0, 3], [1]], right, BIO) == pytest.approx(2 * 2 / 6), "the word-wise F1 would be 6 / 7"
    assert span_f1([[3, 4, 0, 3], [1]], right, BIO) == pytest.approx(2 * 2 / 6), "the name counts too"
    assert span_f1([[0, 0, 0, 0], [0]], right, BIO) == 0.0
    assert span_f1([[1, 2], [2]], [[1, 2], [2]], BIO) == 1.0, "a thing ends where its text ends"
