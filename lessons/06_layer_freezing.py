# %% [markdown]
# # Lesson 6: layer freezing
#
# **You need** lesson 4. **To read:** 25 minutes. **To run:** about 5 minutes on one CPU core.
#
# Between training nothing and training everything lies a choice of parts. The lowest layers know words, which every
# task needs as they are; the highest are closest to what is asked. So freeze from below and train the rest:
#
# ```
# embeddings -> block 1 -> ... -> block L - k | block L - k + 1 -> ... -> block L -> head
#                   frozen                    |                trained
# ```
#
# Two things are saved. What is frozen need not be stored again for each task. And a backward pass goes down only as far
# as the lowest trained number, so a step costs less.
#
# **Expected** (shipped GPT, `rating`, 32 examples a class): accuracy rises with every block that is trained, from about
# 0.45 to 0.75 or more. A step that trains the last of two blocks takes between 0.35 and 0.60 of one that trains all. The
# norms are 0.3% of the numbers, and a step that trains them alone still takes more than half: they lie everywhere.

# %%
import copy
import statistics
import time

import torch
from matplotlib import pyplot as plt
from torch import nn

import minitune
from minitune.course.lessons import is_fast, show, show_table
from minitune.data.examples import draw
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.predictors.predictor import ExampleBatches, inputs_of
from minitune.report import interval
from minitune.tuning.freezing import (
    GradualConfig,
    LayerwiseConfig,
    Untied,
    gradual_unfreezing,
    layer_rates,
)
from minitune.tuning.trained import count, trainable

gpt = minitune.load("gpt")
data, question = minitune.task("rating").for_model(gpt)

# %% [markdown]
# ## By hand: where the graph begins
#
# Three layers of one number each: $h_1 = w_1 x$, $h_2 = w_2 h_1$, $y = w_3 h_2$, with $x = 2$ and
# $w = (3, 0.5, 4)$, so $h_1 = 6$, $h_2 = 3$, $y = 12$. The loss is $y$ itself. The gradients are
#
# $$\frac{dy}{dw_3} = h_2 = 3 \qquad \frac{dy}{dw_2} = w_3 h_1 = 24 \qquad \frac{dy}{dw_1} = w_3 w_2 x = 4$$
#
# Freeze $w_1$. Then nobody asks for $w_3 w_2 x$. But $w_3$, frozen or not, is still needed for the gradient of $w_2$:
# **what lies above a trained layer must be gone back through, what lies below must not.** PyTorch keeps book of this in
# `requires_grad`: it is off for a result of frozen things, and on from the first trained layer upward.

# %%
for trained in ((1, 2, 3), (2, 3), (3,), (2,), (1,)):
    w = [torch.tensor(value, requires_grad=at in trained) for at, value in ((1, 3.0), (2, 0.5), (3, 4.0))]
    h1 = w[0] * 2.0
    h2 = w[1] * h1
    y = w[2] * h2
    y.backward()
    graph = "  ".join(f"{name} {'in' if h.requires_grad else 'no'} graph" for name, h in (("h1", h1), ("h2", h2)))
    print(f"trained {trained!s:10} {graph}   gradients", [None if v.grad is None else v.grad.item() for v in w])

# %% [markdown]
# ## The real thing
#
# `top` with `layers=k` trains the last $k$ blocks and what comes after them, for GPT the last norm. It never trains the
# embeddings. Here is what that leaves to train of the shipped GPT, with where its hidden states enter the graph.

# %%
PARTS = {
    "top, k = 0": ("top+head", ["layers=0"]),
    "top, k = 1": ("top+head", ["layers=1"]),
    "top, k = 2": ("top+head", ["layers=2"]),
    "full": ("full+head", []),
    "norms": ("norms+head", []),
    "biases": ("biases+head", []),
}
SHOTS = 4 if is_fast() else 32
train_set, dev = draw(data, SHOTS, seed=0)


