# %% [markdown]
# # Lesson 2: a GPT by hand
#
# *Every position asks the ones before it, and together they guess the next token.*
#
# **Before this:** lesson 1, and matrix products, softmax and `nn.Module`. **Reading:** 27 minutes. **Four exercises:**
# 45 minutes. **Running:** 2 minutes on one CPU core.
#
# After this lesson you can
#
# - write a GPT from `nn.Linear` upwards, train it, and load pretrained weights into it,
# - judge its loss against a bigram model and against the best loss that is possible,
# - control what it writes with temperature, top-k and top-p.
#
# ## The problem
#
# A news report of the toy world begins "the young team measured a". What is the next token? Counting helps a little. In
# a large text you look up what follows "a", which is a **bigram** model:

# %%
import random
from collections import Counter

import torch

import minitune
from minitune.course.lessons import is_fast
from minitune.world.entropy import news_and_its_surprise
from minitune.world.world import World

torch.set_num_threads(1)
world, tokenizer = World(seed=0), minitune.load("gpt").tokenizer
ROWS, WINDOW, STEPS = 16, 64, 4 if is_fast() else 300
count = ROWS * WINDOW * STEPS // 26 + 100  # a report has some 28 tokens
reports = [world.news.document(random.Random(f"lesson 2, {i}")) for i in range(count)]


def stream(texts: list[str]) -> torch.Tensor:
    """All texts in one row of tokens, each with the token that ends a text: (N,)."""
    return torch.tensor([i for row in tokenizer.encode_many(texts) for i in [*row, tokenizer.end_id]])


text = stream(reports)  # (N,)
print(reports[0], "\n")
after = Counter(text[1:][text[:-1] == tokenizer.encode("a")[0]].tolist())
for token, times in after.most_common(6):
    print(f"a {tokenizer.decode([token]).strip():12} {times / after.total():.2f}")

# %% [markdown]
# All of these do follow "a", but nobody measures a report or a loan. To do better, a model must look
# further back, and at the right words: "measured" helps, "young" does not. We could count what
# follows *five* tokens, but long runs are rarely seen twice. With **attention**, each position computes from the content
# itself which earlier positions to read. A GPT (Radford et al. 2018) is a stack of such layers.

# %% tags=["hide-input"]
from matplotlib import pyplot as plt

from minitune.course.drawing import arrow, box, canvas, legend
from minitune.course.lessons import show

figure, axes = canvas(17.0, 11.6)
for place, word in enumerate(("the", "soup", "was")):
    box(axes, 0.6 + 1.6 * place, 0.1, 1.5, 0.8, word, "text")
arrow(axes, (2.95, 0.9), (2.95, 1.65))
box(axes, 0.4, 1.7, 5.1, 1.0, "token vector + position vector", "learned")
for low, name in ((3.5, "block 1"), (5.3, "block 2")):
    arrow(axes, (2.95, low - 0.8), (2.95, low - 0.05))
    box(axes, 0.4, low, 5.1, 1.0, name, "learned")
arrow(axes, (2.95, 6.3), (2.95, 7.05))
box(axes, 0.4, 7.1, 5.1, 1.0, "LayerNorm", "learned")
arrow(axes, (2.95, 8.1), (2.95, 8.85))
box(axes, 0.4, 8.9, 5.1, 1.0, "product with every token's vector", "learned")
for place, word in enumerate(("soup", "was", "cold")):
    box(axes, 0.6 + 1.6 * place, 10.7, 1.5, 0.8, word, "read")
