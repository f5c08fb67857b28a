# %% [markdown]
# # Lesson 22: LoRA
#
# *Leave the weights alone. Learn a thin correction to them.*
#
# **Before this:** lessons 2 and 4. **Reading:** 20 minutes. **Three exercises:** 30 minutes. **Running:** 1 minute on
# one CPU core.
#
# After this lesson you can
#
# - add a trainable low-rank update to any `nn.Linear` of a model,
# - say what it saves, how much, and what it does not save,
# - merge the update into the weights, so that the tuned model runs as fast as the original.
#
# ## The problem
#
# In lesson 4 you tuned our GPT to rate reviews from 1 to 5, in two ways:
#
# | what was trained | accuracy | stored per task |
# |---|---|---|
# | everything | 0.95 | the whole model, 2.6 MB |
# | a new head on the frozen model | 0.47 | 2.6 KB |
#
# At our size a second copy of the model costs nothing. For a model with 7 billion weights in 16 bits it is 14 GB per task.
# Training needs far more. In the usual mixed precision each weight takes 16 bytes: 2 for itself, 2 for its gradient, 4 for a
# 32-bit master copy and 8 for AdamW's two averages. That is 112 GB, before any activations. We want the accuracy of the first
# row at nearly the price of the second.
#
# Fine-tuning turns a weight matrix $W$ into $W + \Delta W$. Suppose we keep $W$, which all tasks share, and store only the
# change $\Delta W$. That saves nothing yet, since the change has as many entries as $W$. But a change that does one new
# thing may need few *directions*: it looks for a few features in the input, and adds a few features to the output. The number
# of directions is the **rank** of a matrix. A matrix of rank $r$ can be written as the product of an
# $\text{out} \times r$ and an $r \times \text{in}$ matrix.

# %% tags=["hide-input"]
from matplotlib import pyplot as plt

from minitune.course.drawing import arrow, box, canvas, legend, matrix
from minitune.course.lessons import read_result, show

figure, axes = canvas(17.0, 10.8)
SIDE, RANK = 4.8, 4.8 * 4 / 128  # to scale: 128 numbers are 4.8 units
box(axes, 5.6, 0.1, 4.2, 0.8, "x    (128)", "text")
matrix(axes, 1.0, 3.0, SIDE, SIDE)
axes.text(3.4, 5.4, "W\n128 x 128\n16,384 weights,\nshared by all tasks", ha="center", va="center", fontsize=9)
matrix(axes, 6.6, 3.0, SIDE / 128, SIDE)
axes.text(6.8, 5.4, "b\n128", va="center", fontsize=9)
matrix(axes, 9.4, 2.5, SIDE, RANK, "learned")
axes.text(14.35, 2.58, "A    4 x 128", va="center", fontsize=9)
matrix(axes, 11.8 - RANK / 2, 3.5, RANK, SIDE, "learned")
axes.text(12.1, 6.2, "B    128 x 4", va="center", fontsize=9)
axes.text(12.1, 4.6, "A and B together:\n1,024 parameters\nper task", va="center", fontsize=9)
arrow(axes, (6.6, 0.9), (3.4, 2.95))
arrow(axes, (8.8, 0.9), (11.8, 2.45))
arrow(axes, (11.8, 2.65), (11.8, 3.45))
axes.text(12.1, 3.1, "4 numbers", fontsize=8, va="center")
arrow(axes, (3.4, 7.85), (6.6, 9.7))
arrow(axes, (6.62, 7.85), (7.4, 9.7))
arrow(axes, (11.8, 8.35), (8.9, 9.7))
axes.text(10.8, 9.1, "times s", fontsize=8)
box(axes, 5.4, 9.7, 4.6, 0.8, "y = W x + b + s B A x", "text")
legend(axes, 0.2, 9.9, ("frozen", "learned"))
show(figure, "22-idea.png")

