"""Lesson 01, tokenizers: nothing is lost, and nothing that a user writes becomes a special token."""

import copy
import pickle
import random

import pytest

from minitune.data.examples import split_share
from minitune.data.tokenizers import (
    SPECIALS,
    Tokenizer,
    load_tokenizer,
    train_tokenizer,
)
from minitune.data.words import count_words, pieces_of, words_of
from minitune.errors import UserError
from tests.conftest import LINES

pytestmark = pytest.mark.lesson01
ODD = [
    "",
    " ",
    "  two  spaces ",
    "tab\tand\nlines\r\n",
    "Ünï çødé",
    "猫が好き",
    "🎬👍🏽 great",
    "a\u0301",
    "\u200b",
    "\x00\x07",
]
SPOKEN = ["[MASK]", "it was [MASK] .", "<|end|>", "a<|soft|>b", "[CLS][SEP][PAD]", "<|pad|> <|x|>", "[mask] [unk]"]


def random_text(rng):
    """A string of characters from anywhere in Unicode, with parts of special symbols among them."""
    pieces = []
    for _ in range(rng.randrange(30)):
        code = rng.choice([rng.randrange(128), rng.randrange(0x3000), rng.randrange(0x110000)])
        pieces.append(rng.choice(["<|", "|>", "[", "mask", "the ", chr(code) if not 0xD800 <= code < 0xE000 else " "]))
    return "".join(pieces)


# shapes


def test_the_specials_come_first_and_have_names(tokenizer):
    names = tokenizer.tokens(range(len(tokenizer.specials)))
    assert tuple(names) == tokenizer.specials == SPECIALS[tokenizer.kind]
    assert len({tokenizer.pad_id, tokenizer.soft_id, tokenizer.trigger_id, tokenizer.sep_id}) == 4
    ids = (tokenizer.unk_id, tokenizer.cls_id, tokenizer.mask_id, tokenizer.end_id)
    expected = (None, None, None, 1) if tokenizer.kind == "gpt" else (1, 2, 4, None)
    assert ids == expected
    assert len(tokenizer) == tokenizer.library.get_vocab_size() > 90


# by hand


def test_gpt_writes_a_word_the_same_wherever_it_stands(gpt_tokenizer):
    great, soup = gpt_tokenizer.word_id("great"), gpt_tokenizer.word_id("soup")
    assert gpt_tokenizer.encode("great soup") == [great, soup], "the first word of a text is another token"
    assert gpt_tokenizer.tokens([great, soup]) == ["_great", "_soup"]


def test_bert_folds_case_and_accents_and_marks_the_rest_of_a_word(bert_tokenizer):
    assert bert_tokenizer.encode("Gréat SOUP") == bert_tokenizer.encode("great soup")
    tokens = bert_tokenizer.tokens(bert_tokenizer.encode("zq"))
    assert tokens == ["z", "##q"]
    assert bert_tokenizer.encode("猫") == [bert_tokenizer.unk_id]


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_word_becomes_whole_when_it_is_frequent_enough(kind):
    texts = ["zebra", "quokka"] * 3 + ["zebra"] + ["other words here"] * 5
    tokenizer = train_tokenizer(kind, texts, min_frequency=4)
    assert not tokenizer.is_split("zebra") and tokenizer.is_split("quokka"), "4 times is enough and 3 times is not"
    assert tokenizer.is_split("a zebra") and tokenizer.is_split("") and tokenizer.is_split("猫")


def test_words_of_splits_at_white_space_and_punctuation():
    assert words_of("Don't stop, it's  7.5!") == ["Don", "'", "t", "stop", ",", "it", "'", "s", "7", ".", "5", "!"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我喜欢abc，好。", ["我", "喜", "欢", "abc", "，", "好", "。"]),
        ("がっこうへ 行く", ["が", "っ", "こ", "う", "へ", "行", "く"]),
        ("ไทย ok", ["ไ", "ท", "ย", "ok"]),
        ("한국어 영화", ["한국어", "영화"]),  # Korean is written with spaces
        ("été à", ["été", "à"]),
    ],
)
def test_where_no_spaces_are_written_a_word_is_a_character(text, words):
    assert words_of(text) == words
    assert count_words(text) == sum(word.isalnum() for word in words)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_characters_that_a_token_holds_are_not_split(kind):
    """Of Chinese, nearly every word was called split: each sentence was taken for one word."""
    tokenizer = train_tokenizer(kind, ["我喜欢电影。", "我喜欢猫，也喜欢狗。"] * 9 + ["the film"] * 9)
    assert split_share(["我喜欢电影", "我喜欢猫，我喜欢电影 the film"], tokenizer) == 0
    unknown = split_share(["我喜欢鱼"], tokenizer)  # BPE may split the neighbours too
    assert unknown == pytest.approx(1 / 4) if kind == "bert" else 1 / 4 <= unknown <= 1
    assert split_share(["我喜欢电影 zqzq"], tokenizer) == pytest.approx(1 / 6)
    assert split_share(["", "... !"], tokenizer) == 0


