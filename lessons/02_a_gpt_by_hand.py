# %% [markdown]
# # Lesson 2: a GPT by hand
#
# **You need** lesson 1, matrix products and softmax. **To read:** 25 minutes. **To run:** about 30 seconds on two CPU
# cores.
#
# A GPT reads a text from left to right and says, at every position, how likely each token is to come next. That is all
# it is trained for. This lesson takes it apart: attention on numbers that you can check by eye, what the heads of the
# shipped model look at, how far its loss is from the best possible one, and how it writes.
#
# **Expected:** a cached and an uncached generation are equal; the head that cares most for the token just before gives it
# 0.4 to 0.5 of its attention; on news the shipped GPT's loss is above the grammar's entropy, by 0.05 to 0.12 nats a token.

# %%
import math

import torch
from matplotlib import pyplot as plt

import minitune
from minitune.course.lessons import is_fast, show, show_table
from minitune.models import generate
from minitune.models.attention import attention, attention_weights, fused_attention, visible_keys
from minitune.predictors.probes import news_loss
from minitune.world.entropy import news_and_its_surprise
from minitune.world.world import World

# %% [markdown]
# ## Attention, by hand
#
# Every position asks a question (its *query* $q$), offers a label to be found by (its *key* $k$) and something to take
# away (its *value* $v$). A position takes a mixture of all values, and the better a key fits its query, the more of
# that value:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# Take three positions and $d = 1$. The third position's query is $\ln 2$, the keys are 0, 1, 2, and the values 10, 20,
# 30. Its scores are $0, \ln 2, 2 \ln 2$, so the weights stand as 1 : 2 : 4, and it takes
# $(1 \cdot 10 + 2 \cdot 20 + 4 \cdot 30) / 7 = 170 / 7 = 24.29$.

# %%
query = torch.tensor([0.0, 0.0, math.log(2)]).view(1, 1, 3, 1)  # (B, H, T, D/H)
key = torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 3, 1)
value = torch.tensor([10.0, 20.0, 30.0]).view(1, 1, 3, 1)
print("weights", attention_weights(query, key)[0, 0, 2].tolist())
print("taken  ", attention(query, key, value)[0, 0, 2].item(), "=", 170 / 7)

# %% [markdown]
# The first position sees all three as well, and that is forbidden: GPT shall guess the next token, not copy it. A
# **causal mask** hides what comes later. Position 1 then sees itself alone, position 2 the first two.

# %%
visible = visible_keys(None, queries=3, past=0, causal=True, device=torch.device("cpu"))
print(visible.int())
print(attention(query, key, value, visible)[0, 0, :, 0].tolist(), "  <- 10, then the mean of 10 and 20, then 24.29")
print(
    "PyTorch's fused kernel agrees:",
    torch.allclose(attention(query, key, value, visible), fused_attention(query, key, value, visible)),
)

# %% [markdown]
# ## The whole model
#
# `minitune/models/gpt.py` is short; open it beside this lesson. A token's embedding and its position's are added. Each
# of two blocks adds what attention found and what a small feed-forward net made of it. At the end the same embedding
# matrix turns hidden states into scores for every token: the output is *tied* to the input.

# %%
gpt = minitune.load("gpt")
model, tokenizer = gpt.model, gpt.tokenizer
print(model.config)
print(
    f"{sum(p.numel() for p in model.parameters()):,} parameters, of which the embedding has {model.token_embedding.weight.numel():,}"
)

text = "the soup was fresh and the waiter was charming . it was"
ids = torch.tensor([tokenizer.encode(text)])  # (1, T)
with torch.no_grad():
    output = model(ids)
    next_word = model.logits(output.hidden[0, -1]).softmax(dim=-1)  # (V,)
best = next_word.topk(8)
show_table(
    f"The likeliest words after: {text}",
    ["next", "probability"],
    [[tokenizer.tokens([i])[0], f"{p:.3f}"] for p, i in zip(best.values, best.indices, strict=True)],
)