def kept_for_backward(classifier, batch) -> int:
    """Bytes of the tensors that the forward pass keeps for the backward pass; parameters are there anyway."""
    own = {p.untyped_storage().data_ptr() for p in classifier.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = classifier.loss(batch)  # while it lives, so do the tensors: no address is used twice
    del loss
    return sum(kept.values())


def states_in_graph(classifier, batch) -> list[str]:
    """Whether the hidden states after the embeddings, each block and the last norm are in the graph."""
    model, found = classifier.model, []

    def note(module, inputs, output):
        state = output[0] if isinstance(output, tuple) else output  # a block gives its keys and values too
        found.append("yes" if state.requires_grad else "no")

    hooks = [part.register_forward_hook(note) for part in (model.dropout, *model.blocks, model.norm)]
    classifier.loss(batch)
    for hook in hooks:
        hook.remove()
    return found


rows = []
for name, (written, settings) in PARTS.items():
    classifier = Method.parse(written, settings).build(gpt, question, seed=0)
    batch = ExampleBatches(classifier, train_set, 16, seed=0).batch(0)
    kept = kept_for_backward(classifier, batch) / 1e6
    numbers = f"{count(trainable(classifier)):,}"
    rows.append([name, numbers, *states_in_graph(classifier, batch), f"{kept:.1f}"])
header = ["trained", "numbers", "embeddings", "block 1", "block 2", "last norm", "kept, MB"]
show_table("What is trained, and whether the state after each part is in the graph", header, rows)

# %% [markdown]
# The columns in the middle say whether the hidden state *after* each part is in the graph. With `k = 1` the embeddings
# and block 1 run as if under `torch.no_grad()`: nothing is kept there.
#
# The norms and biases are few, and lie in every block. To reach those of block 1 the gradient goes through all that
# stands above. **Few numbers are cheap to store, not cheap to train.**
#
# ## How much time does it save?
#
# A step's work is one forward pass, and a backward pass of about twice that: the gradients of the inputs, and those of
# the weights. With $k$ of $L$ blocks trained, the share that is left is about $(1 + 2k/L)/3$: 1/3, 2/3 and 1 for
# $k = 0, 1, 2$.
#
# That is so where every block does the same work. A classifier can do with less: a head reads one place of the text, so of
# the *last* block only that place is computed, with the keys and values of all the others, because it looks at them. These
# are 2 of the 12 products of $D \times D$ that a block makes of each token, so our last block costs a sixth of the first.
# Counted in forward passes of a whole block, the pass forward is $1 + 1/6$, and going back adds $2/6$ for the last block
# and 2 for the first. That makes $1.17 / 3.5 = 0.33$ for $k = 0$; $1.33 / 3.5 = 0.38$ for $k = 1$, where the last block's
# weights want a gradient and its inputs none; and 1 for $k = 2$.
#
# So we measure both: with every place of the last block computed, and with the one that is read. The steps of all methods
# run in turn, so that whatever else the machine does hits all alike, and the median is taken.

# %%
ROUNDS = 5 if is_fast() else 60
TIMED = PARTS | {"head alone, states kept": ("frozen+head", [])}


def loss_of_all_places(classifier, batch):
    """The same loss, with the last block computed at every place of the text and not only where the head reads."""
    states = classifier.model(**inputs_of(batch, "gpt")).hidden  # (B, T, D)
    read = states[torch.arange(len(states)), batch["text_end"]]  # (B, T, D) -> (B, D)
    return classifier.readout.loss(classifier.readout(read, classifier.model), batch["label"])


running = {}
for name, (method, settings) in TIMED.items():
    classifier = Method.parse(method, settings).build(gpt, question, seed=0)
    optimizer = torch.optim.AdamW([p for p in classifier.parameters() if p.requires_grad], lr=1e-4)
    ways = {"one place": classifier.loss}
    if name in PARTS:
        ways["all places"] = lambda batch, classifier=classifier: loss_of_all_places(classifier, batch)
    running[name] = (ways, optimizer, ExampleBatches(classifier, train_set, 16, seed=0))
seconds = {(name, way): [] for name, (ways, *_) in running.items() for way in ways}
for step in range(ROUNDS):
    for name, (ways, optimizer, batches) in running.items():
        batch = batches.batch(step)
        for way, loss in ways.items():
            began = time.perf_counter()
            loss(batch).backward()
            optimizer.step()
            optimizer.zero_grad()
            seconds[name, way].append(time.perf_counter() - began)
medians = {key: statistics.median(values[2:]) for key, values in seconds.items()}
rows = []
for name in TIMED:
    cells = []
    for way in ("all places", "one place"):
        took = medians.get((name, way))
        cells += [f"{1000 * took:.1f}", f"{took / medians['full', way]:.2f}"] if took else ["", ""]
    rows.append([name, *cells])
header = ["trained", "all places, ms", "of full", "one place, ms", "of full"]
show_table("Time of a step: every place of the last block computed, or only the one that is read", header, rows)

# %% [markdown]
# With every place computed the rule holds: about 0.3, 0.6 and 0.95 on our machine, and the embeddings add the rest. With the
# one place that is read, $k = 1$ costs less than half of full fine-tuning. That is somewhat more than the 0.38 that we
# counted: the attention itself, the optimizer's step and the overhead of each call were left out, and they weigh more in a
# short step. The norms, 0.3% of the numbers, take two thirds of the time.

# %% [markdown]
# ## What does it cost in accuracy?
#
# `rating` again, the task far from the pretraining. Five draws of 32 examples a class, the same for all.
#
# Expected, before measuring: the head alone < k = 0 < k = 1 < k = 2 = full. Frozen embeddings should cost nothing,
# since the words of the task are those of the pretraining. Norms and biases somewhere near k = 1: they change little,
# but everywhere (Ben Zaken et al. 2022 found biases alone to come close to full fine-tuning of BERT).
# `layerwise` (each layer learns at half the rate of the one above) and `gradual` (unfrozen from the top, one after
# another; both Howard and Ruder 2018) like full: they are said to guard against forgetting, and nothing here asks for
# what is forgotten.
#
# Each method has its own learning rate, swept on *another* toy world until a higher one was worse (up to 1e-1) with a
# GPT pretrained on that one (`minitune data --seed 1`, `minitune pretrain gpt --world 1`, then for example
# `minitune sweep norms+head,biases+head --task rating --model runs/gpt --world 1 --shots 32`; `lessons/results`).

# %%
METHODS = {
    "head alone": ("frozen+head", ["lr=0.1"]),
    "top, k = 0": ("top+head", ["layers=0", "lr=0.03"]),
    "top, k = 1": ("top+head", ["layers=1", "lr=0.003"]),
    "top, k = 2": ("top+head", ["layers=2", "lr=0.003"]),
    "full": ("full+head", ["lr=0.001"]),
    "norms": ("norms+head", ["lr=0.1"]),
    "biases": ("biases+head", ["lr=0.03"]),
    "layerwise": ("layerwise+head", ["lr=0.001"]),
    "gradual": ("gradual+head", ["lr=0.001"]),
}
SEEDS = 1 if is_fast() else 5
test = data.test[: 50 if is_fast() else 500]
accuracy, numbers = {}, {}
for name, (written, settings) in METHODS.items():
    method = Method.parse(written, settings)
    accuracy[name] = []
    for seed in range(SEEDS):
        train_set, dev = draw(data, SHOTS, seed)
        classifier = method.build(gpt, question, seed)
        numbers[name] = count(trainable(classifier))
        fit(method, classifier, train_set, dev[:100], seed, steps=2 if is_fast() else 100)
        accuracy[name].append(classifier.accuracy(test))
rows = []
for name, values in accuracy.items():
    mean, low, high = interval(values)
    less = interval([a - b for a, b in zip(values, accuracy["full"], strict=True)])
    rows.append([
        name,
        f"{numbers[name]:,}",
        f"{mean:.3f} [{low:.3f}, {high:.3f}]",
        "" if name == "full" else f"{less[0]:+.3f} [{less[1]:+.3f}, {less[2]:+.3f}]",
    ])  # fmt: skip
header = ["trained", "numbers", "accuracy [95%]", "difference to full [95%]"]
show_table(f"rating, {SHOTS} examples a class: mean of {SEEDS} draws", header, rows)

# %%
RATE_OF_OUTPUT, RATE_OF_HEAD = 0.03, 0.1
STACK = ["head alone", "top, k = 0", "top, k = 1", "top, k = 2", "full"]
ON_AXIS = [
    "head alone\n(states kept)",
    "k = 0:\nlast norm",
    "k = 1:\nlast block",
    "k = 2:\nboth blocks",
    "full: and\nembeddings",
]
figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.2), sharex=True, layout="constrained")
for at, name in enumerate(STACK):
    mean, low, high = interval(accuracy[name])
    above.plot([at] * SEEDS, accuracy[name], "o", color="tab:blue", alpha=0.3, markersize=4)
    above.errorbar(at, mean, yerr=[[mean - low], [high - mean]], fmt="D", color="tab:blue", capsize=3)
    cost = medians["head alone, states kept" if at == 0 else name, "one place"] / medians["full", "one place"]
    below.bar(at, cost, color="tab:orange", width=0.6)
    below.annotate(f"{cost:.2f}", (at, cost), ha="center", va="bottom")