def test_words_are_counted_without_punctuation_the_fast_way_too():
    assert count_words("Don't stop, it's  7.5!") == 7 and count_words("Don’t stop, it’s  7.5!") == 7
    assert count_words("") == count_words("... !") == 0


def test_the_words_of_a_tokenizer_are_those_that_are_one_token(tokenizer):
    words, ids = tokenizer.words(), tokenizer.word_ids()
    assert {"great", "soup", "awful", "the", "film"} <= set(words) and len(set(words)) == len(words) == len(ids)
    assert ids == sorted(ids) and [tokenizer.encode(word) for word in words] == [[i] for i in ids]
    assert not set(words) & {".", "##q", "Ġgreat", "_great", "zqzq", "", " "}, "a piece, a sign or a byte is no word"
    everywhere = {word for line in LINES for word in words_of(line) if word.isalpha() and not tokenizer.is_split(word)}
    assert everywhere <= set(words), f"{sorted(everywhere - set(words))} are whole and not among them"


@pytest.mark.parametrize("text", ["ψωμί και νερό", "été à la mer", "мир и война", "Übermut tut selten gut"])
def test_words_of_other_alphabets_are_words_too(text):
    """GPT's tokenizer writes "é" as two signs, one for each byte: to ask those signs for letters finds none."""
    tokenizer = train_tokenizer("gpt", [text, "the soup"] * 4)
    assert set(text.split()) <= set(tokenizer.words())
    plain = train_tokenizer("bert", [text, "the soup"] * 4)
    assert {word.lower() for word in text.split() if word.isascii()} <= set(plain.words())


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_where_no_word_is_whole_any_token_but_a_special_one_may_be_drawn(kind):
    tokenizer = train_tokenizer(kind, ["1 2 3"], min_frequency=9)
    numbers = tokenizer.word_ids()
    assert numbers and min(numbers) >= len(tokenizer.specials)


# invariants


def test_bpe_loses_nothing(gpt_tokenizer):
    rng = random.Random(0)
    for text in [*ODD, *SPOKEN, *(random_text(rng) for _ in range(300))]:
        ids = gpt_tokenizer.encode(text)
        assert gpt_tokenizer.decode(ids) == text, f"{text!r} came back changed"
        assert all(i >= len(gpt_tokenizer.specials) for i in ids), f"{text!r} became a special token"


def test_bpe_gives_every_letter_of_every_alphabet_a_token(gpt_tokenizer):
    for word in ("猫", "Übermut", "🎬"):
        assert gpt_tokenizer.encode(word) and gpt_tokenizer.unk_id is None


def test_wordpiece_gives_back_the_words_that_it_knows(bert_tokenizer):
    for text in ("the plot was clever", "awful soup", "is it dull"):
        assert bert_tokenizer.decode(bert_tokenizer.encode(text)) == text


def test_special_symbols_in_a_text_stay_text_also_after_save_and_load(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "deep" / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "deep" / "tokenizer.json")
    rng = random.Random(1)
    for one in (tokenizer, loaded):
        for text in [*SPOKEN, *tokenizer.specials, *(random_text(rng) for _ in range(100))]:
            special = set(one.encode(text)) & set(range(len(one.specials))) - {one.unk_id}
            message = f"{text!r} became {one.tokens(special)}: the switch is not in the file, set it at every load"
            assert not special, message


@pytest.mark.parametrize("again", [copy.deepcopy, lambda its: pickle.loads(pickle.dumps(its))], ids=["copied", "sent"])
def test_special_symbols_stay_text_in_a_copy_and_in_another_process(tokenizer, again):
    other = again(tokenizer)
    for text in SPOKEN:
        assert other.encode(text) == tokenizer.encode(text), f"{text!r} became a special token: the library forgets it"
    assert vars(other).keys() == vars(tokenizer).keys() and other.special_ids == tokenizer.special_ids


def test_loaded_equals_saved(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "t.json")
    loaded = load_tokenizer(tmp_path / "t.json")
    assert loaded.kind == tokenizer.kind and len(loaded) == len(tokenizer)
    for text in ("the hero was witty .", *ODD, *SPOKEN):
        assert loaded.encode(text) == tokenizer.encode(text)


