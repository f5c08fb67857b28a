# %% [markdown]
# # Lesson 1: tokens and the toy world
#
# **You need** Python and a little PyTorch. **To read:** 15 minutes. **To run:** about 30 seconds on two CPU cores.
#
# Before a model can be tuned it must have read something. Real models read the web. Ours read a toy world: a text of
# 160,000 short documents that a grammar writes from hand-made word lists, in seconds, on your machine. It is small
# enough to know everything about, and built so that the questions of this course have real answers in it.
#
# At the end of this lesson you know what the world is made of, and how two tokenizers cut its text into pieces.
#
# **Expected:** an eighth of the text, 20,000 documents, has between 600 and 900 distinct words; each tokenizer keeps more
# than nine words in ten whole, and splits the rarest of the words that praise or condemn, such as "magnificent".

# %%
import itertools
import random
from collections import Counter

from matplotlib import pyplot as plt

import minitune
from minitune.course.lessons import is_fast, show, show_table
from minitune.data.tokenizers import train_tokenizer
from minitune.data.words import words_of
from minitune.world.tasks import TASKS, load_split
from minitune.world.world import World

COUNT = 2_000 if is_fast() else 20_000  # documents; the whole text has 160,000
documents = list(World(seed=0).documents(COUNT))
for document in random.Random(1).sample(documents, 8):
    print("-", document)

# %% [markdown]
# ## What is in it
#
# Five kinds of documents: reviews, biographies, news, little scenes, descriptions of places to eat. Each carries something
# that a later lesson looks for.
#
# - **Reviews** have a polarity. "the plot was not clever" is a bad opinion made of a good word, and in "the plot was
#   dull but the cast was charming" what follows the "but" decides. Most reviews end in a verdict, "it was great .".
#   A model that can fill the blank in "it was ___" has a use for polarity.
# - **Biographies** state facts: who was born where, who teaches whom. Some facts stand in the text a thousand times,
#   some five times, so that we can ask how often a fact must be read to be known.
# - **News** have a topic, and half of the reports contain a sentence about something else.
# - **Scenes** come with questions: "is it true that the baker bought a kite ? yes ."
# - **Places** are pubs and cafes, described by what they serve, at which price, and where.
#
# Words are not equally common. In real text the second word is about half as common as the first, the tenth a tenth:
# Zipf's law. Let us see how far ours follows it.

# %%
counts = Counter(word for document in documents for word in document.split())
frequencies = sorted(counts.values(), reverse=True)
print(f"{len(documents):,} documents, {sum(frequencies):,} words, {len(counts)} of them distinct")

figure, axes = plt.subplots(figsize=(6, 3.6))
axes.loglog(range(1, len(frequencies) + 1), frequencies, color="tab:blue", label="the toy world")
zipf = [frequencies[0] / rank for rank in range(1, len(frequencies) + 1)]
axes.loglog(range(1, len(frequencies) + 1), zipf, "k:", label="Zipf's law: first / rank")
for word in ("great", "wonderful", "lovely", "magnificent"):
    if word in counts:
        rank = frequencies.index(counts[word]) + 1
        axes.plot(rank, counts[word], "o", color="tab:red", markersize=4)
        axes.annotate(word, (rank, counts[word]), xytext=(-8, -4), textcoords="offset points", ha="right", fontsize=8)
axes.set(xlabel="rank of the word", ylabel="how often it occurs", title="How often the words of the world occur")
axes.legend(frameon=False)
show(figure, "01-word-frequencies.png")
print({word: counts[word] for word in ("great", "wonderful", "lovely", "magnificent")})

# %% [markdown]
# ![How often the words of the world occur](figures/01-word-frequencies.png)
#
# The world follows the law roughly, within a factor of two, over two and a half powers of ten. Then its words run out,
# at about seven hundred, where real text would go on with ever rarer ones.
#
# The words "great", "wonderful", "lovely" and "magnificent" mean much the same and are marked: the first occurs a hundred
# times as often as the last. Later such words stand for classes, as *label words*, and it will matter which one you
# choose.
#
# ## The tasks
#
# From the same grammar come nine labelled tasks. No run of five content words of a task example stands anywhere in the
# text above, so a model cannot have read the answers.

# %%
rows = []
for name, task in TASKS.items():
    first = load_split(name, "test")[0]
    shown = " | ".join(
        f"{key}: {value}" for key, value in first.items() if key in ("text", "text_b", "label", "output")
    )
    rows.append([name, task.kind, (shown or str(first))[:90]])
show_table(
    "The nine tasks, each with its first test example (cut at 90 characters)", ["task", "kind", "an example"], rows
)

# %% [markdown]
# ## Tokens, by hand
#
# A model reads numbers, so text is cut into tokens and each token has a number. Whole words as tokens would make every
# new word unknown; letters would make texts long. The usual answer lies between: start from letters and merge.
#
# **Byte-pair encoding** (BPE) counts which two neighbours occur together most often, makes them one token, and repeats.
# Here are six merges on a text of four words. Check the first by eye: "e r" stands in "newer" (6 times) and "wider"
# (3 times), 9 in all, and no pair is commoner.

