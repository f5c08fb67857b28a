# %% [markdown]
# # Lesson 22, more: learns less, forgets less?
#
# **Belongs to** lesson 22. **To run:** about 25 minutes on one CPU core. **Writes** `22-forgetting.json`; the lesson draws
# its figure from the committed one.
#
# Tuned on ratings, how well does the model still read its own world? We take its loss on the world's text
# (`data/sample.txt`: reviews, news, facts, stories) with the method on, before and after. Two methods, each at one rate, tell
# little: a low rate forgets less whatever the method. So each method is tried at several rates, five draws each: gained on
# the task, against lost on the text.
#
# What a method stores beside the base, LoRA, a prompt or a prefix, can also be switched off. Then nothing may be lost, and
# that is measured, too.

# %%
import torch
from torch import nn

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.experiments.experiment import learn
from minitune.files import read_text, shared
from minitune.methods.method import Method
from minitune.report import interval
from minitune.tuning.doors import SoftPrompt, Tuned
from minitune.tuning.lora import lora_layers
from minitune.tuning.lora_adapters import lora_off

DRAWS = 1 if is_fast() else 5
WIDTH, ROWS = 96, 10 if is_fast() else 100
gpt = minitune.load("gpt")
stream = []
for line in read_text(shared("data") / "sample.txt").splitlines():
    stream += [*gpt.tokenizer.encode(line), gpt.tokenizer.end_id]
world_text = torch.tensor(stream[: WIDTH * ROWS]).view(ROWS, WIDTH)

# %% [markdown]
# The text is read as in pretraining, in rows of 96 tokens. A prompt stands before it as placeholders; a prefix or a LoRA
# needs nothing. (`model.door` is what stands before the model. *Door* is our word for a place where a method reaches into a
# model without changing its code.)


# %%
@torch.no_grad()
def world_loss(model) -> float:
    """Mean loss of the next token of the world's text, in nats, with whatever stands before it or beside the weights."""
    text = world_text
    if isinstance(model, Tuned) and isinstance(model.door, SoftPrompt):
        placeholders = torch.full((ROWS, len(model.door.source())), model.door.placeholder)
        text = torch.cat([placeholders, world_text], dim=1)  # (N, P + T)
    hidden = model(text).hidden[:, -WIDTH:-1]
    return nn.functional.cross_entropy(model.logits(hidden).flatten(0, 1), world_text[:, 1:].flatten()).item()


def switched_off(model) -> float | None:
    """The loss with the method off, if it can be."""
    if isinstance(model, Tuned):
        return world_loss(model.model)
    if lora_layers(model):
        with lora_off(model):
            return world_loss(model)
    return None


# %%
SHOTS = 4 if is_fast() else 64
AT = {
    "full": ("1e-4", "3e-4", "1e-3", "3e-3"),
    "top": ("1e-3", "3e-3", "1e-2"),
    "lora": ("1e-3", "3e-3", "1e-2", "3e-2"),
    "prompt-tuning": ("1e-2", "3e-2", "1e-1"),
    "prefix-tuning": ("1e-3", "3e-3", "1e-2"),
}
data, question = minitune.task("rating").for_model(gpt)
test = data.test[:100] if is_fast() else data.test
base = world_loss(gpt.model)
rows = []
for what, rates in AT.items():
    for rate in rates[:1] if is_fast() else rates:
        method = Method.parse(f"{what}+head", [f"lr={rate}", *["steps=8"] * is_fast()])
        row = {"method": what, "rate": float(rate), "accuracy": [], "lost": [], "lost, off": []}
        for seed in range(DRAWS):
            classifier = learn(method, gpt, question, data, SHOTS, seed).predictor
            off = switched_off(classifier.model)
            row["accuracy"].append(round(classifier.accuracy(test), 4))
            row["lost"].append(round(world_loss(classifier.model) - base, 4))
            row["lost, off"].append(None if off is None else off - base)
        rows.append(row)
        print(what, rate, row["accuracy"], row["lost"], flush=True)
result = {
    "task": "rating",
    "shots": SHOTS,
    "draws": DRAWS,
    "loss of the pretrained model": round(base, 4),
    "rows": rows,
}
save_result(result, "22-forgetting.json")

# %%
cells = []
for row in rows:
    accuracy, lost = interval(row["accuracy"]), interval(row["lost"])
    off = "" if None in row["lost, off"] else f"{max(map(abs, row['lost, off'])):g}"
    told = [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in (accuracy, lost)]
    cells.append([row["method"], f"{row['rate']:g}", *told, off])
header = ["method", "rate", "accuracy on ratings", "lost on the text, nats", "lost when off"]
show_table(f"Gained on the task, lost on the world's text: mean of {DRAWS} draws [95%]", header, cells)
