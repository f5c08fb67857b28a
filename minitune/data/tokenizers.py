"""Two tokenizers: byte-level BPE for GPT, WordPiece for BERT, trained by the `tokenizers` library.

What is ours is the convention around them:
- Text never becomes a special token: a user who writes "[MASK]" gets those characters, split like any others.
  The special ids are put in by hand, by a template or by the batching.
- The text of a byte-level tokenizer always starts with a space ("the" is written " the", wherever it stands), so that a
  word is the same token at the start of a text and inside it. Decoding takes that space away again: nothing is lost.
  A text that starts in a script written without spaces gets none: inside a text its words have none either.
- The vocabulary is final. It holds placeholders for soft prompts and triggers, and sentinels for infilling.
- The special tokens may stand anywhere in the vocabulary, under other names than ours: see `minitune.data.specials`.

Sennrich et al. 2016 (BPE; arXiv 1508.07909), Wu et al. 2016, section 4.1 (WordPiece; arXiv 1609.08144).
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from minitune.data.specials import SPECIALS, role_of, roles_of
from minitune.data.words import UNSPACED, has_half_character, pieces_of, with_space
from minitune.errors import UserError
from minitune.files import read_text
from minitune.writing import write_text

LARGEST = 4096  # tokens


class Tokenizer:
    """A tokenizer and the ids of its special tokens, by their roles.

    Every kind has `pad_id`, `soft_id`, `trigger_id`, `sep_id`. BERT's has `cls_id`, `mask_id` too, GPT's has `end_id`;
    where a tokenizer lacks one, or has no token for what it does not know (`unk_id`), it is None.
    """

    def __init__(self, library: Library, kind: str):
        self.kind = kind
        self.library = library
        self.library.encode_special_tokens = True  # not saved in the file: set at every load
        ids = roles_of(library, kind)
        self.pad_id, self.soft_id, self.trigger_id, self.sep_id = (ids[n] for n in ("pad", "soft", "trigger", "sep"))
        self.unk_id, self.cls_id, self.mask_id, self.end_id = (ids.get(n) for n in ("unk", "cls", "mask", "end"))
        added = {i for i, token in library.get_added_tokens_decoder().items() if token.special}
        self.special_ids = frozenset(added | set(ids.values()))
        self.specials = tuple(library.id_to_token(i) for i in sorted(self.special_ids))
        self.is_byte_level = has_byte_level(library)

    def __reduce__(self):
        """A copy, and what another process is given, keeps special tokens out of texts too: the library forgets it."""
        return Tokenizer, (self.library, self.kind)

    def __len__(self) -> int:
        return self.library.get_vocab_size()

    def ordinary_ids(self) -> list[int]:
        """The ids of all tokens but the special ones, in order."""
        return [i for i in range(len(self)) if i not in self.special_ids]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with no special token among them (but BERT's [UNK])."""
        return self.as_text(self.library.encode(self.spaced(text), add_special_tokens=False).ids)

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for many texts at once, in parallel."""
        spaced = [self.spaced(text) for text in texts]
        encodings = self.library.encode_batch_fast(spaced, add_special_tokens=False)
        return [self.as_text(encoding.ids) for encoding in encodings]

    def as_text(self, ids: list[int]) -> list[int]:
        """A tokenizer of whole words finds "[MASK]" in its vocabulary as any word: to a text, that word is unknown."""
        if self.special_ids.isdisjoint(ids):
            return ids
        instead = [] if self.unk_id is None else [self.unk_id]
        return [kept for i in ids for kept in (instead if i in self.special_ids else [i])]

    def spaced(self, text: str) -> str:
        """The text as the library is given it.

        Raises:
            UserError: it holds half a character (a lone surrogate), which no encoding can write.
        """
        if has_half_character(text):
            raise UserError(
                f"the text {text[:40]!r} holds half a character (a lone surrogate); write it whole or remove it"
            )
        return with_space(text) if self.is_byte_level else text

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens stay out. Byte-level: the very text that was encoded."""
        text = self.library.decode([i for i in ids if i not in self.special_ids], skip_special_tokens=False)
        return text.removeprefix(" ")

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Each id as it is read by a person: a byte-level token's leading space is shown as "_"."""
        names = [self.library.id_to_token(int(i)) for i in ids]
        return [name.replace("Ġ", "_") for name in names] if self.is_byte_level else names

    def word_id(self, word: str) -> int:
        """The id of a word that is one token.

        Raises:
            UserError: the word is split, empty, or unknown; the message shows how.
        """
        ids = self.encode(word)
        if len(ids) == 1 and ids[0] != self.unk_id:
            return ids[0]
        split = " + ".join(self.tokens(ids)) or "nothing"
        raise UserError(
            f"the word {word!r} is not one token of the {self.kind} tokenizer: it becomes {split}; choose a word that "
            "the tokenizer keeps whole"
        )

    def words(self) -> list[str]:
        """Every word that is one token, in the order of the ids."""
        return list(self.whole_words())

    def word_ids(self) -> list[int]:
        """Their ids. To draw words at random, draw these: single bytes and rare pieces are hardly ever trained.

        Where no word is one token, the ids of all tokens but the special ones.
        """
        return list(self.whole_words().values()) or self.ordinary_ids()

    def whole_words(self) -> dict[str, int]:
        """Each token that is a word by itself: a piece or a token without its space is read as another one."""
        ids = self.ordinary_ids()
        texts = [self.decode([i]) for i in ids]
        encoded = self.encode_many(texts)
        return {t: i for t, i, read in zip(texts, ids, encoded, strict=True) if t.isalpha() and read == [i]}

    def is_split(self, word: str) -> bool:
        """Whether a word takes more than one token, or is unknown."""
        ids = self.encode(word)
        return len(ids) != 1 or ids[0] == self.unk_id

    def save(self, path: Path) -> None:
        write_text(path, self.library.to_str(pretty=False))


