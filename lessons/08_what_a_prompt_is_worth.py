# %% [markdown]
# # Lesson 8: what a prompt is worth
#
# *A good question replaces examples. Count how many.*
#
# **You need** lessons 4 and 7. **Reading** 30 minutes. **Running** 1 minute on one CPU core.
#
# When you have finished, you can
#
# - tune the same model on the same examples in two ways, by a head and by a prompt, and compare them fairly,
# - say in examples, with an interval, how far the one is in front of the other,
# - let several prompts label text that nobody has labelled, and teach a plain classifier what they know (PET).
#
# ## The problem
#
# You have a pretrained model, eight labelled reviews, and no money for more. Lesson 4 puts a new layer on the model and
# trains. Lesson 7 asks the model a question and does not train. Nothing stops you from doing both: ask the question, *and*
# train the whole model on the eight reviews, so that the right words become likelier at the blank.
#
# That is **prompt-based fine-tuning**. It trains the same model on the same examples with the same steps. What differs
# is where the training starts. The head starts from random numbers and must find out from eight reviews what "positive"
# means. The prompt starts from a model that would say "great" already.
#
# How much is that head start worth? More accuracy, surely; but a point of accuracy means one thing at 0.60 and another
# at 0.93. Le Scao and Rush asked for a better unit: **how many labelled examples would the head need to catch up?**

# %%
import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.course.drawing import arrow, box, canvas, legend, tokens
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.data.examples import draw
from minitune.experiments.worth import worth
from minitune.methods.method import Method
from minitune.prompting import pet
from minitune.questions.from_task import task_data
from minitune.report import interval
from minitune.training.checkpoint import load_checkpoint

figure, axes = canvas(17.4, 6.4)
for x, title, row, read, result in (
    (0.3, "a head", ("[CLS]", "a", "dull", "film", "[SEP]"), 0, "a new layer, from random numbers"),
    (9.3, "a prompt", ("a", "dull", "film", "it", "was", "[MASK]"), 5, "the words that BERT knows"),
):
    kinds = {"[CLS]": "read", "[MASK]": "read", "it": "frozen", "was": "frozen", "[SEP]": "frozen"}
    middles = tokens(axes, x, 0.3, [(word, kinds.get(word, "text")) for word in row])
    for middle in middles:
        arrow(axes, (middle, 1.1), (middle, 1.6))
    box(axes, x, 1.6, 1.3 * len(row), 1.2, "BERT, all of it trained", "learned")
    arrow(axes, (middles[read], 2.8), (middles[read], 3.3))
    left = min(max(middles[read] - 2.6, x), x + 1.3 * len(row) - 5.2)
    box(axes, left, 3.3, 5.2, 0.8, result, "learned")
    axes.text(x, 5.0, title, fontsize=12, weight="bold")
    axes.text(x, 4.4, "positive or negative?" if read == 0 else '"terrible" or "great"?', fontsize=10)
legend(axes, 0.3, 5.8, ("text", "frozen", "learned", "read"))
show(figure, "08-idea.png")

# %% [markdown]
# ![The same model, read by a new layer or by its own words](figures/08-idea.png)
#
# ## Write it yourself
#
# Eight reviews, four of each class, and 500 to test on.

# %%
bert = load_checkpoint("bert")
tokenizer = bert.tokenizer
data, question = task_data("sentiment").for_model(bert)
few, dev = draw(data, 4, seed=0)
test = data.test[: 40 if is_fast() else 500]
LABELS, TESTED = torch.tensor([e.label for e in few]), torch.tensor([e.label for e in test])
STEPS = 4 if is_fast() else 100
print([f"{e.text[:40]}...  {data.labels[e.label]}" for e in few[:2]])

# %% [markdown]
# **A batch.** Rows of ids, padded to one length; a mask that says what is real; and of each row the place where its
# answer is read. Without a question that is [CLS], the first token. With one it is the blank.


