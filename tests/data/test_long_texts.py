"""What is read of a long text's beginning, or its end, is what is read of the whole, token by token."""

import random

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

from minitune.data import long_texts
from minitune.data.examples import report_texts
from minitune.data.foreign_tokenizer import read_foreign_tokenizer
from minitune.data.long_texts import MARGIN, READ_WHOLE, cuts_anywhere, encode_enough
from minitune.data.tokenizers import train_tokenizer
from minitune.errors import UserError
from tests.conftest import LINES
from tests.foreign import write_folder

THAI = [*LINES, *["ภาพยนตร์ เรื่อง นี้ ดี มาก 好的电影"] * 3]
SIGNS = [
    *(" ", " ", " ", "  ", "\n", "\t \r\n", "\u3000", ".", ",", "!?", "'s", "''", "n't", "don't", "(", "...", "-"),
    *(
        "great",
        "soup",
        "the",
        "Film",
        "awful",
        "dull",
        "strangest",
        "x",
        "abc123",
        "2024",
        "1234567",
        "[MASK]",
        "<|end|>",
    ),
    *("é", "e\u0301", "\u0301", "ß", "İ", "\u200d", "\ufeff", "\x00", "\x07", "猫", "好的", "ภาพยนตร์", "\U0001f600"),
    *("مرحبا", "ä" * 30, "w" * 120, "New York", "great soup the"),
]


def gpt():
    return train_tokenizer("gpt", THAI)


def bert():
    return train_tokenizer("bert", LINES)


def bert_of_thai():
    return train_tokenizer("bert", THAI)


def foreign(kind, name, folder):
    return read_foreign_tokenizer(write_folder(folder, kind, name), kind, 999).tokenizer


def with_added(tokenizer):
    """Words with a space in them, which are one token."""
    tokenizer.library.add_tokens([AddedToken("New York", normalized=False), AddedToken("great soup the")])
    return tokenizer


MADE = {
    "gpt": lambda folder: gpt(),
    "bert": lambda folder: bert(),
    "bert of Thai": lambda folder: bert_of_thai(),
    "word level": lambda folder: foreign("bert", "word level", folder),
    "word piece": lambda folder: foreign("bert", "word piece", folder),
    "byte level": lambda folder: foreign("gpt", "byte level", folder),
    "gpt with added words": lambda folder: with_added(gpt()),
    "bert with added words": lambda folder: with_added(bert()),
}


def texts_of(number, longest=600):
    rng = random.Random(number)
    few = rng.sample(SIGNS, rng.randint(1, len(SIGNS)))  # with few kinds of sign there are long runs
    return "".join(rng.choice(few) for _ in range(rng.randint(1, longest))).strip()


@pytest.fixture(scope="module", params=MADE)
def tokenizer(request, tmp_path_factory):
    return MADE[request.param](tmp_path_factory.mktemp("foreign"))


@pytest.fixture
def soon(monkeypatch):
    """Texts are long from a few characters on."""
    monkeypatch.setattr(long_texts, "READ_WHOLE", 150)
    monkeypatch.setattr(long_texts, "MORE", 2)


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize(
    "numbers", [range(16), pytest.param(range(16, 400), marks=pytest.mark.thorough)], ids=["", "many"]
)
def test_what_is_read_is_the_beginning_or_the_end_of_the_whole(tokenizer, at_end, numbers, soon):
    short = 0
    for number in numbers:
        text, enough = texts_of(number), number % 40
        whole = tokenizer.encode(text)
        ids, is_all = encode_enough(tokenizer, text, enough, at_end)
        expected = whole[len(whole) - len(ids) :] if at_end else whole[: len(ids)]
        assert ids == expected, f"text {number} is cut at a place where its words have no break: {text[:60]!r}"
        assert (ids == whole) if is_all else (len(ids) > enough), "fewer than the model could read"
        short += not is_all
    assert short > len(numbers) / 4, f"only {short} texts were cut: this test shows nothing"


def test_a_text_of_moderate_length_is_read_whole_and_counted(tokenizer):
    text = ("the great soup , " * READ_WHOLE)[: READ_WHOLE - 3]
    assert encode_enough(tokenizer, text, 5) == (tokenizer.encode(text), True)


def test_of_a_text_of_megabytes_few_characters_are_read(tokenizer, monkeypatch):
    text, read, library = "the great soup was dull . " * 80_000, [], tokenizer.library

    class Counting:
        def __getattr__(self, name):
            return getattr(library, name)

        def encode(self, text, **settings):
            read.append(len(text))
            return library.encode(text, **settings)

    monkeypatch.setattr(tokenizer, "library", Counting())
    for at_end in (False, True):
        ids, is_all = encode_enough(tokenizer, text, 128, at_end)
        assert len(ids) > 128 and not is_all
    assert sum(read) < 3 * READ_WHOLE, "2 MB are made into tokens, of which 128 are read"


def test_a_text_without_any_break_is_read_whole(soon):
    tokenizer = gpt()
    text = "x" * 2_000
    assert encode_enough(tokenizer, text, 5) == (tokenizer.encode(text), True)
    assert encode_enough(tokenizer, text + " y z" * 99, 5, at_end=True)[1] is False, "at its other end are breaks"


def test_half_a_character_is_refused_wherever_it_is(tokenizer, soon):
    for text in ("so great soup " * 99 + "\ud83c", "\ud83c" + "so great soup " * 99):
        for at_end in (False, True):
            with pytest.raises(UserError, match="half a character"):
                encode_enough(tokenizer, text, 5, at_end)


@pytest.mark.parametrize(
    ("change", "at_start", "at_end"),
    [
        ({}, True, True),
        ({"pre_tokenizer": pre_tokenizers.FixedLength(length=5)}, False, False),
        ({"pre_tokenizer": pre_tokenizers.Split(Regex(r"a(?=.*z)"), "isolated")}, False, False),
        ({"pre_tokenizer": pre_tokenizers.Split(Regex(r"\w+$"), "isolated")}, False, False),
        ({"pre_tokenizer": pre_tokenizers.Split(Regex(r"\d{1,3}"), "isolated")}, True, False),
        ({"pre_tokenizer": pre_tokenizers.Split(Regex(r"(?i:'s)| ?[^\s\d]+|\s+(?!\S)|\s+"), "isolated")}, True, False),
        ({"normalizer": normalizers.Sequence([normalizers.Replace(Regex("^a"), "b")])}, False, False),
        ({"normalizer": normalizers.Replace("ab", "b")}, True, True),
    ],
)
def test_rules_that_look_at_the_whole_text_are_known(change, at_start, at_end):
    tokenizer = bert()
    library = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    library.pre_tokenizer, library.normalizer = pre_tokenizers.BertPreTokenizer(), normalizers.Lowercase()
    for name, part in change.items():
        setattr(library, name, part)
    tokenizer.library = library
    assert (cuts_anywhere(tokenizer, False), cuts_anywhere(tokenizer, True)) == (at_start, at_end)


def test_the_margin_is_wider_than_any_added_word():
    tokenizer = bert()
    tokenizer.library.add_tokens(["so " * 40 + "on"])
    assert long_texts.margin_of(tokenizer) == MARGIN + 122


def test_the_report_counts_a_long_text_piece_by_piece(tokenizer):
    texts = [" ".join(["great soup , the film was awful"] * 1500), "great soup", ""]
    whole = [tokenizer.encode(text) for text in texts]
    report = report_texts(texts, tokenizer, 128)
    assert (report.texts, report.tokens, report.cut) == (3, sum(map(len, whole)), 1)