def has_byte_level(library: Library) -> bool:
    """Whether it writes a text as bytes, so that a word's token begins with its space."""
    return library.pre_tokenizer is not None and b'"ByteLevel"' in library.pre_tokenizer.__getstate__()


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a file that `Tokenizer.save` wrote.

    Raises:
        UserError: the file is missing, damaged, or a tokenizer with other special tokens.
    """
    text = read_text(path)
    try:
        library = Library.from_str(text)
    except Exception as error:  # the library raises a plain Exception
        raise UserError(f"{path} is no tokenizer of the tokenizers library ({error}); restore it") from None
    for kind, names in SPECIALS.items():
        if set(map(role_of, names)) - {"unk"} <= set(roles_of(library, kind)):
            return Tokenizer(library, kind)
    raise UserError(
        f"{path} has other special tokens than minitune's; make one with `minitune pretrain --text`, or bring in the "
        "folder that it comes from with `minitune import`"
    )


def train_tokenizer(kind: str, texts: Iterable[str], min_frequency: int = 2, vocab_size: int = LARGEST) -> Tokenizer:
    """A tokenizer trained on `texts`; the same texts give the same tokenizer.

    A word that occurs `min_frequency` times becomes one token, if the vocabulary has room for it; a rarer word
    stays split, unless it is a piece of commoner ones. Texts are read piece by piece (`pieces_of`), so that the memory
    is that of the different words, however long a text is.
    """
    if kind == "gpt":
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=list(SPECIALS[kind]),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # all 256 bytes: no text is unknown
            show_progress=False,
        )
        texts = map(with_space, texts)
    elif kind == "bert":
        texts = list(texts) if iter(texts) is texts else texts  # they are read twice
        is_unspaced = any(re.search(UNSPACED, text) for text in texts)
        library = bert_library(models.WordPiece(unk_token="[UNK]"), is_unspaced)
        printable = sorted(set(string.printable) - set(string.whitespace) - set(string.ascii_uppercase))
        # The trainer numbers pieces like "##a" as a hash map yields them, otherwise in each run, and breaks ties by
        # number. Named beforehand they are the same in each, and any word of letters and digits can be spelled.
        inside = {letter for letter in printable if letter.isalnum()}
        for piece in (piece for text in texts for piece in pieces_of(text)):
            words = library.pre_tokenizer.pre_tokenize_str(library.normalizer.normalize_str(piece))
            inside.update(*(word[1:] for word, _ in words))
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=[*SPECIALS[kind], *sorted("##" + letter for letter in inside)],
            initial_alphabet=printable,
            show_progress=False,
        )
    else:
        raise UserError(f"there is no tokenizer for a model called {kind!r}; known are {sorted(SPECIALS)}")
    library.train_from_iterator((piece for text in texts for piece in pieces_of(text)), trainer)
    if kind == "bert":  # the same vocabulary, in which "##a" is no special token
        library = bert_library(models.WordPiece(library.get_vocab(), unk_token="[UNK]"), is_unspaced)
        library.add_special_tokens(list(SPECIALS[kind]))
    return Tokenizer(library, kind)


def bert_library(model: models.WordPiece, is_unspaced: bool = False) -> Library:
    """Args:
    is_unspaced: the text has scripts without spaces: each of their characters is a word. BERT's own rules say so for
        ideographs alone, and a Thai sentence would be one word, unknown beyond a hundred letters.
    """
    library = Library(model)
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if is_unspaced:
        each = pre_tokenizers.Split(Regex(UNSPACED), "isolated")
        library.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), each])
    library.decoder = decoders.WordPiece()
    return library