def test_many_at_once_equal_one_by_one(tokenizer):
    rng = random.Random(2)
    texts = [*ODD, *SPOKEN, *(random_text(rng) for _ in range(50))]
    assert tokenizer.encode_many(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_many(text for text in texts[:3]) == [tokenizer.encode(text) for text in texts[:3]]


def test_pieces_join_to_the_text_and_no_piece_is_longer():
    rng = random.Random(4)
    for text in [*ODD, "a" * 50, " " * 50, "a" + " " * 50, *(random_text(rng) for _ in range(100))]:
        pieces = list(pieces_of(text, 12))
        assert "".join(pieces) == text and all(len(piece) <= 12 for piece in pieces) and all(pieces[1:])


def test_a_text_in_pieces_has_the_tokens_of_the_whole(tokenizer):
    """Cut behind the space, " great" becomes "great", another token."""
    rng = random.Random(5)
    for _ in range(100):
        gaps = [rng.choice([" ", "  ", "\n", " \n  ", "\t "]) for _ in range(40)]
        text = "".join(rng.choice(["great", "zqzq", "it's", "soup !", "é"]) + gap for gap in gaps)
        spaced = tokenizer.spaced(text)
        pieces = [tokenizer.library.encode(piece, add_special_tokens=False) for piece in pieces_of(spaced, longest=20)]
        assert [i for piece in pieces for i in piece.ids] == tokenizer.encode(text), text


def test_text_without_spaces_keeps_its_start(gpt_tokenizer):
    """A text that starts with 猫 has no space there, as 猫 has none inside a text."""
    assert gpt_tokenizer.encode("a猫")[-3:] == gpt_tokenizer.encode("猫")


def test_decoding_leaves_special_tokens_out(tokenizer):
    ids = tokenizer.encode("great soup")
    around = [tokenizer.pad_id, ids[0], tokenizer.soft_id, *ids[1:], tokenizer.sep_id]
    assert tokenizer.decode(around) == "great soup"


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_same_texts_give_the_same_tokenizer(kind):
    texts = [*LINES, "the cat saw the dogs", "cats naïve und Übermut", "猫 42", "αβγ βγδ γδα δαβ αβγδ"] * 2
    one, *others = (train_tokenizer(kind, iter(texts)).library.to_str() for _ in range(4))
    assert all(other == one for other in others), "the pieces of words were numbered by chance"


def test_bert_can_spell_any_word_of_letters_and_digits(bert_tokenizer):
    for word in ("q2w4e6r8", "zzz", "2024", "xylophones", "a1"):
        assert bert_tokenizer.unk_id not in bert_tokenizer.encode(word)


@pytest.mark.parametrize("text", ["我喜欢电影" * 40, "がっこうへ行く" * 40, "ภาษาไทย" * 40])
def test_a_long_sentence_without_spaces_is_known_to_the_last_character(text):
    """WordPiece takes a word of more than a hundred letters for unknown, whatever its vocabulary holds."""
    tokenizer = train_tokenizer("bert", [text, "the soup", "the soup"])
    ids = tokenizer.encode(text)
    assert tokenizer.unk_id not in ids and len(ids) >= 200
    assert tokenizer.encode("the soup")[0] == tokenizer.word_id("the")


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_one_long_line_makes_the_tokenizer_of_many_short_ones(kind):
    lines = [line.replace("great", f"great{i % 7}") for i in range(350) for line in LINES]
    long = " ".join(lines)
    assert len(long) > 15 * 10_000
    assert train_tokenizer(kind, [long]).library.to_str() == train_tokenizer(kind, lines).library.to_str()


def test_only_the_specials_are_special(tokenizer):
    added = tokenizer.library.get_added_tokens_decoder()
    assert [added[i].content for i in sorted(added)] == list(tokenizer.specials)


def test_a_vocabulary_has_room_for_so_many():
    texts = [f"word{i} word{i}" for i in range(400)]
    assert len(train_tokenizer("gpt", texts, vocab_size=300)) == 300
    assert len(train_tokenizer("bert", texts, vocab_size=150)) == 150


# what cannot be read


@pytest.mark.parametrize(("word", "split"), [("zq", r"\+"), ("", "nothing"), ("two words", r"\+"), ("[MASK]", r"\+")])
def test_a_word_that_is_no_single_token_is_refused_and_its_pieces_shown(tokenizer, word, split):
    with pytest.raises(UserError, match=rf"is not one token of the {tokenizer.kind} tokenizer: it becomes .*{split}"):
        tokenizer.word_id(word)


def test_an_unknown_word_is_no_label_word(bert_tokenizer):
    with pytest.raises(UserError, match=r"becomes \[UNK\]"):
        bert_tokenizer.word_id("猫")
    assert bert_tokenizer.is_split("猫")


def test_a_file_that_is_no_tokenizer_is_refused(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    whole = path.read_text(encoding="utf-8")
    for damaged in ("", "{}", whole[: len(whole) // 2], "[1, 2]"):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(UserError, match=r"tokenizer.json is no tokenizer"):
            load_tokenizer(path)
    path.write_text(whole.replace("SOFT", "HARD").replace("|soft|", "|hard|"), encoding="utf-8")
    with pytest.raises(UserError, match="other special tokens"):
        load_tokenizer(path)
    with pytest.raises(UserError, match="there is no file"):
        load_tokenizer(tmp_path / "nowhere.json")


def test_an_unknown_kind_is_refused():
    with pytest.raises(UserError, match="'t5'; known are"):
        train_tokenizer("t5", ["a text"])


def test_the_constructor_sets_the_switch(gpt_tokenizer):
    gpt_tokenizer.library.encode_special_tokens = False
    assert gpt_tokenizer.library.encode("<|end|>").ids == [gpt_tokenizer.end_id]
    assert gpt_tokenizer.decode(gpt_tokenizer.encode("a <|end|>")) == "a "
    Tokenizer(gpt_tokenizer.library, "gpt")
    assert gpt_tokenizer.decode(gpt_tokenizer.encode("a <|end|>")) == "a <|end|>"
