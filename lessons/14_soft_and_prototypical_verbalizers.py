# %% [markdown]
# # Lesson 14: soft and prototypical verbalizers
#
# *A class need not be a word.*
#
# **You need** lesson 6; lesson 4 helps. **Reading** 25 minutes. **Running** 1 minute on one CPU core.
#
# When you have finished, you can
#
# - write a verbalizer whose classes are vectors, start it from words, and train it in a dozen lines (WARP),
# - write both losses of a prototypical verbalizer and say what each of them pulls together (ProtoVerb),
# - say from the number of examples that you have whether words, vectors or prototypes are worth trying.
#
# ## The problem
#
# In lesson 6 two words stood for two classes, and a frozen model answered right. Now let reviews have one to five
# stars. For five classes we need five words, so somebody wrote down *terrible*, *bad*, *moderate*, *good* and *great*. Let us
# see what our GPT thinks of them.

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn import functional as F

import minitune
from minitune.course.drawing import arrow, box, canvas, legend, tokens
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.data.examples import draw
from minitune.report import interval

gpt = minitune.load("gpt")
model, tokenizer = gpt.model.requires_grad_(False), gpt.tokenizer
data, question = minitune.task("rating").for_model(gpt)
few, _ = draw(data, 2 if is_fast() else 16, seed=0)  # examples of each class
test = data.test[: 50 if is_fast() else 500]
words = [question.label_words[label][0] for label in data.labels]
E = model.token_embedding.weight  # (V, D), the word's vectors: GPT's input and its output
W5 = E[[tokenizer.word_id(word) for word in words]]  # (C, D)


def at_the_blank(examples) -> torch.Tensor:
    """The hidden state from which GPT says the word after "it was": (N, D)."""
    texts = [torch.tensor([tokenizer.encode(f"{example.text} it was")]) for example in examples]
    with torch.no_grad():
        return torch.stack([model(text).hidden[0, -1] for text in texts])


def labels_of(examples) -> torch.Tensor:
    return torch.tensor([example.label for example in examples])


h, y = at_the_blank(few), labels_of(few)  # (N, D), (N,): the model is frozen, so it reads each text once
h_test, y_test = at_the_blank(test), labels_of(test)


def accuracy(scores: torch.Tensor) -> float:
    return (scores.argmax(dim=1) == y_test).double().mean().item()


print(f"five words chosen by hand, nothing trained: {accuracy(h_test @ W5.T):.2f}")
rows = []
for c, label in enumerate(data.labels):
    chance = (h_test[y_test == c] @ E.T).softmax(dim=-1).mean(dim=0)  # (V,)
    said = [f"{chance[tokenizer.word_id(word)]:.3f}" for word in words]
    rows.append([label, *said])
show_table("The mean probability of each word at the blank, by the stars of the review", ["stars", *words], rows)

# %% [markdown]
# The answers are better than chance (0.20) and not good. Read the table by columns. GPT says *great* more often the more
# stars a review has, and *terrible* less often, so it knows a good deal. But it hardly ever says *moderate*: that is a word
# of its weather reports. And no other word would help. What would you call a film with a great plot and a terrible
# hero? The hidden state can lie between *great* and *terrible*; the list of words holds nothing that lies there.
#
# A verbalizer compares the hidden state at the blank with a vector for each class. So far that vector belonged to a
# word. It need not.

# %%
figure, axes = canvas(19, 6.0)
row = [(token, "text") for token in ("a", "great", "plot", "but", "it", "was")]
middles = tokens(axes, 0.3, 0.2, row)
for x in middles:
    arrow(axes, (x, 1.05), (x, 1.55))
box(axes, 0.3, 1.55, 7.8, 1.3, "GPT, as it was pretrained", "frozen")
arrow(axes, (middles[-1], 2.9), (middles[-1], 3.4))
box(axes, middles[-1] - 0.6, 3.4, 1.2, 0.8, "$h$", "read")
for place, (name, vectors, kind) in enumerate(
    (
        ("by hand: $h \\cdot$ word", ("terrible", "...", "great"), "frozen"),
        ("WARP: $h \\cdot \\Theta_y$", ("$\\Theta_1$", "...", "$\\Theta_5$"), "learned"),
        ("ProtoVerb: $\\cos(W h,\\, c_y)$", ("$W$", "$c_1$", "...", "$c_5$"), "learned"),
    )
):
    y_box = 0.3 + 1.75 * (2 - place)
    arrow(axes, (middles[-1] + 0.65, 3.8), (9.6, y_box + 0.5))
    axes.text(9.8, y_box + 1.1, name, fontsize=10)
    tokens(axes, 9.7, y_box, [(vector, kind) for vector in vectors], width=1.5)
