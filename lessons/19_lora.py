# %% [markdown]
# # Lesson 19: LoRA
#
# **You need** lessons 2, 4 and 5. **To read:** 25 minutes. **To run:** at most 5 minutes on one CPU core.
#
# Full fine-tuning changes every weight of the model and stores a whole new model for every task. LoRA (Hu et al. 2021)
# leaves every weight $W$ as it is and learns its *change*, as the product of two thin matrices:
#
# $$y = W x + b + s\, B A x \qquad A: (r, \text{in}) \quad B: (\text{out}, r) \quad s = \alpha / r$$
#
# For a weight of 128 by 128 and a rank $r = 4$ that is $4 \cdot (128 + 128) = 1{,}024$ numbers in place of 16,384. $B$
# starts at zero, so training starts from the pretrained model exactly. Afterwards $s B A$ can be added into $W$, and the
# model is as fast as before. Or it stays beside $W$, and can be switched off, exchanged for another, or summed with it.
#
# **Expected** (GPT, ratings from 1 to 5, 64 examples a class): full fine-tuning 0.90 to 1.00, LoRA at rank 4 0.95 to 1.00 with
# under 1% of the parameters, the frozen model with a new head 0.42 to 0.54. Merged, LoRA takes 0.95 to 1.05 times the
# base's time.

# %%
import copy
import json

import torch
from matplotlib import pyplot as plt
from minitune.methods.questions import task_data
from torch import nn

from minitune.bench.pretraining import in_turn, ratio
from minitune.course.lessons import is_fast, show
from minitune.data.examples import draw
from minitune.files import read_text, shared
from minitune.methods.compare import run_method
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.report import interval, table
from minitune.training.checkpoint import fingerprint, load_checkpoint, random_twin
from minitune.tuning.doors import SoftPrompt, Tuned
from minitune.tuning.lora import LoRAConfig, add_lora, lora_layers
from minitune.tuning.lora_adapters import fold_lora, lora_off, merge_lora, switch_lora, unmerge_lora
from minitune.tuning.trained import count, trainable, trainable_table

gpt = load_checkpoint("gpt")

# %% [markdown]
# ## By hand
#
# Two inputs, two outputs, rank 1, $\alpha = 2$, so $s = \alpha / r = 2$:
#
# $$W = \begin{pmatrix} 2 & 0 \\ 1 & 1 \end{pmatrix} \quad A = \begin{pmatrix} 1 & 2 \end{pmatrix} \quad
# B = \begin{pmatrix} 1 \\ -1 \end{pmatrix} \quad x = \begin{pmatrix} 1 \\ 1 \end{pmatrix}$$
#
# $W x = (2, 2)$. $A x = 3$: the two inputs are squeezed into one number. $B A x = (3, -3)$: from one number back to two.
# So $y = (2, 2) + 2 \cdot (3, -3) = (8, -4)$.
#
# The same as one matrix: $s B A = \begin{pmatrix} 2 & 4 \\ -2 & -4 \end{pmatrix}$, so
# $W + s B A = \begin{pmatrix} 4 & 4 \\ -1 & -3 \end{pmatrix}$, and that times $(1, 1)$ is $(8, -4)$ again. The update has
# rank 1: its second row is a multiple of its first. Whatever is learned, it can only look at one direction of the input,
# (1, 2), and only move the output along one direction, (1, -1).

# %%
tiny = nn.Sequential()
tiny.add_module("layer", nn.Linear(2, 2, bias=False))
add_lora(tiny, LoRAConfig(rank=1, alpha=2, targets=("layer",)))
adapter = tiny.layer.adapters["lora"]
with torch.no_grad():
    tiny.layer.base.weight.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    x = torch.tensor([[1.0, 1.0]])
    print("B is zero:    ", tiny(x).tolist(), "  <- W x = (2, 2)")
    adapter.A.copy_(torch.tensor([[1.0, 2.0]]))
    adapter.B.copy_(torch.tensor([[1.0], [-1.0]]))
    print("with A and B: ", tiny(x).tolist(), "  <- (8, -4)")
    merge_lora(tiny)
    print("merged:       ", tiny(x).tolist(), "  <- the same; W is now", tiny.layer.base.weight.tolist())
    unmerge_lora(tiny)
    print("unmerged:      W is", tiny.layer.base.weight.tolist())

