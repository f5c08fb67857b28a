# %% [markdown]
# # Lesson 1: tokens and the toy world
#
# *A model reads numbers. Which pieces of a text get one?*
#
# **Before this:** Python; no PyTorch yet. **Reading:** 20 minutes. **Three exercises:** 30 minutes. **Running:** half a
# minute on one CPU core.
#
# After this lesson you can
#
# - train a byte-pair encoding, and encode and decode any text with it,
# - say why a word is split, and what a larger vocabulary costs,
# - explain what our models have read, and why it is a toy.
#
# ## The problem
#
# A language model can rate a review without being trained for it: write `the soup was cold . it was`, and see
# whether *terrible* or *great* is the likelier next word. On 1,000 reviews our GPT is almost always right. Now let the
# same code choose between *unpleasant* and *unforgettable*: the two scores are exactly equal on every review, and there is
# no error message. The reason is in the numbers that the model receives:

# %%
import minitune

gpt = minitune.load("gpt")
for word in ("terrible", "great", "unpleasant", "unforgettable"):
    ids = gpt.tokenizer.encode(word)
    print(f"{word:14} {' '.join(gpt.tokenizer.tokens(ids)):24} {ids}")

# %% [markdown]
# (`_` is a space.) *Terrible* and *great* have a number of their own. The other two are split, and code that reads a
# word's first number compares `_un` with `_un`. The pieces are called **tokens**. Why is one word a single token, and
# another four or seven? You will write both kinds of tokenizer that this course uses. First, the text from which
# they learned.
#
# ## The toy world, in one page
#
# Real models read the web. Ours have read 160,000 short documents about an invented world, written by a program that
# fills sentence patterns from word lists. There are five kinds:

# %%
import random

from minitune.world.tasks import TASKS, load_split
from minitune.world.world import SHARES, World

world = World(seed=0)
for kind, share in zip(SHARES.items, SHARES.weights, strict=True):
    made = getattr(world, kind).document(random.Random(3))
    text = made if isinstance(made, str) else made[0]  # for people, the facts come along
    print(f"{kind:8} {share:2}%   {text}")

# %% [markdown]
# Reviews give a model a reason to learn which words praise: many hold a verdict, such as *it was dreadful*. People come
# with facts to remember, news with topics, scenes with questions, and places with what they serve. The same program
# writes nine labeled tasks. One test row of each:

# %% tags=["hide-input"]
ASKED = {
    "sentiment": ("text", "label"),
    "rating": ("text", "label"),
    "topic": ("text", "label"),
    "entail": ("text", "text_b", "label"),
    "relations": ("text", "text_b", "label"),
    "tags": ("tokens", "tags"),
    "facts": ("phrasing", "object"),
    "describe": ("name", "kind", "food", "price", "area", "text"),
    "instruct": ("instruction", "input", "output"),
}
assert set(ASKED) == set(TASKS)


def shown(value) -> str:
    return value if isinstance(value, str) else " ".join(value[:6]) + " ..."


for task, fields in ASKED.items():
    row = load_split(task, "test")[0]
    *given, answer = (shown(row[field]) for field in fields)
    print(f"{task:10} {' | '.join(given)[:118]}\n{'':10} -> {answer}")

# %% [markdown]
# Why a toy? With text from the web it is hard to know whether a model has learned something or has read the answer, and
# whether a task needs more than counting words. Here both can be measured, in our world and in four others that the same program
# writes from other seeds ([more/01_world.py](more/01_world.py)):

# %% tags=["hide-input"]
from minitune.course.lessons import is_fast, read_result, show

PROOFS = {
    "documents that quote five content words of a task": "documents that share five content words in a row with a task",
    "sentiment: oracle": "accuracy on sentiment of a program that knows the grammar",
    "sentiment: bag of words, whole train file": "... of a classifier that only counts words",
    "entail: bag of words, whole train file": "... the same on entail, which has three classes",
    "opinions that are negated": "share of opinions that are negated (not clever)",
    "facts: fewest statements of one": "how often the text states its rarest fact",
    "facts: most statements of one": "... and its commonest",
    "label words: most frequent to rarest": "commonest word of a verdict, relative to the rarest",
}
measured = read_result("01-world.json")
print(f"{'':60} our world   all five: from    to")
for name, label in PROOFS.items():
    digits = 2 if isinstance(measured[name][0], float) and measured[name][0] < 10 else 0
    ours, low, high = (f"{value:.{digits}f}" for value in (measured[name][0], min(measured[name]), max(measured[name])))
    print(f"{label:60} {ours:>9} {low:>16} {high:>5}")