legend(axes, 0.3, 5.0, ("text", "frozen", "learned", "read"))
show(figure, "14-idea.png")

# %% [markdown]
# ![Three verbalizers read one hidden state](figures/14-idea.png)
#
# ## Write it yourself: a vector for each class
#
# **WARP** (Hambardzumyan et al. 2021) gives each class a vector $\Theta_y$ where a word's vector stood, and trains it:
#
# $$\text{score}(y) = \Theta_y \cdot h \qquad \Theta: (C, D) \quad h: (D)$$
#
# It starts from the words that we have, so it knows at once what they know. Mind the `clone`: without it the class
# vectors *are* the words, and training would change them everywhere.

# %%
theta = nn.Parameter(W5.clone())  # (C, D)
STEPS = 5 if is_fast() else 200
optimizer = torch.optim.Adam([theta], lr=1e-2)
print(f"before: {accuracy(h_test @ theta.T):.2f}")
for step in range(STEPS):
    loss = F.cross_entropy(h @ theta.T, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"after:  {accuracy(h_test @ theta.T):.2f}   loss {loss.item():.3f}, {theta.numel()} parameters")
for label, vector in zip(data.labels, theta.detach(), strict=True):
    nearest = F.cosine_similarity(E, vector[None]).topk(3)
    print(label, "stars lie nearest to", ", ".join(tokenizer.decode([i]).strip() for i in nearest.indices.tolist()))

# %% [markdown]
# The third vector has left *moderate*, and where it went there is no word.
#
# ## Write it yourself: prototypes
#
# WARP asks which class vector has the largest product with $h$. **ProtoVerb** (Cui et al. 2022) asks a simpler question:
# which class's examples does this one lie among? It maps the hidden state into a small space and compares directions
# there, not lengths. Each class has a point of its own in that space, its **prototype** $c_y$:
#
# $$v = W h \qquad \text{score}(y) = \cos(v, c_y) \qquad W: (S, D) \quad c: (C, S)$$
#
# Two losses shape the space. Both put a multiple-choice question, and both are called InfoNCE: of all these partners,
# which is the right one?
#
# $$L_\text{proto} = -\frac{1}{N} \sum_i \log \frac{e^{\cos(v_i, c_{y_i})}}{\sum_y e^{\cos(v_i, c_y)}} \qquad
# L_\text{ins} = -\frac{1}{|\text{pairs}|} \sum_{i \ne j,\ y_i = y_j} \log \frac{e^{\cos(v_i, v_j)}}{\sum_{k \ne i} e^{\cos(v_i, v_k)}}$$
#
# The first asks an example for its prototype. The second asks it for another example of its class, so it needs no
# prototype, and it needs two examples of a class.