arrow(axes, (2.95, 9.9), (2.95, 10.65))
axes.plot([5.5, 7.4], [6.3, 10.5], color="#999999", linewidth=0.8, linestyle=":")
axes.plot([5.5, 7.4], [5.3, 0.8], color="#999999", linewidth=0.8, linestyle=":")
axes.text(7.7, 10.9, "one block", fontsize=10)
STREAM = 9.0
arrow(axes, (STREAM, 0.4), (STREAM, 10.5))
axes.text(STREAM - 0.2, 1.0, "x", ha="right", fontsize=10)
for low, layers in ((1.2, ("LayerNorm", "attention")), (5.7, ("LayerNorm", "up, GELU, down"))):
    axes.plot([STREAM, 13.0], [low, low], color="#444444", linewidth=1.0)
    arrow(axes, (13.0, low), (13.0, low + 0.5))
    box(axes, 11.0, low + 0.55, 4.0, 0.8, layers[0], "learned")
    arrow(axes, (13.0, low + 1.35), (13.0, low + 1.85))
    box(axes, 11.0, low + 1.9, 4.0, 0.8, layers[1], "learned")
    axes.plot([13.0, 13.0], [low + 2.7, low + 3.3], color="#444444", linewidth=1.0)
    arrow(axes, (13.0, low + 3.3), (STREAM + 0.35, low + 3.3))
    axes.text(
        STREAM, low + 3.3, "+", ha="center", va="center", fontsize=12, bbox={"boxstyle": "circle", "facecolor": "white"}
    )
axes.text(15.2, 3.5, "the only place\nwhere positions\nmeet", fontsize=8, va="center")
axes.text(15.2, 8.0, "each position\nalone", fontsize=8, va="center")
legend(axes, 9.6, 11.0, ("text", "learned", "read"))
show(figure, "02-idea.png")

# %% [markdown]
# ![Left: the whole GPT, from tokens to predicted tokens. Right: one block](figures/02-idea.png)
#
# *Left, the model: every position predicts the token that comes next, all at the same time. Right, a block: attention and a
# small network each add something to the vector $x$ of a position.*
#
# ## Attention
#
# Each position computes three vectors of length $d$: a **query** $q$, what it looks for; a **key** $k$, by which others find
# it; and a **value** $v$, what it gives them. A position takes a weighted mean of values. The better a key fits its query, the
# larger the weight:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# The products of random vectors of length $d$ spread like $\sqrt d$; the division keeps the softmax from starting
# out nearly one-hot, where gradients vanish. A position must not see the token that it is to predict, so the
# **causal mask** sets the scores of all later positions to $-\infty$ before the softmax.
#
# **By hand.** Three positions, $d = 4$. The third query is $(2 \ln 2, 0, 0, 0)$; the keys are $(0, 0, 0, 0)$,
# $(1, 0, 0, 0)$ and $(2, 0, 0, 0)$. The values have one entry: 10, 20, 30. What does the third position take?
#
# <details><summary>Result</summary>
#
# The products are $0$, $2 \ln 2$ and $4 \ln 2$; divided by $\sqrt 4$ they are $0$, $\ln 2$ and $2 \ln 2$. The weights are as
# $1 : 2 : 4$, and $(10 + 2 \cdot 20 + 4 \cdot 30) / 7 = 170 / 7$.
#
# </details>

# %% tags=["imports"]
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown]
# ## Write it yourself
#
# **Exercise 02.1 (8 minutes).** Write both functions for tensors of any number of leading dimensions; you will soon
# have a batch and several heads. The difficult part is the mask: which entries of a $(T, T)$ matrix are in the
# future of their row?


