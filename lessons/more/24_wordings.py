# %% [markdown]
# # Lesson 24, more: how many wordings, and what of two instructions at once?
#
# **Belongs to** lesson 24. **To run:** about 20 minutes on one CPU core. **Writes** `24-wordings.json`.
#
# *Wordings.* The same records, but each kind of instruction worded in one way only, in three, or in all that are not
# held out. The test is the same for all: words that no record to train on has.
#
# *Two instructions at once.* The test has twelve pairs of instructions, such as "name the place . name the person ." We
# add 600 records with eight of the pairs, and look at the four that are left out: last and count, who and where, each in
# both orders. Every single instruction in them is known, and so is the form; the pair is new.
#
# Full fine-tuning as in the lesson, 1,000 steps, five seeds.
#
# Measured on 5,710 records, eight of which have been removed since (see `24_methods.py`).
#
# **Expected, before measuring.** *New words:* below 0.4 with one wording, 0.6 to 0.8 with three, 0.85 to 0.90 with all. On the
# dev file, whose wording is that of training, no difference. *Pairs:* 0 without the added records; with them 0.7 and more on
# the pairs that were trained on, and about half as much on the four that were not.

# %%
import random

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.data.examples import DevSet, TestSet, TrainSet
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.predictors.writer import Writing
from minitune.report import interval
from minitune.world.grammar import fill
from minitune.world.tasks import load_split
from minitune.world.world import World

SEEDS, STEPS = (1, 5) if is_fast() else (5, 1000)
gpt, single, pairs = minitune.load("gpt"), minitune.task("instruct"), minitune.task("instruct:together")
asking, question = World(0).asking, single.for_model(gpt)[1]
rows = {split: load_split("instruct", split)[: 32 if is_fast() else None] for split in ("train", "dev")}
method = Method.parse("full", ["lr=1e-3", f"steps={STEPS}"])


def writings(some):
    return [Writing(r["instruction"], r["output"], text_b=r["input"], group=r["kind"]) for r in some]


def reworded(some, many, seed):
    """The same records, each kind in the first so many of its wordings."""
    dice = random.Random(seed)
    return [
        {
            **row,
            "instruction": fill(
                dice.choice(asking.wordings.known[row["kind"]][:many]), colour=asking.colour_in(row["output"])
            ),
        }
        for row in some
    ]


def learned(train_rows, dev_rows, seed):
    writer = method.build(gpt, question, seed)
    history = fit(method, writer, TrainSet(writings(train_rows)), DevSet(writings(dev_rows)), seed)
    return writer, history.best()


def exact(writer, examples):
    return writer.measure(writer.items(examples))["exact match"]


# %% [markdown]
# How many wordings?

# %%
wordings = {}
for many in (1, 3, None):
    for seed in range(SEEDS):
        some = {split: reworded(rows[split], many, seed) if many else rows[split] for split in rows}
        writer, dev = learned(some["train"], some["dev"], seed)
        its = wordings.setdefault(str(many or "all"), {"dev": [], "test": [], "pairs": []})
        its["dev"].append(dev)
        its["test"].append(exact(writer, single.test))
        its["pairs"].append(exact(writer, pairs.test))
        print(many, dev, its["test"][-1], flush=True)
    save_result({"seeds": SEEDS, "steps": STEPS, "wordings": wordings}, "24-wordings.json")

# %% [markdown]
# Two instructions at once, where other pairs were trained on.

# %%
HELD_OUT = {"last and count", "count and last", "who and where", "where and who"}
trained = sorted({example.group for example in pairs.test} - HELD_OUT)
dice = random.Random("pairs")
sources = {
    kind: [row["input"] for row in load_split("instruct", "train") if row["kind"] == kind] for kind in ("last", "where")
}
added = []
for number in range(8 if is_fast() else 600):
    one, other = trained[number % len(trained)].split(" and ")
    source = dice.choice(sources["last" if one in ("last", "first", "count") else "where"])
    added.append(asking.combined(one, other, source, dice))
combined = {"pairs that were trained on": [], "pairs that were not": [], "single": []}
for seed in range(SEEDS):
    writer, _ = learned([*rows["train"], *added], rows["dev"], seed)
    for name, examples in {
        "pairs that were trained on": [e for e in pairs.test if e.group not in HELD_OUT],
        "pairs that were not": [e for e in pairs.test if e.group in HELD_OUT],
        "single": list(single.test),
    }.items():
        combined[name].append(exact(writer, TestSet(examples)))
    print({name: its[-1] for name, its in combined.items()}, flush=True)
wrong = [
    [e.text, e.text_b, e.answer, text]
    for e, text in zip(pairs.test, writer.write(pairs.test), strict=True)
    if e.group in HELD_OUT and text != e.answer
]
save_result(
    {"seeds": SEEDS, "steps": STEPS, "wordings": wordings, "combined": combined, "wrong": wrong[:12]},
    "24-wordings.json",
)

# %%
show_table(
    "Exact match by the wordings of each kind that were trained on, mean of the seeds",
    ["wordings", "known words (dev)", "new words (test)"],
    [[many, *(f"{interval(its[of])[0]:.3f}" for of in ("dev", "test"))] for many, its in wordings.items()],
)
show_table(
    "Exact match where 600 records had two instructions, mean and 95% interval",
    ["", "exact match"],
    [[name, "{:.3f} [{:.3f}, {:.3f}]".format(*interval(its))] for name, its in combined.items()],
)