# %% [markdown]
# ## In the model
#
# Targets are named as the model names its linear layers: `query`, `key`, `value`, `output`, `up`, `down`. The paper's
# choice, and the default, is query and value. A whole path (`blocks.0.attention.query`) picks one layer alone.

# %%
print(trainable_table(add_lora(copy.deepcopy(gpt.model), LoRAConfig(rank=4))))

# %% [markdown]
# ## Several adapters on one base
#
# One model, two tasks: an adapter and a head for reviews, another pair for news. Each is trained while the other is
# switched off. What should hold, to the last bit: reviews, then news, then reviews gives the first answers again; with
# all switched off, the model is the pretrained one; merged and unmerged, it is as it was. Merging itself is exact up to
# the rounding of float32.

# %%
SEEDS, FEW = (1, 4) if is_fast() else (5, 16)


def with_head(what: str, rate: str, *settings: str) -> Method:
    return Method.parse(f"{what}+head", [f"lr={rate}", *settings, *["steps=8"] * is_fast()])


one_model = copy.deepcopy(gpt.model)
on_it, tests = {}, {}
for name in ("sentiment", "topic"):
    data, question = task_data(name, gpt)
    method = with_head("lora", "1e-2")
    on_it[name] = method.build(gpt, question, seed=0, into=one_model, name=name)
    fit(method, on_it[name], *draw(data, FEW, 0), seed=0)
    tests[name] = data.test[:100]
layers = lora_layers(one_model)


def first_logits(classifier, name: str) -> torch.Tensor:
    return classifier.scores(tests[name])


switch_lora(one_model, "sentiment")
reviews = first_logits(on_it["sentiment"], "sentiment")
print("reviews:", on_it["sentiment"].accuracy(tests["sentiment"]))
switch_lora(one_model, "topic")
print("news:   ", on_it["topic"].accuracy(tests["topic"]))
print("reviews through the news adapter:", on_it["sentiment"].accuracy(tests["sentiment"]))
switch_lora(one_model, "sentiment")
print("reviews, news, reviews: the same bits?", torch.equal(first_logits(on_it["sentiment"], "sentiment"), reviews))

ids = torch.tensor([gpt.tokenizer.encode("the plot was clever and gripping .")])
with torch.no_grad(), lora_off(one_model):
    print("all off: the pretrained model, bit for bit?", torch.equal(one_model(ids).hidden, gpt.model(ids).hidden))

before = {path: layer.base.weight.clone() for path, layer in layers.items()}
merge_lora(one_model)
print(f"merged: the scores move by {(first_logits(on_it['sentiment'], 'sentiment') - reviews).abs().max():.0e}")
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

# %% [markdown]
# ## Far from the pretraining: as good as full fine-tuning?
#
# `rating` asks for something that the pretraining text never does: how many of the opinions are good, on a scale from 1
# to 5. `sentiment`, good or bad, is what the text is full of. Three ways with the same new head: change everything, LoRA
# at rank 4 on query and value, change nothing but the head.
#
# Learning rates were swept for each method and task on another world (`minitune pretrain gpt --world 1`, then `minitune
# sweep full+head,lora+head,frozen+head --task rating --model runs/gpt --world 1 --shots 64 --rates
# 3e-4,1e-3,3e-3,1e-2,3e-2,1e-1`; the scores are in `results/19-rates-rating.json` and `-sentiment.json`). LoRA wants
# ten times the rate of full fine-tuning or more: $B$ starts at zero, and has its whole way to go.
#
# **Expected, before measuring.** On ratings full fine-tuning beats the frozen head by far more than 10 points, and LoRA
# is within 2 points of full. On sentiment the three lie within 3 points. With random weights in place of the pretrained
# ones, LoRA stays below 0.40 on ratings (chance is 0.20): a small change of nothing is still nothing.

