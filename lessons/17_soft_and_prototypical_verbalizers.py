# %% [markdown]
# # Lesson 17: soft and prototypical verbalizers
#
# *A class need not be a word.*
#
# **You need** lesson 7; lesson 4 helps. **Reading** 25 minutes. **Running** 1 minute on one CPU core.
#
# When you have finished, you can
#
# - write a verbalizer whose classes are vectors, start it from words, and train it in a dozen lines (WARP),
# - write both losses of a prototypical verbalizer and say what each of them pulls together (ProtoVerb),
# - say from the number of examples that you have whether words, vectors or prototypes are worth trying.
#
# ## The problem
#
# In lesson 7 two words stood for two classes, and a frozen model answered right. Now let reviews have one to five
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
# stars a review has, and *terrible* less often, so it knows a good deal. But it never says *moderate* of a review: in its
# text that is a price, of an inn or a diner. And no other word would help. What would you call a film with a great plot and a terrible
# hero? The hidden state can lie between *great* and *terrible*; the list of words holds nothing that lies there.
#
# A verbalizer compares the hidden state at the blank with a vector for each class. So far that vector belonged to a
# word. It need not.

# %%
figure, axes = canvas(17, 6.0)
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
show(figure, "17-idea.png")

# %% [markdown]
# ![Three verbalizers read one hidden state](figures/17-idea.png)
#
# ## Write it yourself: a vector for each class
#
# **WARP** (Hambardzumyan et al. 2021) gives each class a vector $\Theta_y$ where a word's vector stood, and trains it:
#
# $$\text{score}(y) = \Theta_y \cdot h \qquad \Theta: (C, D) \quad h: (D)$$
#
# It starts from the words that we have, so it knows at once what they know. Mind the `clone`: without it `theta` and `W5`
# are one tensor, and training would move the words that we compare with. (A slice such as `E[3:8]` shares its memory with
# the model: there the model's own words would move.)

# %%
theta = nn.Parameter(W5.clone())  # (C, D)
STEPS = 5 if is_fast() else 200
optimizer = torch.optim.Adam([theta], lr=1e-2)
print(f"before: {accuracy(h_test @ theta.T):.2f}")
for _ in range(STEPS):
    loss = F.cross_entropy(h @ theta.T, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"after:  {accuracy(h_test @ theta.T):.2f}   loss {loss.item():.3f}, {theta.numel()} parameters")
for label, vector in zip(data.labels, theta.detach(), strict=True):
    nearest = F.cosine_similarity(E, vector[None]).topk(3)
    print(label, "stars lie nearest to", ", ".join(tokenizer.decode([i]).strip() for i in nearest.indices.tolist()))

# %% [markdown]
# Two hundred steps took the accuracy from 0.42 to 0.52, with 640 numbers. The words nearest to the vectors still fit
# their stars, except those of the third. It started as *moderate*, so the other prices lie nearest to it; what it has
# learned to tell is none of them. It does its work in a region of the space where no word lives.
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
# A cosine is at most 1, so $L_\text{proto}$ cannot come near 0. Of five classes the surest answer there can be has a
# probability of $e / (e + 4 e^{-1})$ = 0.65, and a loss of 0.43. A high loss is no sign of trouble here: look at which
# prototype is nearest, not at how sure the answer is.
#
# ## The same, from the package
#
# `minitune/readout/soft.py` and `minitune/readout/prototypes.py` are what you have written, for GPT and for BERT. Open
# them beside this page. A read-out is a module that turns hidden states (B, D) into class scores (B, C), so any answer
# to the other two questions can be put before it. Give the package's modules your numbers.

# %%
from minitune.readout.prototypes import PrototypeConfig, Prototypes
from minitune.readout.soft import SoftVerbalizer, from_words
from minitune.readout.verbalizer import Verbalizer

by_hand = Verbalizer([[tokenizer.word_id(word)] for word in words])
started = SoftVerbalizer(from_words(model, by_hand))
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
        axes.scatter(
            *of_class.T, s=9, color=COLOURS[c], alpha=0.6, linewidths=0, label=f"{label} star{'s' * (label > '1')}"
        )
    for mark, name, colour in zip(marks, names, COLOURS, strict=True):
        axes.scatter(*mark, s=150, marker="*", color=colour, edgecolors="black", linewidths=0.8, zorder=3)
        below = name in BELOW  # two words that lie nearly together
        offset = (0, -17) if below else (0, 9)
        axes.annotate(name, mark, xytext=offset, textcoords="offset points", fontsize=9, ha="center", zorder=4)
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.12)
    axes.set(xlabel=f"first direction: {shares[0]:.0%} of the spread", ylabel=f"second: {shares[1]:.0%}")
    return shares


