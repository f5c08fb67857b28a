"""The texts of a plain file: one stated rule, whatever the line ends, the script and the encoding."""

import pytest

from minitune.data.texts import counted, read_texts
from minitune.errors import UserError

PLAY = "HAMLET\r\n  To be , or not\r\n  to be ?  \r\n\r\n \t\r\nOPHELIA\r\n  My lord ,\r\n"


@pytest.fixture
def read(tmp_path):
    def read(content, kind="gpt", **settings):
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / "my text.txt").write_bytes(data)
        return read_texts(tmp_path / "my text.txt", kind, **settings)

    return read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a b\nc d\n", ["a b", "c d"]),
        ("a b\r\nc d\r\n", ["a b", "c d"]),
        ("a b\rc d", ["a b", "c d"]),
        ("a b\r\n\nc d\n\r e\r", ["a b", "c d", " e"]),
        ("a b\n\nc d\ne f", ["a b", "c d", "e f"]),  # one stray blank line changes nothing
        ("one\ntwo\n", ["one", "two"]),
        ("我喜欢电影。\n很好看\n", ["我喜欢电影。", "很好看"]),
        ("a\fb\vc\nd\x85e\u2028f\u2029g\x1ch", ["a\fb\vc", "d\x85e\u2028f\u2029g\x1ch"]),
        ("\n \t\n\u3000\na b\n\n", ["a b"]),
    ],
)
def test_each_line_is_a_text(read, content, expected):
    assert list(read(content)) == expected
    words = [" ".join(text.split()) for text in expected]
    assert list(read(content, "bert")) == words, "a form feed between words must not join them"


def test_gpt_reads_a_text_as_it_stands_and_bert_its_words(read):
    play = read(PLAY, paragraphs=True)
    assert list(play) == ["HAMLET\n  To be , or not\n  to be ?", "OPHELIA\n  My lord ,"]
    assert list(read(PLAY, "bert", paragraphs=True)) == ["HAMLET To be , or not to be ?", "OPHELIA My lord ,"]
    assert list(read(PLAY))[1] == "  To be , or not" and list(read(PLAY, "bert"))[1] == "To be , or not"
    assert list(read("a  b\t c", "gpt")) == ["a  b\t c"] and list(read("a  b\t c", "bert")) == ["a b c"]
    assert (play.lines, play.blank, play.blocks) == (5, 2, 2)
    assert play[1] == "OPHELIA\n  My lord ," and len(play) == 2


def test_what_was_read_is_said_by_its_rule(read):
    (line,) = read("great film\n\n\n我喜欢电影。\n").summary()
    assert line == "my text.txt, each line is a text: 2 texts of 7 words, 16 characters; blank lines skipped: 2"
    (line,) = read("a\nb\n\nc d", paragraphs=True).summary()
    assert line.startswith("my text.txt, the lines between two blank ones are a text: 2 texts of 4 words")
    assert counted(1, "text") == "1 text" and counted(0, "text") == "0 texts" and counted(2000, "text") == "2,000 texts"


JOINED = "one text\nof two lines<|endoftext|>\n<|endoftext|>another <|endoftext|> and a third\n"


def test_the_mark_between_joined_texts_ends_a_text_and_is_said(read):
    lines, blocks = read(JOINED), read(JOINED, paragraphs=True)
    assert list(lines) == ["one text", "of two lines", "another", "and a third"], "the mark is learned as letters"
    assert list(blocks) == ["one text\nof two lines", "another", "and a third"]
    assert (lines.marks, lines.blank) == (3, 0) and "<|endoftext|> ended a text 3 times" in lines.summary()[0]
    assert "endoftext" not in read("a b\n").summary()[0]
    assert list(read("<|endoftext|>a b\n\nc d")) == ["a b", "c d"] and read("<|endoftext|>a b\n\nc d").blank == 1


def test_other_names_of_special_tokens_are_letters_and_that_is_said(read):
    for kind, name in (("bert", "[SEP]"), ("gpt", "<|end|>")):
        texts = read(f"a b {name} c\n", kind)
        assert list(texts) == [f"a b {name} c"]
        assert f"hint: {name} in it: read as letters" in texts.summary()[1]
    assert len(read("a b [SEP] c\n", "gpt").summary()) == 1, "of another kind's tokens nothing is said"


@pytest.mark.parametrize(
    ("content", "paragraphs", "hint"),
    [
        ("a b\nc d\n\n" * 5, False, "5 paragraphs of 2 lines"),
        ("a b\n\n" * 5, False, None),  # each line a paragraph: nothing to choose
        ("a b\n" * 900 + "\n" + "c d\n" * 900, False, None),  # one stray blank line
        ("a b\nc d\n\n" * 5, True, None),
        ("a b\nc d\n", True, "all of it is one text"),
        ("a b\n", True, None),
    ],
)
def test_the_other_rule_is_hinted_at_where_it_seems_to_be_meant(read, content, paragraphs, hint):
    lines = read(content, paragraphs=paragraphs).summary()
    assert len(lines) == 1 + bool(hint) and (hint or "") in lines[-1]
    assert not hint or lines[1].startswith("hint: ")


def test_encodings(read):
    assert list(read("é ü\nß".encode("utf-16"))) == ["é ü", "ß"]
    assert list(read("é ü".encode("latin-1"), encoding="latin-1")) == ["é ü"]
    assert list(read("我 喜欢".encode("gb18030"), encoding="gb18030")) == ["我 喜欢"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"my text.txt has nothing on its 0 lines: there is no text to learn from"),
        ("\n \r\n\t", "nothing on its 3 lines"),
        ("word\n", "has 1 word: .*; two words at the least"),
        ("... !\n?\n", "has 0 words"),
        ("a b\n".encode("utf-16-le"), "looks like UTF-16 without its mark.*--encoding utf-16-le"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "2 bytes are not UTF-8: 0x89 in line 1, column 1; 0xff in line 3, column 2"),
        ("é ü".encode("latin-1"), "2 bytes are not UTF-8: .*--encoding"),
    ],
)
def test_what_is_no_text_is_refused(read, content, message):
    with pytest.raises(UserError, match=message):
        read(content)


def test_a_single_sentence_without_spaces_is_text(read):
    assert len(read("我喜欢")) == 1
    with pytest.raises(UserError, match="1 word"):
        read("我")
