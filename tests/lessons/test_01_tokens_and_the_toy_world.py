"""Lesson 1's exercises, checked: on the lesson's own solutions, or with `--mine DIR` on a learner's.

Each failure names the likely mistake and asks the question that leads to the fix. `WRONG` holds wrong versions of each
exercise, as (what is wrong, text of the solution, text in its place, what the failure must say).
"""

import json
from collections import Counter

import pytest

import minitune

LETTERS = {bytes([byte]): byte for byte in range(256)}
PAIRS_LINE = "            pairs[pair] += count\n"
COMMONEST = "min(pairs, key=lambda pair: (-pairs[pair], ids[pair[0]], ids[pair[1]]))"
JOINED = "merged.append(pieces[at] + pieces[at + 1])\n            at += 2"
BYTES = "pieces = spell(word)"
EACH_MERGE = "        for pair in merges:\n            pieces = merge(pieces, pair)\n"
DECODED = 'b"".join(tokens).decode("utf-8", errors="replace").removeprefix(" ")'
WRONG = {
    "1.1": [
        ("each word once", PAIRS_LINE, PAIRS_LINE.replace("count", "1"), "counts each word once"),
        ("sets instead of adds", PAIRS_LINE, PAIRS_LINE.replace("+=", "="), "of the last word alone"),
        (
            "all pairs, not neighbors",
            "in itertools.pairwise(pieces)",
            "in itertools.combinations(pieces, 2)",
            "not neighbors",
        ),
        ("pairs without order", PAIRS_LINE, PAIRS_LINE.replace("[pair]", "[tuple(sorted(pair))]"), "in their order"),
        ("the rarest", COMMONEST, COMMONEST.replace("-pairs", "pairs"), "the rarest pair"),
        ("the larger ids", COMMONEST, COMMONEST.replace("ids", "-ids"), "larger ids"),
        ("whatever was seen first", COMMONEST, "max(pairs, key=pairs.get)", "was counted first"),
        ("the alphabet decides", COMMONEST, "min(pairs, key=lambda pair: (-pairs[pair], pair))", "by their letters"),
        (
            "the right piece first",
            COMMONEST,
            "min(pairs, key=lambda pair: (-pairs[pair], ids[pair[1]], ids[pair[0]]))",
            "compare the left pieces' ids first",
        ),
        ("a piece is used twice", JOINED, JOINED.replace("+= 2", "+= 1"), "both pieces of the pair are used up"),
        (
            "only the first place",
            JOINED,
            JOINED.replace("+= 2", "= len(pieces)"),
            "used up by it, and nothing after them",
        ),
        (
            "the pair is kept as two",
            JOINED,
            "merged.extend(pieces[at : at + 2])\n            at += 2",
            "was not joined",
        ),
        ("a list is returned", "return tuple(merged)", "return merged", "must be a tuple"),
        (
            "text is replaced",
            "    merged, at = [], 0\n",
            '    joined = b"|".join(pieces).replace(b"|".join(pair), b"".join(pair))\n'
            '    return tuple(joined.split(b"|"))\n    merged, at = [], 0\n',
            "end or begin with",
        ),
    ],
    "1.2": [
        ("bytes as numbers", BYTES, "pieces = tuple(word.encode())", "numbers"),
        (
            "characters for bytes",
            BYTES,
            "pieces = tuple(letter.encode() for letter in word)",
            "one character, but two bytes",
        ),
        ("no merges", EACH_MERGE, "", "single bytes"),
        ("merges backwards", "for pair in merges:", "for pair in reversed(merges):", "in the order"),
        (
            "stops at a merge that does not apply",
            EACH_MERGE,
            EACH_MERGE + "            if pair[0] + pair[1] not in pieces:\n                break\n",
            "goes on to the next",
        ),
        ("the last word only", "tokens.extend(pieces)", "tokens = list(pieces)", "only the last word"),
        ("words kept apart", "tokens.extend(pieces)", "tokens.append(pieces)", "one flat list"),
        (
            "across words",
            "    for word in split(text):\n",
            '    for word in [" " + text]:\n',
            "crosses from one word into the next",
        ),
        ("the first space kept", DECODED, DECODED.removesuffix('.removeprefix(" ")'), "begins with a space"),
        ("all spaces gone", DECODED, DECODED.replace('removeprefix(" ")', 'replace(" ", "")'), "lost its spaces"),
        ("outer spaces gone", DECODED, DECODED.replace('removeprefix(" ")', "strip()"), "first space alone"),
        (
            "each token by itself",
            DECODED,
            '"".join(token.decode("utf-8", errors="replace") for token in tokens).removeprefix(" ")',
            "join the bytes first",
        ),
        ("strict", DECODED, DECODED.replace(', errors="replace"', ""), "half a character"),
        ("ignored", DECODED, DECODED.replace('"replace"', '"ignore"'), "shown as"),
    ],
    "1.3": [
        ("no mark", 'mark = "##" if at else ""', 'mark = ""', "marked with ##"),
        ("mark at the first piece", 'mark = "##" if at else ""', 'mark = "##"', "first piece has no ##"),
        (
            "the shortest",
            "for end in range(len(word), at, -1):",
            "for end in range(at + 1, len(word) + 1):",
            "longest piece",
        ),
        (
            "the last letter is never tried",
            "for end in range(len(word), at, -1):",
            "for end in range(len(word) - 1, at, -1):",
            "in the vocabulary whole",
        ),
        ("single letters are never tried", "(len(word), at, -1)", "(len(word), at + 1, -1)", "one letter"),
        ("only the rest is unknown", 'return ["[UNK]"]', 'return [*pieces, "[UNK]"]', "the whole word"),
        ("the rest is dropped", 'return ["[UNK]"]', "return pieces", "dropped"),
        ("a word, not a list", 'return ["[UNK]"]', 'return "[UNK]"', "a list"),
    ],
}


