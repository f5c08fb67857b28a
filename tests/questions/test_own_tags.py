"""Tagged words: CoNLL's lines and JSON Lines."""

import pytest

from minitune.data.columns import find_columns
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.questions.own_kinds import OWN_KINDS, rows_of, tag_names
from minitune.questions.own_rows import Labelled

pytestmark = pytest.mark.lesson04


def read_tagged(path, **how):
    """(words, tags) of each sentence."""
    reading = Reading(path, Layout(kind="tags", **how))
    table = read_table(reading)
    return [(row.text, row.label) for row in rows_of(OWN_KINDS["tags"], table, find_columns(table, reading), reading)]


def names_of(sentences):
    rows = [Labelled(words, None, tags) for words, tags in sentences]
    return tag_names(rows, None, None)


FIRST, SECOND = (("Rose", "Brown", "met", "#"), ("B-PER", "I-PER", "O", "O")), (("Basil",), ("B-PER",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.conll", "-DOCSTART- -X- O O\n\nRose N X B-PER\nBrown N X I-PER\nmet V X O\n# # X O\n\n\nBasil N X B-PER"),
        ("a.bio", "# id = 1\nRose B-PER\r\nBrown I-PER\r\nmet O\r\n# O\r\n\r\nBasil B-PER\r\n"),
        ("a.tsv", "Rose\tB-PER\nBrown\tI-PER\nmet\tO\n#\tO\n \nBasil\tB-PER\n\n"),
        ("a.jsonl", '{"tokens": ["Rose", "Brown", "met", "#"], "tags": ["B-PER", "I-PER", "O", "O"]}\n'
                    '{"tokens": ["Basil"], "tags": ["B-PER"]}\n'),
    ],
)  # fmt: skip
def test_the_same_sentences_in_every_form(write, name, content):
    assert read_tagged(write(content, name)) == [FIRST, SECOND]


def test_the_tag_of_words_outside_comes_first_and_each_thing_may_begin_and_go_on(write):
    assert names_of(read_tagged(write("a B-PER\nb O\nc I-LOC\n", "a.bio"))) == (
        "O", "B-LOC", "B-PER", "I-LOC", "I-PER",
    )  # fmt: skip
    assert names_of(read_tagged(write("a Z\nb A\n", "a.bio"))) == ("O", "A", "Z"), "plain tags stay plain"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.conll", "a O\nb\n", r"line 2 has 1 column \('b': a word and its tag were expected\), and most"),
        ("a.conll", "\n-DOCSTART- O\n", "no sentences"),
        ("a.csv", "a O\n", "ends in .csv"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n', "line 1: there are 2 tokens and 1 tags; give"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": "a b", "tags": ["O"]}\n', "line 2: a list was"),
        ("a.jsonl", '{"tokens": [" "], "tags": ["O"]}\n', "line 1: ' ' is no word"),
        ("a.jsonl", '{"tokens": ["a"], "tags": [null]}\n', "line 1: None is no word and no tag"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(write, name, content, message):
    with pytest.raises(UserError, match=message):
        read_tagged(write(content, name))
