"""Words, before any tokenizer splits them: what a word is, in scripts with spaces between words and without."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tokenizers import pre_tokenizers

LONGEST_PIECE = 10_000  # characters: what the library makes of a text takes many times its size
# Thai and Lao; Burmese; Khmer; the signs, letters and ideographs of Chinese and Japanese
UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
UNSPACED += "\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"


def has_half_character(text: str) -> bool:
    """Whether a lone surrogate such as \\ud83c stands in it, which no encoding can write."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def character_fault(text: str) -> str:
    """What is wrong with the characters of a text, or nothing: half a character cannot be written, and a zero byte is
    a sign of a damaged file, or of another encoding."""
    if has_half_character(text):
        return "half a character (a lone surrogate like \\ud83c)"
    return "a zero byte" if "\0" in text else ""


def words_of(text: str) -> list[str]:
    """The words and punctuation marks of a text, before any tokenizer splits them.

    A word is what stands between white space and punctuation. In a script that is written without spaces (Chinese,
    Japanese, Thai, Lao, Burmese, Khmer) it is a character: where its words end, only a dictionary could tell.
    """
    found = [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)]
    if not re.search(UNSPACED, text):
        return found
    return [part for word in found for part in re.findall(f"{UNSPACED}|(?:(?!{UNSPACED}).)+", word, re.DOTALL)]


def count_words(text: str) -> int:
    """How many words a text has, as `words_of` parts them, its punctuation marks left out."""
    if text.isascii():  # the same, ten times as fast
        return len(re.findall("[A-Za-z0-9]+", text))
    return sum(any(map(str.isalnum, word)) for piece in pieces_of(text) for word in words_of(piece))


def with_space(text: str) -> str:
    """The space that GPT's text starts with, where its script is written with spaces."""
    return text if not text or re.match(UNSPACED, text) else " " + text


def pieces_of(text: str, longest: int = LONGEST_PIECE) -> Iterator[str]:
    """Parts of a text that join to it again, none longer than `longest` characters.

    A cut falls where white space begins: there every tokenizer of ours cuts too, and the tokens are those of the whole
    text. Only a run without white space that is longer than a piece is cut inside.
    """
    start = 0
    while len(text) - start > longest:
        cut = max(text.rfind(space, start + 1, start + longest) for space in " \n")
        while cut > start and text[cut - 1].isspace():
            cut -= 1
        end = cut if cut > start else start + longest
        yield text[start:end]
        start = end
    yield text[start:]
