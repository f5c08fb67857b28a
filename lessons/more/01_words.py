# %% [markdown]
# # Lesson 1, more: how often words occur, and both tokenizers at other sizes
#
# **Belongs to** lesson 1. **To run:** about a minute on one CPU core. **Draws** `01-word-frequencies.png` and
# `01-vocabulary.png`.

# %%
from matplotlib import pyplot as plt

from minitune.course.lessons import is_fast, read_result, show
from minitune.data.tokenizers import train_tokenizer
from minitune.data.words import words_of
from minitune.world.world import World

# %% [markdown]
# ## Zipf's law
#
# In real text the second word is about half as common as the first, and the tenth a tenth as common. Does the toy world
# follow this law?

# %%
counts = read_result("01-word-counts.json")["text"]
frequencies = sorted(counts.values(), reverse=True)
figure, axes = plt.subplots(figsize=(6, 3.6))
ranks = range(1, len(frequencies) + 1)
axes.loglog(ranks, frequencies, color="tab:blue", label="the toy world")
axes.loglog(ranks, [frequencies[0] / rank for rank in ranks], "k:", label="Zipf's law: first / rank")
for word in ("great", "wonderful", "lovely", "magnificent"):
    rank = frequencies.index(counts[word]) + 1
    axes.plot(rank, counts[word], "o", color="tab:red", markersize=4)
    axes.annotate(word, (rank, counts[word]), xytext=(-5, -11), textcoords="offset points", ha="right", fontsize=8)
    print(f"{word:12} {counts[word]:6,}")
axes.set(xlabel="rank of the word", ylabel="occurrences in the text")
axes.legend(frameon=False)
show(figure, "01-word-frequencies.png")

# %% [markdown]
# ![How often the words of the world occur](../figures/01-word-frequencies.png)
#
# It follows the law roughly until its words run out, where real text would go on with ever rarer ones. The four marked words mean much the
# same, and the first is a hundred times as common as the last. Later such words stand for classes, as label words, and
# it matters which one you choose.
#
# ## Both kinds of tokenizer
#
# Tokens per word, punctuation counted as words, for tokenizers that were trained on 4,000 documents with different limits
# for the size of the vocabulary.

# %%
sizes = (400, 800) if is_fast() else (400, 600, 800, 1200, 1600, 2400)
sample = list(World(seed=0).documents(200 if is_fast() else 4000))
figure, axes = plt.subplots(figsize=(6, 3.4))
for kind, line in (("gpt", "o-"), ("bert", "s--")):
    lengths = []
    for size in sizes:
        trained = train_tokenizer(kind, sample, vocab_size=size)
        lengths.append(sum(map(len, trained.encode_many(sample))) / sum(len(words_of(text)) for text in sample))
    name = {"gpt": "byte-level BPE", "bert": "WordPiece"}[kind]
    axes.plot(sizes, lengths, line, label=name)
    print(name.ljust(15), "  ".join(f"{size}: {length:.2f}" for size, length in zip(sizes, lengths, strict=True)))
axes.axhline(1, color="gray", linestyle=":")
axes.set(xlabel="largest number of tokens in the vocabulary", ylabel="tokens per word")
axes.legend(frameon=False)
show(figure, "01-vocabulary.png")

# %% [markdown]
# ![A larger vocabulary makes shorter texts](../figures/01-vocabulary.png)
#
# From about 1,600 tokens on the two are alike. In a small vocabulary BPE has less room for merges, because it begins with all
# 256 bytes.
