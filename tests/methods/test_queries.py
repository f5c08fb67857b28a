"""Texts from the command line and from standard input, each with its place."""

import io
import sys
from types import SimpleNamespace

import pytest

from minitune.errors import UserError
from minitune.methods.queries import ask_texts, given_texts, piped_texts
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
        ask_texts(given_texts(["a film", " "]), tiny.question("bert"))
    with pytest.raises(UserError, match=r"^text 1: this was trained on single texts"):
        ask_texts(given_texts(["a || b"]), tiny.question("bert"))