# %% tags=["exercise"]
def attention_weights(query: Tensor, key: Tensor) -> Tensor:
    """How much each position takes from each position, itself and earlier ones: (..., T, d) twice -> (..., T, T).

    Row t holds the weights that position t gives. Each row sums to 1.
    """
    # your turn
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (..., T, T)
    future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(diagonal=1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The weighted mean of the values: (..., T, d) three times -> (..., T, d)."""
    # your turn
    return attention_weights(query, key) @ value


# %%
query, key = torch.zeros(3, 4), torch.zeros(3, 4)
query[2, 0], key[:, 0] = 2 * math.log(2), torch.arange(3)
value = torch.tensor([[10.0], [20.0], [30.0]])
taken = attention(query, key, value)
print(attention_weights(query, key))
print(taken[:, 0], "170 / 7 =", 170 / 7)
assert taken[0] == 10, "the first position sees only itself: does your mask hide what comes later?"
assert torch.allclose(taken[2], torch.tensor(170 / 7)), "by hand it was 170 / 7"
print("02.1 is right")

# %% [markdown]
# ## All heads, and the block
#
# One attention gives one mean per position. **Heads** allow several: the width $D$ is cut into $H$ parts of
# $d = D / H$, and each part attends by itself. Four linear layers do it: `query`, `key` and `value` make the vectors, and
# `output` mixes what the heads took.
#
# The feed-forward part widens each vector, applies GELU, and narrows it again. GPT-2 uses the tanh approximation,
# `F.gelu(x, approximate="tanh")`; BERT's is the exact one. Both parts read a *normalized* copy of $x$ and add to $x$
# itself (**pre-LN**):
#
# $$a = x + \text{attention}(\text{LN}(x)) \qquad y = a + W_\text{down}\, \text{gelu}(W_\text{up}\, \text{LN}(a))$$
#
# **Exercise 02.2 (15 minutes).** Write the three modules. Use the names given in the docstrings: the shipped weights must
# find their places. The difficult part is the reshaping: $(B, T, D)$ becomes $(B, H, T, d)$ and back, and `view` alone cannot
# do it.


# %% tags=["exercise"]
class SelfAttention(nn.Module):
    """All heads at once: (B, T, D) -> (B, T, D). Layers: `query`, `key`, `value`, `output`, each D to D."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        # your turn
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """Head h gets the h-th part of each vector: (B, T, D) -> (B, H, T, D/H)."""
        # your turn
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, T, H, d) -> (B, H, T, d)

    def forward(self, x: Tensor) -> Tensor:
        # your turn
        mixed = attention(self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x)))
        return self.output(mixed.transpose(1, 2).flatten(2))  # (B, H, T, d) -> (B, T, H, d) -> (B, T, D)