# %%
SHOTS = 4 if is_fast() else 64
HOW = {
    "rating": (SHOTS, {"full": "1e-3", "lora": "1e-2", "frozen": "1e-1"}),
    "sentiment": (FEW, {"full": "3e-4", "lora": "3e-4", "frozen": "1e-2"}),
}
random_weights = random_twin(gpt)
scores, kept, sizes = {}, {}, {}
for task, (shots, rates) in HOW.items():
    data, question = task_data(task, gpt)
    test = data.test[:100] if is_fast() else data.test
    runs = [(what, what, gpt) for what in rates]
    runs += [("lora, random weights", "lora", random_weights)] if task == "rating" else []
    runs += [("full, random weights", "full", random_weights)] if task == "rating" else []
    for name, what, start in runs:
        method = with_head(what, rates[what])
        for seed in range(SEEDS):
            classifier = run_method(method, start, question, *draw(data, shots, seed), seed)
            scores.setdefault((task, name), []).append(classifier.accuracy(test))
            kept.setdefault((task, name), []).append(classifier)
        sizes[task, name] = count(trainable(classifier))


def against(task: str, name: str, other: str) -> str:
    """The paired difference, draw by draw, with its 95% interval."""
    mean, low, high = interval([a - b for a, b in zip(scores[task, name], scores[task, other], strict=True)])
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


whole = sum(parameter.numel() for parameter in gpt.model.parameters())
rows = []
for (task, name), values in scores.items():
    mean, low, high = interval(values)
    share = f"{sizes[task, name] / whole:.1%}"
    paired = "" if name == "full" else against(task, name, "full")
    rows.append([task, name, f"{mean:.3f} [{low:.3f}, {high:.3f}]", paired, f"{sizes[task, name]:,}", share])
print(table(["task", "method", "test accuracy [95%]", "less full [95%]", "trained", "share"], rows))

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
colours = {"full": "tab:blue", "lora": "tab:orange", "frozen": "tab:gray"}
heights = list(reversed(scores))
for height, key in enumerate(heights):
    mean, low, high = interval(scores[key])
    colour = colours[key[1].partition(",")[0]]
    axes.plot(scores[key], [height] * len(scores[key]), "o", color=colour, alpha=0.3, markersize=4)
    axes.errorbar(mean, height, xerr=[[mean - low], [high - mean]], fmt="D", color=colour, capsize=3)
    axes.annotate(f"{mean:.2f}", (1.02, height), xycoords=("axes fraction", "data"), va="center")
axes.set_yticks(range(len(heights)), [f"{task}: {name}" for task, name in heights])
axes.axhline(2.5, color="gray", linewidth=0.5)
axes.set(xlim=(0.15, 1.01), xlabel="test accuracy (dots: draws; diamond: mean with 95% interval)")
axes.set_title("LoRA against full fine-tuning and the frozen head")
show(figure, "19-methods.png")

# %% [markdown]
# ![LoRA, full fine-tuning, frozen head](figures/19-methods.png)
#
# On ratings full fine-tuning beats the frozen head by 47 points, and LoRA is not within 2 points of full but *ahead* of it
# by 2.4 [0.1, 4.7], with 0.7% of the numbers. On sentiment the three lie within 3 points, and full fine-tuning is the
# last of them. The control was wrong: with random weights LoRA reaches 0.62, where we had expected less than 0.40. A
# random GPT has features too, and 200 steps at 1e-2 move its attention far. What pretraining adds is the way from 0.62 to
# 0.98.
#
# ## Which rank, and which weights?
#
# The paper found a rank of 1 as good as 64 (its table 6, on tasks near to what GPT-3 knows), and query with value the
# best choice for equal numbers of parameters (table 5). Is that so here?
#
# Each point below has its own learning rate, the best of 3e-3, 1e-2 and 3e-2 on the other world (`results/19-ranks.json`; three draws
# each, scored on the dev set; ratings 32 examples a class, sentiment 16). One point is made by
#
#     minitune sweep lora+head --task rating --model runs/gpt --world 1 --shots 32 --rates 3e-3,1e-2,3e-2 \
#         --set rank=16 --set alpha=32 --set targets=query,value
#
# Two scalings: $\alpha$ grows with the rank, so that $s = \alpha / r$ stays 2; or $\alpha$ stays 4 and
# $s = \alpha / \sqrt{r}$, "rank-stabilized" (Kalajdzievski 2023).
#
# **Expected, before measuring.** On sentiment the rank does not matter. On ratings rank 1 is some points behind rank 4,
# and beyond that nothing is gained. Query or key alone do worst, value alone better, all six best. With the rates
# retuned the two scalings are equal: what the scale does, the rate does too.