BELOW = ("terrible", "good", "$\\Theta_4$")
COLOURS = ["#b2182b", "#ef8a62", "#7f7f7f", "#67a9cf", "#2166ac"]
figure, panels = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
with torch.no_grad():
    scatter(panels[0], h_test, W5, words, "Hidden states at the blank, words by hand")
    scatter(panels[1], h_test, theta, [f"$\\Theta_{i}$" for i in range(1, 6)], "The same, WARP's class vectors")
    scatter(panels[2], h_test @ W.T, c, [f"$c_{i}$" for i in range(1, 6)], "ProtoVerb's space, prototypes")
panels[0].legend(frameon=False, fontsize=8, markerscale=2)
show(figure, "17-plane.png")

# %% [markdown]
# ![The hidden states at the blank, and three kinds of classes](figures/17-plane.png)
#
# Look at the left panel first. 89% of all that tells the reviews apart at the blank lies in one direction: it runs from
# praise to blame, and the reviews lie along it in the order of their stars. *Great* and *good* sit at one end, *terrible*
# and *bad* at the other, each pair on one spot: the words of neighbouring classes do not tell those classes apart. The
# reviews of three stars fill the middle of the arc, and *moderate* is nowhere near them.
#
# The class vectors of the middle panel need not lie where their examples do. Only their *differences* matter: the line
# between two classes is where their two products are equal, and a vector may leave for any place that puts this line
# right. That is why a class vector is hard to read as a word.
#
# A prototype can be read: it lies among its examples, because a loss drew it there. On the right the arc has become a
# circle, which is what cosines make of a row of classes, and the prototypes stand around it in the order of the stars.
#
# ## Who wins?
#
# Words bring knowledge that no example has to teach. Vectors and prototypes bring freedom, which examples have to pay
# for. So the number of examples should decide. `lessons/more/17_who_wins.py` measured five read-outs on ten draws: words
# by hand, WARP from words, WARP from random vectors, ProtoVerb, and as a control the **linear probe**, $Wh + b$ on the
# hidden state at the blank, which knows nothing of words (`minitune/readout/probe.py`).
#
# > **Before you look, guess:** with one example of each class, which of the five is first? And with 64?
#
# What we wrote down before measuring: frozen, near the pretraining text (sentiment, topic), words by hand first at one
# example, WARP from words within 2 points, the others at least 5 points behind, and all within 2 points at 16. On
# rating words by hand first at one example and last from 16 on. WARP from words above WARP from random at one example, level
# at 64. And under full fine-tuning words by hand above ProtoVerb at one example, level or below at 16. For the paper has
# ProtoVerb under words by hand at one example (AG's News, 64.2 against 76.7) and above them at many.

# %%
result = read_result("17-who-wins.json")
READ = {
    "WARP from words": ("tab:orange", "-", "o"),
    "WARP from random": ("tab:orange", "--", "s"),
    "linear probe": ("tab:green", "-", "^"),
    "ProtoVerb": ("tab:blue", "-", "D"),
}
NAMES = {"gpt": "GPT", "bert": "BERT"}
figure, panels = plt.subplots(2, 3, figsize=(11, 6), layout="constrained", sharex=True)
for row, (kind, tasks) in zip(panels, result["frozen"].items(), strict=True):
    for axes, (task, by_shots) in zip(row, tasks.items(), strict=True):
        shots = list(by_shots)
        untrained = interval(by_shots["1"]["words by hand"])[0]  # the same whatever is drawn: nothing of it trains
        axes.axhline(untrained, color="tab:gray", linestyle=":", label="words by hand")
        for place, (name, (colour, dashes, mark)) in enumerate(READ.items()):
            values = [interval(by_shots[many][name]) for many in shots]
            xs = [x + 0.06 * (place - 1.5) for x in range(len(shots))]
            means = [mean for mean, _, _ in values]
            bars = [[mean - low for mean, low, _ in values], [high - mean for mean, _, high in values]]
            axes.errorbar(xs, means, bars, color=colour, linestyle=dashes, marker=mark, markersize=5, label=name)
        axes.set_title(f"{NAMES[kind]}, {task}", fontsize=10)
        axes.set_xticks(range(len(shots)), shots)
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))
for axes in panels[1]:
    axes.set_xlabel("examples of each class")
for row in panels:
    row[0].set_ylabel("accuracy on test")
panels[0][0].legend(frameon=False, fontsize=8, loc="lower right")
show(figure, "17-who-wins.png")


