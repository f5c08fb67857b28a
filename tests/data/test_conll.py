"""Lines of words and tags: columns, comments, numbers, and lines that are not even."""

import pytest

from minitune.data.columns import find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04


def read(path, **how):
    """(words, tags) of each sentence."""
    reading = Reading(path, Layout(**how))
    table = read_table(reading)
    columns = find_columns(table, reading)
    return [(row[columns.text], row[columns.label]) for _, row in table.rows]


EXPECTED = [(["Rose", "#", "met"], ["B-PER", "O", "O"]), (["#tag"], ["O"])]


@pytest.mark.parametrize(
    "content",
    [
        "# a comment\nRose B-PER\n# O\nmet O\n\n# text = a tag\n#tag O\n",
        "Rose\tB-PER\n#\tO\nmet\tO\n\n# another comment O\n#tag\tO\n",
        "1\tRose\tX\tB-PER\n2\t#\tX\tO\n3\tmet\tX\tO\n\n# sent_id = 2\n1\t#tag\tX\tO\n",
        "1\tRose\tB-PER\n2-3\tof the\t_\n2\t#\tO\n3\tmet\tO\n\n1\t#tag\tO\n",
        "Rose\tB-PER\t\n#\tO\t\nmet\tO\t\n\n#tag\tO\t\n",
        "-DOCSTART- O\n\n\ufeffRose B-PER\n# O\nmet O\n\n\ufeff\n#tag O\n",
    ],
    ids=["spaces", "tabs", "running numbers", "a word of two", "an empty last column", "marks in the middle"],
)
def test_the_words_and_their_tags(write, content):
    message = "a comment, a number or a mark is read as a word, or a word that begins with # as a comment"
    assert read(write(content, "a.conll")) == EXPECTED, message


def test_an_empty_field_between_tabs_is_no_reason_to_shift_the_columns(write):
    path = write("Rose\tN\tB-PER\nmet\t\tO\n\nBasil\tN\tB-PER\n", "a.conll")
    assert read(path)[0] == (["Rose", "met"], ["B-PER", "O"])
    with pytest.raises(UserError, match=r"line 2 has 2 columns \('met O'\), and most lines have 3"):
        read(write("Rose\tN\tB-PER\nmet\tO\n\nBasil\tN\tB-PER\n", "a.conll"))


def test_columns_by_their_numbers(write):
    path = write("Rose x B-PER N\nmet y O V\n", "a.conll")
    assert read(path, text="2", label="3") == [(["x", "y"], ["B-PER", "O"])]
    assert read(path) == [(["Rose", "met"], ["N", "V"])], "the last column is the tag's"
    with pytest.raises(UserError, match="no column '9', only '1', '2', '3', '4'"):
        read(path, label="9")
    with pytest.raises(UserError, match="has one column, and the sentence that ends on line 1 is 'Rose'"):
        read(write("Rose\n", "b.conll"))


def test_a_sentence_with_a_damaged_line_is_left_out_whole(write):
    path = write("Rose B-PER\nmet\n\nBasil B-PER\nleft O\n", "a.conll")
    assert read(path, skip_bad=True) == [(["Basil", "left"], ["B-PER", "O"])]
