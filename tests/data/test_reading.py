"""Rows that cannot be used: named together, or left out and counted by cause; and how a file is laid out."""

import pytest

from minitune.data.reading import BadRow, Layout, Reading
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
ROWS = [(f"line {number}", number) for number in range(2, 12)]


def even(number):
    if number % 2:
        raise BadRow(f"{number} is odd", "take another", "an odd number")
    return number // 2


def test_good_rows_keep_their_places(tmp_path):
    reading = Reading(tmp_path)
    assert reading.each(ROWS[::2], even) == [("line 2", 1), ("line 4", 2), ("line 6", 3), ("line 8", 4), ("line 10", 5)]
    assert reading.report() == []


def test_one_bad_row_is_told_with_how_to_mend_it(tmp_path):
    with pytest.raises(
        UserError, match=rf"^{tmp_path}, line 3: 3 is odd; take another \(--skip-bad leaves such rows out\)$"
    ):
        Reading(tmp_path).each(ROWS[:2], even)


def test_the_first_three_of_several_are_named_together(tmp_path):
    with pytest.raises(UserError) as refusal:
        Reading(tmp_path).each(ROWS, even)
    assert str(refusal.value) == (
        f"{tmp_path} has 5 rows that cannot be used: line 3: 3 is odd; line 5: 5 is odd; line 7: 7 is odd; and 2 more; "
        "mend them, or leave such rows out with --skip-bad"
    )


def test_rows_that_are_left_out_are_counted_by_cause(tmp_path):
    reading = Reading(tmp_path, Layout(skip_bad=True))
    assert [value for _, value in reading.each(ROWS, even)] == [1, 2, 3, 4, 5]

    def small(number):
        if number > 4:
            raise BadRow("too large")
        return number

    assert len(reading.each(ROWS, small)) == 3
    assert reading.report() == ["rows that are left out: 12 (7 x too large; 5 x an odd number)"], (
        "counted by what was found, and not by its cause"
    )


def test_with_nothing_left_they_are_refused_whatever_was_asked(tmp_path):
    with pytest.raises(UserError, match=r"line 3: 3 is odd; take another; of all the other rows none can be used"):
        Reading(tmp_path, Layout(skip_bad=True)).each(ROWS[1::2], even)


def test_a_separator_by_its_name_or_itself():
    assert [Layout(separator=mark).separator for mark in ("tab", "semicolon", "~", None)] == ["\t", ";", "~", None]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"separator": "::"}, "the separator '::' is not one character; .*comma, semicolon, tab, pipe"),
        ({"separator": ""}, "the separator '' is not one character"),
        ({"separator": "\n"}, "is not one character"),
        ({"quote": "none"}, "the quote 'none' is not one character"),
        ({"separator": "|", "quote": "|"}, "cannot be the separator and the quote"),
    ],
)
def test_marks_that_are_none(how, message):
    with pytest.raises(UserError, match=message):
        Layout(**how)