def against_words(what: str, names: list[str]) -> list[list[str]]:
    """For each cell the words' score, and what the others have above it, paired by draw."""
    rows = []
    for kind, tasks in result[what].items():
        for task, by_shots in tasks.items():
            for many, cell in by_shots.items():
                rows.append([NAMES[kind], task, many, f"{interval(cell['words by hand'])[0]:.3f}"])
                for name in names:
                    pairs = zip(cell[name], cell["words by hand"], strict=True)
                    mean, low, _ = interval([one - other for one, other in pairs])
                    rows[-1].append(f"{mean:+.3f} ± {mean - low:.3f}")
    return rows


header = ["model", "task", "examples", "words by hand"]
show_table(
    "Frozen model: accuracy of words by hand, and what others have above it, with 95% intervals",
    [*header, *READ],
    against_words("frozen", list(READ)),
)
show_table("Full fine-tuning, the same", [*header, "ProtoVerb"], against_words("full", ["ProtoVerb"]))
on_dev = read_result("17-full-on-dev.json")
show_table(
    "BERT, full fine-tuning, rating, 16 examples: accuracy on dev of each draw, from the lowest, and the training loss",
    ["", *(["draw"] + [""] * 9), "loss"],
    [
        [name, *(f"{score:.2f}" for score in sorted(its["accuracy"])), f"{interval(its['loss'])[0]:.2f}"]
        for name, its in on_dev.items()
    ],
)

# %% [markdown]
# ![Accuracy of five read-outs by the number of examples](figures/17-who-wins.png)
#
# **What came as expected.** The paper's crossing is there, on the task for which no word fits. On rating, frozen BERT
# with prototypes stands 4.6 points *under* the words at one example of each star (interval 0.6 to 8.5), and 8.0 points
# above them at 16. GPT's prototypes are level with the words at one example and 9.7 points above at 16. On topic, where
# the words were good from the start, prototypes are 15 points (BERT) and 4 points (GPT) behind at one example, and have
# caught up at 64. They do not pass words that are right 99 times in 100. On
# sentiment BERT's words leave six points open, and prototypes are 0.6 points above them at 64. Under full fine-tuning, too,
# BERT's prototypes are behind at one example, by 6.2 points (2.6 to 9.7); GPT's 2.8 points could be chance.
#
# **What did not, and why.**
#
# - *On sentiment one example of each class is enough for all.* We had expected the learned read-outs 5 points behind.
#   GPT's prototypes have 0.997 after two reviews. The left panel of the figure above says why: pretraining has gathered
#   praise and blame into one direction that holds nine tenths of the spread. Any two reviews of unlike opinions point
#   along it. A method that reads the blank has this for nothing, whether it reads words or not.
# - *BERT's MLM transform is worth nothing here.* The probe does without it, and is on no task clearly behind
#   WARP from random. WARP from words is clearly ahead of WARP from random in one place, on BERT's topics at one example.
# - *Under full fine-tuning prototypes do not pass the words at 16.* They are 2.5 points behind with GPT and 5.6 with BERT,
#   and both differences could be chance. Once the model itself may change, it matters little that nobody says *moderate* of
#   a review: the model learns to say it, and 0.39 becomes 0.74. The last table shows where BERT's wide interval comes from.
#   In five draws of ten the prototypes reach 0.82 or more, where the best draw of the words has 0.80; in four they stay at
#   0.52 or below. Longer training does not help those four, for their training loss is as low as that of the others:
#   they have learned their 80 reviews by heart and not how to count opinions. Words hold the model to something that it
#   knows already, and none of their draws falls below 0.71.
# - *WARP from words forgets them.* It starts as the words by hand, and after training on one example of each topic it is
#   6 points worse than they are, with both models. On rating at one example it is ahead of them with GPT (4.8 points)
#   and level with BERT, where we had expected the words to be first. So it is not the start that counts, but where training
#   goes from there. We look into this now.
#
# ## Why does training from words lose to no training?
#
# Five examples are right at once: the words answer all of them before the first step. The loss goes on falling anyway,
# because it asks for more than right answers, it asks for sure ones. So the vectors keep moving, and every step is
# drawn by these five texts alone. A dev set of five more cannot stop them, for it is all right as well. How far
# they go is the learning rate's affair.

# %%
topics, about = minitune.task("topic").for_model(gpt)
dev = topics.dev[: 50 if is_fast() else 400]


def topic_blank(examples) -> torch.Tensor:
    texts = [torch.tensor([tokenizer.encode(f"{example.text} this was a report about")]) for example in examples]
    with torch.no_grad():
        return torch.stack([model(text).hidden[0, -1] for text in texts])