# %%
def batch(texts: Sequence[str], asked: str = "") -> tuple[Tensor, Tensor, Tensor]:
    """Ids (B, T), mask (B, T), places (B,). `asked` stands behind each text, and a blank and a full stop behind it."""
    rows, places = [], []
    for text in texts:
        row = [tokenizer.cls_id, *tokenizer.encode(text)]
        if asked:
            row += tokenizer.encode(asked)
        places.append(len(row) if asked else 0)
        rows.append([*row, *([tokenizer.mask_id, *tokenizer.encode(".")] if asked else []), tokenizer.sep_id])
    width = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_id] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]), torch.tensor(places)


# %% [markdown]
# **Two ways to read.** Both take the hidden state at the place. The head sends it through BERT's pooler and a new layer
# with a row for each class. The prompt sends it through BERT's own output layer, which scores all words, and adds up the
# probabilities of each class's words, as in lesson 7.

# %%
WORDS = [[tokenizer.word_id(word) for word in question.label_words[label]] for label in data.labels]


def new_head(model: nn.Module) -> nn.Linear:
    head = nn.Linear(model.config.width, 2)
    nn.init.normal_(head.weight, std=0.02, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(head.bias)
    return head


def head_scores(model: nn.Module, head: nn.Linear, texts: Sequence[str]) -> Tensor:
    """(B, 2)"""
    ids, mask, places = batch(texts)
    hidden = model(ids, attention_mask=mask).hidden[torch.arange(len(ids)), places]  # (B, T, D) -> (B, D)
    return head(model.pool(hidden))  # (B, D) -> (B, 2)


def prompt_scores(model: nn.Module, texts: Sequence[str], asked: str = "it was", words=WORDS) -> Tensor:
    """(B, 2)"""
    ids, mask, places = batch(texts, asked)
    hidden = model(ids, attention_mask=mask).hidden[torch.arange(len(ids)), places]  # (B, T, D) -> (B, D)
    logits = model.logits(hidden)  # (B, D) -> (B, V)
    return torch.stack([logits[:, ids].logsumexp(dim=1) - math.log(len(ids)) for ids in words], dim=1)


# %% [markdown]
# **One loop for both.** The loss is cross-entropy over the two classes, and everything is trained: the model, and the
# head where there is one. To be fair, both have as many steps. They do not have the same learning rate: each has the one
# that suits it, found on another world (`minitune/tuning/rates.py`).


# %%
def train(scores: Callable[[Sequence[str]], Tensor], parameters, rate: float, steps: int = STEPS) -> None:
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    for step in range(steps):
        for group in optimizer.param_groups:  # ten steps up, then down in a straight line
            group["lr"] = rate * min((step + 1) / 10, (steps - step) / steps)
        loss = F.cross_entropy(scores([e.text for e in few]), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def scored(scores: Callable[[Sequence[str]], Tensor], examples) -> Tensor:
    texts = [e.text for e in examples]
    return torch.cat([scores(texts[at : at + 100]) for at in range(0, len(texts), 100)])


def accuracy(scores: Callable[[Sequence[str]], Tensor], examples=test) -> float:
    right = torch.tensor([e.label for e in examples])
    return (scored(scores, examples).argmax(dim=1) == right).float().mean().item()


with_head = copy.deepcopy(bert.model)
head = new_head(with_head)
train(lambda texts: head_scores(with_head, head, texts), [*with_head.parameters(), *head.parameters()], rate=1e-3)

with_prompt = copy.deepcopy(bert.model)
before = accuracy(lambda texts: prompt_scores(with_prompt, texts))
train(lambda texts: prompt_scores(with_prompt, texts), with_prompt.parameters(), rate=3e-4)

print(f"asked, untrained        {before:.3f}")
print(f"a head on 8 reviews     {accuracy(lambda texts: head_scores(with_head, head, texts)):.3f}")
print(f"a prompt on 8 reviews   {accuracy(lambda texts: prompt_scores(with_prompt, texts)):.3f}")

# %% [markdown]
# On these eight reviews the prompt is far ahead. But the *untrained* prompt is, too. What helped: that the question is
# asked, or that its answers are words which mean something?
#
# **The null verbalizer** tells the two apart. Keep the question and take words that mean nothing for it: six first names.
# What BERT knows of "great" and "terrible" is of no use any more. It has the blank, and has to learn what to put there.

# %%
NAMES = [["anna", "carla", "elsa"], ["felix", "hugo", "julia"]]
NULL = [[tokenizer.word_id(name) for name in names] for names in NAMES]
with_null = copy.deepcopy(bert.model)
train(lambda texts: prompt_scores(with_null, texts, words=NULL), with_null.parameters(), rate=3e-4)
print(f"names on 8 reviews      {accuracy(lambda texts: prompt_scores(with_null, texts, words=NULL)):.3f}")

# %% [markdown]
# One draw of eight reviews proves nothing yet: another eight give other numbers. The experiment below has ten draws.
#
# ## The same, from the package
#
# The method that you have written is `full+verbalizer`, and its rival `full+head`. We put your trained weights into the
# package's classifiers. They must give your scores.

# %%
packaged = Method.parse("full+verbalizer").build(bert, question, seed=0)
packaged.model.load_state_dict(with_prompt.state_dict())
yours = scored(lambda texts: prompt_scores(with_prompt, texts), test)
gap = (packaged.scores(test) - yours).abs().max().item()
assert gap < 1e-3, (
    "is the blank where you read, and is a class's score the log of the mean of its words' probabilities?"
)

packaged = Method.parse("full+head").build(bert, question, seed=0)
packaged.model.load_state_dict(with_head.state_dict())
packaged.readout.linear.load_state_dict(head.state_dict())
yours = scored(lambda texts: head_scores(with_head, head, texts), test)
other = (packaged.scores(test) - yours).abs().max().item()
assert other < 1e-3, "does the head read [CLS], through the pooler?"
print(f"largest differences: {gap:.0e} and {other:.0e}")

# %% [markdown]
# ## How many examples is it worth?
#
# Measure both methods at 1, 4, 16, 64 and 256 examples of each class, and draw the two curves. Their distance *upwards* is
# accuracy. Their distance *sideways* is examples: go along a height until you meet the other curve. At the height $a$ let
# the prompt need $n(a)$ examples and the head $m(a)$. Over the heights from $a_0$ to $a_1$ that both curves pass,
#
# $$\text{worth} = \frac{1}{a_1 - a_0} \int_{a_0}^{a_1} \big(m(a) - n(a)\big)\, da$$
#
# That is the paper's measure. Examples are worth more at the beginning, so we also ask for the *factor* $m(a)/n(a)$,
# averaged in the same way over its logarithm. Here is the whole computation for two curves of four points.

# %%
fast = {1: 0.60, 4: 0.80, 16: 0.90, 64: 0.94}
slow = {1: 0.40, 4: 0.60, 16: 0.80, 64: 0.90}  # needs four times as many


def needed(curve: dict[int, float], height: float) -> float:
    """How many examples until this height, in a straight line over the logarithm between two sizes."""
    for (n, low), (m, high) in pairwise(curve.items()):
        if low <= height <= high:
            return n * (m / n) ** ((height - low) / (high - low))
    raise ValueError(f"no curve at {height}")


low, high = max(fast[1], slow[1]), min(fast[64], slow[64])
heights = [low + (high - low) * (i + 0.5) / 2000 for i in range(2000)]
examples = sum(needed(slow, a) - needed(fast, a) for a in heights) / len(heights)
times = math.exp(sum(math.log(needed(slow, a) / needed(fast, a)) for a in heights) / len(heights))
theirs = worth({n: [a] for n, a in fast.items()}, {n: [a] for n, a in slow.items()})
print(f"yours: {examples:.2f} examples, {times:.2f} times   the package: {theirs.examples:.2f}, {theirs.times:.2f}")
assert abs(examples - theirs.examples) < 1e-6 and abs(times - theirs.times) < 1e-6

# %% [markdown]
# `minitune/experiments/worth.py` does this for the mean of several draws, and draws the draws anew a thousand times (the
# bootstrap) to say how sure the answer is.
#
# ## The experiment
#
# Prompt, null verbalizer and head; two tasks on which BERT is far from alike: `sentiment`, which it solves nearly before
# any training, and `rating` (five classes: how many of four opinions are good), which pretraining did not teach. Ten
# draws, the same for all three; 500 test texts; as many steps for all. It ran in `more/08_prompt_or_head.py`, and its
# result is `lessons/results/08-prompt-or-head.json`.
#
# > **Guess, before you look:** with sixteen reviews of each class, is the head still more than ten points behind on
# > `sentiment`? And on `rating`?
#
# > **Expected, before measuring.** The prompt above the head at 1, 4 and 16 examples, by much on `sentiment`. Both within
# > two points of each other at the largest size. The null verbalizer between them: nearer to the head at one example, and
# > nearer to the prompt at 64.

# %%
measured = read_result("08-prompt-or-head.json")
WAYS = {"prompt": ("#d1495b", "prompt"), "null": ("#8d99ae", "null verbalizer"), "head": ("#00798c", "head")}
CASES = {"bert sentiment": "BERT, sentiment (2 classes)", "bert rating": "BERT, rating (5 classes)"}


def curves_of(case: str) -> dict[str, dict[int, list[float]]]:
    """The draws of each way, by the number of examples."""
    rows = [row for row in measured["rows"] if f"{row['model']} {row['task']}" == case]
    return {
        way: {row["shots"]: row["scores"] for row in sorted(rows, key=lambda row: row["shots"]) if row["way"] == way}
        for way in WAYS
    }


def paired(first: Sequence[float], other: Sequence[float]) -> str:
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*interval([a - b for a, b in zip(first, other, strict=True)]))


for case, title in CASES.items():
    curves = curves_of(case)
    cells = []
    for shots in curves["prompt"]:
        its = {way: curve[shots] for way, curve in curves.items() if shots in curve}
        means = [f"{sum(its[way]) / len(its[way]):.3f}" if way in its else "" for way in WAYS]
        gaps = [paired(its["prompt"], its[way]) if way in its else "" for way in ("head", "null")]
        cells.append([str(shots), *means, *gaps])
    untrained = f"untrained prompt {measured['zero-shot'][case]:.3f}"
    header = ["a class", *WAYS, "prompt minus head", "prompt minus null"]
    show_table(f"{title}, mean accuracy of 10 draws [95% of the difference]; {untrained}", header, cells)

rating = {(row["way"], row["shots"]): row["scores"] for row in measured["rows"] if row["task"] == "rating"}
for shots in (16, 64):
    quick = rating["null, quick", shots]
    others = ", ".join(f"minus {way} {paired(quick, rating[way, shots])}" for way in ("null", "head", "prompt"))
    print(f"rating, {shots} a class, names at the head's rate: {sum(quick) / len(quick):.3f}; {others}")

# %%
figure, panels = plt.subplots(1, len(CASES), figsize=(5.4 * len(CASES), 4.6), layout="constrained")
for axes, (case, title) in zip(panels, CASES.items(), strict=True):
    curves = curves_of(case)
    for way, (color, name) in WAYS.items():
        at = list(curves[way])
        mean, lows, highs = zip(*(interval(curves[way][shots]) for shots in at), strict=True)
        style = {"linestyle": "--", "linewidth": 1.6} if way == "null" else {"linewidth": 2.4}
        axes.plot(at, mean, "o", color=color, markersize=5)
        axes.plot(at, mean, color=color, label=name, **style)
        axes.fill_between(at, lows, highs, color=color, alpha=0.13, linewidth=0)
    untrained = measured["zero-shot"][case]
    axes.axhline(untrained, color="#555555", linestyle=":", linewidth=1.2)
    place = {"xy": (1, untrained), "ha": "left"} if untrained > 0.9 else {"xy": (256, untrained), "ha": "right"}
    axes.annotate("asked, untrained", **place, xytext=(0, 5), textcoords="offset points", fontsize=9.5, color="#444444")

    found = worth(curves["prompt"], curves["head"])
    height = sum(found.height) / 2
    ends = [needed({n: sum(a) / len(a) for n, a in curves[way].items()}, height) for way in ("prompt", "head")]
    axes.annotate("", (ends[1], height), (ends[0], height), arrowprops={"arrowstyle": "<->", "linewidth": 1.8})
    low, high = found.times_interval
    axes.annotate(
        f"the head needs\n{found.times:.1f} times as many examples\n95% interval {low:.1f} to {high:.1f}",
        (math.sqrt(ends[0] * ends[1]), height),
        xytext=(0.97, 0.05),
        textcoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=11,
        arrowprops={"arrowstyle": "-", "linewidth": 0.8, "color": "#444444", "shrinkB": 3},
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(at, [str(n) for n in at])
    axes.set(xlabel="training examples of each class", ylabel="accuracy on test", title=title)
    axes.margins(y=0.1)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
panels[-1].legend(loc="upper left", frameon=False, fontsize=10)
show(figure, "08-worth.png")

# %% [markdown]
# ![The prompt is ahead; sideways, the head needs several times as many examples](figures/08-worth.png)
#
# **On `sentiment`** the prompt leads by 30 points [22, 38] with one review of each class and by 20 [11, 29] with four. With
# sixteen it leads by 2, and that may be chance [-1, 5]: our expectation does not hold there, for the head has caught up
# sooner than we thought. With 256 the two are level (-0.3 [-0.8, 0.2]). Sideways the head needs 7 times as many examples. The
# interval, 2 to 15, is wide for a reason. The prompt *begins* at 0.92, and the head *ends* at 0.94: only two points of height
# are common to both. Below them there is nothing to count, because there the prompt needs less than one example.
#
# Look at the dotted line, too. Asked without training, the model is at 0.934; tuned on one review of each class, at 0.920.
# The prompt leads not because it learns much, but because it has little to learn.
#
# **On `rating`** the model has to learn, and the lead is real learning: 15 points [11, 19], 16 [10, 22] and 25 [20, 30] with
# 1, 4 and 16 of each class, and 4 [-3, 10] with 64. Then they cross: with 256 the *head* is ahead, by 3.6 points [2.9, 4.4].
# We had expected them level there. A new layer that learns from 1,280 labels owes nothing to five words, and it learns (we did
# not test whether this matters) at
# a rate three times as large. Up to the crossing the head needs 2.5 times as many examples [2.0, 3.4], which is 14 more of each
# class [4, 26], or 70 labels.
#
# **The null verbalizer** splits the two tasks. On `sentiment` names are 17 points behind words at one example, and half a
# point at sixteen [-0.3, 1.4]: the model learns in passing that "anna" shall mean bad. There the question itself, and an
# output layer that is trained already, bring most of the lead over the head. On `rating` names are no better than a head at 4
# and 16 examples, and at 64 they are *behind* it by 12 points [4, 20]. We had expected the contrary. There the words bring
# the whole lead: "terrible, bad, moderate, good, great" lie in the right order in the model before training, and five
# names have no order. Why behind the head? The rate is to blame: for words it is 0.0003 by default, chosen where words know
# most of the answer, and for a head 0.001. We measured the names again at the head's rate. With 64 of each class they gain 11
# points [6, 16] and are level with the head (-0.5 [-6, 5]); with 16 they stay 22 points [13, 31] behind the words. So names
# are worth what a new head is worth, if they are allowed to learn as fast.
#
# ## PET: several questions, and text that nobody has labelled
#
# Two things are still wasted. First, there are other ways to ask, "in the end this was [MASK]" for one, and eight examples
# cannot tell which is best. Second, unlabelled reviews cost nothing, and we have two thousand. **Pattern-exploiting
# training** (PET; Schick and Schütze) uses both:
#
# 1. For each template (*pattern*) tune a model of its own on the eight reviews.
# 2. Let all of them score unlabelled texts. Average the scores; a pattern counts as much as it was right on the eight
#    reviews *before* it was trained. Afterwards all are right there, which says nothing.
# 3. Make soft labels of the scores: probabilities, softened by a temperature.
# 4. Train a plain head on the softly labelled texts, and throw the prompts away.

# %%
figure, axes = canvas(17.4, 7.2)
for place, words in enumerate(("it was [MASK]", "in the end this was [MASK]", "everything there was [MASK]")):
    y = 4.6 - 1.5 * place
    box(axes, 3.4, y, 4.6, 1.0, words, "learned")
    arrow(axes, (2.7, 3.6), (3.4, y + 0.5))
    arrow(axes, (8.0, y + 0.5), (9.0, 3.6))
box(axes, 0.3, 3.1, 2.4, 1.0, "unlabelled\ntexts", "text")
box(axes, 9.0, 3.1, 3.0, 1.0, "weighted\nscores", "read")
arrow(axes, (12.0, 3.6), (12.9, 3.6))
box(axes, 12.9, 3.1, 4.2, 1.0, "soft labels:\nnegative 0.8, positive 0.2", "read")
arrow(axes, (15.0, 3.1), (15.0, 1.3))
arrow(axes, (1.5, 3.1), (1.5, 0.8))
arrow(axes, (1.5, 0.8), (12.9, 0.8))
box(axes, 12.9, 0.3, 4.2, 1.0, "BERT with a head", "learned")
axes.text(7.0, 0.95, "the same texts, without a question", ha="center", fontsize=9)
axes.text(5.7, 5.75, "three models, each tuned on the 8 labelled reviews", ha="center", fontsize=9)
legend(axes, 0.3, 6.5, ("text", "learned", "read"))
show(figure, "08-pet-idea.png")

# %% [markdown]
# ![Three prompts label texts, and a head learns from them](figures/08-pet-idea.png)
#
# **The teachers and their weights.** The first of the three is there already.

# %%
ASKED = ["it was", "in the end this was", "everything there was"]
weights = [accuracy(lambda texts, asked=asked: prompt_scores(bert.model, texts, asked), few) for asked in ASKED]
teachers = [with_prompt]
for asked in ASKED[1:]:
    teacher = copy.deepcopy(bert.model)
    train(partial(prompt_scores, teacher, asked=asked), teacher.parameters(), rate=3e-4)
    teachers.append(teacher)

drawn = {example.text for example in (*few, *dev)}
unlabelled = [example for example in data.pool if example.text not in drawn][: 20 if is_fast() else 400]
each = torch.stack(
    [
        scored(partial(prompt_scores, teacher, asked=asked), unlabelled)
        for teacher, asked in zip(teachers, ASKED, strict=True)
    ]
)  # (P, N, 2)

# %% [markdown]
# **The soft labels.** With the weights $w_p$ and the scores $s_p(x)$ of each pattern:
#
# $$s(x) = \frac{\sum_p w_p\, s_p(x)}{\sum_p w_p} \qquad q(x) = \text{softmax}\big(s(x) / T\big) \qquad T = 2$$
#
# The average is one of scores, not of probabilities: a pattern that is sure moves it more than one that is torn. And why a
# temperature? A tuned model says 0.999 where it means "rather positive". Divided by two, the scores still tell which
# texts are clear and which are not.

# %%
together = sum(w * scores for w, scores in zip(weights, each, strict=True)) / sum(weights)  # (N, 2)
T = 2.0
soft = torch.stack([torch.exp(s / T) / torch.exp(s / T).sum() for s in together])  # (N, 2)
for example, q in list(zip(unlabelled, soft, strict=True))[:4]:
    print(f"{q[1]:.2f} positive   {example.text[:70]}")

# %% [markdown]
# **Distillation.** The head's own scores $z$ are softened in the same way, and the loss is how far its probabilities are
# from the labels (the Kullback-Leibler divergence), times $T^2$:
#
# $$\text{loss} = T^2 \sum_y q_y \big( \log q_y - \log \text{softmax}(z/T)_y \big)$$
#
# Without $T^2$ a higher temperature would mean smaller gradients, and you would have to find another learning rate.


# %%
def distance(scores: Tensor, target: Tensor) -> Tensor:
    """Scores (B, 2), soft labels (B, 2) -> ()"""
    said = torch.log_softmax(scores / T, dim=1)
    return T**2 * (target * (target.log() - said)).sum(dim=1).mean()


student = copy.deepcopy(bert.model)
its_head = new_head(student)
optimizer = torch.optim.AdamW([*student.parameters(), *its_head.parameters()], lr=1e-3)
for step in range(STEPS):
    for group in optimizer.param_groups:
        group["lr"] = 1e-3 * min((step + 1) / 10, (STEPS - step) / STEPS)
    chosen = torch.randperm(len(unlabelled), generator=torch.Generator().manual_seed(step))[:16]
    loss = distance(head_scores(student, its_head, [unlabelled[i].text for i in chosen]), soft[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

rows = [
    [f"{asked} [MASK]", f"{weight / sum(weights):.2f}", f"{accuracy(partial(prompt_scores, teacher, asked=asked)):.3f}"]
    for asked, teacher, weight in zip(ASKED, teachers, weights, strict=True)
]
rows.append(["a head, taught by the three", "", f"{accuracy(partial(head_scores, student, its_head)):.3f}"])
rows.append(["a head on the 8 reviews", "", f"{accuracy(partial(head_scores, with_head, head)):.3f}"])
show_table("Teachers, their pupil, and a head without teachers", ["", "weight", "accuracy"], rows)

# %% [markdown]
# The same head and the same steps, and the pupil has never seen a label that a person gave.
#
# The formulas are in `minitune/prompting/pet.py`, the procedure in `minitune/searches/pet.py`.

# %%
theirs = pet.ensemble(each, pet.pattern_weights(weights))
assert torch.allclose(theirs, together, atol=1e-4), "are the weights those before training, and do they sum to 1?"
assert torch.allclose(pet.soft_labels(theirs), soft, atol=1e-5)
with torch.no_grad():
    z = head_scores(student, its_head, [example.text for example in unlabelled[:50]])
same = torch.allclose(pet.distillation(z, soft[:50]), distance(z, soft[:50]), atol=1e-5)
assert same, "is the temperature on both sides?"
print("scores, soft labels and loss: the same")

# %% [markdown]
# As one method it is called `pet`, and works like every other: `minitune compare --methods pet,full+verbalizer,full+head`.
# On a file of your own it asks through three general patterns; your `--template` takes the place of the first.
#
# ## What does PET gain, and from which part?
#
# Accuracy alone would not tell whether the ensemble helps, or the unlabelled text, or the softness of the labels. So
# `more/08_pet.py` takes PET apart, on BERT and `rating` with four examples of each class: `pattern 1` is the prompt
# alone, `soft` is PET, and `hard` is PET with the likeliest class in place of the probabilities. Ten draws.
#
# > **Expected, before measuring.** The second and third pattern below the first. The ensemble level with the best of them
# > or up to three points above it. `soft` within three points of the ensemble, more than 15 points above `head`, and
# > above `hard` by less than three points.

# %%
parts = read_result("08-pet.json")["rows"]
cells = []
for name, scores in parts.items():
    shown = "{:.3f} [{:.3f}, {:.3f}]".format(*interval(scores))
    cells.append([name, shown, paired(scores, parts["pattern 1"]), paired(scores, parts["hard"])])
header = ["", "accuracy", "minus the prompt alone", "minus hard"]
show_table("BERT, rating, 4 of each class: mean of 10 draws [95%]", header, cells)

# %%
figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
for y, (name, scores) in zip(range(len(parts), 0, -1), parts.items(), strict=True):
    color = "#d1495b" if name.startswith(("pattern", "ensemble", "equal")) else "#00798c"
    mean, low, high = interval(scores)
    axes.plot(scores, [y] * len(scores), "o", color=color, alpha=0.3, markersize=5)
    axes.plot([low, high], [y, y], color=color, linewidth=3)
    axes.plot(mean, y, "D", color=color, markersize=8)
    axes.annotate(f"{mean:.2f}", (1.02, y), xycoords=("axes fraction", "data"), va="center")
axes.set_yticks(range(len(parts), 0, -1), list(parts))
axes.set(xlabel="accuracy on test (dots: draws; line: 95% of the mean)", title="Prompts (red) and heads (blue)")
axes.grid(axis="x", alpha=0.25)
for side in ("top", "right"):
    axes.spines[side].set_visible(False)
show(figure, "08-pet.png")

# %% [markdown]
# ![Each part of PET with its ten draws](figures/08-pet.png)
#
# The second and the third pattern are 8 points below the first, as expected. The **ensemble** was expected level with the best,
# and is 3.5 points [0.4, 6.6] below it. The weights should have helped, and could not: before training each of the three
# says nothing but "terrible" and "great", finds all reviews of these two classes, and is so right on 8 of the 20, in every
# draw. Each weighs a third. What an ensemble gives here is insurance: whoever had picked the second pattern alone, and 20
# reviews do not warn against it, would be 4 points [0.1, 8.2] worse off.
#
# The **distilled head** is 10 points [6, 14] above a head that is trained on the 20 labels (we expected 15), without having
# seen one of them, and 3 points [-1, 6] below its teachers. That is what PET is for: a plain classifier, one model and no
# prompt, with most of what the prompts knew. The **softness** of the labels is worth nothing here (-0.2 points [-2, 2]). And the head is still
# learning when its 100 steps are over: with 400 it is within a point of its teachers. But no distillation knows more than
# they do, and the one good prompt alone, 0.47, remains the best row of all.
#
# > **At scale, here, why.** Le Scao and Rush tuned RoBERTa-large. Their prompt is worth 3506 ± 536 examples on MNLI, 752 ±
# > 46 on BoolQ and 282 ± 34 on RTE. It is no law: on WiC it is worth -424 ± 74, for "does this word mean the same in both
# > sentences?" has no natural place for a blank. On MNLI their null verbalizer is 150 ± 252 examples behind the real
# > words, which is little against 3506: with a model so large the *question* does the work, and it learns new answers
# > in passing. On `sentiment` ours does, too, from 16 examples on. On `rating` it does not: five
# > names that have to be put in an order are more than these examples can teach so small a model. With real text patterns are
# > also of more equal worth than ours: two of the three here are phrases that the pretraining text never uses, and that costs
# > the ensemble its lead.
#
# ## Common mistakes
#
# | mistake | what you would see |
# |---|---|
# | different draws for the two methods | intervals so wide that no gap shows; pair the draws and take differences |
# | the head's learning rate for the prompt as well | the prompt forgets what it knew in the first steps |
# | a dev set larger than the training set | the gap shrinks: the head has seen more labels than you say |
# | weights measured *after* training | every pattern has weight 1 / P, for all are right on their own eight examples |
# | the temperature on one side only | the loss is above 0 even where teacher and head say the same |
# | only looking upwards | "just one point better" at 0.93 may be ten times the examples |
#
# ## Exercises
#
# **7.1** Give the two classes each other's words (positive: "terrible"). How many examples until the prompt has unlearned
# them, and where does this curve lie beside the null verbalizer's? (15 minutes)
#
# **7.2** Train with `T = 1` and with `T = 8`. Look at the soft labels first, and guess. (10 minutes)
#
# **7.3** *iPET.* Take the 16 texts about which two of the teachers are surest, add them with their labels to the eight
# reviews, and tune the third teacher anew. Do so for each, and repeat. Why must a teacher never label for itself? (30
# minutes)
#
# **7.4** Teach a head with the soft labels of the *worst* pattern alone. Is the head better than its teacher? (15 minutes)
#
# ## Check yourself
#
# 1. Two curves never share a height: the prompt begins at 0.95 and the head ends at 0.90. What is the prompt worth?
# 2. Why does the measure in examples depend on the largest sizes, and the factor does not?
# 3. The head that PET trains never sees the eight labels. Where have they gone?
# 4. A user has 50,000 labelled texts. Should she write a prompt?
#
# The answers are in `answers/08_what_a_prompt_is_worth.md`.
#
# ## In one paragraph
#
# A prompt and a head tune the same model; the prompt starts from what the model can say already. Its lead is counted in
# examples: how many more, or how many times as many, the head needs to reach the same height. A null verbalizer tells how much of
# the lead is the question and how much the words. PET turns several prompts into labels for unlabelled text, softly,
# and leaves a plain classifier behind. **Next:** lesson 10 puts the examples themselves into the prompt, and trains
# nothing at all.
