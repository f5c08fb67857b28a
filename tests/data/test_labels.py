"""Which labels are numbers, and which look wrong."""

import pytest

from minitune.data.labels import are_numbers, label_text, number_of, odd_labels, written_otherwise

pytestmark = pytest.mark.lesson04


def rows(labels):
    return list(map(str, labels))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2, 3, 4, 5] * 2, False),  # stars
        ([0.0, 1.0] * 3, False),
        ([f"{i / 2}" for i in range(10)] * 3, False),  # half stars
        (list(range(77)) * 3, False),  # numbered topics
        ([i * 0.37 for i in range(12)] * 3, True),
        (list(range(30)), True),
        ([3.7, -12, 1e3], True),
        ([0, 1], False),
        (["a", *range(30)], False),
        (["nan", *range(30)], False),
    ],
)
def test_many_different_numbers_are_numbers_and_few_are_classes(labels, expected):
    assert are_numbers(rows(labels), decimal_comma=False) is expected


def test_a_decimal_comma_counts_only_where_it_is_told_to():
    assert number_of("3,5", True) == 3.5 and number_of("3,5", False) is None and number_of("1,234.5", True) is None
    assert are_numbers(["3,5", "4,25", "1,0"], decimal_comma=True)


def test_labels_that_may_be_one_are_pointed_at_with_their_counts():
    text = " / ".join(odd_labels(rows(["Pos", "pos", "pos", "neg", "1", "1.0", "not good", "notgood", "nan"])))
    for expected in ("'Pos' 1, 'pos' 2", "'1' 1, '1.0' 1", "'not good' 1, 'notgood' 1", "1 rows have the label 'nan'"):
        assert expected in text, text
    assert "neg" not in text and not odd_labels(rows(["a", "b", "0", "1"]))


def test_labels_that_look_the_same_are_the_same():
    composed, parted = "caf\u00e9", "cafe\u0301"
    seen = {label_text(text) for text in (composed, parted, f" {composed}\u200b", f"\ufeff{parted}", "ca\u00adf\u00e9")}
    assert seen == {composed}, "classes that nobody can tell apart"
    assert written_otherwise([composed, parted, "a\u200b", " a ", None, 3]) == 2
    assert label_text("a\u200db") == "a\u200db", "a joiner changes what is seen in many scripts, and in emoji"
    assert [label_text(value) for value in (True, 3, 2.5, float("nan"), None, ["a"])] == [
        "True", "3", "2.5", None, None, ["a"],
    ]  # fmt: skip