# %% [markdown]
# ![The input goes through a frozen matrix and, beside it, through two thin trainable ones](figures/22-idea.png)
#
# *One layer of our GPT, to scale, at rank 4. The input is read twice, by the frozen $W$ and by $A$; what the two ways give
# is added, with the frozen bias $b$.*
#
# **LoRA**, low-rank adaptation (Hu et al. 2021), leaves $W$ frozen and learns the change as such a product:
#
# $$y = W x + b + s\, B A x \qquad A: (r, \text{in}) \quad B: (\text{out}, r) \quad s = \alpha / r$$
#
# Read the product from right to left. $A$ projects the input onto $r$ directions, giving $r$ numbers. $B$ turns these into
# a change of the output. At rank 4, a $128 \times 128$ layer has $4 \cdot (128 + 128) = 1{,}024$ trainable parameters
# instead of 16,384. Dividing $\alpha$ by $r$ keeps the update at about the same size
# whatever the rank, so that a new rank needs no new $\alpha$. (rsLoRA, Kalajdzievski 2023, argues for $\sqrt r$.)
#
# **By hand.** Two inputs, two outputs, no bias, rank 1, $\alpha = 2$:
#
# $$W = \begin{pmatrix} 2 & 0 \\ 1 & 1 \end{pmatrix} \quad A = \begin{pmatrix} 1 & 2 \end{pmatrix} \quad
# B = \begin{pmatrix} 1 \\ -1 \end{pmatrix} \quad x = \begin{pmatrix} 1 \\ 1 \end{pmatrix}$$
#
# Compute $y$ on paper, from right to left, before you read on.
#
# <details><summary>Result</summary>
#
# $W x = (2, 2)$. $A x = 3$, so $B A x = (3, -3)$. With $s = 2 / 1 = 2$, $y = (2, 2) + 2 \cdot (3, -3) = (8, -4)$.
#
# </details>
#
# ## Write it yourself

# %% tags=["imports"]
import copy
import math
import os

import torch
from torch import Tensor, nn

# %% [markdown]
# **Exercise 22.1 (12 minutes).** Write a layer that wraps a frozen `nn.Linear` and adds the update. The difficult part is
# how to initialize $A$ and $B$. Training must begin at the pretrained model, so $B A$ must be zero at first; yet both matrices must
# be able to learn. Before you decide, look at the gradients of the loss $L$. With $g = \partial L / \partial y$,
#
# $$\frac{\partial L}{\partial B} = s\, g\, (A x)^\top \qquad \frac{\partial L}{\partial A} = s\, (B^\top g)\, x^\top$$