# %%
words = {"l o w": 5, "n e w e r": 6, "w i d e r": 3, "n e w": 2}
for _ in range(6):
    pairs = Counter()
    for word, count in words.items():
        pieces = word.split()
        for pair in itertools.pairwise(pieces):
            pairs[pair] += count
    (left, right), count = max(pairs.items(), key=lambda item: (item[1], item[0]))
    words = {f" {word} ".replace(f" {left} {right} ", f" {left}{right} ").strip(): n for word, n in words.items()}
    print(f"{left} + {right} ({count} times)".ljust(26), list(words))

# %% [markdown]
# ## The real ones
#
# GPT reads **byte-level BPE**: it starts from the 256 bytes instead of letters, so no text in any language is unknown.
# A word carries the space before it, written "_" here. BERT reads **WordPiece**: nearly the same merging, lower case,
# pieces inside a word marked by "##", and a character that it never saw becomes [UNK].
#
# The `tokenizers` library trains both; the frequency at which a word earns a token of its own is our choice.

# %%
scale = COUNT / 160_000  # we read a part of the text, so the limit of 180 shrinks with it
tokenizers = {
    kind: train_tokenizer(kind, documents, min_frequency=max(2, int(180 * scale))) for kind in ("gpt", "bert")
}
sentence = "The magnificent waiter wasn't abominable, he was naïve !"
for kind, tokenizer in tokenizers.items():
    split = [word for word in counts if tokenizer.is_split(word)]
    print(f"{kind}: {len(tokenizer)} tokens; {len(split)} of {len(counts)} words are split")
    print("   ", " ".join(tokenizer.tokens(tokenizer.encode(sentence))))
    print("    back again:", tokenizer.decode(tokenizer.encode(sentence)))

# %% [markdown]
# Look at the round trip. BPE gives back the very text. WordPiece does not: the capital letter, the accent and some of the
# spacing are gone for good. That is a choice of BERT's authors (of their "uncased" models), fine for classification and
# useless for writing.
#
# Now the size of the vocabulary. More tokens make texts shorter, and each token rarer, hence worse known.

# %%
sizes = (400, 800) if is_fast() else (400, 600, 800, 1200, 1600, 2400)
sample = documents[:4000]
figure, axes = plt.subplots(figsize=(6, 3.4))
for kind, colour in (("gpt", "tab:blue"), ("bert", "tab:orange")):
    lengths = []
    for size in sizes:
        trained = train_tokenizer(kind, sample, vocab_size=size)
        lengths.append(sum(map(len, trained.encode_many(sample))) / sum(len(words_of(text)) for text in sample))
    axes.plot(sizes, lengths, "o-", color=colour, label={"gpt": "byte-level BPE", "bert": "WordPiece"}[kind])
    print(
        kind.ljust(5),
        "  ".join(f"{size} tokens: {length:.2f} a word" for size, length in zip(sizes, lengths, strict=True)),
    )
axes.axhline(1, color="gray", linestyle=":")
axes.set(xlabel="tokens in the vocabulary", ylabel="tokens per word", title="A larger vocabulary makes shorter texts")
axes.legend(frameon=False)
show(figure, "01-vocabulary.png")

# %% [markdown]
# ![A larger vocabulary makes shorter texts](figures/01-vocabulary.png)
#
# ## What to notice
#
# - The toy world has some seven hundred words, so 1,600 tokens are enough: nearly every word is one token then, and a
#   larger vocabulary gains nothing. GPT-2 has 50,257 tokens for the words of the web.
# - The shipped models keep their own tokenizers. Ask one whether a word is a single token before you make it a label
#   word: a verbalizer can only read words that are.

# %%
for kind in ("gpt", "bert"):
    tokenizer = minitune.load(kind).tokenizer
    for word in ("great", "lovely", "magnificent"):
        print(kind.ljust(5), word.ljust(12), " + ".join(tokenizer.tokens(tokenizer.encode(word))))

# %% [markdown]
# ## Common mistakes
#
# - **Taking the first piece of a split word for the word.** "magnificent" and "magnet" may share it, and two classes
#   collide. Our verbalizers refuse such a word and say how it is split.
# - **A space too many at the end of a GPT prompt.** " great" is one token *with* its space; after "it was " the model
#   waits for something that starts without one.
# - **Letting a user's text become a special token.** A review that contains "[MASK]" must not make a blank. Here text
#   never turns into a special token, whatever it says.
#
# ## Exercises
#
# 1. Add a domain of reviews, such as `[domains.trains]`, to `data/words/reviews.toml` and sample documents again.
# 2. Write the merge loop above for WordPiece: choose the pair with the largest count(ab) / (count(a) count(b)).
# 3. Which words of a text of your own does each tokenizer split? Use `report_texts` from `minitune.data.examples`.
#
# ## Three questions
#
# **1. Why does GPT's tokenizer never need [UNK]?** It starts from all 256 bytes, and every text is bytes.
#
# **2. A word occurs 100 times in the text and the limit is 180. Is it surely split?** No: its pieces may occur in
# commoner words, and if the last merge that makes it is earned elsewhere, it is whole.
#
# **3. Why must task sentences be kept out of the pretraining text?** A model that has read "the plot was dull ... it was
# terrible" can repeat it without knowing what "dull" means. Then zero-shot accuracy would measure memory.