h_dev, y_dev = topic_blank(dev), labels_of(dev)
names = E[[tokenizer.word_id(about.label_words[label][0]) for label in topics.labels]]
draws = [draw(topics, 1, seed)[0] for seed in range(2 if is_fast() else 10)]
read = [(topic_blank(few), labels_of(few)) for few in draws]
print(f"the five words by hand: {((h_dev @ names.T).argmax(dim=1) == y_dev).double().mean():.3f}")
rows = []
for rate in (1e-4, 1e-3, 1e-2, 3e-2):
    scores, moved = [], []
    for h_few, y_few in read:
        theta = nn.Parameter(names.clone())
        optimizer = torch.optim.Adam([theta], lr=rate)
        for _ in range(5 if is_fast() else 100):
            loss = F.cross_entropy(h_few @ theta.T, y_few)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scores.append(((h_dev @ theta.T).argmax(dim=1) == y_dev).double().mean().item())
        moved.append(((theta - names).norm(dim=1) / names.norm(dim=1)).mean().item())
    mean, low, high = interval(scores)
    rows.append([f"{rate:g}", f"{mean:.3f} ({low:.3f} to {high:.3f})", f"{interval(moved)[0]:.2f}"])
show_table(
    f"WARP from words, one example a topic, {len(draws)} draws, GPT on dev",
    ["learning rate", "accuracy", "moved, in lengths of a word"],
    rows,
)

# %% [markdown]
# The rate that suits 16 examples, 0.03, moves each vector by one and a half times its own length. That is more than
# from one word to another, and what the words knew is gone. At a thirtieth of that rate nearly all of it stays. A good
# start is only worth something to a training that stays near it: with few examples take a small rate, or none.
#
# > **At scale, here, why.** The paper reports 64 for ProtoVerb and 77 for words by hand on AG's News at one example,
# > and the opposite order at many. Here the two cross only where the words are wrong. Our words for topics are right 99
# > times in 100, because the toy world's reports name their topic; label names of real tasks are not that good, so there is
# > something to win from them. And our models hold an opinion in one direction, so that two reviews say nearly everything.
# > A large model holds many things at the blank, of which one example shows no more than a few. That makes every
# > learned read-out look better at one example here than it will for you. WARP's few-shot results (two SuperGLUE tasks,
# > 32 examples) were reached with learned prompts before the text as well; here you have seen its class vectors alone.
#
# ## Common mistakes
#
# | mistake | what you would see |
# |---|---|
# | no `clone()` of the words' vectors | the words move with the classes, and with a slice of the embedding the model does |
# | reading BERT's hidden state before the MLM transform, with vectors that start as words | zero-shot accuracy falls, on topic from 0.99 to 0.56: words are compared with another space |
# | products in place of cosines | one long prototype wins everything |
# | counting an example as its own partner in $L_\text{ins}$ | a loss that looks better than it is, and falls less |
# | a few epochs at a small rate (the authors' code has 5 at 0.001) | the prototypes hardly leave where they were drawn: on rating 0.33 in place of 0.54 |
# | `model.eval()` for the prototypes and never `train()` again | no dropout for the rest of a fine-tuning |
# | averaging z-scores of words and prototypes of *two* classes | ties: two z-scores are always one up and one down, by the same amount |
#
# ## Exercises
#
# **14.1** Start the prototypes at the mean of each class's points $v$ and train nothing. How much of ProtoVerb's accuracy
# is this, at 1 and at 16 examples? (15 minutes)
# **14.2** Leave out $L_\text{ins}$, then $L_\text{proto}$. Which of the two can the method do without? (10 minutes)
# **14.3** The authors average words by hand and prototypes as z-scores: subtract the mean over the classes and divide by
# the standard deviation over the classes, for each text, then average. Do it for rating, and then think about sentiment.
# (15 minutes)
# **14.4** Divide the cosines by a temperature of 0.1 in both losses. What becomes of the loss, of the accuracy, and of
# the probability of the answer? (10 minutes)
#
# ## Check yourself
#
# 1. WARP has five vectors of 128 numbers here, the probe as many and five biases. Where, for BERT, is the difference?
# 2. Why can $L_\text{ins}$ do nothing for the pull between examples when each class has one?
# 3. A class vector $\Theta_y$ grows to twice its length. What changes for WARP? What would change for a prototype?
# 4. Why does a loss of 0.43 mean that a prototypical verbalizer of five classes is perfect?
#
# ## In one paragraph
#
# A verbalizer compares the hidden state at the blank with a vector for each class. Words are vectors that pretraining has
# placed; WARP lets them go, ProtoVerb puts in their place a point that examples gather around, drawn there by two
# losses that ask for the right partner. With one example words are hard to beat where they fit; where they do not, and
# the model is frozen, any vector that is learned passes them with 16. **Next:** lesson 18 leaves the reading alone and learns the question.