above.plot(range(len(STACK)), [interval(accuracy[name])[0] for name in STACK], color="tab:blue", linewidth=1)
above.axhline(0.2, color="gray", linestyle=":")
above.set(
    ylabel="accuracy on test", ylim=(0, 1.02), title=f"rating, {SHOTS} examples a class: what each layer buys and costs"
)
below.set(ylabel="time of a step, of full\n(last block: one place)", ylim=(0, 1.2))
below.set_xticks(range(len(STACK)), ON_AXIS)
show(figure, "06-layers.png")

# %% [markdown]
# ![Layers](figures/06-layers.png)
#
# ## When and how fast: gradual unfreezing, rates by layer
#
# Both methods train everything. `gradual` starts with the head, the last norm and the last block, and unfreezes one
# layer more at equal distances, until half of the steps are over. `layerwise` trains all from the start, at a rate that
# falls by half from layer to layer. Here is the schedule of the one and the rates of the other.

# %%
model = copy.deepcopy(gpt.model)
unfreeze = gradual_unfreezing(model, GradualConfig(share=0.5), steps=100)
last = None
for step in range(100):
    unfreeze(step)
    now = count(trainable(model))
    if now != last:
        print(f"from step {step:2}: {now:,} numbers of the model are trained")
    last = now
parts = layer_rates(model, LayerwiseConfig(decay=0.5))
for name in ("norm.weight", "blocks.1.mlp.up.weight", "blocks.0.mlp.up.weight", "token_embedding.weight"):
    print(f"{name:24} learns at {parts[name]:g} of the rate")

