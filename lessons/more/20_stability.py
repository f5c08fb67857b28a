# %% [markdown]
# # Lesson 20, more: what the network is for
#
# **Belongs to** lesson 20. **To run:** about 25 minutes on one CPU core. **Writes** `20-stability.json`; the lesson draws
# its figure from the committed one.
#
# The paper found a prefix that is learned as it stands "unstable, and a slight drop" (section 4.3), and a small network
# that writes it is its remedy. Here are both over eight learning rates, ten draws each: the same draws for all.
#
# `rating` is asked through the manual template and read by the verbalizer: there is no head, so nothing but the prefix
# learns at that rate. The first trial had 8 examples a class and 60 steps, and neither way learned much more than the model
# says without any prefix. So there is a second one, with 32 examples and 150 steps.

# %%
import statistics

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.experiments.experiment import learn
from minitune.methods.method import Method

DRAWS = 1 if is_fast() else 10
RATES = (1e-3, 1e-1) if is_fast() else (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
CASES = {"8 a class": (8, 4 if is_fast() else 60), "32 a class": (32, 4 if is_fast() else 150)}
WAYS = {"written by the network": "reparametrize=true", "learned as it stands": "reparametrize=false"}
gpt = minitune.load("gpt")
data, question = minitune.task("rating").for_model(gpt)
test = data.test[: 50 if is_fast() else 500]
zero_shot = Method.parse("zero-shot").build(gpt, question, 0).accuracy(test)
print(f"zero-shot: {zero_shot:.3f}")

# %%
rows = []
for case, (shots, steps) in CASES.items():
    for name, way in WAYS.items():
        for rate in RATES:
            settings = [way, f"lr={rate}", f"steps={steps}", f"evaluate_every={steps // 2}"]
            method = Method.parse("prefix-tuning", settings)
            found = [learn(method, gpt, question, data, shots, seed).predictor for seed in range(DRAWS)]
            rows.append(
                {"case": case, "way": name, "rate": rate, "scores": [joined.accuracy(test) for joined in found]}
            )
steps = {case: steps for case, (_, steps) in CASES.items()}
result = {"task": "rating", "steps": steps, "scored on": "test", "draws": DRAWS, "zero-shot": zero_shot, "rows": rows}
save_result(result, "20-stability.json")

# %%
scores = {(row["case"], row["way"], row["rate"]): row["scores"] for row in rows}
for case in CASES:
    cells = []
    for name in WAYS:
        values = [scores[case, name, rate] for rate in RATES]
        cells.append([name, *(f"{statistics.fmean(v):.2f} ({statistics.pstdev(v):.2f})" for v in values)])
    title = f"rating, {case}, by learning rate: mean (standard deviation) of {DRAWS} draws"
    show_table(title, ["the prefix is", *(f"{rate:g}" for rate in RATES)], cells)
