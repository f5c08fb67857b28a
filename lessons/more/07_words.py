# %% [markdown]
# # Lesson 7, more: which words, and what to train
#
# **Belongs to** lesson 7. **To run:** about 12 minutes on one CPU core. **Writes** `07-words.json`; the lesson draws its
# figures from the committed one.
#
# Prompt-based fine-tuning on 16 examples a class: the question stays what it is, the words stay what they are, and the
# model learns to say them. Two answers to "what may change": everything (`full`), or the scores of words alone
# (`output`, the LM head). Ten draws, the same for all, each method at its default learning rate, which was chosen on
# another world.
#
# > **Expected, before measuring.** On `sentiment`: zero-shot as good as the words are, and swapped words one minus that.
# > After training everything, "cat" and "dog" end within three points of "great" and "terrible", and the swapped words
# > stay below 0.75. With the LM head alone, "cat" and "dog" end at least five points below training everything; the
# > swapped words end above training everything, for two rows of one matrix are all that must trade places. Six words a
# > class and one, weighted or not, end within two points of each other, and so do "magnificent" and "abominable", which
# > are words of six and five tokens. On `rating`, which leaves room above zero-shot, both ways gain at least five points,
# > and everything gains more than the LM head.
#
# Two things became otherwise than planned: of the six verdicts a class five are trained, those of one token; and
# "magnificent" and "abominable" are left to lesson 7, zero-shot, for to train them reads each text eleven times.

# %%
import statistics
from dataclasses import replace

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.experiments.experiment import learn
from minitune.methods.method import Method

DRAWS, SHOTS = (1, 4) if is_fast() else (10, 16)
FIVE = {  # those that are one token
    "positive": ("great", "good", "wonderful", "superb", "lovely"),
    "negative": ("terrible", "bad", "awful", "dreadful", "poor"),
}
BY_RARITY = (1, 2, 5, 10, 25)  # great stands 25 times as often in the text as lovely
WORDS = {
    "great / terrible": {"positive": ("great",), "negative": ("terrible",)},
    "good / bad": {"positive": ("good",), "negative": ("bad",)},
    "cat / dog": {"positive": ("cat",), "negative": ("dog",)},
    "bad / good": {"positive": ("bad",), "negative": ("good",)},
    "terrible / great": {"positive": ("terrible",), "negative": ("great",)},
    "five a class": FIVE,
    "five, weighted": {
        label: tuple(f"{word}:{weight}" for word, weight in zip(words, BY_RARITY, strict=True))
        for label, words in FIVE.items()
    },
}
WAYS = {"full": ("full", []), "output": ("output", [])}
FASTER = {f"full at {rate:g}": ("full", [f"lr={rate}"]) for rate in (1e-3, 3e-3)}  # the default is 3e-4
bert = minitune.load("bert")


# %%
def rows_of(task: str, words: dict, ways: dict) -> list[dict]:
    """Accuracy on test of each mapping: zero-shot, and of each draw after training in each way."""
    data, question = minitune.task(task).for_model(bert)
    test, rows = data.test[: 40 if is_fast() else None], []
    for name, label_words in words.items():
        own = replace(question, label_words=label_words) if label_words else question
        untrained = Method.parse("zero-shot").build(bert, own, seed=0).accuracy(test)
        for way, (what, settings) in ways.items():
            method = Method.parse(what, [*settings, *(["steps=4"] if is_fast() else [])])
            scores = [learn(method, bert, own, data, SHOTS, seed).predictor.accuracy(test) for seed in range(DRAWS)]
            rows.append({"task": task, "words": name, "what": way, "zero-shot": untrained, "scores": scores})
            print(f"{task:10} {name:26} {way:14} {untrained:.3f} -> {statistics.fmean(scores):.3f}", flush=True)
    return rows


rows = rows_of("rating", {"the task's own": None}, WAYS)
rows += rows_of("sentiment", WORDS, WAYS)

# %% [markdown]
# The swapped words stayed at 0.55 when everything was trained, and came to 0.94 with the LM head alone. Is it the rate?
# The LM head's default is ten times as large. So everything once more, at a larger rate. (Expected: at ten times the
# rate the swapped words come above 0.75.)

# %%
rows += rows_of("sentiment", {"terrible / great": WORDS["terrible / great"]}, FASTER)

# %% [markdown]
# It is not the rate. So what was learned? The accuracy on the 32 examples themselves tells.

# %%
data, question = minitune.task("sentiment").for_model(bert)
swapped, by_heart = replace(question, label_words=WORDS["terrible / great"]), {}
for way, (what, settings) in WAYS.items():
    method = Method.parse(what, [*settings, *(["steps=4"] if is_fast() else [])])
    learned = [learn(method, bert, swapped, data, SHOTS, seed) for seed in range(DRAWS)]
    by_heart[way] = [its.predictor.accuracy(its.train) for its in learned]
    print(f"terrible / great, {way}: {statistics.fmean(by_heart[way]):.3f} on the training examples", flush=True)
save_result({"draws": DRAWS, "shots": SHOTS, "rows": rows, "by heart": by_heart}, "07-words.json")

# %%
cells = [
    [row["task"], row["words"], row["what"], f"{row['zero-shot']:.3f}", f"{statistics.fmean(row['scores']):.3f}"]
    for row in rows
]
show_table(f"Accuracy on test, {SHOTS} a class, mean of {DRAWS} draws", ["task", "words", "trained", "0", "16"], cells)