# %% [markdown]
# ## What the heads look at
#
# Queries and keys are outputs of linear layers called `query` and `key`; a hook reads them as they pass. Each picture
# is one head: a row is a position that asks, a column one that is asked, dark means much attention.


# %%
def head_weights(model, ids):
    """The attention weights of every layer: a list of (H, T, T)."""
    seen = {}
    hooks = [
        getattr(block.attention, name).register_forward_hook(lambda _, __, y, k=(i, name): seen.update({k: y}))
        for i, block in enumerate(model.blocks)
        for name in ("query", "key")
    ]
    with torch.no_grad():
        model(ids)
    for hook in hooks:
        hook.remove()
    visible = visible_keys(None, ids.shape[1], 0, causal=model.kind == "gpt", device=ids.device)
    split = model.blocks[0].attention.split
    return [
        attention_weights(split(seen[i, "query"]), split(seen[i, "key"]), visible)[0] for i in range(len(model.blocks))
    ]


text = "the plot was dull but the cast was charming . it was"
ids = torch.tensor([tokenizer.encode(text)])
words = tokenizer.tokens(ids[0])
layers = head_weights(model, ids)
heads = layers[0].shape[0]
figure, grid = plt.subplots(len(layers), heads, figsize=(3.3 * heads, 3.5 * len(layers)), layout="constrained")
for layer, weights in enumerate(layers):
    for head in range(heads):
        axes = grid[layer][head]
        axes.imshow(weights[head], cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
        axes.set_yticks(range(len(words)), words if head == 0 else [], fontsize=7)
        axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
show(figure, "02-heads.png")
before = torch.stack([weights.diagonal(offset=-1, dim1=1, dim2=2).mean(dim=1) for weights in layers])  # (L, H)
print("mean weight on the token just before, by layer (rows) and head:\n", before.numpy().round(2))
first = torch.stack([weights[:, 3:, 0].mean(dim=1) for weights in layers])  # (L, H)
print("mean weight on the very first token, from the fourth on:\n", first.numpy().round(2))
but, looks = words.index("_but"), layers[1][2]  # (T, T)
show_table(
    'Layer 2, head 3: how much each word gives to "but", and to all that stood before it',
    ["word that looks", 'on "but"', "on what stood before"],
    [[words[at], f"{looks[at, but]:.2f}", f"{looks[at, :but].sum():.2f}"] for at in range(but, len(words))],
)
print(
    f'layer 1, head 3: the full stop gives {layers[0][2][words.index("_."), words.index("_charming")]:.2f} to "charming"'
)

# %% [markdown]
# ![What the heads look at](figures/02-heads.png)
#
# Look at layer 2, head 3. The "but" itself and the "the" after it still look back at the dull plot. From "cast" on, what
# stood before the "but" gets 0.16 and less, and the "but" gets much: 0.70 from "was", 0.41 from "charming". In layer 1,
# head 3, the full stop gives 0.81 to the adjective before it. Nobody told the model that a "but" turns a review round.
# (This is one sentence and two heads of eight, picked because one can read them. Most heads look at several things at
# once, and nobody can say in a word what for.)
#
# The dark cell at the top left of every picture says nothing: the first word sees only itself, so the mask forces a weight
# of 1. In large models some heads also send later words to the first token when they have nothing to look for. Ours has no
# such head: from the fourth word on, the first token gets at most 0.24 on average.
#
# ## How good can a model get?
#
# The loss is the mean of $-\ln p(\text{next token})$. It cannot go to zero: when the grammar throws a die, nobody can
# foresee the throw. What remains at best is the grammar's own **entropy**, the mean of $-\ln p$ of the choices that it
# makes. For news we can have it exactly enough, because nearly every report can be written in one way only: we let the
# grammar write, and note the probability of every choice on the way.

# %%
COUNT = 40 if is_fast() else 600
reports = news_and_its_surprise(World(seed=0), COUNT)  # (text, -ln p of its choices)
loss, entropy = news_loss(gpt, reports)
print(f"the grammar's entropy on news: {entropy:.3f} nats a token")
print(f"the shipped GPT's loss there:  {loss:.3f} nats a token")
print(f"guessing evenly would cost:    {math.log(len(tokenizer)):.3f}")
tokens = sum(len(tokenizer.encode(text)) + 1 for text, _ in reports) / COUNT  # with the token that ends a text
kind = -math.log(0.15) / tokens
print(f"{tokens:.1f} tokens a report; to tell that it is news costs {-math.log(0.15):.2f} nats, {kind:.3f} a token")
print(f"what is left of the gap: {loss - entropy - kind:+.3f}")

# %% [markdown]
# The model must also find out that it is reading news at all, which the grammar knows beforehand. Of all documents 15%
# are news, so this is worth $-\ln 0.15 = 1.9$ nats a report, 0.07 a token. The rest of the gap, 0.01, is what the model
# has not learned, give or take the luck of 600 reports.
#
# ## Writing
#
# To write, sample the next token, append it, repeat. *Greedy* takes the likeliest token. *Temperature* divides the
# scores by a number: below 1 the model keeps closer to what is likely, above 1 it dares more of what is not. *Top-p*
# drops the unlikely tail: it samples among the likeliest tokens that together have the probability p.

# %%
prompt = tokenizer.encode("the hotel was")
for settings in ({"temperature": 0.0}, {"temperature": 0.8}, {"temperature": 0.8, "top_p": 0.9}, {"temperature": 2.0}):
    written = generate(model, [prompt], 30, stop_id=tokenizer.end_id, seed=3, **settings)[0]
    print(settings, "\n   ", tokenizer.decode(prompt + written))

# %% [markdown]
# At temperature 2 the text falls apart: too much of the probability goes to the hundreds of tokens that each were nearly
# impossible.
#
# While it writes, a model needs the keys and values of everything before. They do not change, so they are kept: the
# **key/value cache**. The result is the same, and the work for one more token is one position instead of all.

# %%
prompts = [tokenizer.encode(text) for text in ("the hotel was", "mira was born in", "yesterday")]
with_cache = generate(model, prompts, 20)
print("same without the cache:", with_cache == generate(model, prompts, 20, use_cache=False))
print("same one by one:       ", with_cache == [generate(model, [p], 20)[0] for p in prompts])

# %% [markdown]
# ## What to notice
#
# - The blank in "it was ___" is filled with *good* words after a good review: of the eight likeliest next tokens five
#   praise, none condemns. Nobody trained a classifier here.
# - The keys and values that a model keeps are its whole memory of the text. Later a method will learn keys and values
#   that belong to no text at all: prefix tuning.
#
# ## Common mistakes
#
# - **Padding that is seen.** A batch of unequal prompts needs a mask, and positions that do not count the padding. With
#   either missing, a batch gives other answers than each prompt alone.
# - **A mask as wide as the new tokens only.** With a past of P positions the mask is P + T wide.
# - **The loss shifted by one too many.** The hidden state at position t guesses token t + 1, not t.
#
# ## Exercises
#
# 1. Replace `causal=True` by `False` in `visible_keys` for a copy of the model. What does the loss on news become, and
#    why is that no success?
# 2. Write five sentences with a "but". Does head 3 of layer 2 look at it in each? Does it look at "yet" as well?
# 3. Implement beam search with `past_key_values`.
#
# ## Three questions
#
# **1. Why divide by $\sqrt{d}$?** A sum of d products of unit spread has spread $\sqrt{d}$; without the division softmax
# would start out nearly one-hot, and gradients would vanish.
#
# **2. A row of the mask hides everything. What should attention give?** Softmax of nothing is 0/0. We define it as zero,
# and so does PyTorch's kernel; NaN would spread to the whole model.
#
# **3. Could the loss fall below the entropy?** On text that it was trained on, yes: it can remember throws of the die.
# On new text, only by luck on a small sample.