# ---- 1.1 count_pairs, commonest, merge ----


def pieces_of(text: str) -> tuple[bytes, ...]:
    """ "lo|w" -> (b"lo", b"w")"""
    return tuple(piece.encode() for piece in text.split("|"))


def test_1_1_counts_pairs(mine):
    pairs = mine.count_pairs({pieces_of("l|o|w"): 6, pieces_of("s|l|o|w"): 5, pieces_of("o|l"): 3})
    found = pairs[b"l", b"o"]
    assert found != 2, "count_pairs counts each word once: how often does the word itself occur?"
    assert found not in (5, 6), f"l o is counted {found} times, of the last word alone: are counts added up?"
    assert found != 14, "count_pairs adds l o and o l up: pairs are to be counted in their order"
    assert (b"l", b"w") not in pairs, "count_pairs counts l w, which are not neighbors in 'low'"
    assert found == 11, f"l o occurs 6 times in 'low' and 5 times in 'slow', 11 in all; you count {found}"
    twice = mine.count_pairs({pieces_of("a|b|a|b"): 2})[b"a", b"b"]
    assert twice == 4, f"in 'abab', which occurs 2 times, a b is counted {twice} times: it is in the word twice"


def test_1_1_takes_the_commonest(mine):
    ids = LETTERS | {b"lo": 256, b"an": 257}
    chosen = mine.commonest(Counter({(b"a", b"b"): 3, (b"s", b"t"): 7}), ids)
    assert chosen != (b"a", b"b"), "commonest gives the rarest pair: of which counts is it the largest?"
    assert chosen == (b"s", b"t"), f"s t occurs 7 times and a b 3 times; commonest gives {chosen}"