# %% [markdown]
# No document repeats a task, a reader who knows the grammar finds every answer, and counting words is not enough.
# What a world of 734 words cannot show is said in each lesson under "At scale".
#
# ## Tokens by merging
#
# A number for each *letter* makes texts long. A number for each *word* leaves none for a new word. **Byte-pair
# encoding**, BPE (Sennrich et al. 2016), lies between the two: common words stay whole, rare words are cut into pieces.
#
# *Training.* Write every word of a text as single bytes, its leading space included. (An English letter is one byte,
# other characters are two to four.) Count which two neighbors occur together most often, merge them into one
# piece wherever they occur, and repeat. The list of merges is all that is learned. *Encoding.* Write a new word in bytes
# too, and apply the merges in the order in which they were learned.

# %% tags=["hide-input"]
from matplotlib import pyplot as plt

from minitune.course.drawing import arrow, box, canvas, legend, matrix

figure, axes = canvas(15.6, 9.4)
ROWS = (
    ("the word, in bytes", "_ u n p l e a s a n t"),
    ("merges 8 and 35:   a s,   l e", "_ u n p le as a n t"),
    ("merges 48 and 95:   a n,   an t", "_ u n p le as ant"),
    ("merges 115 and 245:   u n,   as ant", "_ un p le asant"),
    ("merge 676:   _ un", "_un p le asant"),
)
UNIT, LEFT = 0.8, 6.3
for row, (label, pieces) in enumerate(ROWS):
    x, y = LEFT, 8.2 - 1.2 * row
    axes.text(0.1, y + 0.4, label, va="center", fontsize=9)
    for piece in pieces.split():
        box(axes, x, y, UNIT * len(piece), 0.8, piece, "learned" if len(piece) > 1 else "text")
        if row == len(ROWS) - 1:
            middle = x + UNIT * len(piece) / 2
            arrow(axes, (middle, y - 0.05), (middle, y - 0.75))
            axes.text(
                middle,
                y - 1.0,
                {"_un": 939, "p": 87, "le": 298, "asant": 508}[piece],
                ha="center",
                va="center",
                fontsize=9,
            )
        x += UNIT * len(piece)
axes.text(0.1, 2.4, "numbers: all that the model receives", va="center", fontsize=9)
for middle in (1.2, 2.8, 4.0, 6.8):
    matrix(axes, LEFT + middle - 0.5, 0.95, 1.0, 0.3, "learned")
    arrow(axes, (LEFT + middle, 2.15), (LEFT + middle, 1.3))
axes.text(0.1, 1.1, "rows of the embedding matrix (lesson 2)", va="center", fontsize=9)
legend(axes, LEFT, 0.1, ("text", "learned"))
show(figure, "01-idea.png")

# %% [markdown]
# ![The word unpleasant is merged step by step into four tokens, each with a number](figures/01-idea.png)
#
# *How our GPT encodes " unpleasant". Seven of its 1,545 merges apply. None joins the last four pieces.*
#
# **By hand.** Ten words, with how often they occur:
#
# | low | lower | lowest | new | newer | newest | wide | wider | widest | slow |
# |---|---|---|---|---|---|---|---|---|---|
# | 6 | 4 | 2 | 6 | 3 | 5 | 3 | 2 | 4 | 5 |
#
# Which pair is merged first? A tie goes to the pair with the smaller ids; letters have ids in alphabetical order.
#
# <details><summary>Result</summary>
#
# `l o` and `o w` each occur in *low*, *lower*, *lowest* and *slow*: $6 + 4 + 2 + 5 = 17$ times. The tie goes to `l o`,
# because l comes before o.
#
# </details>
#
# ## Write it yourself

# %% tags=["imports"]
import itertools
import re
from collections import Counter
from collections.abc import Sequence

Pieces = tuple[bytes, ...]  # a word: (b" ", b"l", b"o", b"w"), or (b" low",)
Pair = tuple[bytes, bytes]