# %% [markdown]
# ## One matrix, two ends
#
# GPT and BERT use one matrix twice: as the embedding of what comes in, and as the scores of what comes out. They are
# **tied**: not two matrices that are equal, but one, with two names at most. So it cannot be frozen at one end.

# %%
embedding, output = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
output.weight = embedding.weight  # how most libraries tie them
output.weight.requires_grad_(False)  # "freeze the output"
print("does the embedding still learn?", embedding.weight.requires_grad)

# %% [markdown]
# The other way round: train the word scores and nothing else, through a prompt and a verbalizer. With the tied matrix
# the input moves too, and its gradient is a sum: what comes through the output, and what comes all the way down through
# both blocks. `output` takes the two ends apart: it trains a copy of the matrix, used for the scores alone. At the first
# step copy and matrix hold the same numbers, so the copy's gradient is the first of the two parts.


# %%
def only_the_tied_matrix(seed):
    """A classifier with a verbalizer in which nothing but the tied matrix is trained."""
    classifier = Method.parse("full+verbalizer").build(gpt, question, seed)
    classifier.model.requires_grad_(False)
    classifier.model.token_embedding.weight.requires_grad_(True)
    return classifier


tied, untied = only_the_tied_matrix(0), Method.parse("output+verbalizer").build(gpt, question, seed=0)
train_set, dev = draw(data, SHOTS, seed=0)
batch = ExampleBatches(tied, train_set, 16, seed=0).batch(0)
of_both = torch.autograd.grad(tied.loss(batch), tied.model.token_embedding.weight)[0]
of_output = torch.autograd.grad(untied.loss(batch), untied.model.output)[0]
gradients = {"the tied matrix": of_both, "through the output": of_output, "through the input": of_both - of_output}
rows = []
for name, gradient in gradients.items():
    size = gradient.norm(dim=1)
    largest = gpt.tokenizer.tokens(size.topk(5).indices.tolist())
    rows.append([name, f"{size.norm():.4f}", str((size > 1e-7).sum().item()), " ".join(largest)])