class FeedForward(nn.Module):
    """(B, T, D) -> (B, T, D). Layers: `up` (D to inner) and `down` (inner to D), with tanh GELU between."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        # your turn
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        # your turn
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Block(nn.Module):
    """Pre-LN: (B, T, D) -> (B, T, D). Parts: `attention_norm`, `attention`, `mlp_norm`, `mlp`."""

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        # your turn
        self.attention_norm, self.attention = nn.LayerNorm(width), SelfAttention(width, heads)
        self.mlp_norm, self.mlp = nn.LayerNorm(width), FeedForward(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        # your turn
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


# %%
torch.manual_seed(0)
block, x = Block(width=12, heads=3, inner=20), torch.randn(2, 5, 12)
changed = x.clone()
changed[:, 3] += 1
moved = (block(changed) - block(x)).abs().amax(dim=(0, 2)) > 0
print("the fourth position was changed; outputs that move:", moved.tolist())
assert moved.tolist() == [False, False, False, True, True], "position 3 may move itself and later positions only"
print("02.2 is right")

# %% [markdown]
# ## The model and its loss
#
# Attention does not know the order of what it reads, so a learned vector of the *position* is added to each token's vector. The
# output needs one score per token of the vocabulary. GPT-2 has no layer for it: it multiplies with the token embeddings again.
# Such an output is **tied** to the input.
#
# The loss is the mean of $-\ln p(\text{next token})$, in **nats**, over all positions that have a next token.
#
# **Exercise 02.3 (12 minutes).** Write the model and the loss. The difficult part is which score is compared
# with which token.


# %% tags=["exercise"]
class GPT(nn.Module):
    """Token ids (B, T) -> scores of every token as the next one (B, T, V).

    Parts: `token_embedding` (V, D), `position_embedding` (context, D), `blocks` (an nn.ModuleList), and the last
    LayerNorm, `norm`. Positions count from 0.
    """

    def __init__(
        self, vocab_size: int, context: int = 128, width: int = 128, heads: int = 4, inner: int = 512, layers: int = 2
    ):
        super().__init__()
        # your turn
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.position_embedding = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        # your turn
        positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)
        x = self.token_embedding(ids) + self.position_embedding(positions)  # (B, T, D) + (T, D)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.token_embedding.weight.T  # (B, T, D) @ (D, V)


def next_token_loss(scores: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy of each next token: scores (B, T, V), ids (B, T) -> ()."""
    # your turn
    return F.cross_entropy(scores[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


# %%
from minitune.models.common import draw_weights

torch.manual_seed(0)
model = GPT(len(tokenizer))
draw_weights(model, spread=0.05)  # weights from N(0, 0.05), biases 0
batch = text[: 16 * 64].view(16, 64)
first = next_token_loss(model(batch), batch).item()
print(
    f"untrained, the loss is {first:.2f}; guessing evenly among {len(tokenizer)} tokens: {math.log(len(tokenizer)):.2f}"
)
assert abs(first - math.log(len(tokenizer))) < 0.5, "an untrained GPT should be about as good as an even guess"
print("02.3 is right")

# %% [markdown]
# ## Train it
#
# The rest is a loop: rows of 64 tokens, AdamW, a rate that rises for 50 steps and then falls to zero. No row is
# used twice, so each step's loss is measured on unseen text. To write, the model draws a token from its
# probabilities, appends it, and repeats.


# %%
@torch.no_grad()
def write(model, text: str, probabilities=lambda scores: scores.softmax(dim=-1), count: int = 40, seed: int = 0) -> str:
    """Continue `text` by `count` tokens, or up to the end of a text."""
    generator, ids = torch.Generator().manual_seed(seed), tokenizer.encode(text)
    while count > 0 and ids[-1] != tokenizer.end_id:
        scores = model(torch.tensor([ids]))[0, -1]  # (V,), of the last position
        ids.append(torch.multinomial(probabilities(scores), 1, generator=generator).item())
        count -= 1
    return tokenizer.decode([i for i in ids if i != tokenizer.end_id])


def train(model: nn.Module, loss_of=next_token_loss) -> list[float]:
    """The loss of each step."""
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=3e-3), []
    for step, batch in enumerate(text[: STEPS * ROWS * WINDOW].view(STEPS, ROWS, WINDOW)):
        optimizer.param_groups[0]["lr"] = 3e-3 * min((step + 1) / 50, 1 - step / STEPS)
        loss = loss_of(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


print("before:", write(model, "the young team", count=12))
losses = train(model)
print("after: ", write(model, "the young team"))

# %% [markdown]
# How low can the loss go? Not to zero: the grammar draws at random, and no model can foresee a draw. The mean
# of $-\ln p$ over the grammar's own choices is its **entropy**, which we know because a program writes our news.
#
# > **Guess before you look.** Is a minute of training enough to beat bigram counts from the same text? To reach the entropy?

# %%
fresh = news_and_its_surprise(world, 60 if is_fast() else 600)  # (report, -ln p of the grammar's choices)
held = stream([report for report, _ in fresh])
held = torch.cat([held[-1:], held])  # the first report, too, comes after another one's end
counts = torch.full((len(tokenizer), len(tokenizer)), 1e-4)  # (V, V); a little for pairs that never occurred
counts.index_put_((text[:-1], text[1:]), torch.ones(len(text) - 1), accumulate=True)
bigram = (counts / counts.sum(dim=1, keepdim=True)).log()  # (V, V)
frequency = (counts.sum(dim=0) / counts.sum()).log()  # (V,)
windows = held[: len(held) // WINDOW * WINDOW].view(-1, WINDOW)  # (W, 64)


@torch.no_grad()
def loss_by_place(model) -> Tensor:
    """The loss of guessing the token at each place of a window but the first: (63,)."""
    surprise = -model(windows)[:, :-1].log_softmax(dim=-1).gather(2, windows[:, 1:, None])  # (W, 63, 1)
    return surprise.mean(dim=(0, 2))


by_place = loss_by_place(model)
baselines = {
    "guessing evenly": math.log(len(tokenizer)),
    "how often each token occurs": -frequency[held[1:]].mean().item(),
    "bigram counts": -bigram[held[:-1], held[1:]].mean().item(),
    "the grammar's entropy": sum(surprise for _, surprise in fresh) / (len(held) - 1),
}
for name, loss in {**baselines, "your GPT": by_place.mean().item()}.items():
    print(f"{name:30} {loss:.2f} nats per token")
print(f"your GPT after 1 token         {by_place[0]:.2f}, and after 32 tokens or more {by_place[31:].mean():.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8.2, 3.8), layout="constrained")
axes.plot(range(1, len(losses) + 1), losses, color="tab:blue", label="your GPT, on unseen text")
for (name, loss), style in zip(list(baselines.items())[1:], (":", "--", "-"), strict=True):
    axes.axhline(loss, color="black", linestyle=style, linewidth=1.2, label=name)
axes.set(xlabel="training step (1,024 tokens each)", ylabel="loss, nats per token", ylim=(0, 8))
axes.legend(frameon=False, loc="upper right")
show(figure, "02-loss.png")

# %% [markdown]
# ![The loss falls below the bigram model's within a hundred steps and comes near the entropy](figures/02-loss.png)
#
# The curve crosses one baseline after the other. Below the bigram line the model must be using attention, since without it
# each position knows only its own token and place. With a single token to look at, your GPT is about as good as the
# counts; with 32 or more it comes close to the entropy.
#
# ## Load the shipped weights
#
# The shipped GPT had 8,000 steps on all five kinds of documents. Your classes have its parameters' names:

# %%
shipped = minitune.load("gpt")
model = GPT(len(tokenizer))
model.load_state_dict(shipped.model.state_dict())
ids = torch.tensor([tokenizer.encode("the soup was fresh and the waiter was charming . it was")])
with torch.no_grad():
    scores, theirs = model(ids), shipped.model.logits(shipped.model(ids).hidden)
print(f"largest difference from the package's scores: {(scores - theirs).abs().max():.0e}")
assert torch.allclose(scores, theirs, atol=1e-4), "the package computes other scores from the same weights"
for p, i in zip(*scores[0, -1].softmax(dim=-1).topk(5), strict=True):
    print(f"... it was{tokenizer.decode([i.item()]).strip():>12} {p:.3f}")

# %% [markdown]
# Nothing trained it to classify, yet after a good review it predicts good words. Lesson 7 makes a method of this.
#
# ## Choosing the next token
#
# **Greedy** decoding takes the most likely token every time. Drawing from all tokens varies more, but many small probabilities
# add up, and one bad token spoils what follows. Three controls lie between:
#
# - **temperature** $\tau$: divide the scores by $\tau$ before the softmax; below 1, likely tokens become likelier;
# - **top-k**: keep the $k$ most likely tokens;
# - **top-p**, or nucleus: keep the fewest most likely tokens that together have at least the probability $p$.
#
# **Exercise 02.4 (10 minutes).** Turn scores into the probabilities to draw from. The order is temperature, then top-k, then
# top-p, on what is left. The difficult part is the token that takes the sum past $p$: it is kept.


# %% tags=["exercise"]
def probabilities(
    scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """What the next token is drawn from: scores (V,) -> probabilities (V,), which sum to 1.

    Temperature 0 is greedy: the most likely token has all the probability.
    """
    # your turn
    if temperature == 0:
        return F.one_hot(scores.argmax(), len(scores)).to(scores.dtype)
    ranked, order = (scores / temperature).sort(descending=True)  # (V,)
    if top_k is not None:
        ranked[top_k:] = -torch.inf
    p = ranked.softmax(dim=-1)
    if top_p is not None:
        before = p.cumsum(dim=-1) - p  # the probability of all tokens that are likelier
        p = p.masked_fill((before >= top_p) & (torch.arange(len(p), device=p.device) > 0), 0.0)
    return torch.zeros_like(p).scatter(0, order, p / p.sum())


# %%
known = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
print(probabilities(known, top_p=0.6), "<- 0.5 is not enough, so 0.25 comes in")
assert torch.allclose(probabilities(known, top_p=0.6), torch.tensor([0, 2 / 3, 0, 1 / 3])), "top_p=0.6 keeps two tokens"
assert probabilities(known, temperature=0)[1] == 1, "greedy gives all the probability to the most likely token"
print("02.4 is right\n")
for settings in ({"temperature": 0}, {"temperature": 0.7}, {}, {"top_p": 0.9}, {"top_k": 5}, {"temperature": 2.0}):
    print(
        settings, "\n   ", write(model, "the hotel was", lambda scores, s=settings: probabilities(scores, **s), seed=3)
    )

# %% [markdown]
# At temperature 2 the same model's text falls apart.
#
# ## What it costs
#
# A forward pass takes about two operations per weight and token, a training step three times that. Attention adds products of
# queries and keys, whose number grows with the *square* of the length. Your `write` reads everything again for each token; in
# practice the keys and values of earlier positions are kept in a **key/value cache**.

# %% tags=["hide-input"]
parts = {"token embedding": model.token_embedding, "positions": model.position_embedding, "blocks": model.blocks}
for name, part in parts.items():
    print(f"{name:16} {sum(p.numel() for p in part.parameters()):9,} parameters")
print(f"{'all':16} {sum(p.numel() for p in model.parameters()):9,}")
print(
    f"cache, ours:               {2 * 2 * 128 * 4 / 1000:.0f} KB per token (layers x keys and values x width x 4 bytes)"
)
print(f"cache, Llama 2 7B:         {32 * 2 * 4096 * 2 / 1e6:.1f} MB per token in 16 bits")
print(f"cache of 4,096 tokens:     {32 * 2 * 4096 * 2 * 4096 / 1e9:.1f} GB, beside {2 * 6.74:.1f} GB of weights")

# %% [markdown]
# ## Can you read the model from its heads?
#
# Here are three of the eight heads of the shipped model, computed by *your* `attention_weights`.

# %%
sentence = "the plot was dull but the cast was charming . it was"
ids = torch.tensor([tokenizer.encode(sentence)])
words = [word.strip("_") for word in tokenizer.tokens(ids[0])]
seen, x = [], model.token_embedding(ids) + model.position_embedding.weight[: len(words)]
with torch.no_grad():
    for block in model.blocks:
        part, normed = block.attention, block.attention_norm(x)
        seen.append(attention_weights(part.split(part.query(normed)), part.split(part.key(normed)))[0])  # (H, T, T)
        x = block(x)

# %% tags=["hide-input"]
figure, grid = plt.subplots(1, 3, figsize=(11.5, 4.4), layout="constrained", sharey=True)
for axis, (layer, head) in zip(grid, ((1, 3), (2, 1), (2, 3)), strict=True):
    image = axis.imshow(seen[layer - 1][head - 1], cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(words)), words, rotation=90)
    axis.set_yticks(range(len(words)), words)
    axis.set(title=f"layer {layer}, head {head}", xlabel="the word looked at")
grid[0].set_ylabel("the word that looks")
figure.colorbar(image, ax=grid, label="attention weight", shrink=0.8)
show(figure, "02-heads.png")

# %% [markdown]
# ![Attention weights of three heads on one sentence](figures/02-heads.png)
#
# *Each row sums to 1. The upper right is empty: that is the causal mask.*
#
# In layer 1, head 3, the full stop looks at the adjective before it. In layer 2, head 1, the last word looks at the full
# stop. In layer 2, head 3, most of the second clause looks back at the "but". Which of them does the model need for its verdict,
# the prediction after "it was"? We remove one head at a time, by setting its columns of `output` to zero, and compare the
# scores of "great" and "terrible" on test reviews with a "but", and on as many without.
#
# > **Guess before you look.** Which of the eight removals hurts the "but" reviews most?

# %%
import copy

from minitune.world.tasks import load_split

rows = load_split("sentiment", "test")
with_but = [row for row in rows if " but " in row["text"]][: 10 if is_fast() else None]
without = [row for row in rows if " but " not in row["text"]][: len(with_but)]
good, bad = tokenizer.word_id("great"), tokenizer.word_id("terrible")


@torch.no_grad()
def verdicts(model, rows: list[dict]) -> float:
    """The share of reviews whose label the model finds."""
    found = 0
    for row in rows:
        scores = model(torch.tensor([tokenizer.encode(row["text"] + " it was")]))[0, -1]
        found += (scores[good] > scores[bad]).item() == (row["label"] == "positive")
    return found / len(rows)


def without_head(model: GPT, layer: int, head: int) -> GPT:
    model = copy.deepcopy(model)
    model.blocks[layer].attention.output.weight.data[:, 32 * head : 32 * (head + 1)] = (
        0  # (D, D): its part of the input
    )
    return model


print(f"accuracy on {len(with_but)} reviews each        with 'but'  without")
commoner = [
    max(share, 1 - share)
    for share in (sum(row["label"] == "positive" for row in of) / len(of) for of in (with_but, without))
]
print(f"{'always the commoner label':32} {commoner[0]:8.2f}   {commoner[1]:8.2f}")
print(f"{'all heads':32} {verdicts(model, with_but):8.2f}   {verdicts(model, without):8.2f}")
for layer in range(2):
    for head in range(4):
        one_less = without_head(model, layer, head)
        name = f"without layer {layer + 1}, head {head + 1}"
        print(f"{name:32} {verdicts(one_less, with_but):8.2f}   {verdicts(one_less, without):8.2f}")

# %% [markdown]
# Two removals do most of the damage, and the two heads form a path: in layer 1 the full stop takes from the adjective, and in
# layer 2 the last word reads the full stop. The head that looks at "but" can go, although "but" turns the review around. Perhaps the model needs no "but"
# here, because the clause that decides usually comes last. A picture of attention shows where a head looks, not
# what the prediction depends on. Start reading at the position of the prediction, and test what you read by removal.
#
# > **At scale.** GPT-2 has 12 to 48 such blocks, 768 to 1,600 wide; GPT-3 has 96 and 175 billion parameters. The entropy of real
# > text is not known. Hoffmann et al. (2022) fit a limit of 1.69 nats per token to many training runs, for their data and
# > tokenizer. Today's models keep the block and change its parts: rotary positions, RMSNorm,
# > gated feed-forward layers, and keys and values shared among heads.
#
# ## In practice
#
# You will not write attention again: `F.scaled_dot_product_attention(q, k, v, is_causal=True)` computes yours without
# ever storing the $(T, T)$ weights. With the library `transformers`:
#
# ```python
# from transformers import AutoModelForCausalLM, AutoTokenizer
#
# tokenizer = AutoTokenizer.from_pretrained("gpt2")
# model = AutoModelForCausalLM.from_pretrained("gpt2")
# inputs = tokenizer("The hotel was", return_tensors="pt")
# loss = model(**inputs, labels=inputs["input_ids"]).loss  # shifted inside: do not shift the labels yourself
# out = model.generate(**inputs, max_new_tokens=30, do_sample=True, temperature=0.8, top_p=0.9)
# ```
#
# And with minitune: `minitune generate gpt "the hotel was" --temperature 0.8 --top-p 0.9`. Its
# `minitune/models/gpt.py` and `generate.py` add padding, a cache and prefixes. For answers of one right form, start with
# greedy decoding; for varied text, with top-p near 0.9.
#
# ## Common mistakes
#
# Each row is one run of 150 steps ([more/02_mistakes.py](more/02_mistakes.py)); without a mistake it ends at 1.61, so small
# differences mean nothing.
#
# | mistake | what you see |
# |---|---|
# | no causal mask | no error, and a loss as good as the right one, 1.59; what it writes is "here is also is is also" |
# | the loss not shifted | the loss falls to 0.02; it writes "team team team team" |
# | `view` in place of a transposition | it learns, but worse: 1.92; half-right sentences |
# | no residual around attention | the loss stays at 4.13, where counting single tokens is |
# | no division by $\sqrt d$ | it learns, but more slowly: 1.80 |
# | no position vectors | a little worse here: 1.70 |
#
# ## Check yourself
#
# 1. A model has width 768 and 12 heads. What is $d$, and by what are the scores divided?
# 2. Your training loss is 0.3 nats below the entropy of the text. Name two possible causes.
# 3. Scores give the probabilities 0.5, 0.3, 0.15, 0.05. What is drawn from, and with which probabilities, with top-k 3 and
#    then top-p 0.8?
# 4. Why does a GPT without position vectors still know something about order?
#
# [Answers](answers/02_a_gpt_by_hand.md), with reasons.
#
# **More:** [the shipped model's loss, its heads on average, and the cache](more/02_further.py).
#
# ## In one paragraph
#
# A GPT adds a token's vector and its position's, lets attention and feed-forward layers add to the sum, and compares
# the result with every token's vector. The causal mask lets all positions learn at once to predict their next token. The
# loss of a good one lies between that of bigram counts and the entropy. Temperature, top-k and top-p decide how freely it writes.
# **Next:** [lesson 3](03_a_bert_by_hand.py) takes the mask away and hides tokens instead.