# %%
ranks = json.loads(read_text(shared("lessons") / "results" / "19-ranks.json"))
cells = {}  # the rate that is best for each cell
for row in ranks["rows"]:
    key = (row["task"], tuple(row["targets"]), row["rank"], row["rank_stabilized"])
    if key not in cells or sum(row["scores"]) > sum(cells[key]["scores"]):
        cells[key] = row

PAIR = ("query", "value")
cells["rating", PAIR, 4, True] = cells["rating", PAIR, 4, False]  # 4 / sqrt(4) = 8 / 4: the same scale
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
lines = [("rating", False, "o-", "ratings, $s = 2$"), ("rating", True, "s--", r"ratings, $s = 4 / \sqrt{r}$")]
lines += [("sentiment", False, "^-", "sentiment, $s = 2$")]
for task, stabilized, style, name in lines:
    found = {rank: cells[task, PAIR, rank, stabilized] for rank in (1, 2, 4, 8, 16)}
    means = [sum(row["scores"]) / len(row["scores"]) for row in found.values()]
    left.plot(list(found), means, style, label=name, color="tab:gray" if task == "sentiment" else None)
left.set_xscale("log", base=2)
left.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
left.set(xlabel="rank, on query and value", ylabel="accuracy on dev", ylim=(0.5, 1.01), title="Which rank?")
left.legend(frameon=False, loc="lower right", fontsize=8)
of_targets = [key[1] for key in cells if key[0] == "rating" and key[2:] == (4, False)]
of_targets.sort(key=lambda targets: (len(targets), targets))
for height, targets in enumerate(of_targets):
    values = cells["rating", targets, 4, False]["scores"]
    right.plot(values, [height] * len(values), "o", color="tab:blue", alpha=0.4, markersize=4)
    right.plot(sum(values) / len(values), height, "D", color="tab:blue")
right.set_yticks(
    range(len(of_targets)),
    [" + ".join(targets).replace("query + key + value + output", "all four of attention") for targets in of_targets],
)
right.set(xlabel="accuracy on dev, ratings, rank 4 (dots: draws)", title="Which weights?")
show(figure, "19-ranks.png")
rows = []
for (task, targets, rank, stabilized), row in cells.items():
    mean, _, _ = interval(row["scores"])
    scale = row["alpha"] / (rank**0.5 if stabilized else rank)
    rows.append([task, " ".join(targets), str(rank), f"{scale:.2f}", f"{row['rate']:g}", f"{mean:.3f}"])
print(table(["task", "targets", "rank", "scale", "best rate", "dev accuracy"], rows))

# %% [markdown]
# ![Ranks and targets](figures/19-ranks.png)
#
# On sentiment the rank does not matter, as expected. On ratings it does, all the way: 0.77 at rank 1, 0.89 at 4, 0.96 at
# 16. A rank of 1 as good as 64 is what the paper found on tasks near to what its model knew; this one is far.
#
# With the rates retuned the two scalings agree but at rank 1, where the larger scale is ahead by 8 points. (At rank 4 they
# are the same thing: $8 / 4 = 4 / \sqrt 4$.) The best rate is 1e-2 nearly everywhere: what retuning is for.
#
# The weights: all six best, then all four of attention. Of single ones the *key* is best, 0.93, before value, 0.87, and
# query, 0.83: not the paper's order, and with three draws not a safe one. The paper left the feed-forward layers out;
# here they alone are the worst choice.
#
# ## What does the update look like?
#
# Singular values say how many directions a change of a weight needs: the rank at 90% energy is the smallest $k$ for which
# the $k$ largest carry 90% of $\sum_i \sigma_i^2$. For LoRA of rank 4 it is at most 4. For full fine-tuning's change of the
# same weights, $W_q$ and $W_v$ of both layers, Biderman et al. (2024) found 10 to 100 times LoRA's usual ranks. Beside
# them a matrix of random numbers, which has no direction of its own.
#
# **Expected, before measuring.** Full fine-tuning 20 to 60 of 128, the random matrix about 80. LoRA with room (rank 16)
# fills less than half of it.