# %% tags=["exercise"]
class LoRALinear(nn.Module):
    """A frozen linear layer with a low-rank update beside it: (..., in) -> (..., out).

    `self.base` is the layer; `self.A` (rank, in) and `self.B` (out, rank) are the only trainable parameters. Draw A with a
    standard deviation of 1 / sqrt(in): the entries of A x are then about as large as those of x. The update is scaled by
    alpha / rank.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        # your turn: keep the base and freeze it; make A and B, on the base's device and in its dtype
        self.base = base.requires_grad_(False)
        like = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.A = nn.Parameter(torch.randn(rank, base.in_features, **like) / math.sqrt(base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank, **like))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        # your turn
        update = x @ self.A.T @ self.B.T  # (..., in) -> (..., r) -> (..., out)
        return self.base(x) + self.scale * update


# %%
torch.manual_seed(0)
x = torch.randn(5, 3)
layer = LoRALinear(nn.Linear(3, 2), rank=2, alpha=6)
assert torch.equal(layer(x), layer.base(x)), "before training the layer must compute what its base computes"
for _ in range(2):  # two small steps of gradient descent
    layer.zero_grad()
    layer(x).square().sum().backward()
    for part in (layer.A, layer.B):
        part.data -= 0.01 * part.grad
assert layer.A.grad.any() and layer.B.grad.any(), "after two steps a matrix has no gradient yet: do both start at zero?"
assert layer.base.weight.grad is None, "the base received a gradient: is it frozen?"
update = 3 * x @ layer.A.T @ layer.B.T
assert torch.allclose(layer(x), layer.base(x) + update, atol=1e-5), (
    "alpha = 6 at rank 2: is the scale alpha / rank = 3?"
)
spread = LoRALinear(nn.Linear(400, 50), rank=50, alpha=1).A.std().item() * 400**0.5
assert 0.5 < spread < 2, f"A is {spread:.1f} times as large as 1 / sqrt(in)"
print("22.1 is right")

# %% [markdown]
# <details><summary>Why one at zero and the other not</summary>
#
# With both at zero both gradients are zero, and nothing ever moves. With $B = 0$ and $A$ random, $B$ moves in the first step
# and $A$ from the second step on. The other way round would work as well; $B = 0$ is the convention.
#
# </details>
#
# **Exercise 22.2 (12 minutes).** Put the layer into a model. Our GPT calls the linear layers of attention `query`, `key`,
# `value` and `output`, and those of the feed-forward part `up` and `down`. The paper adapts query and value. Freeze the
# model, then replace the layers with these names. (`model.get_submodule(path)` finds a module, `setattr` replaces one.)


# %% tags=["exercise"]
def add_lora(model: nn.Module, names: tuple[str, ...], rank: int, alpha: float) -> nn.Module:
    """Freeze `model` and wrap each linear layer whose name is in `names`. Modifies the model in place and returns it.

    Raises:
        ValueError: one of the names belongs to no linear layer. (Otherwise a misspelled name trains nothing, silently.)
    """
    # your turn: named_modules() yields (path, module), as in ("blocks.0.attention.query", Linear(...))
    chosen = [
        path
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and path.rpartition(".")[2] in names
    ]
    if missing := set(names) - {path.rpartition(".")[2] for path in chosen}:
        raise ValueError(f"no linear layer is called {' or '.join(sorted(missing))}")
    model.requires_grad_(False)
    for path in chosen:
        owner, _, name = path.rpartition(".")
        setattr(model.get_submodule(owner), name, LoRALinear(model.get_submodule(path), rank, alpha))
    return model


# %%
import minitune

torch.manual_seed(0)
gpt = minitune.load("gpt")
model = add_lora(copy.deepcopy(gpt.model), ("query", "value"), rank=4, alpha=8)
text = torch.tensor([gpt.tokenizer.encode("the soup was cold but the waiter was kind .")])
assert torch.equal(model(text).hidden, gpt.model(text).hidden), "an untrained update must not change the model"
trained = {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}
assert all(name.endswith((".A", ".B")) for name in trained), f"more than A and B is trained: {list(trained)}"
assert len(trained) == 8, f"two layers in each of two blocks have A and B: 8 matrices, not {len(trained)}"
try:
    add_lora(copy.deepcopy(gpt.model), ("query", "valeu"), rank=4, alpha=8)
    raise AssertionError("a misspelled name must be refused")
except ValueError as error:
    print(error)
for name, shape in trained.items():
    print(f"{name:28} {shape}")

# %% [markdown]
# ### Train it
#
# The task, the head on the last token and the training loop are those of lesson 4, and `minitune/course/plain.py` holds
# them. Only what is trainable differs.

# %%
from minitune.course.plain import Rater, accuracy, train
from minitune.data.examples import draw

reviews = minitune.task("rating").dataset
few, _ = draw(reviews, 64, seed=0)  # 64 of each of the five classes
print(f'{len(few)} reviews to learn from, such as "{few[0].text}": {reviews.labels[few[0].label]}')

# %% [markdown]
# LoRA needs a larger learning rate than full fine-tuning: here 0.01 instead of 0.001. A factor of ten is also what Schulman
# et al. (2025) find over many models.
#
# > **Guess before you run this.** LoRA trains 0.7% of the parameters, head included. The head alone reached 0.47, everything
# > 0.95. And LoRA?

# %%
rater = Rater(model, gpt.tokenizer, classes=5)
losses = train(rater, few, rate=1e-2, steps=200)
for step in range(0, len(losses), 50):
    print(f"step {step + 1:3}   loss {losses[step]:.2f}")
print(f"last step  loss {losses[-1]:.2f}")
print(f"accuracy on {len(reviews.test)} test reviews: {accuracy(rater, reviews.test):.2f}")

# %% [markdown]
# One draw of training reviews proves little. [more/22_ranks.py](more/22_ranks.py) repeats it with five draws, each method at the
# learning rate that a sweep on another world chose for it (lesson 4):

# %% tags=["hide-input"]
result = read_result("22-ranks.json")


def mean(values) -> float:
    return sum(values) / len(values)


head = sum(p.numel() for p in rater.head.parameters())
counts = {
    "everything": sum(p.numel() for p in gpt.model.parameters()) + head,
    "rank 4": sum(p.numel() for p in rater.parameters() if p.requires_grad),
    "head alone": head,
}
print("what is trained   accuracy (lowest, highest)   parameters    stored   gradients and AdamW")
for name, number in counts.items():
    found = result["rating"][name]
    shown = f"{mean(found):.2f} ({min(found):.2f}, {max(found):.2f})"
    label = {"rank 4": "LoRA, rank 4"}.get(name, name)
    print(f"{label:17} {shown:28} {number:10,}   {4 * number / 1000:7,.1f} KB   {12 * number / 1000:10,.1f} KB")

# %% [markdown]
# LoRA reaches the accuracy of full fine-tuning with 0.7% of the parameters, of the storage, and of the memory for
# gradients and optimizer. It does not take 0.7% of the *time*: the forward pass still runs through the whole model,
# and the backward pass still carries the gradient back to the first adapted layer. What is saved is computing the gradients of
# the frozen weights, about a third of a step's arithmetic. Measured on one core, with a random GPT of the same form and
# eight times the width beside ours ([more/22_times.py](more/22_times.py)):

# %% tags=["hide-input"]
times = read_result("22-times.json")
print("time of a training step, of a full one      " + "".join(f"{width:>12}" for width in times))
for name in ("a step, query and value", "a step, all layers"):
    print(f"LoRA on {name.removeprefix('a step, '):36}" + "".join(f"{of[name]:12.2f}" for of in times.values()))

# %% [markdown]
# At width 1024 the third appears. In our narrow layers, wrapping all of them costs more time than it saves. Activations are saved
# only in layers without an update, which need not keep their inputs.
#
# What does the 7-billion-weight model cost now? At rank 8 on all linear layers (of Llama's shapes), LoRA trains 20 million
# parameters: 40 MB stored per task instead of 14 GB, and 0.3 GB of training state beside the frozen 14 GB instead of 112 GB.
#
# Storing a task means storing what is trainable and how it was put in:

# %%
small = {name: p.detach() for name, p in rater.named_parameters() if p.requires_grad}
os.makedirs("runs", exist_ok=True)
torch.save({"names": ("query", "value"), "rank": 4, "alpha": 8, "parameters": small}, "runs/rating.pt")
print(f"runs/rating.pt: {os.path.getsize('runs/rating.pt') / 1000:.0f} KB, with names and padding")
saved = torch.load("runs/rating.pt")
again = Rater(
    add_lora(copy.deepcopy(gpt.model), saved["names"], saved["rank"], saved["alpha"]), gpt.tokenizer, classes=5
)
wanted = {name for name, p in again.named_parameters() if p.requires_grad}
assert wanted == set(saved["parameters"]), f"missing or unknown in the file: {wanted ^ set(saved['parameters'])}"
again.load_state_dict(saved["parameters"], strict=False)
print(f"loaded onto a fresh GPT: accuracy {accuracy(again, reviews.test):.2f}")

# %% [markdown]
# Since $W$ never changes, one model in memory serves several tasks. Tune a second update, for `sentiment`, and exchange the
# two as often as you like:

# %%
opinions = minitune.task("sentiment").dataset
torch.manual_seed(0)
second = Rater(add_lora(copy.deepcopy(gpt.model), ("query", "value"), rank=4, alpha=8), gpt.tokenizer, classes=5)
train(second, draw(opinions, 64, seed=0)[0], rate=1e-3)  # two of the head's five classes are used
updates = {"rating": small, "sentiment": {name: p.detach() for name, p in second.named_parameters() if p.requires_grad}}
for task, data in (("rating", reviews), ("sentiment", opinions), ("rating", reviews)):
    again.load_state_dict(updates[task], strict=False)
    print(f"{task:10} {accuracy(again, data.test):.2f}")

# %% [markdown]
# ## Merge it
#
# Kept beside $W$, the update costs two extra matrix products per layer. But $W x + s B A x = (W + s B A)\, x$. You can add the
# update to the weight once, and the layer is a plain linear layer again.
#
# **Exercise 22.3 (6 minutes).** Merge a whole model. Return a copy in which every wrapped layer is a plain `nn.Linear`
# that computes the same; leave the model that you were given as it is.


# %% tags=["exercise"]
@torch.no_grad()
def merge(model: nn.Module) -> nn.Module:
    """A copy of `model` with every LoRA update added into its weight, and no `LoRALinear` left."""
    # your turn
    model = copy.deepcopy(model)
    for path, layer in list(model.named_modules()):
        if isinstance(layer, LoRALinear):
            plain = layer.base
            plain.weight += layer.scale * layer.B @ layer.A  # (out, r) @ (r, in) -> (out, in)
            owner, _, name = path.rpartition(".")
            setattr(model.get_submodule(owner), name, plain)
    return model


# %%
before = model(text).hidden
merged = merge(model)
assert torch.equal(model(text).hidden, before), "the model that was given has changed: merge into a copy"
assert not any(isinstance(part, LoRALinear) for part in merged.modules()), "a LoRALinear is left in the merged model"
difference = (merged(text).hidden - before).abs().max().item()
assert difference < 1e-4, f"the merged model differs by {difference:.2g}: is the weight W + s B A?"
print(f"22.3 is right; largest difference of a hidden state: {difference:.0e}")

# %% [markdown]
# The difference is rounding; in 16 bits it is larger. A forward pass, of the plain model's time:

# %% tags=["hide-input"]
for name in ("kept beside", "merged"):
    print(f"{name:14}" + "".join(f"{width:>14} {of[f'a forward pass, {name}']:.2f}" for width, of in times.items()))

# %% [markdown]
# The price of merging is a full copy of the model per task: merge when you serve one task,
# keep the updates beside when you serve many.
#
# ## How large must the rank be?
#
# At rank 1, each layer can look for one feature and add one. We try five ranks, in two ways: with $\alpha = 8$ throughout, so that
# the scale $s = \alpha / r$ falls as the rank grows; and with $\alpha = 2r$, as in many recipes, so that $s = 2$ at every rank.
#
# > **Guess before you look.** Is that enough to rate reviews from 1 to 5? And to tell good from bad, which is easier?

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained", sharey=True)
ranks = (1, 2, 4, 8, 16)
for axis, task in zip(axes, ("rating", "sentiment"), strict=True):
    of_rank = [result[task][f"alpha 8, rank {rank}"] for rank in ranks]
    growing = [result[task][f"rank {rank}"] for rank in ranks]
    axis.plot(ranks, [mean(values) for values in of_rank], "o-", color="tab:orange", label=r"LoRA, $\alpha = 8$")
    axis.plot(
        ranks, [mean(values) for values in growing], "s--", color="tab:red", label=r"LoRA, $\alpha = 2r$", markersize=4
    )
    for rank, ours, theirs in zip(ranks, of_rank, growing, strict=True):
        axis.plot([rank * 0.96] * len(ours), ours, "o", color="tab:orange", alpha=0.35, markersize=3.5)
        axis.plot([rank * 1.04] * len(theirs), theirs, "s", color="tab:red", alpha=0.25, markersize=3)
    axis.axhline(mean(result[task]["everything"]), color="tab:blue", linestyle=":", label="everything")
    head_alone = mean(result[task]["head alone"])
    if head_alone > 0.8:
        axis.axhline(head_alone, color="tab:gray", linestyle="-.", label="head alone")
    else:
        axis.annotate(f"head alone: {head_alone:.2f}, far below", (1, 0.745), color="tab:gray", fontsize=8)
    axis.set_xscale("log", base=2)
    axis.set_xticks(ranks, map(str, ranks))
    axis.set(xlabel="rank, on query and value", ylim=(0.735, 1.005), title=task)
    axis.legend(frameon=False, loc="lower right", fontsize=8)
axes[0].set_ylabel("accuracy")
show(figure, "22-rank.png")

# %% [markdown]
# ![Accuracy by rank for two tasks](figures/22-rank.png)
#
# *Means of five draws of 64 reviews per class (small points: draws), 200 steps, one learning rate for all ranks. Left `rating`,
# right `sentiment`.*
#
# `rating` needs LoRA, and little of it: with $\alpha = 8$, rank 1 reaches 0.94 on average, with one draw well below, and rank 16
# reaches 0.97; between ranks 2 and 8 there is little difference. One learning rate and one $\alpha$ served every rank: dividing by $r$ is for that. With $s = 2$ throughout, the same rate is too timid at rank 1 on `rating` and too bold at rank 16 on
# both tasks. (At a third of the rate, rank 16 is back at 0.98 on `sentiment`; on `rating` it gains nothing.)
#
# `sentiment` needs no LoRA: the head alone does about as well, and training everything does worse. At this learning rate,
# changing all weights on 128 reviews does more harm than good.
#
# > **At scale.** On GPT-3, with 175 billion weights, Hu et al. adapt query and value and find rank 1 within a point of rank 64
# > on WikiSQL and MultiNLI (their table 6). The rank that is needed depends on how much there is to learn. Schulman et al. (2025) find that LoRA
# > follows full fine-tuning until the training set holds more than its parameters can take up, and then learns more slowly;
# > Biderman et al. (2024) find that it learns less and also forgets less when a model is trained further on code or mathematics.
#
# ## In practice
#
# - **Which layers?** The paper adapts query and value. Schulman et al. find that adapting all linear layers is clearly better,
#   and that more rank on attention alone does not make up for it. Here, at $s = 2$,
#   rank 1 on all six reaches 0.98 on `rating`, and rank 4 on two of them, with about as many parameters, 0.96.
# - **Where to start:** all linear layers, rank 8 to 32, $\alpha$ fixed at 16 or 32, ten times the learning rate of full
#   fine-tuning. Then vary the rate first, the rank second.
# - **Several tasks** on one model: beside exchanging updates you can sum them; the rank of a sum is at most the sum of the
#   ranks ([more/22_several_adapters.py](more/22_several_adapters.py)).
# - **QLoRA** (Dettmers et al. 2023) stores the frozen $W$ in 4 bits and trains $A$ and $B$ in 16: a model with 65 billion
#   weights can be tuned on one 48 GB card. The sum cannot be stored exactly in 4 bits, so the update is usually kept beside $W$.
#
# With the library `peft`, on a real model:
#
# ```python
# from peft import LoraConfig, get_peft_model
# from transformers import AutoModelForSequenceClassification
#
# model = AutoModelForSequenceClassification.from_pretrained("gpt2", num_labels=5)
# model.config.pad_token_id = model.config.eos_token_id  # GPT-2 has no padding token of its own
# config = LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules="all-linear")  # the head is trained and saved too
# model = get_peft_model(model, config)
# ...  # train it like any other model, at about 2e-4
# model.save_pretrained("rating")  # the updates and the head
# plain = model.merge_and_unload()  # changes the model itself
# ```
#
# (GPT-2 in that library uses `Conv1D` layers, whose weights are transposed; `peft` knows them, your `add_lora` does not.)
#
# And with minitune: `minitune tune lora+head --task rating --model gpt --set rank=4 --out runs/rating`. Its module,
# `minitune/tuning/lora.py`, is your `LoRALinear` with several named updates per layer and dropout; a check of this
# lesson loads your matrices into it and compares the outputs.
#
# ## Common mistakes
#
# Each row is the mean of five real runs ([more/22_mistakes.py](more/22_mistakes.py)); without a mistake it is 0.96.
#
# | mistake | what you see |
# |---|---|
# | `A` and `B` both start at zero | no error; only the head learns: 0.46 |
# | `A` and `B` both start at random | the untrained model already differs from the pretrained one; here it recovers: 0.97 |
# | the scale is `alpha`, not `alpha / rank` | worse at rank 4 (`alpha` 8): 0.90; at rank 16 (`alpha` 32) it collapses: 0.53 |
# | the learning rate of full fine-tuning | slow: 0.68 after the same number of steps |
# | the optimizer built before `add_lora` | no error; `A` and `B` never move: 0.46 |
# | the head not saved with the update | after loading, a random head reads a tuned model: 0.24 |
#
# ## Check yourself
#
# 1. A layer has 4,096 inputs and 11,008 outputs. How many parameters does LoRA train at rank 8, and what share of the
#    layer's weights is that?
# 2. Name one cost of fine-tuning that falls with the number of trained parameters, and one that does not. Why?
# 3. You add the updates of two tasks, of ranks 4 and 8, to the same $W$. What is the highest rank that the sum can have?
# 4. A colleague trained with `alpha = 16` and sends you `A` and `B` of rank 8. You load them with `alpha = 8`. Nothing fails.
#    What is different?
#
# [Answers](answers/22_lora.md), with reasons.
#
# **More:** [controls and single layers](more/22_further.py), [what is forgotten](more/22_forgetting.py),
# [how many directions an update has](more/22_singular_values.py).
#
# ## In one paragraph
#
# LoRA freezes a layer and learns a low-rank correction $s B A$ beside it. $B$ starts at zero, so training starts at the
# pretrained model. Only $r\,(\text{in} + \text{out})$ parameters per layer are trained, stored and kept in the optimizer,
# though every step still runs through the whole model. Merged into the weight, the correction costs nothing at inference.
# **Next:** adapters put the trainable part *between* the layers (lesson 23, on its way); lesson 24 tunes a GPT to follow
# instructions.
