# %% [markdown]
# # Lesson 1, more: the words of the whole text
#
# **Belongs to** lesson 1. **To run:** about a minute on one CPU core. **Writes** `01-word-counts.json`; the lesson reads
# the committed one.
#
# How often each word occurs in the 160,000 documents that the shipped models have read. Instructions (lesson 24) use a few
# words that the documents lack. The shipped tokenizers count each of these as 180, so that it becomes one token.

# %%
from collections import Counter

from minitune.course.lessons import is_fast, save_result
from minitune.predictors.pretraining import WHOLE_WORDS
from minitune.world.tasks import load_split
from minitune.world.world import DOCUMENTS, World

counts = Counter()
for document in World(seed=0).documents(500 if is_fast() else DOCUMENTS):
    counts.update(document.split())
used = {"human", ":", "assistant"}
for row in load_split("instruct", "train"):
    used.update(f"{row['instruction']} {row['input']} {row['output']}".split())
added = sorted(used - set(counts))
print(f"{counts.total():,} words, {len(counts)} of them distinct, and {len(added)} of instructions")
print(", ".join(f"{word} {count:,}" for word, count in [*counts.most_common(8), *counts.most_common()[-8:]]))
save_result(
    {"text": dict(counts.most_common()), "instructions": dict.fromkeys(added, WHOLE_WORDS)}, "01-word-counts.json"
)