# %%
def spectrum(change: torch.Tensor) -> torch.Tensor:
    """The share of the energy that the k largest singular values carry: (k = 1 ... width)."""
    energy = torch.linalg.svdvals(change.detach()).square()
    return energy.cumsum(0) / energy.sum()


def at_90(shares: torch.Tensor) -> int:
    return int((shares < 0.9).sum()) + 1


data, question = task_data("rating", gpt)
wide = with_head("lora", HOW["rating"][1]["lora"], "rank=16", "alpha=32")
wide_lora = run_method(wide, gpt, question, *draw(data, SHOTS, 0), seed=0)
pretrained = gpt.model.state_dict()
spectra: dict[str, list[torch.Tensor]] = {}
for path in lora_layers(wide_lora.model):
    for name, classifier in (("LoRA, rank 4", kept["rating", "lora"][0]), ("LoRA, rank 16", wide_lora)):
        spectra.setdefault(f"{name}: {path[-5:]}", []).append(spectrum(lora_layers(classifier.model)[path].delta()))
    change = kept["rating", "full"][0].model.get_submodule(path).weight - pretrained[f"{path}.weight"]
    spectra.setdefault(f"full: {path[-5:]}", []).append(spectrum(change))
spectra["random numbers"] = [spectrum(torch.randn(128, 128, generator=torch.Generator().manual_seed(0)))]
print(
    table(
        ["change", "rank at 90% energy, layer by layer"],
        [[name, ", ".join(str(at_90(shares)) for shares in found)] for name, found in spectra.items()],
    )
)

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
styles = {"full": "tab:blue", "LoRA, rank 16": "tab:red", "LoRA, rank 4": "tab:orange", "random numbers": "tab:gray"}
for name, found in spectra.items():
    start = next(start for start in styles if name.startswith(start))
    for index, shares in enumerate(found):
        dashes = "--" if name.endswith("query") else "-"
        label = name.replace(": query", ": $W_q$").replace(": value", ": $W_v$") if index == 0 else None
        axes.plot(range(1, 129), shares, dashes, color=styles[start], label=label, linewidth=1.2)
axes.axhline(0.9, color="black", linestyle=":", linewidth=1)
axes.set_xscale("log", base=2)
axes.set_xticks([1, 2, 4, 8, 16, 32, 64, 128], ["1", "2", "4", "8", "16", "32", "64", "128"])
axes.set(xlabel="the k largest singular values ...", ylabel="... carry this share of the energy", ylim=(0, 1.02))
axes.set_title("How many directions a change needs (a line for each layer)")
axes.legend(frameon=False, fontsize=8, loc="lower right")
show(figure, "19-spectra.png")

# %% [markdown]
# ![Singular values of the changes](figures/19-spectra.png)
#
# LoRA's update is of fewer directions than it might have: with a rank of 16, 90% of the energy lies in 2 to 5. Full
# fine-tuning's change needs 8 to 19 of 128, three to ten times as many, and fewer than the 20 to 60 that we expected. A
# matrix of random numbers needs 65: neither change is noise.
#
# ## Learns less, forgets less?
#
# Tuned on ratings, how well does the model still read its own world? We take its loss on the world's text
# (`data/sample.txt`: reviews, news, facts, stories) with the adapter on, before and after. Two methods at equal steps
# tell little: a low rate forgets less whatever the method. So each method is drawn at several rates, as a curve: gained
# on the task, against lost on the text. Better is up and left. (Biderman et al. 2024, "LoRA learns less and forgets
# less".)
#
# And there is another reading of "forgets". What a method stores beside the base, LoRA, a prompt or a prefix, can be
# switched off, and then nothing is lost: exactly 0, by construction. Full fine-tuning and `top` have no switch.
#
# **Expected, before measuring.** Nothing comes free with the adapter on: at its best rate each method loses some 0.1 to
# 1 nat, LoRA no less than full fine-tuning, since its rate is so much higher. `top` loses less than full, prompt and
# prefix gain least.

