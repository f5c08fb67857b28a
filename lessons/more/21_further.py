# %% [markdown]
# # Lesson 21, more: why is deep not above shallow?
#
# **Belongs to** lesson 21. **To run:** about 6 minutes on one CPU core. **Writes** `21-further.json`.
#
# In the lesson a deep prompt of 4 positions does not beat a shallow one of 16 vectors on `tags`. Is it the rate, or the
# start? Here the deep one has twice the rate, smaller random starts, and the keys and values of words; the shallow one a
# random start in place of words. 64 sentences, five draws, the same for all.

# %%
import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.data.examples import draw
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.report import interval

DRAWS = 1 if is_fast() else 5
bert = minitune.load("bert")
data, question = minitune.task("tags").for_model(bert)
test = data.test[: 20 if is_fast() else 300]

# %%
DEEP = ["length=4", "lr=1e-1"]
TRIED = {
    "deep, as in the lesson": ("p-tuning-v2", [*DEEP, "spread=1"]),
    "deep, twice the rate": ("p-tuning-v2", ["length=4", "lr=2e-1", "spread=1"]),
    "deep, spread 0.3": ("p-tuning-v2", [*DEEP, "spread=0.3"]),
    "deep, spread 0.1": ("p-tuning-v2", [*DEEP, "spread=0.1"]),
    "deep, from words": ("prefix-tuning", [*DEEP, "reparametrize=false"]),
    "shallow, as in the lesson": ("prompt-tuning", ["length=16", "lr=3e-2"]),
    "shallow, random": ("prompt-tuning", ["length=16", "lr=3e-2", "start=random"]),
}
scores = {}
for name, (what, settings) in TRIED.items():
    method = Method.parse(what, [*settings, "evaluate_every=25"])
    scores[name] = []
    for seed in range(DRAWS):
        joined = method.build(bert, question, seed)
        fit(method, joined, *draw(data, 16 if is_fast() else 64, seed), seed, steps=5 if is_fast() else 100)
        scores[name].append(joined.measure(joined.items(test))["f1"])
    print(name, f"{interval(scores[name])[0]:.3f}", flush=True)
save_result({"task": "tags", "shots": 64, "draws": DRAWS, "scored on": "test", "f1": scores}, "21-further.json")

# %%
first = scores["deep, as in the lesson"]
rows = []
for name, values in scores.items():
    paired = interval([a - b for a, b in zip(values, first, strict=True)])
    rows.append([name, *(f"{m:.3f} [{low:.3f}, {high:.3f}]" for m, low, high in (interval(values), paired))])
show_table("tags, 64 sentences: F1 by start and rate", ["prompt", "F1 [95%]", "difference to the first"], rows)
