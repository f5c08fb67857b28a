"""Two tokenizers: byte-level BPE for GPT, WordPiece for BERT, trained by the `tokenizers` library.

What is ours is the convention around them:
- Text never becomes a special token: a user who writes "[MASK]" gets those characters, split like any others.
  The special ids are put in by hand, by a template or by the batching.
- GPT's text always starts with a space ("the" is written " the", wherever it stands), so that a word is the
  same token at the start of a text and inside it. Decoding takes that one space away again: nothing is lost.
- The vocabulary is final. It holds placeholders for soft prompts and triggers, and sentinels for infilling.

Sennrich et al. 2016 (BPE; arXiv 1508.07909), Wu et al. 2016, section 4.1 (WordPiece; arXiv 1609.08144).
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from minitune.errors import UserError
from minitune.files import read_text, write_text

GPT_SPECIALS = ("<|pad|>", "<|end|>", "<|soft|>", "<|trigger|>", "<|sep|>", "<|x|>", "<|y|>", "<|z|>")
BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[SOFT]", "[TRIGGER]", "[X]", "[Y]", "[Z]")
SPECIALS = {"gpt": GPT_SPECIALS, "bert": BERT_SPECIALS}
LARGEST = 4096  # tokens


class Tokenizer:
    """A trained tokenizer and the ids of its special tokens.

    Every kind has `pad_id`, `soft_id`, `trigger_id`, `sep_id`. BERT's has `unk_id`, `cls_id`, `mask_id` too,
    GPT's has `end_id`; where a kind lacks one it is None.
    """

    def __init__(self, library: Library, kind: str):
        self.kind = kind
        self.library = library
        self.library.encode_special_tokens = True  # not saved in the file: set at every load
        self.specials = SPECIALS[kind]
        ids = {name.strip("<|>[]").lower(): library.token_to_id(name) for name in self.specials}
        self.pad_id, self.soft_id, self.trigger_id, self.sep_id = (ids[n] for n in ("pad", "soft", "trigger", "sep"))
        self.unk_id, self.cls_id, self.mask_id, self.end_id = (ids.get(n) for n in ("unk", "cls", "mask", "end"))

    def __len__(self) -> int:
        return self.library.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with no special token among them (but BERT's [UNK])."""
        return self.library.encode(self.spaced(text), add_special_tokens=False).ids

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for many texts at once, in parallel."""
        spaced = [self.spaced(text) for text in texts]
        return [encoding.ids for encoding in self.library.encode_batch_fast(spaced, add_special_tokens=False)]

    def spaced(self, text: str) -> str:
        """The text as the library is given it.

        Raises:
            UserError: it holds half a character (a lone surrogate), which no encoding can write.
        """
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise UserError(
                f"the text {text[:40]!r} holds half a character (a lone surrogate); write it whole or remove it"
            )
        return " " + text if self.kind == "gpt" and text else text

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens stay out. GPT: the very text that was encoded."""
        text = self.library.decode([i for i in ids if i >= len(self.specials)], skip_special_tokens=False)
        return text.removeprefix(" ")

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Each id as it is read by a person: GPT's leading space is shown as "_"."""
        names = [self.library.id_to_token(int(i)) for i in ids]
        return [name.replace("Ġ", "_") for name in names] if self.kind == "gpt" else names

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
        names = {i: self.library.id_to_token(i) for i in range(len(self.specials), len(self))}
        if self.kind == "gpt":  # a token is written as its bytes; a word's begins with a space
            names = {i: self.decode([i]) for i, name in names.items() if name[0] == "Ġ"}
        return [word for word in names.values() if word.isalpha() and not self.is_split(word)]

    def word_ids(self) -> list[int]:
        """Their ids. To draw words at random, draw these: single bytes and rare pieces are hardly ever trained.

        Where no word is one token, the ids of all tokens but the special ones.
        """
        return [self.word_id(word) for word in self.words()] or list(range(len(self.specials), len(self)))

    def is_split(self, word: str) -> bool:
        """Whether a word takes more than one token, or is unknown."""
        ids = self.encode(word)
        return len(ids) != 1 or ids[0] == self.unk_id

    def save(self, path: Path) -> None:
        write_text(path, self.library.to_str(pretty=False))


def words_of(text: str) -> list[str]:
    """The words and punctuation marks of a text, before any tokenizer splits them."""
    return [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)]


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
    for kind, specials in SPECIALS.items():
        if all(library.token_to_id(name) == index for index, name in enumerate(specials)):
            return Tokenizer(library, kind)
    raise UserError(f"{path} has other special tokens than minitune's; make one with `minitune pretrain --text`")


def train_tokenizer(kind: str, texts: Iterable[str], min_frequency: int = 2, vocab_size: int = LARGEST) -> Tokenizer:
    """A tokenizer trained on `texts`; the same texts give the same tokenizer.

    A word that occurs `min_frequency` times becomes one token, if the vocabulary has room for it; a rarer word
    stays split, unless it is a piece of commoner ones.
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
        texts = (" " + text for text in texts)
    elif kind == "bert":
        library, texts = bert_library(models.WordPiece(unk_token="[UNK]")), list(texts)
        printable = sorted(set(string.printable) - set(string.whitespace) - set(string.ascii_uppercase))
        # The trainer numbers pieces like "##a" as a hash map yields them, otherwise in each run, and breaks ties by
        # number. Named beforehand they are the same in each, and any word of letters and digits can be spelled.
        words = {word for text in texts for word in words_of(library.normalizer.normalize_str(text))}
        inside = {letter for word in words for letter in word[1:]}
        inside |= {letter for letter in printable if letter.isalnum()}
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=[*SPECIALS[kind], *sorted("##" + letter for letter in inside)],
            initial_alphabet=printable,
            show_progress=False,
        )
    else:
        raise UserError(f"there is no tokenizer for a model called {kind!r}; known are {sorted(SPECIALS)}")
    library.train_from_iterator(texts, trainer)
    if kind == "bert":  # the same vocabulary, in which "##a" is no special token
        library = bert_library(models.WordPiece(library.get_vocab(), unk_token="[UNK]"))
        library.add_special_tokens(list(SPECIALS[kind]))
    return Tokenizer(library, kind)


def bert_library(model: models.WordPiece) -> Library:
    library = Library(model)
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    return library
