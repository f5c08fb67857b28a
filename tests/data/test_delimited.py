"""Fields between separators: what is guessed of files as people have them."""

import pytest

from minitune.data.delimited import find_separator
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
NAMELESS = Layout(header=False)


def table_of(path, **how):
    return read_table(Reading(path, Layout(**how)))


@pytest.mark.parametrize(
    ("text", "layout", "expected"),
    [
        ("pos;Great film, loved it\nneg;Bad, dull film\npos;Long, but good\nneg;No, not this\n", NAMELESS, ";"),
        ("Great film, loved it\tpos\nBad, dull film\tneg\nLong, but good\tpos\nNo, no\tneg\n", NAMELESS, "\t"),
        ("pos|a; b, c\nneg|d; e, f\npos|g; h, i\nneg|j; k, l\n", NAMELESS, "|"),
        ("pos,good; very\nneg,bad; very\npos,fine; so\nneg,dull; so\n", NAMELESS, ","),
        ("1,a;b\n0,c;d\n", NAMELESS, ","),
        ("text;label\na, b;x\nc, d;y\n", Layout(), ";"),
        ("text,label\na;b;c,x\nd;e,y\n", Layout(), ","),
        ("label;text, as written\nx;a, b\ny;c, d\n", Layout(), ";"),
        ("review;stars, of five\nx;a, b\ny;c, d\n", Layout("review"), ";"),
        ("only\na\n", Layout(), ","),
    ],
)
def test_the_separator_leaves_few_labels_that_come_again(text, layout, expected):
    assert find_separator(text, ",", layout) == expected


def test_a_separator_and_a_quote_that_are_named(write):
    path = write("text~label\n'a ~ b'~x\nc, d~y\n")
    assert [row for _, row in table_of(path, separator="~", quote="'").rows] == [
        {"text": "a ~ b", "label": "x"},
        {"text": "c, d", "label": "y"},
    ]
    tabs = write('text\tlabel\n"a\tx\nb"\ty\n')  # in a .csv, and its quotes are letters
    assert [row["text"] for _, row in table_of(tabs).rows] == ['"a', 'b"'], "a quote swallows the rows up to the next"


def test_columns_without_a_name_and_content_are_none(write):
    table = table_of(write("text,label,,\na,x,,\nb,y\n"))
    assert table.columns == ["text", "label"] and [row for _, row in table.rows][1] == {"text": "b", "label": "y"}
    named = table_of(write("text,,label\na,1,x\n"))
    assert named.columns == ["text", "2", "label"], "a column with content has its place for a name"
    assert table_of(write("text,label,,\na,x,,z\n")).columns == ["text", "label", "3", "4"]


def test_a_line_with_a_field_too_many_is_one_row_that_cannot_be_used(write):
    path = write("text,label\na,x\nb, c,y\nd\ne,x\n")
    with pytest.raises(UserError, match=r"2 rows that cannot be used: line 3: 3 fields, .*; line 4: 1 fields"):
        table_of(path)
    reading = Reading(path, Layout(skip_bad=True))
    assert [place for place, _ in read_table(reading).rows] == ["line 2", "line 5"]
    assert reading.report() == ["rows that are left out: 2 (2 x another number of fields)"]


def test_one_odd_line_hides_neither_that_quotes_are_letters_nor_how_many_columns_there_are(write):
    lines = [f"spam\t{text}" for text in ("a", '"go now', "b", "c", "d", 'e"', "f", "g", "h", "i", "j")]
    path = write("\n".join(["ham  without a tab", *lines]) + "\n", "a.tsv")
    with pytest.raises(UserError, match=r"line 1: 1 fields, and most lines have 2; "):
        table_of(path, header=False)
    reading = Reading(path, Layout(header=False, skip_bad=True))
    assert [row["2"] for _, row in read_table(reading).rows][1:6:4] == ['"go now', 'e"']
    assert any("quotes do not close" in note for note in reading.report())