# %%
WIDTH, ROWS = 96, 10 if is_fast() else 100
stream = []
for line in read_text(shared("data") / "sample.txt").splitlines():
    stream += [*gpt.tokenizer.encode(line), gpt.tokenizer.end_id]
world_text = torch.tensor(stream[: WIDTH * ROWS]).view(ROWS, WIDTH)


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


base_loss = world_loss(gpt.model)
print(f"the pretrained model: {base_loss:.3f} nats a token")

AT = {
    "full": ("3e-4", "1e-3", "3e-3"),
    "top": ("1e-3", "3e-3", "1e-2"),
    "lora": ("3e-3", "1e-2", "3e-2"),
    "prompt-tuning": ("1e-2", "3e-2", "1e-1"),
    "prefix-tuning": ("1e-3", "3e-3", "1e-2"),
}
test = data.test[:100] if is_fast() else data.test
train_set, dev = draw(data, SHOTS, 0)
points, rows = {}, []
for what, rates in AT.items():
    for rate in rates[:1] if is_fast() else rates:
        if rate == HOW["rating"][1].get(what):
            classifier = kept["rating", what][0]
        else:
            classifier = run_method(with_head(what, rate), gpt, question, train_set, dev, seed=0)
        lost = world_loss(classifier.model) - base_loss
        off = switched_off(classifier.model)
        points.setdefault(what, []).append((lost, classifier.accuracy(test)))
        rows.append(
            [what, rate, f"{points[what][-1][1]:.3f}", f"{lost:+.3f}", "" if off is None else f"{off - base_loss:g}"]
        )
print(table(["method", "rate", "test accuracy", "loss of the world's text, on", "off"], rows))

# %% [markdown]
# The two at their best rates, over the five draws from above:

# %%
forgotten = {
    name: [world_loss(classifier.model) - base_loss for classifier in kept["rating", name]] for name in ("full", "lora")
}
for name, losses in forgotten.items():
    print(f"{name:5} loses {interval(losses)[0]:.3f} nats [{interval(losses)[1]:.3f}, {interval(losses)[2]:.3f}]")
mean, low, high = interval([a - b for a, b in zip(forgotten["lora"], forgotten["full"], strict=True)])
print(f"LoRA less full, draw by draw: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")

# %%
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for (what, found), marker in zip(points.items(), "os^Dv", strict=True):
    axes.plot([lost for lost, _ in found], [score for _, score in found], marker + "-", label=what, markersize=5)
frozen_score = interval(scores["rating", "frozen"])[0]
axes.plot(0, frozen_score, "*", color="black", markersize=9, label="frozen: loses nothing")
axes.axvline(0, color="gray", linestyle=":", linewidth=1)
axes.set_xscale("symlog", linthresh=0.1)
axes.set(
    xlabel="loss of the world's text with the method on, less the base's (nats a token)",
    ylabel="test accuracy, ratings",
    title="Gained on the task, lost on the text (each point a rate; one draw)",
)
axes.legend(frameon=False, fontsize=8)
show(figure, "19-pareto.png")

# %% [markdown]
# ![Accuracy gained against pretraining loss lost](figures/19-pareto.png)
#
# At their best rates LoRA loses 0.77 nats of the world's text and full fine-tuning 1.15: 0.38 less, draw by draw [0.18, 0.57].
# It learned no less. But look at the curves. Full fine-tuning at 3e-4 is as good on the task and has lost 0.19, less than
# LoRA at any rate that is as good. "LoRA forgets less" is true of the rates that a sweep on the task would choose, and
# false of the best that either can do. And no method, with its part switched on, loses nothing but the frozen one.
#
# Switched off, all that stand beside the base lose exactly 0.
#
# ## What does it cost to run?
#
# Unmerged, each target makes two thin products more. Merged, it makes none: the model has the same layers, of the same
# shapes, as the base. Times on a busy machine drift, so the three run in turn, round after round, and each round gives a
# ratio; the median counts.
#
# **Expected, before measuring.** Merged 1.00, give or take 0.05. Unmerged 1.05 to 1.4, the more the smaller the batch.