show_table("Gradients of the matrix for one batch", ["gradient of", "norm", "words it moves", "moved most"], rows)

# %% [markdown]
# Through the output, only the five label words get a gradient: the verbalizer looks at no other. So `output+verbalizer`
# is a head of five rows on a frozen model after all. It differs from `frozen@manual+head` in where it starts: at the
# embeddings of five words that mean something, not at random.
#
# Through the input, every word of the batch moves, and with it every text that has such a word, in every task. Let both
# train, and look at three things: the accuracy; how far the hidden states of reviews that have nothing to do with the
# training have moved; and what the model says of `sentiment`, zero-shot, afterwards.
#
# Expected, before measuring: tied is more accurate, since the input end can change what the body computes, and it moves
# the hidden states; untied moves them by exactly 0 and leaves `sentiment` as it was.

# %%
sentiment = minitune.task("sentiment").for_model(gpt)[0].test[: 50 if is_fast() else 500]
as_asked = Method.parse("zero-shot").build(gpt, minitune.task("sentiment").for_model(gpt)[1], seed=0)


def states_elsewhere(model):
    """The hidden states of another task's texts, asked with its own template: (N, D)."""
    as_asked.model = model.requires_grad_(False)
    return as_asked.collate(as_asked.items(sentiment))["hidden"]


before = states_elsewhere(copy.deepcopy(gpt.model))
print(f"untrained: rating {Method.parse('zero-shot').build(gpt, question, 0).accuracy(test):.3f}", end=", ")
print(f"sentiment {as_asked.accuracy(sentiment):.3f}")

TRAINED = {"tied": "output+verbalizer", "untied": "output+verbalizer", "a new head": "frozen@manual+head"}
results = {name: [] for name in TRAINED}
for seed in range(SEEDS):
    train_set, dev = draw(data, SHOTS, seed)
    for name, written in TRAINED.items():
        method = Method.parse(written, [f"lr={RATE_OF_OUTPUT if 'output' in written else RATE_OF_HEAD}"])
        classifier = only_the_tied_matrix(seed) if name == "tied" else method.build(gpt, question, seed)
        fit(method, classifier, train_set, dev[:100], seed, steps=2 if is_fast() else 100)
        score = classifier.accuracy(test)
        base = classifier.model.model if isinstance(classifier.model, Untied) else classifier.model
        moved = (states_elsewhere(base) - before).norm(dim=1) / before.norm(dim=1)
        results[name].append((score, moved.mean().item(), as_asked.accuracy(sentiment)))
rows = []
for name, measured in results.items():
    score, moved, left = (interval(values) for values in zip(*measured, strict=True))
    rows.append([name, f"{score[0]:.3f} [{score[1]:.3f}, {score[2]:.3f}]", f"{moved[0]:.3f}", f"{left[0]:.3f}"])
header = ["trained", "rating [95%]", "other texts moved by", "sentiment afterwards"]
show_table(f"The tied matrix, a copy at the output, and a new head: mean of {SEEDS} draws", header, rows)