# %%
def losses(W: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """L_proto and L_ins of all training examples."""
    v = F.normalize(h @ W.T, dim=1)  # (N, S), of length 1: products are cosines
    proto = F.cross_entropy(v @ F.normalize(c, dim=1).T, y)
    cosines = (v @ v.T).fill_diagonal_(-torch.inf)  # (N, N); nobody is a partner of its own
    alike = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    ins = -cosines.log_softmax(dim=1)[alike].mean()
    return proto, ins


SIZE = 64  # S
generator = torch.Generator().manual_seed(0)
W = nn.Parameter(torch.randn(SIZE, 128, generator=generator) / 128**0.5)
c = nn.Parameter(torch.randn(len(words), SIZE, generator=generator))


def cosines_of(hidden: torch.Tensor) -> torch.Tensor:
    return F.normalize(hidden @ W.T, dim=1) @ F.normalize(c, dim=1).T  # (N, C)


optimizer = torch.optim.Adam([W, c], lr=1e-2)
print(f"before: {accuracy(cosines_of(h_test)):.2f}")
for step in range(STEPS):
    proto, ins = losses(W, c)
    optimizer.zero_grad()
    (proto + ins).backward()
    optimizer.step()
    if step in (0, STEPS // 10, STEPS - 1):
        print(f"step {step:>3}   L_proto {proto.item():.3f}   L_ins {ins.item():.3f}")
print(f"after:  {accuracy(cosines_of(h_test)):.2f}   {W.numel() + c.numel()} parameters")

# %% [markdown]
# A cosine is at most 1, so $L_\text{proto}$ cannot come near 0. Of five classes the surest answer has a probability of
# $e / (e + 4 e^{-1})$ = 0.65, and a loss of 0.43. A high loss is no sign of trouble here; compare the prototypes' order.
#
# ## The same, from the package
#
# `minitune/readout/soft.py` and `minitune/readout/prototypes.py` are what you have written, for GPT and for BERT. Open
# them beside this page. A read-out is a module that turns hidden states (B, D) into class scores (B, C), so any answer
# to the other two questions can be put before it. Give the package's modules your numbers.

# %%
from minitune.readout.prototypes import PrototypeConfig, Prototypes
from minitune.readout.soft import SoftVerbalizer, from_words

started = SoftVerbalizer(from_words(model, [[tokenizer.word_id(word)] for word in words]))
assert torch.equal(started(h_test, model), h_test @ W5.T), "from one word a class, it starts as the verbalizer by hand"
packaged = Prototypes(128, len(words), PrototypeConfig(size=SIZE))
with torch.no_grad():
    packaged.project.copy_(W)
    packaged.prototypes.copy_(c)
    difference = (packaged(h_test, model) - cosines_of(h_test)).abs().max().item()
    theirs = (packaged.loss(packaged(h, model), y), packaged.between(h, y))
    yours = losses(W, c)
print(f"largest difference of a cosine: {difference:.0e}")
print(
    "L_proto and L_ins:", *(f"{one.item():.5f} = {other.item():.5f}" for one, other in zip(theirs, yours, strict=True))
)
assert difference < 1e-5, "another W, or a product where a cosine belongs"
assert all(abs(one - other) < 1e-5 for one, other in zip(theirs, yours, strict=True)), "another denominator"

# %% [markdown]
# For BERT one thing is different. Between its hidden state and its decoder stands the MLM transform of lesson 3, a layer,
# a GELU and a norm. WARP's $h$ is what comes *out* of it, because that is what words are compared with; ProtoVerb's is what
# goes *into* it, as in the authors' code. WARP has no bias, so BERT's decoder bias is left out too.
#
# From the command line they are called `soft` and `prototypes`:
#
# ```
# minitune tune frozen@manual+soft --model gpt --task rating --shots 16 --out runs/soft
# minitune tune full@manual+prototypes --model bert --task rating --shots 16 --set size=32 --out runs/prototypes
# ```
#
# ## Where do the classes lie?
#
# The hidden state has 128 numbers. To see it in two, we look along the two directions in which the reviews differ most:
# principal components. They are the first two rows of $V^\top$ in the singular value decomposition of the centred
# points, $X - \bar{x} = U S V^\top$.
#
# > **Before you run this, guess:** where does the word *moderate* lie among the reviews of three stars?


# %%
def plane_of(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The middle of points (N, D), their two main directions (2, D), and the share of the spread in each direction."""
    middle = points.mean(dim=0)
    _, spread, directions = torch.linalg.svd(points - middle, full_matrices=False)
    return middle, directions[:2], spread.square() / spread.square().sum()


def scatter(axes, points: torch.Tensor, vectors: torch.Tensor, names: list[str], title: str) -> torch.Tensor:
    """Points by class, with the classes' vectors among them; all of length 1, so that directions are compared."""
    points, vectors = F.normalize(points, dim=1), F.normalize(vectors, dim=1)
    middle, plane, shares = plane_of(points)
    flat, marks = (points - middle) @ plane.T, (vectors - middle) @ plane.T  # (N, 2), (C, 2)
    for c, label in enumerate(data.labels):
        of_class = flat[y_test == c]
        axes.scatter(*of_class.T, s=9, color=COLOURS[c], alpha=0.6, linewidths=0, label=f"{label} stars")
    for mark, name, colour in zip(marks, names, COLOURS, strict=True):
        axes.scatter(*mark, s=150, marker="*", color=colour, edgecolors="black", linewidths=0.8, zorder=3)
        axes.annotate(name, mark, xytext=(0, 9), textcoords="offset points", fontsize=9, ha="center", zorder=4)
    axes.set_title(title, fontsize=10)
    axes.set(xlabel=f"first direction: {shares[0]:.0%} of the spread", ylabel=f"second: {shares[1]:.0%}")
    return shares


COLOURS = ["#b2182b", "#ef8a62", "#7f7f7f", "#67a9cf", "#2166ac"]
figure, panels = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
with torch.no_grad():
    scatter(panels[0], h_test, W5, words, "Hidden states at the blank, words by hand")
    scatter(panels[1], h_test, theta, [f"$\\Theta_{i}$" for i in range(1, 6)], "The same, WARP's class vectors")
    scatter(panels[2], h_test @ W.T, c, [f"$c_{i}$" for i in range(1, 6)], "ProtoVerb's space, prototypes")
panels[0].legend(frameon=False, fontsize=8, markerscale=2)
show(figure, "14-plane.png")
