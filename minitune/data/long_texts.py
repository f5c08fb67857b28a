"""The tokens at the beginning of a long text, or at its end, without those of the rest: the same, in less time.

A tokenizer first parts a text into words, each for itself, and then each word into tokens. So the tokens of a text's
first characters are those of the whole text but for the last words, which may go on. These are left out, and where too
few tokens remain, more characters are read: a text without any break is read whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from minitune.data.tokenizers import Tokenizer, check_characters
from minitune.data.words import UNSPACED

READ_WHOLE = 20_000  # characters: a text of so many is read whole, and its tokens are counted
MORE = 4  # times as many characters where too few tokens came of them
MARGIN = 64  # characters at a cut that are left out, and two words
PHASED = ("FixedLength",)  # what counts characters from the start of a text
# a pattern that may look far away: the plain `\s+(?!\S)` of GPT-2 does not
LOOKING = re.compile(r"\(\?(?![:>]|[a-z]+[:)]|!\\S\))|[$]|(?<!\[)\^|\\[ABGZzK]")


def encode_enough(tokenizer: Tokenizer, text: str, enough: int, at_end: bool = False) -> tuple[list[int], bool]:
    """`tokenizer.encode(text)`, or of a long text only its beginning or end: more than `enough` tokens.

    Returns:
        The ids, and whether they are those of the whole text.

    Raises:
        UserError: the text holds half a character.
    """
    if len(text) > READ_WHOLE and cuts_anywhere(tokenizer, at_end):
        check_characters(text)
        length, margin = READ_WHOLE, margin_of(tokenizer)
        while length < len(text):
            ids = last_ids(tokenizer, text, length, margin) if at_end else first_ids(tokenizer, text, length, margin)
            if len(ids) > enough:
                return ids, False
            length *= MORE
    return tokenizer.encode(text), True


def first_ids(tokenizer: Tokenizer, text: str, length: int, margin: int) -> list[int]:
    """Tokens of the first `length` characters that are surely those of the whole text."""
    encoding = tokenizer.library.encode(tokenizer.spaced(text[:length]), add_special_tokens=False)
    words = [word or 0 for word in encoding.word_ids]
    sure = zip(encoding.ids, words, encoding.offsets, strict=True)
    return tokenizer.as_text([i for i, word, (_, end) in sure if word < words[-1] - 1 and end < length - margin])


def last_ids(tokenizer: Tokenizer, text: str, length: int, margin: int) -> list[int]:
    """The same of its last characters, from a place on where white space begins; nothing where there is none."""
    place = text.rfind(" ", 1, len(text) - length)
    while place > 0 and text[place - 1].isspace():
        place = text.rfind(" ", 1, place)
    if place < 1:
        return []
    encoding = tokenizer.library.encode(text[place:], add_special_tokens=False)
    words = [word or 0 for word in encoding.word_ids]
    sure = zip(encoding.ids, words, encoding.offsets, strict=True)
    return tokenizer.as_text([i for i, word, (begin, _) in sure if word > words[0] + 1 and begin > margin])


def margin_of(tokenizer: Tokenizer) -> int:
    """A token that was added to a vocabulary may have spaces in it."""
    added = tokenizer.library.get_added_tokens_decoder().values()
    return MARGIN + max((len(token.content) for token in added), default=0)


def cuts_anywhere(tokenizer: Tokenizer, at_end: bool) -> bool:
    """Whether a tokenizer's rules look at a few characters around each place, and not at the whole text.

    Args:
        at_end: they begin in the middle of the text, and must come to the same breaks.
    """
    for step in steps_of(tokenizer):
        pattern = (step.get("pattern") or {}).get("Regex")
        if step.get("type") in PHASED or (pattern and LOOKING.search(pattern)):
            return False
        if at_end and pattern and pattern != UNSPACED:
            return False
    return True


def steps_of(tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    """The rules of its normalizer and its splitting, one by one."""
    library = tokenizer.library
    rest = [json.loads(part.__getstate__()) for part in (library.normalizer, library.pre_tokenizer) if part]
    while rest:
        step = rest.pop()
        yield step
        rest += step.get("normalizers", []) + step.get("pretokenizers", [])
