# %% [markdown]
# # Lesson 22, more: several adapters on one base
#
# **Belongs to** lesson 22. **To run:** about 30 seconds on one CPU core.
#
# One model, two tasks: an adapter and a head for reviews, another pair for news. Each is trained while the other is
# switched off. What should hold, to the last bit: reviews, then news, then reviews gives the first answers again; with
# all switched off, the model is the pretrained one; merged and unmerged, it is as it was. Merging itself is exact up to
# the rounding of float32.

# %%
import copy

import torch

import minitune
from minitune.course.lessons import is_fast
from minitune.data.examples import draw
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.tuning.lora import lora_layers
from minitune.tuning.lora_adapters import lora_off, merge_lora, switch_lora, unmerge_lora

gpt = minitune.load("gpt")
one_model = copy.deepcopy(gpt.model)
on_it, tests = {}, {}
for name in ("sentiment", "topic"):
    data, question = minitune.task(name).for_model(gpt)
    method = Method.parse("lora+head", ["lr=1e-2", *["steps=8"] * is_fast()])
    on_it[name] = method.build(gpt, question, seed=0, into=one_model, name=name)
    fit(method, on_it[name], *draw(data, 4 if is_fast() else 16, 0), seed=0)
    tests[name] = data.test[:100]
layers = lora_layers(one_model)

# %%
switch_lora(one_model, "sentiment")
reviews = on_it["sentiment"].scores(tests["sentiment"])
print("reviews:", on_it["sentiment"].accuracy(tests["sentiment"]))
switch_lora(one_model, "topic")
print("news:   ", on_it["topic"].accuracy(tests["topic"]))
print("reviews through the news adapter:", on_it["sentiment"].accuracy(tests["sentiment"]))
switch_lora(one_model, "sentiment")
print("reviews, news, reviews: the same bits?", torch.equal(on_it["sentiment"].scores(tests["sentiment"]), reviews))

ids = torch.tensor([gpt.tokenizer.encode("the plot was clever and gripping .")])
with torch.no_grad(), lora_off(one_model):
    print("all off: the pretrained model, bit for bit?", torch.equal(one_model(ids).hidden, gpt.model(ids).hidden))

before = {path: layer.base.weight.clone() for path, layer in layers.items()}
merge_lora(one_model)
moved = (on_it["sentiment"].scores(tests["sentiment"]) - reviews).abs().max()
print(f"merged: the scores move by {moved:.0e}")
unmerge_lora(one_model)
print("unmerged: W bit for bit?", all(torch.equal(layer.base.weight, before[path]) for path, layer in layers.items()))

# %% [markdown]
# A weighted sum of adapters is the sum of their *updates*, $w_1 s B_1 A_1 + w_2 s B_2 A_2$. It is not the update of the
# summed matrices: $(w_1 B_1 + w_2 B_2)(w_1 A_1 + w_2 A_2)$ has the cross terms $B_1 A_2$ and $B_2 A_1$, and mixes what
# one adapter reads with what the other writes.

# %%
path, layer = next(iter(layers.items()))
one, two = layer.adapters["sentiment"], layer.adapters["topic"]
switch_lora(one_model, {"sentiment": 0.5, "topic": 2.0})
with torch.no_grad():
    right = 0.5 * one.delta() + 2.0 * two.delta()
    wrong = one.scale * (0.5 * one.B + 2.0 * two.B) @ (0.5 * one.A + 2.0 * two.A)
    print(f"{path}: off from the sum of the updates by {(layer.delta() - right).abs().max():.0e}")
    print(f"summing A and B instead is off by {(wrong - right).norm() / right.norm():.0%} of the update's norm")