# %% [markdown]
# ## What to notice
#
# - **Each block buys accuracy on a task far from the pretraining**: 0.46, 0.70, 0.90. The last norm buys nothing: k = 0
#   is as good as the head alone, and its step costs about twenty times as much, because states can no longer be kept.
# - **Frozen embeddings cost nothing.** k = 2 is ahead of full fine-tuning by 11 points, [-2, 23]: five draws leave it open
#   whether they help. A reason why they might: in 160 reviews many words occur once or never, and full fine-tuning moves
#   the words that it sees away from their synonyms that it does not see. `gradual`, which leaves the embeddings alone for
#   the first third of the steps, is near k = 2. `layerwise`, which slows them to a quarter of the rate, is where full is.
#   (k = 2 also learns at three times the rate of full fine-tuning: each has the rate that suited it best.)
# - **Norms and biases**, at 0.76 and 0.72, do as well as the whole last block with a hundredth and a fiftieth of its
#   numbers, as we had expected. They lie in both blocks, so their step costs more than the last block's. And they want
#   other rates: in the sweep norms were best at a hundred times the rate of full fine-tuning, the highest that we tried,
#   and biases at thirty times (`lessons/results/06-rates-rating.json`).
# - **A step costs what lies above the lowest trained number**, counted in work: see the table of times. The embeddings add
#   less than a tenth.
# - **The two ends of a tied pair.** "Train the output alone" trains the input as well, if the matrix is one: the states of
#   texts that have nothing to do with the task move by 0.9 of their own length, and `sentiment`, which was 1.00 and was
#   not trained on, falls to 0.80. We had expected it to be more accurate on the task, and it is not: 0.47 against the
#   copy's 0.51, with wide intervals. The copy at the output moves nothing else. Who meant to train the last layer has
#   trained the first. And a new head does as well as the copy (0.51): the start at words that mean something is worth
#   nothing here, with 32 examples a class.
#
# ## Common mistakes
#
# - **Freezing after the optimizer was made**, and with weight decay: the optimizer goes on shrinking weights whose
#   gradient is zero (not None). Freeze first, and give the optimizer only what is trained.
# - **Freezing "the head" of a tied model.** The embedding is frozen with it. Or the reverse: the embedding is "frozen",
#   and moves through the output. List what is trainable, by name and number, before each training
#   (`minitune.tuning.trained.trainable_table`).
# - **Choosing layers by a piece of their name.** "layer.1" is in "layer.10" too.
# - **Dropout in the frozen part.** In training mode, the frozen layers still drop: their features change from step to
#   step. Our loop puts parts with nothing to train into eval mode.
# - **Keeping hidden states that are no longer right.** Features can be computed once only if *nothing* below them
#   changes; at k = 0 the last norm does.
# - **One learning rate for all.** Norms want a hundred times the rate of the whole model, biases thirty times, the last
#   block three times. Compared at one rate, whichever it suits wins.
#
# ## Exercises
#
# 1. Train block 1 and not block 2. What do you expect of the time of a step? Measure it.
# 2. Repeat the figure for `sentiment`. From which k on does nothing change any more?
# 3. Freeze a random part: half of the matrices of each block. Is it the number of trained parameters that counts, or
#    their place?
# 4. Use `Method.parse("gradual+head", ["lr=0.001", "share=1"])` and `"layerwise+head", ["lr=0.001", "decay=0.9"]`. Does either
#    matter here?
# 5. Train the tied matrix at a third and at three times the rate. Is there one at which `rating` gains and `sentiment`
#    does not lose?
#
# ## Three questions
#
# **1. Why does a step with all blocks frozen but the first cost nearly as much as full fine-tuning?** The gradient must
# come down to block 1, through everything above. Only the gradients of the weights above are saved, not those of the
# hidden states.
#
# **2. Why can the states of a frozen model be kept, and those below a trained block 2 in principle as well?** Below the
# first trained number nothing changes, so what arrives there is the same at each step. For k = 1 one could keep the
# states after block 1, T times D numbers a text. We do so only where all is frozen: there D numbers a text are enough.
#
# **3. A tied model is fine-tuned with its output frozen. Which numbers are really trained?** All but the matrix, at both
# ends. The words' embeddings are frozen as well, whether one meant it or not.