# %%
tuned = kept["rating", "lora"][0].model
folded = fold_lora(copy.deepcopy(tuned))
is_plain = [type(part) for part in folded.modules()] == [type(part) for part in gpt.model.modules()]
print("folded: the same modules as the base?", is_plain)
rows = []
for name, batch in (("1 text of 32 tokens", world_text[:1, :32]), ("10 texts of 96 tokens", world_text[:10])):

    def job(model, batch=batch):
        with torch.no_grad():
            model(batch)

    jobs = {"base": gpt.model, "merged": folded, "unmerged": tuned}
    times = in_turn({key: lambda model=model: job(model) for key, model in jobs.items()}, 0.2 if is_fast() else 4)
    rows.append([name, *(f"{ratio(times[key], times['base']):.2f}" for key in ("merged", "unmerged"))])
print(table(["a forward pass", "merged / base", "unmerged / base"], rows))
print("the pretrained GPT is untouched:", fingerprint(gpt.model) == fingerprint(load_checkpoint("gpt").model))

# %% [markdown]
# Merged, nothing is added: the same modules, the same time. Beside the base, a short text pays a quarter more and a batch a
# tenth.
#
# ## What to notice
#
# - 0.7% of the numbers were enough for a task on which the frozen head fails. How many are enough depends on how far the
#   task is from the pretraining: sentiment needs rank 1, ratings 16.
# - LoRA's rate is ten times full fine-tuning's. At 3e-2, three times its best, it loses the task and the text.
# - An adapter can be switched, summed, merged and taken away again, and the base is the same to the last bit.
# - What it forgets with the adapter on is a matter of the rate before it is a matter of the method.
#
# ## Common mistakes
#
# - **The scale forgotten, or taken as $\alpha$.** With $\alpha = r$ nobody notices, so test with $\alpha \neq r$. Changing
#   the rank with $\alpha$ fixed changes the scale, and with it the rate: then it is not the rank that is compared.
# - **A and B both random.** Then the first step does not start from the pretrained model. **Both zero**: then neither
#   has a gradient, and nothing is ever learned.
# - **Full fine-tuning's learning rate.** At the rate that is best for full, LoRA has hardly moved (see the sweep).
# - **The optimizer built before `add_lora`.** It does not see A and B, and nothing is trained.
# - **The head not saved with the adapter.** Then accuracy is good until the model is loaded again.
# - **Merging twice, or training while merged.** Here the first is refused.
# - **"No forgetting".** True of the adapter switched off. With it on, the text's loss rises as with any other tuning.
#
# ## Exercises
#
# 1. By hand: with $\alpha = 4$ and $r = 2$, what is $s$? And rank-stabilized?
# 2. Train LoRA at full fine-tuning's best rate, and full fine-tuning at LoRA's. What happens to each?
# 3. Switch on the ratings adapter with weights 0, 0.25, ..., 2 (`switch_lora(model, {"lora": w})`) and draw accuracy
#    against the loss of the world's text, on top of the last figure. Is there a weight that is better than 1?
# 4. Put LoRA on one layer alone (`targets=blocks.1.attention.value`). Which of the four places matters most?
# 5. Choose the rank so that LoRA on query and value has as many numbers as on all six at rank 1
#    (`lora_parameters` counts). Which is better? (The paper's table 5 asks this.)
#
# ## Three questions
#
# **1. Why does B start at zero and A not?** With $B = 0$ the update is zero, so training starts from the pretrained model.
# The gradient of $B$ is $s\, (\partial L / \partial y) (A x)^T$, which is not zero if $A$ is not. With both zero the
# gradients of both are.
#
# **2. Why can unmerging be bit for bit, when merging rounds?** Because it does not subtract: the pretrained $W$ is kept
# beside and put back. $(W + \Delta) - \Delta$ differs from $W$ in the last digits, and a hundred merges and unmerges would
# add up.
#
# **3. LoRA of rank 4 is below 1% of the parameters. Does training take 1% of the time and memory?** No. The forward pass
# is the whole model's, and the gradient has to travel back through all of it to reach the first adapter; only the
# gradients of the weights themselves, and the optimizer's two numbers for each weight, are saved. What shrinks by
# a hundred is what is stored for a task, and what the optimizer holds.