def test_1_1_breaks_ties_by_the_ids(mine):
    ids = LETTERS | {b"lo": 256, b"an": 257}
    chosen = mine.commonest(Counter({(b"o", b"w"): 4, (b"l", b"o"): 4}), ids)
    swapped = mine.commonest(Counter({(b"l", b"o"): 4, (b"o", b"w"): 4}), ids)
    assert chosen == swapped, "of equally common pairs yours is the one that was counted first: compare their ids"
    assert chosen == (b"l", b"o"), "of equally common pairs yours has the larger ids; the smaller ids win"
    chosen = mine.commonest(Counter({(b"a", b"z"): 4, (b"b", b"y"): 4}), ids)
    assert chosen == (b"a", b"z"), "a z and b y tie: compare the left pieces' ids first, then the right pieces'"
    chosen = mine.commonest(Counter({(b"an", b"t"): 4, (b"lo", b"w"): 4}), ids)
    assert chosen == (b"lo", b"w"), (
        "'an' and 'lo' are compared by their letters; it is their ids that count, 257 and 256"
    )


def test_1_1_merges(mine):
    for word, pair, right, hint in (
        ("s|l|o|w", "l|o", "s|lo|w", "both pieces of the pair are used up by it, and nothing after them"),
        ("a|b|c|a|b", "a|b", "ab|c|ab", "the pair occurs twice; if it ends early, the rest of the word is lost"),
        ("a|a|a", "a|a", "aa|a", "each piece may be used once, from left to right"),
        ("l|o|s|t", "l|w", "l|o|s|t", "the pair is not in it"),
        (
            "ca|b",
            "a|b",
            "ca|b",
            "the pieces 'ca' and 'b' only end or begin with those of the pair: compare whole pieces",
        ),
    ):
        found = mine.merge(pieces_of(word), pieces_of(pair))
        assert isinstance(found, tuple), f"merge gives a {type(found).__name__}; a word must be a tuple, as it is a key"
        assert found == pieces_of(word) or word != right or len(found) == len(pieces_of(word)), hint
        if found == pieces_of(word) and word != right:
            pytest.fail(f"merging {pair} in {word} changes nothing: the pair was not joined into one piece")
        shown = "|".join(piece.decode() for piece in found)
        assert shown == right, f"merging {pair} in {word} gives {shown}; {right} is needed: {hint}"


# ---- 1.2 encode, decode ----

MERGES = [pieces_of(pair) for pair in ("x|y", "l|o", "lo|w", " |low", "e|r")]


def test_1_2_begins_with_single_bytes(mine):
    found = list(mine.encode("abc", []))
    assert found and not isinstance(found[0], int), (
        "encode gives numbers: a loop over bytes yields numbers, and bytes([number]) is the byte itself"
    )
    assert not isinstance(found[0], tuple), "encode gives a list of words: one flat list of tokens is needed"
    assert found == list(pieces_of(" |a|b|c")), (
        f"without merges, 'abc' is {found}; a space and three letters are needed"
    )
    assert len(mine.encode("ï", [])) == 3, (
        "'ï' is one character, but two bytes: with the space three tokens. Encode the word before you take it apart"
    )


def test_1_2_applies_the_merges_in_their_order(mine):
    found = list(mine.encode("lower", MERGES[-1:]))
    assert found != list(pieces_of(" |l|o|w|e|r")), "encode gives single bytes: are the merges applied?"
    found = list(mine.encode("lower", MERGES))
    assert found == list(pieces_of(" low|er")), (
        f"'lower' becomes {found}; ' low' and 'er' are needed: apply the merges in the order in which they were "
        "learned. A merge that does not apply changes nothing, and the loop goes on to the next"
    )


def test_1_2_encodes_every_word(mine):
    found = list(mine.encode("slow lower", MERGES))
    assert found != list(pieces_of(" low|er")), "encode gives only the last word: are the tokens of all words kept?"
    assert found == list(pieces_of(" |s|low| low|er")), f"'slow lower' becomes {found}"
    crossing = [*MERGES, pieces_of("low| low")]
    assert list(mine.encode("slow lower", crossing)) == found, (
        "a merge crosses from one word into the next: split the text into words first"
    )


