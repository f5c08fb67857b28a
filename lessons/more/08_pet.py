# %% [markdown]
# # Lesson 8, more: what PET gains, and from which of its parts
#
# **Belongs to** lesson 08. **To run:** about 10 minutes on one CPU core; stopped, it goes on with the next draw.
# **Writes** `08-pet.json`; the lesson draws its figure from the committed one.
#
# PET has three parts: several patterns, their ensemble, and a classifier that learns from the ensemble's labels of texts
# that nobody has labelled. We take it apart on BERT and `rating`, four examples of each class, ten draws:
#
# | row | what it is |
# |---|---|
# | `pattern 1` | `full+verbalizer` through the task's own template: the prompt alone |
# | `pattern 2`, `pattern 3` | the same through two templates that the pretraining text never uses |
# | `ensemble` | the scores of the three, weighted by their accuracy before training |
# | `equal weights` | the scores of the three, each counting alike |
# | `head` | `full+head` on the draw: the classifier that PET distils into, without PET |
# | `soft` | PET: a head that learns from the ensemble's soft labels of 1,000 texts |
# | `hard` | the same texts and steps; the label is the class with the highest score, and the loss cross-entropy |
# | `soft, longer` | `soft` with 400 steps; all others have 100, as their draw asks for |
#
# **Before measuring** we expect: the second and third pattern below the first; the ensemble level with the best of them or
# up to three points above it; `soft` within three points of the ensemble and more than 15 points above `head`; `soft` above
# `hard` by less than three points; `soft, longer` at the ensemble. The weights hardly matter, for 20 examples tell little
# about a pattern.

# %%
import json
from dataclasses import replace
from pathlib import Path

import torch

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.data.examples import TrainSet, draw
from minitune.files import read_text
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.prompting.pet import ensemble, pattern_weights, soft_labels
from minitune.report import interval
from minitune.searches.pet import patterns_of

DRAWS, SHOTS, TEXTS, TESTED = (1, 1, 20, 40) if is_fast() else (10, 4, 1000, 500)
STEPS = 3 if is_fast() else 100
base = minitune.load("bert")
data, question = minitune.task("rating").for_model(base)
test = data.test[:TESTED]
right = torch.tensor([example.label for example in test])


def accuracy(scores: torch.Tensor) -> float:
    return round((scores.argmax(dim=1) == right).double().mean().item(), 4)


def trained(name: str, asked, train, dev, seed: int, steps: int = STEPS):
    method = Method.parse(name, [f"steps={steps}"])
    predictor = method.build(base, asked, seed)
    fit(method, predictor, train, dev, seed)
    return predictor


# %%
earlier = Path("runs/results/08-pet.json")
result = json.loads(read_text(earlier)) if earlier.exists() and not is_fast() else {"weights": [], "rows": {}}
taught = {}
for seed in range(len(result["weights"]), DRAWS):
    train, dev = draw(data, SHOTS, seed)
    drawn = {example.text for example in (*train, *dev)}
    texts = [example for example in data.pool if example.text not in drawn][:TEXTS]
    ways = patterns_of(question)
    before = [Method.parse("zero-shot").build(base, asked, seed).accuracy(train) for asked in ways]
    teachers = [trained("full+verbalizer", asked, train, dev, seed) for asked in ways]
    weights = pattern_weights(before)

    on_test = torch.stack([teacher.scores(test) for teacher in teachers])  # (P, N, C)
    found = {f"pattern {number}": accuracy(scores) for number, scores in enumerate(on_test, 1)}
    found["ensemble"] = accuracy(ensemble(on_test, weights))
    found["equal weights"] = accuracy(on_test.mean(dim=0))
    found["head"] = trained("full+head", question, train, dev, seed).accuracy(test)

    together = ensemble(torch.stack([teacher.scores(texts) for teacher in teachers]), weights)  # (N, C)
    soft = TrainSet((replace(e, label=tuple(q)) for e, q in zip(texts, soft_labels(together).tolist(), strict=True)))
    hard = TrainSet((replace(e, label=y) for e, y in zip(texts, together.argmax(dim=1).tolist(), strict=True)))
    found["soft"] = trained("full+distilled", question, soft, dev, seed).accuracy(test)
    found["hard"] = trained("full+head", question, hard, dev, seed).accuracy(test)

    taught[seed] = (soft, dev)
    result["weights"].append([round(weight, 4) for weight in weights.tolist()])
    for name, score in found.items():
        result["rows"].setdefault(name, []).append(round(score, 4))
    print(seed, found, flush=True)
    about = {"model": "bert", "task": "rating", "shots": SHOTS, "texts": TEXTS, "tested on": TESTED, "steps": STEPS}
    save_result(about | result, "08-pet.json")

# %%
if len(taught) == DRAWS:  # in one go: the soft labels of a run that was stopped are gone
    longer = [trained("full+distilled", question, *its, seed, 4 * STEPS).accuracy(test) for seed, its in taught.items()]
    result["rows"]["soft, longer"] = [round(score, 4) for score in longer]
    save_result(about | result, "08-pet.json")

# %%
first = result["rows"]["pattern 1"]
cells = []
for name, scores in result["rows"].items():
    gained = interval([a - b for a, b in zip(scores, first, strict=True)])
    cells.append(
        [name, "{:.3f} [{:.3f}, {:.3f}]".format(*interval(scores)), "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gained)]
    )
show_table(f"{DRAWS} draws: accuracy [95%], and minus the prompt alone", ["", "accuracy", "minus pattern 1"], cells)
