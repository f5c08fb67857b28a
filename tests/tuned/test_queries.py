"""Texts from the command line and from standard input, each with its place."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from minitune.data.reading import Layout, Reading
from minitune.data.rows import Table
from minitune.errors import UserError
from minitune.questions.question import Question
from minitune.tuned.queries import ask_texts, check_all, given_texts, piped_texts, text_columns
from tests import tiny


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    return piped_texts()


def test_a_line_of_standard_input_is_a_text_and_empty_ones_are_counted(monkeypatch):
    content = "\ufeffgreat\r\n\n \t\n猫\u2028so\x0c it\n\nend".encode()
    texts, skipped = piped(monkeypatch, content)
    assert [text.content.strip() for text in texts] == ["great", "猫\u2028so\x0c it", "end"], "only \\n ends a line"
    assert [text.where for text in texts] == [f"standard input, line {n}" for n in (1, 4, 6)] and skipped == 3
    assert piped(monkeypatch, b"great\n")[1] == 0, "the end of the last line is no empty line"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "give either texts.*standard input has no text"),
        (b"\n \n", "has no text"),
        (b"great\nso\n\xff\n", "standard input, line 3: it is not UTF-8"),
    ],
)
def test_standard_input_that_has_no_text(monkeypatch, content, expected):
    with pytest.raises(UserError, match=expected):
        piped(monkeypatch, content)


def test_standard_input_that_is_closed_or_broken(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="has no text"):
        piped_texts()

    def broken():
        raise OSError("gone")

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=broken)))
    with pytest.raises(UserError, match=r"cannot be read .gone"):
        piped_texts()


def test_the_two_texts_of_a_pair_come_back_as_two_fields():
    asked = ask_texts(given_texts(["a film || so || slow"]), tiny.question("bert", is_pair=True))
    assert [query.fields for query in asked] == [{"text": "a film", "text_b": "so || slow"}]
    asked = ask_texts(given_texts([" a film "]), tiny.question("bert"))
    assert asked[0].fields == {"text": " a film "}, "what comes back is what was given"


def test_a_text_that_cannot_be_asked_is_told_with_its_place():
    with pytest.raises(UserError, match=r"^text 2: there is an empty text"):
        check_all(ask_texts(given_texts(["a film", " "]), tiny.question("bert")))
    with pytest.raises(UserError, match=r"^text 1: this was trained on single texts"):
        check_all(ask_texts(given_texts(["a || b"]), tiny.question("bert")))
    check_all(ask_texts(given_texts(["a film"]), tiny.question("bert")))


# columns


@pytest.mark.parametrize(
    ("columns", "layout", "kind", "trained", "expected"),
    [
        (["text", "text_b"], Layout(), "classes", {}, ("text", "text_b")),
        (["text", "review"], Layout(), "classes", {"text": "review"}, ("review", "text_b")),
        (["text", "other"], Layout(), "classes", {"text": "review", "text_b": "b"}, ("text", "text_b")),
        (["text", "b"], Layout(), "classes", {"text_b": "b"}, ("text", "b")),
        (["text", "x", "y"], Layout("x", "y"), "classes", {"text": "text"}, ("x", "y")),
        (["text", "tokens"], Layout(), "classes", {}, ("text", "text_b")),
        (["text", "tokens"], Layout(), "tags", {}, ("tokens", "text_b")),
        (["text", "tokens"], Layout("text"), "spans", {}, ("text", "text_b")),
        (["1"], Layout(header=False), "classes", {}, ("1", "text_b")),
        (["1", "2"], Layout(header=False), "classes", {}, "has no column 'text', only '1', '2'"),
        (["review"], Layout(), "classes", {}, "--text-column .a file whose first line"),
        (["text"], Layout("review"), "classes", {}, "has no column 'review', only 'text'.*--text-column"),
        (["text"], Layout(None, "b"), "classes", {}, "has no column 'b', only 'text'.*--text-b-column"),
    ],
)
def test_which_columns_hold_the_texts(columns, layout, kind, trained, expected):
    rows = [("line 2", dict.fromkeys(columns, "a"))]
    table = Table(Path("in.csv"), columns, rows, ",", layout.header)
    reading = Reading(table.path, layout)
    question = Question(("a", "b"), "{text}", kind=kind)
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            text_columns(table, reading, question, trained)
    else:
        assert text_columns(table, reading, question, trained) == expected, (
            "the columns named on the command line come first, then those that were trained on, then the usual ones"
        )