def split(text: str) -> list[str]:
    """A text's words, each with the space before it; punctuation apart. A simpler form of GPT-2's rule."""
    return re.findall(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+", " " + text)


def spell(word: str) -> Pieces:
    """A word in single bytes: " low" -> (b" ", b"l", b"o", b"w")."""
    return tuple(bytes([byte]) for byte in word.encode())


# %% [markdown]
# **Exercise 1.1 (12 minutes).** Write one step of training, in three functions. The difficult one is `merge`. What
# should become of *aaa* when the pair is `a a`?


# %% tags=["exercise"]
def count_pairs(words: dict[Pieces, int]) -> Counter[Pair]:
    """How often each pair of neighbors occurs; `words` says how often each word does."""
    # your turn
    pairs = Counter()
    for pieces, count in words.items():
        for pair in itertools.pairwise(pieces):
            pairs[pair] += count
    return pairs


def commonest(pairs: Counter[Pair], ids: dict[bytes, int]) -> Pair:
    """The pair that occurs most often. Of equals, the one whose left piece has the smaller id; then the right piece."""
    # your turn
    return min(pairs, key=lambda pair: (-pairs[pair], ids[pair[0]], ids[pair[1]]))


def merge(pieces: Pieces, pair: Pair) -> Pieces:
    """The word with `pair` joined wherever it occurs, from left to right."""
    # your turn
    merged, at = [], 0
    while at < len(pieces):
        if pieces[at : at + 2] == pair:
            merged.append(pieces[at] + pieces[at + 1])
            at += 2
        else:
            merged.append(pieces[at])
            at += 1
    return tuple(merged)


# %%
letters = {bytes([byte]): byte for byte in range(256)}
pairs = count_pairs({spell(" low"): 6, spell(" slow"): 5})
assert pairs[b"l", b"o"] == 11, f"l o occurs 6 + 5 = 11 times, not {pairs[b'l', b'o']}"
assert commonest(pairs, letters) == (b"l", b"o"), "l o and o w are equally common: which has the smaller ids?"
assert merge(spell("aaa"), (b"a", b"a")) == (b"aa", b"a"), "a piece may be used once"
print("1.1 is right")

# %% [markdown]
# The loop around your functions, and what it finds in the ten words. It stops when no pair occurs nine times:


# %%
def train(words: dict[str, int], ids: dict[bytes, int], least: int) -> list[Pair]:
    """The merges, in order, until no pair occurs `least` times; each new piece gets the next id in `ids`."""
    spelled = {spell(" " + word): count for word, count in words.items()}
    merges = []
    while pairs := count_pairs(spelled):
        pair = commonest(pairs, ids)
        if pairs[pair] < least:
            break
        merges.append(pair)
        ids.setdefault(pair[0] + pair[1], len(ids))
        spelled = {merge(pieces, pair): count for pieces, count in spelled.items()}
    return merges


def readable(pieces: Sequence[bytes]) -> str:
    return " ".join(piece.decode(errors="replace").replace(" ", "_") for piece in pieces)


TEN = dict(low=6, lower=4, lowest=2, new=6, newer=3, newest=5, wide=3, wider=2, widest=4, slow=5)
ids = dict(letters)
merges = train(TEN, ids, least=9)
for number, pair in enumerate(merges, 1):
    print(f"{number:2}   {readable(pair):8} -> {readable([b''.join(pair)]):6} id {ids[b''.join(pair)]}")

# %% [markdown]
# **Exercise 1.2 (8 minutes).** Encode and decode any text. In decoding, mind that a character such as *ï* is two bytes,
# which may be in two tokens.


# %% tags=["exercise"]
def encode(text: str, merges: Sequence[Pair]) -> list[bytes]:
    """The tokens of a text: each of its words (`split`) in single bytes (`spell`), then merged in the order of `merges`."""
    # your turn
    tokens = []
    for word in split(text):
        pieces = spell(word)
        for pair in merges:
            pieces = merge(pieces, pair)
        tokens.extend(pieces)
    return tokens


def decode(tokens: Sequence[bytes]) -> str:
    """The text of tokens, without the space that `split` put first. A broken character becomes �, never an error."""
    # your turn: bytes.decode has the setting errors="replace"
    return b"".join(tokens).decode("utf-8", errors="replace").removeprefix(" ")


# %%
for text in ("newer and lower", "the slowest", "naïve"):
    tokens = encode(text, merges)
    print(f"{text:16} {readable(tokens)}")
    assert decode(tokens) == text, f"{text!r} came back as {decode(tokens)!r}: were the bytes joined before decoding?"
print("token by token: ", "".join(decode([token]) for token in encode("naïve", merges)))
print("1.2 is right")

# %% [markdown]
# *Slowest* is not among the ten words, yet its ending is one token, learned from others. No text is unknown, because all
# 256 bytes are tokens. (Where *naïve* is broken, the two bytes of *ï* were decoded apart.)
#
# ### The real one
#
# Now the words of all 160,000 documents ([more/01_word_counts.py](more/01_word_counts.py)). With a limit of 180, your code
# should find the tokenizer of our GPT, which the library `tokenizers` made:

# %%
import json

words = read_result("01-word-counts.json")  # and thirty words that lesson 24 needs, counted as 180
counts = words["text"] | words["instructions"]
library = json.loads(gpt.tokenizer.library.to_str())["model"]


def as_bytes(token: str) -> bytes:
    """GPT-2's files write each byte as a printable character; a space is Ġ."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    return bytes(table[character] for character in token)


START = 256 + 8  # single bytes, and special tokens such as <|pad|>
ids = {as_bytes(token): number for token, number in library["vocab"].items() if number < START}
every = train(counts, ids, least=20_000 if is_fast() else 1)  # to the end: what is beyond 180 is for later
theirs = [(as_bytes(left), as_bytes(right)) for left, right in library["merges"]]
shipped = every[: len(theirs)]
assert shipped == theirs[: len(shipped)]
print(f"{len(shipped):,} merges, all equal to the library's, in the same order")

# %%
sentence = "the unpleasant waiter was naïve , and the soup was 猫 !"
tokens = encode(sentence, theirs)
assert [ids[token] for token in encode("the waiter", shipped)] == gpt.tokenizer.encode("the waiter") or is_fast()
numbers = {as_bytes(token): number for token, number in library["vocab"].items()}
assert [numbers[token] for token in tokens] == gpt.tokenizer.encode(sentence)
assert decode(tokens) == sentence
print(readable(tokens))

# %% [markdown]
# ## What a vocabulary costs
#
# Each token of the vocabulary needs a row of 128 numbers in our GPT's embedding matrix (lesson 2). A smaller vocabulary makes longer texts,
# and a model's context holds a fixed number of tokens, 128 in ours. Both sides, for tokenizers that stop
# earlier or later:

# %% tags=["hide-input"]
import codecs
import contextlib
import io

from minitune.world.world import DOCUMENTS

with contextlib.redirect_stdout(io.StringIO()):  # it prints itself
    import this
zen = codecs.decode(this.s, "rot13").lower()
by_count = sorted((word for word in words["text"] if word.isalpha()), key=lambda word: -words["text"][word])
groups = {
    "the 100 commonest words": by_count[:100],
    "the 100 rarest words": by_count[-100:],
    "words never read": sorted(set(re.findall(r"[a-z]{3,}", zen)) - set(counts)),
}
spelled = {name: [spell(" " + word) for word in chosen] for name, chosen in groups.items()}
text = {spell(" " + word): count for word, count in words["text"].items()}
STOPS = {100, 500, len(theirs), len(every), *range(1, len(every), 20)}
curve = {name: [] for name in groups}


def per_word(group) -> float:
    return sum(map(len, group)) / len(group)


start = {name: per_word(group) for name, group in spelled.items()}
lengths = {0: sum(len(pieces) * count for pieces, count in text.items()) / DOCUMENTS}
for done, pair in enumerate(every, 1):
    spelled = {name: [merge(pieces, pair) for pieces in group] for name, group in spelled.items()}
    text = {merge(pieces, pair): count for pieces, count in text.items()}
    if done in STOPS:
        lengths[done] = sum(len(pieces) * count for pieces, count in text.items()) / DOCUMENTS
        for name, group in spelled.items():
            curve[name].append((done, per_word(group)))

rest = sum(p.numel() for p in gpt.model.parameters()) - gpt.model.token_embedding.weight.numel()
print("merges   tokens in the vocabulary   tokens per document   weights of the embedding   share of the model")
for done in (0, 100, 500, len(theirs), len(every)):
    if done in lengths:
        size = START + done
        weights = size * gpt.model.config.width
        print(f"{done:6,} {size:26,} {lengths[done]:21.1f} {weights:26,} {weights / (weights + rest):19.0%}")

# %% [markdown]
# The first hundred merges halve the length of a text, and all the others more than halve it again. The last 46 lie
# beyond our limit of 180 and gain almost nothing.
#
# ## Longest match
#
# BERT uses **WordPiece** (Wu et al. 2016). Its vocabulary, too, is made by merging: the published rule takes the pair that
# raises the likelihood of the text most, while the library that made ours counts, as you do. Encoding differs. A word
# loses its capitals and accents and is then cut from the left: take the longest beginning that is in the vocabulary, then
# the longest continuation, and so on. A piece that continues a word is marked `##`. The merges play no part.
#
# **Exercise 1.3 (10 minutes).** Write this longest match. When nothing fits, the *whole* word becomes `[UNK]`, even if its
# beginning had matched.


# %% tags=["exercise"]
def wordpiece(word: str, vocabulary: set[str]) -> list[str]:
    """The pieces of a word, as ["good", "##n", "##ess"]; or ["[UNK]"]."""
    # your turn
    pieces, at = [], 0
    while at < len(word):
        mark = "##" if at else ""
        for end in range(len(word), at, -1):
            if mark + word[at:end] in vocabulary:
                break
        else:
            return ["[UNK]"]
        pieces.append(mark + word[at:end])
        at = end
    return pieces


# %%
small = {"good", "##n", "##ness", "##e", "##s", "g"}
assert wordpiece("goodness", small) == ["good", "##ness"], "the longest piece first"
assert wordpiece("goodly", small) == ["[UNK]"], "a rest that does not fit makes the whole word unknown"
bert = minitune.load("bert")
vocabulary = set(bert.tokenizer.library.get_vocab())
for word in [*counts, *groups["words never read"], "猫"]:
    theirs_now = bert.tokenizer.tokens(bert.tokenizer.encode(word))
    assert wordpiece(word, vocabulary) == theirs_now, f"{word}: {wordpiece(word, vocabulary)}, the library {theirs_now}"
print(f"1.3 is right: equal to the library's on {len(counts) + len(groups['words never read']) + 1} words")
for word in ("unpleasant", "better", "猫"):
    print(f"{word:12} BPE {readable(encode(word, theirs)):20} WordPiece {' '.join(wordpiece(word, vocabulary))}")
print("there and back:", bert.tokenizer.decode(bert.tokenizer.encode("The waiter wasn't naïve !")))

# %% [markdown]
# The two disagree on *better*, because BPE applies its merges in their order, however long the piece. The last line is a
# text that WordPiece has encoded and decoded: capitals, accents and spaces are lost for good, which matters little in
# classification and rules this tokenizer out for writing.
#
# ## What splits, and why?
#
# You have trained past our limit of 180, to the point where every word of the world is one token. How did words get
# there? We follow three groups: the hundred commonest words of the world, the hundred rarest, and the words of the Zen
# of Python (`import this`) that the world lacks.
#
# > **Guess before you look.** The words that were never read have six letters on average. With all merges, how many
# > tokens does such a word take: one, three, or six?

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8.5, 3.8), layout="constrained")
STYLES = ("tab:blue", "-"), ("tab:purple", "--"), ("tab:red", "-.")
for (name, points), (color, line) in zip(curve.items(), STYLES, strict=True):
    axes.plot(*zip((0, start[name]), *points, strict=True), line, color=color, label=name)
axes.axhline(1, color="gray", linestyle=":", linewidth=1)
axes.axvline(len(theirs), color="gray", linewidth=1)
axes.text(len(theirs) - 12, 7.4, "our GPT's tokenizer", ha="right", fontsize=8, color="dimgray")
axes.set(xlabel="number of merges", ylabel="tokens per word", ylim=(0, 8))
handles, labels = axes.get_legend_handles_labels()
axes.legend(handles[::-1], labels[::-1], frameon=False, loc="upper center")
show(figure, "01-splits.png")
for name, points in curve.items():
    print(f"{name:25} single bytes {start[name]:.1f}   last {points[-1][1]:.1f}")
is_whole = {word: len(encode(word, theirs)) == 1 for word in by_count[:: 40 if is_fast() else 1]}
whole = sorted((word for word in is_whole if is_whole[word]), key=len)[-5:]
short = sorted((word for word in is_whole if not is_whole[word]), key=len)[:5]
for label, chosen in (("longest words in one token", whole), ("shortest that are split", short)):
    print(f"{label:28}", ", ".join(f"{word} ({words['text'][word]:,}x)" for word in chosen))

# %% [markdown]
# ![Tokens per word against the number of merges, for common, rare and unseen words](figures/01-splits.png)
#
# *Tokens per word, without weighting. The vertical line is where our GPT's tokenizer stops.*
#
# The commonest words are whole after a few hundred merges, and the rarest only with the last. Words that were never read
# are shortened by pieces that they share with others, but they stay at about three tokens, because every later merge
# serves a word of the training text. Length decides little, as the last two lines show. What decides is how often a
# word occurs in the text *on which the tokenizer was trained*.
#
# Why stop at 180, then? A token that is hardly ever read has an embedding that is hardly ever trained, and this course
# needs some words that are split.
#
# > **At scale.** GPT-2 has 50,257 tokens: 256 bytes, 50,000 merges and a mark for the end of a text. BERT has 30,522,
# > Llama 2 has 32,000 and Llama 3 has 128,256. In our GPT the embedding is a third of all weights. In Llama 3 with 8
# > billion weights, the two matrices for input and output are 4,096 wide and make up an eighth. What a tokenizer has
# > rarely read is expensive there too: Petrov et al. (2023) find that the same text can take up to 15 times as many
# > tokens in one language as in another. T5 and Llama 2 use SentencePiece, which treats the space as an ordinary
# > character; T5 uses its unigram method, which starts from many pieces and removes some, instead of merging.
#
# ## In practice
#
# - **Keep the model's tokenizer.** Its ids are the row numbers of the embedding, and another tokenizer's mean nothing to it.
# - **Count tokens per word on your own data.** English prose takes a little over one with today's tokenizers. With far
#   more, your text is unlike what the tokenizer was trained on, and it fills the context sooner.
# - **A label word should be one token**, with its space.
# - **A user's text must not become a special token.** A review that contains `[MASK]` must not make a blank.
#
# ```python
# from transformers import AutoTokenizer
#
# tokenizer = AutoTokenizer.from_pretrained("gpt2")
# tokenizer.tokenize(" unpleasant")  # with the space: as it is within a text
# tokenizer(text, split_special_tokens=True).input_ids  # the text holds no special tokens, whatever it says
# tokenizer.train_new_from_iterator(texts, vocab_size=8000)  # only for a model that will be pretrained anew
# ```
#
# In minitune, text never becomes a special token, the leading space is added for you, and a split label word is refused:

# %%
from minitune.errors import UserError

try:
    gpt.tokenizer.word_id("unpleasant")
except UserError as error:
    print(error)

# %% [markdown]
# ## Common mistakes
#
# Each was made on the 1,000 test reviews of `sentiment`, by GPT without training
# ([more/01_mistakes.py](more/01_mistakes.py)). The accuracy without a mistake is 1.00, chance is 0.50. None raises an error.
#
# | mistake | what you see |
# |---|---|
# | a space at the end of the prompt: `it was ` | 0.47; the space is a token, and the words that would follow begin with one |
# | label words without their space, first pieces `gre` and `ter` | 0.51 |
# | first pieces of split words: `_un` against `_un` | a tie on every review |
# | another model's tokenizer (BERT's) | 0.50 |
# | reviews in capitals, which GPT's tokenizer never read | 0.50, and 4.7 tokens per word |
# | decoding token by token | `na��ve` |
#
# ## Check yourself
#
# 1. Encode " newest" and " slower" with the twelve merges that were printed above.
# 2. Why does GPT's tokenizer need no `[UNK]`, and what must happen before BERT's returns one?
# 3. A word occurs 100 times in the text, and the limit is 180. Is it certain to be split?
# 4. A Chinese character has three bytes. How many tokens does a Chinese sentence of 50 characters take in our GPT, and what follows?
#
# [Answers](answers/01_tokens_and_the_toy_world.md), with reasons.
#
# **More:** [how often words occur, and both tokenizers at other sizes](more/01_words.py).
#
# ## In one paragraph
#
# A tokenizer turns text into numbers. BPE starts from bytes and merges the commonest pair, again and again; encoding
# repeats the merges in their order. WordPiece takes the longest piece that it knows. Both keep whole what was common in
# their training text and split the rest. This decides what can be a label word, how long a text is, and how large the
# embedding is. The toy world is a text of which we know what it can teach.
# **Next:** [lesson 2](02_a_gpt_by_hand.py) builds the GPT that reads these numbers.