def test_1_2_decodes(mine):
    try:
        found = mine.decode([b" the", b" s", b"low"])
        halves = mine.decode([b" na", b"\xc3", b"\xaf", b"ve"])
        half = mine.decode([b" na", b"\xc3"])
    except UnicodeDecodeError:
        pytest.fail("decoding half a character stops with an error, and a model may write one: see errors=")
    assert found != "theslow", "the text lost its spaces: only the first one was not in the text"
    assert found != " the slow", "the text begins with a space: encode put it there, so decode must take it away"
    assert found == "the slow", f"decode gives {found!r}; 'the slow' is needed"
    assert halves == "naïve", (
        f"decode gives {halves!r} for 'naïve': the two bytes of ï are two tokens; join the bytes first"
    )
    assert half == "na\ufffd", f"half a character is shown as '\ufffd'; decode gives {half!r}"
    spaces = mine.decode([b"  two", b" "])
    assert spaces == " two ", f"decode gives {spaces!r}: only the first space alone is not part of the text ' two '"


# ---- 1.3 wordpiece ----

VOCABULARY = {"good", "##n", "##ness", "##e", "##s", "g", "ness", "##goo", "##o", "##d", "goods", "##sx"}


def test_1_3_takes_the_longest_piece(mine):
    found = mine.wordpiece("goodness", VOCABULARY)
    assert "ness" not in found, f"'goodness' becomes {found}: a piece that continues a word is marked with ##"
    assert found[:1] != ["##goo"], f"'goodness' becomes {found}: the first piece has no ##"
    assert found[:1] != ["g"] and found[:2] != ["good", "##n"], (
        f"{found}: try the longest piece first, then shorter ones"
    )
    whole = mine.wordpiece("goods", VOCABULARY)
    assert whole == ["goods"], f"'goods' is in the vocabulary whole, and becomes {whole}: is the full length tried?"
    one = mine.wordpiece("goode", VOCABULARY)
    assert one == ["good", "##e"], f"'goode' becomes {one}; good ##e is needed: may a piece be one letter?"
    assert found == ["good", "##ness"], f"'goodness' becomes {found}; good ##ness is needed"


def test_1_3_gives_up_the_whole_word(mine):
    found = mine.wordpiece("goodly", VOCABULARY)
    assert isinstance(found, list), "an unknown word must be a list too, with [UNK] alone in it"
    assert found != ["good"], "the rest of 'goodly' is dropped: what if no piece fits?"
    back = mine.wordpiece("goodsx", VOCABULARY)
    assert back == ["[UNK]"] or found != ["[UNK]"], (
        f"'goodsx' becomes {back}: 'goods' is the longest beginning, and longest match never goes back to a shorter one"
    )
    assert found == ["[UNK]"], f"'goodly' becomes {found}: when a rest does not fit, the whole word is [UNK]"


# ---- the package computes what the lesson computes ----


def test_the_package_agrees(mine):
    gpt, bert = (minitune.load(kind).tokenizer for kind in ("gpt", "bert"))
    model = json.loads(gpt.library.to_str())["model"]
    merges = [tuple(piece.replace("Ġ", " ").encode() for piece in pair) for pair in model["merges"]]
    vocabulary = set(bert.library.get_vocab())
    for word in ("great", "unpleasant", "better"):
        ours = [piece.decode().replace(" ", "_") for piece in mine.encode(word, merges)]
        theirs = gpt.tokens(gpt.encode(word))
        assert ours == theirs, f"your encode cuts {word} into {ours}, our GPT's tokenizer into {theirs}"
        ours, theirs = mine.wordpiece(word, vocabulary), bert.tokens(bert.encode(word))
        assert ours == theirs, f"your wordpiece cuts {word} into {ours}, our BERT's tokenizer into {theirs}"
