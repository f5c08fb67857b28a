# %% [markdown]
# # Lesson 11: AutoPrompt
#
# *Let the gradient say which words to try.*
#
# **You need** lessons 2 and 7. **Reading** 25 minutes. **Running** 2 minutes on one CPU core.
#
# When you have finished, you can
#
# - rank a whole vocabulary by what each word would do to a loss, with one backward pass,
# - write a search for prompt words that cannot fool itself,
# - say what such a search is worth beside a template that a person thought of, and beside fine-tuning.
#
# ## The problem
#
# In lesson 7 our GPT judged reviews through "it was", and was nearly always right. Somebody had to think of these two
# words. What do other words do? Let us put three words drawn at random between the review and the blank, ten times.

# %%
import torch
from matplotlib import pyplot as plt
from torch.nn import functional as F

import minitune
from minitune.course.drawing import arrow, box, canvas, legend, tokens
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.data.examples import draw
from minitune.report import interval

gpt = minitune.load("gpt")
model, tokenizer = gpt.model.requires_grad_(False), gpt.tokenizer
data, question = minitune.task("sentiment").for_model(gpt)
few, dev = draw(data, 4 if is_fast() else 16, seed=0)  # of each class, for the search; and as many to choose with
test = data.test[: 20 if is_fast() else 200]
E = model.token_embedding.weight  # (V, D)
answers = torch.tensor([tokenizer.word_id(word) for word in ("terrible", "great")])  # (C,), in the labels' order
words = torch.tensor(sorted(set(tokenizer.word_ids()) - set(answers.tolist())))  # (W,), what may stand in a prompt
if is_fast():
    words = words[::20]


def scores(text: str, prompts: torch.Tensor) -> torch.Tensor:
    """Scores of the two classes with each of N prompts behind the text: (N, P) -> (N, C)."""
    ids = torch.tensor(tokenizer.encode(text)).expand(len(prompts), -1)  # (N, T)
    hidden = model(torch.cat([ids, prompts], dim=1)).hidden[:, -1]  # (N, D), where GPT says the next word
    return (hidden @ E.T)[:, answers]


def losses(prompts: torch.Tensor, examples) -> torch.Tensor:
    """The mean loss over the examples with each of the prompts: (N, P) -> (N,)."""
    total = torch.zeros(len(prompts))
    for example in examples:
        right = torch.full((len(prompts),), example.label)
        total += F.cross_entropy(scores(example.text, prompts), right, reduction="none")
    return total / len(examples)


def accuracies(prompts: torch.Tensor, examples) -> torch.Tensor:
    """-> (N,)"""
    right = [scores(example.text, prompts).argmax(dim=1) == example.label for example in examples]
    return torch.stack(right).double().mean(dim=0)


def said(ids) -> str:
    return tokenizer.decode(ids.tolist())


dice = torch.Generator().manual_seed(0)
drawn = words[torch.randint(len(words), (10, 3), generator=dice)]  # (10, 3)
rows = [[said(prompt), f"{score:.2f}"] for prompt, score in zip(drawn, accuracies(drawn, test), strict=True)]
by_hand = torch.tensor([tokenizer.encode("it was")])
rows.append(["it was", f"{accuracies(by_hand, test).item():.2f}"])
show_table(f"Accuracy on {len(test)} reviews, by the words before the blank", ["words", "accuracy"], rows)

# %% [markdown]
# Words matter. Some of these rows are close to "it was", others are no better than a coin, and one turns the answers
# round. Could we try all words? Our vocabulary is tiny, and still there are more than a billion combinations of
# three. Even for one word we would need a thousand forward passes for every example.
#
# Prompt tuning (lesson 18) moves vectors down the gradient. A word cannot move: there is nothing between "plot" and
# "soup". But the gradient can still *point*. If the vector that stands in the prompt would like to move in some
# direction, the words that lie in that direction are worth a try. Words that are found in this way are called a
# **trigger**, and the method is AutoPrompt (Shin et al. 2020).

# %%
figure, axes = canvas(19, 7.4)
row = [
    *((token, "text") for token in ("the", "plot", "was", "dull", ".")),
    *((f"$w_{i}$", "learned") for i in (1, 2, 3)),
]
middles = tokens(axes, 0.3, 1.7, row)
for x in middles:
    arrow(axes, (x, 2.55), (x, 3.1))
box(axes, 0.3, 3.1, 10.4, 1.4, "GPT, as it was pretrained", "frozen")
arrow(axes, (middles[-1], 4.55), (middles[-1], 5.1))
box(axes, middles[-1] - 2.2, 5.1, 3.4, 0.8, "terrible 0.9", "read")
arrow(axes, (11.3, 5.5), (13.0, 5.5))
box(axes, 13.0, 5.1, 2.6, 0.8, "loss L", "read")
arrow(axes, (14.3, 5.05), (14.3, 4.0))
box(axes, 12.2, 3.1, 4.4, 0.9, r"gradient $\partial L/\partial e_2$", "read")
arrow(axes, (14.3, 3.05), (14.3, 2.5))
box(axes, 11.6, 1.7, 5.6, 0.8, r"every word's  $-E[w]\cdot\partial L/\partial e_2$", "frozen")
arrow(axes, (14.3, 1.65), (14.3, 1.1))
box(axes, 11.6, 0.2, 5.6, 0.9, "the best k are tried", "learned")
axes.plot([11.6, middles[-2], middles[-2]], [0.65, 0.65, 1.0], color="#444444", linewidth=1.0)
arrow(axes, (middles[-2], 0.9), (middles[-2], 1.65))
legend(axes, 0.3, 6.7, ("text", "learned", "frozen", "read"))
show(figure, "11-idea.png")

# %% [markdown]
# ![Gradients point at words to try](figures/11-idea.png)
#
# Let $e_p$ be the embedding at place $p$ of the trigger. To first order, putting the word $w$ there changes the loss
# by
#
# $$L(w) - L(\text{now}) \approx (E[w] - e_p) \cdot \frac{\partial L}{\partial e_p}$$
#
# One backward pass gives $\partial L/\partial e_p$, and one product with the embedding table gives this number for
# every word at once. The words with the lowest are the **candidates**.
#
# ## Write it yourself
#
# **The gradient.** We need the loss as a function of the *embeddings* that stand in the prompt, so the prompt goes in
# through `inputs_embeds`. Note what we do not use: `E.grad`. In GPT the embedding table is the output layer as well,
# and its gradient has a share from there.


# %%
def gradient(prompt: torch.Tensor, examples) -> torch.Tensor:
    """Of the mean loss over the examples with respect to the prompt's embeddings: (P,) -> (P, D)."""
    e = E[prompt].clone().requires_grad_(True)  # (P, D)
    loss = 0.0
    for example in examples:
        embeds = torch.cat([E[tokenizer.encode(example.text)], e])[None]  # (1, T + P, D)
        last = model(inputs_embeds=embeds).hidden[:, -1]  # (1, D)
        loss = loss + F.cross_entropy((last @ E.T)[:, answers], torch.tensor([example.label]))
    return torch.autograd.grad(loss / len(examples), e)[0]


# %% [markdown]
# **One slot.** We start from a prompt of one word, "the". Half of the examples give the gradient. On the other half
# we try the ten words that it promises most of. Trying a word on the examples that have proposed it would flatter the
# word: it was chosen because it suits just these.

# %%
half, other = few[0::2], few[1::2]
now = torch.tensor(tokenizer.encode("the"))  # (1,)
predicted = (E[words] - E[now]) @ gradient(now, half)[0]  # (W, D) (D,) -> (W,)
best = predicted.topk(10, largest=False)
tried = torch.cat([now, words[best.indices]])[:, None]  # (11, 1): what stands there now, and the candidates
true = losses(tried, other)
rows = [
    [said(word), f"{promise:+.2f}", f"{loss - true[0]:+.2f}"]
    for word, promise, loss in zip(tried[1:], best.values, true[1:], strict=True)
]
print(f'the loss with "the": {true[0]:.2f}')
show_table("Ten candidates for one slot", ["word", "predicted change", "true change, other half"], rows)

# %% [markdown]
# Most of these words help, and the numbers are far off: a straight line is a poor map over the distance between two
# words. We only need the *order*, and of the order only that something good is among the first.
#
# **The loop.** In each round one slot of the prompt, chosen at random. The gradient on one half of the examples; the
# candidates on the other half, together with what stands there now. A candidate is taken only if it is strictly
# better. The dev set takes no part in this. It sees each prompt that was taken, and picks the one that we keep.

# %%
P, ROUNDS, CANDIDATES = 3, (3 if is_fast() else 25), (4 if is_fast() else 24)


def parted(generator: torch.Generator):
    """The examples in two halves, each with as many of either class."""
    order = torch.randperm(len(few), generator=generator).tolist()
    order.sort(key=lambda i: few[i].label)
    return [few[i] for i in order[0::2]], [few[i] for i in order[1::2]]


prompt = drawn[1].clone()
kept = [(losses(prompt[None], dev).item(), prompt.clone())]
print(f"loss on dev {kept[0][0]:.3f}: {said(prompt)}")
for number in range(ROUNDS):
    generator = torch.Generator().manual_seed(number)
    half, other = parted(generator)
    p = int(torch.randint(P, (), generator=generator))
    promise = (E[words] - E[prompt[p]]) @ gradient(prompt, half)[p]  # (W,)
    tried = prompt.repeat(1 + CANDIDATES, 1)  # (1 + k, P); the first is the prompt as it is
    tried[1:, p] = words[promise.topk(CANDIDATES, largest=False).indices]
    found = losses(tried, other)
    if found.argmin() > 0:
        prompt = tried[found.argmin()]
        kept.append((losses(prompt[None], dev).item(), prompt.clone()))
        print(f"loss on dev {kept[-1][0]:.3f}: {said(prompt)}   (round {number})")
loss_of_best, yours = min(kept, key=lambda pair: pair[0])
start, end = accuracies(torch.stack([drawn[1], yours]), test).tolist()
print(f"\nthe best on dev: {said(yours)!r}. Accuracy on test: {start:.2f} before, {end:.2f} after")

# %% [markdown]
# The trigger means nothing to us, and it works. Look at the losses on dev: they do not only fall. The last trigger is
# therefore not always the one to keep.
#
# ## The same, from the package
#
# Two modules do what you have just done. `minitune/prompting/trigger_loss.py` holds your two functions, `losses` and
# `gradient`, for triggers anywhere in the template, for GPT and BERT, and for any way of reading the answer.
# `minitune/prompting/autoprompt.py` holds your loop. Open them beside this page. First the two functions, on your
# trigger and on ten others:

# %%
from minitune.predictors.classifier import Classifier
from minitune.prompting.autoprompt import AutoPromptConfig, Log, search_trigger
from minitune.prompting.template import Template
from minitune.readout.verbalizer import verbalizer
from minitune.searches.autoprompt_search import trigger_loss

template = Template.parse("{text} {trigger:3} {mask}")
readout = verbalizer({"negative": ["terrible"], "positive": ["great"]}, data.labels, tokenizer)
package = trigger_loss(Classifier(model, tokenizer, template, readout), template, few)
rows = torch.arange(0, len(few), 2)
half = [few[i] for i in rows]
of_losses = (package.loss_of(drawn, rows) - losses(drawn, half)).abs().max().item()
of_gradients = (package.gradient_of(yours, rows) - gradient(yours, half)).abs().max().item()
print(
    f"largest difference between your numbers and the package's: losses {of_losses:.0e}, gradients {of_gradients:.0e}"
)
assert of_losses < 1e-4, "the package reads other words or another place: is your trigger right behind the text?"
assert of_gradients < 1e-4, "is your gradient that of the embeddings that go in, and of the mean over the examples?"

# %% [markdown]
# Then the loop. The package searches anything that has such a pair of functions, yours as well. Both must end at the
# same trigger.


# %%
class Yours:
    """Your two functions, as the package's search calls them."""

    embedding, labels = E, [example.label for example in few]

    def loss_of(self, triggers: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return losses(triggers, [few[i] for i in rows])

    def gradient_of(self, trigger: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return gradient(trigger, [few[i] for i in rows])


def score(trigger: torch.Tensor) -> float:
    """On dev; higher is better."""
    return -losses(trigger[None], dev).item()


config = AutoPromptConfig(rounds=2 if is_fast() else 8, candidates=CANDIDATES)
start = Log(tuple(drawn[1].tolist()), score(drawn[1]))
ends = []
for whose, functions in (("yours", Yours()), ("the package's", package)):
    *_, log = search_trigger(functions, score, start, words, config, seed=0)
    ends.append(log.best[0])
    print(f"with {whose}: {said(torch.tensor(log.best[0]))!r}, loss on dev {-log.best[1]:.3f}")
assert ends[0] == ends[1], "the two searches part: compare the gradients and the losses above first"

# %% [markdown]
# On the command line, and with all three label words a class:
#
# ```
# minitune tune frozen@autoprompt+verbalizer --task sentiment --model gpt --shots 16 --out runs/found
# minitune explain runs/found "the plot was dull ."
# ```
#
# `tune` prints the words that it found, and the log of the search stands in `runs/found/search.json`. You may stop a
# search with Ctrl-C: the best trigger so far is kept.
#
# ## How far does the gradient see?
#
# For one slot of our tiny model we can afford the truth: the loss with *every* word of the vocabulary in the slot,
# beside what the gradient promised of it. We look at the last word of two triggers, the first two rows of our table.
#
# > **Before you run this, guess:** of the 24 words that are promised most of, how many really lower the loss? And how
# > many of all words do?

# %%
half, other = parted(torch.Generator().manual_seed(0))
figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
for axes, trigger in zip(panels, drawn[:2], strict=True):
    promise = (E[words] - E[trigger[-1]]) @ gradient(trigger, half)[-1]  # (W,)
    every = trigger.repeat(1 + len(words), 1)
    every[1:, -1] = words
    found = losses(every, other)
    change = found[1:] - found[0]  # (W,)
    first = promise.topk(CANDIDATES, largest=False).indices
    place = int((promise < promise[change.argmin()]).sum()) + 1
    print(
        f"{said(trigger)}: of the {CANDIDATES} words that are promised most of, {int((change[first] < 0).sum())} lower",
        end="",
    )
    print(f" the loss; of all {len(words)} words, {int((change < 0).sum())} do")
    print(f"    the truly best word, {said(words[change.argmin()][None])!r}, is in place {place} of the promises")
    axes.axhline(0, color="gray", linewidth=1, linestyle=":")
    axes.axvline(0, color="gray", linewidth=1, linestyle=":")
    axes.scatter(promise, change, s=8, color="tab:gray", alpha=0.5, label="all words")
    axes.scatter(promise[first], change[first], s=16, color="tab:orange", label=f"the {CANDIDATES} candidates")
    axes.set(
        xlabel="change of the loss that the gradient promises", title=f"another word for the last of: {said(trigger)}"
    )
panels[0].set(ylabel="true change, on other examples")
panels[0].legend(frameon=False, fontsize=8)
show(figure, "11-promises.png")

# %% [markdown]
# ![Promised and true change](figures/11-promises.png)
#
# At "ran comfort law" the gradient is a guide: 10 of its 24 words lower the loss, and of all words only one in five
# does. At "de bu vera" it is none: 16 of its 24 do, and of all words three in four. Look at the scale there: it
# promises changes of some hundredths, and the true ones are many times as large. The loss hardly slopes where it
# stands, and says nothing of what lies further off. In both panels the truly best word is not among the first 24. A
# search that tries two dozen words misses it in this round, and may find it in a later one, when the rest of the
# trigger has changed.
#
# One slot of one trigger proves little. `more/11_searches.py` does the same on ten draws, each with a random trigger
# of its own. It counts on the half that the gradient has not seen.
#
# > **Expected, before measuring.** Promise and true change agree in rank, but loosely: a correlation between 0.2 and
# > 0.7. The words that are ranked first promise more than they hold.

# %%
NAMES = {"gpt sentiment": "GPT, sentiment", "gpt facts:born_in": "GPT, facts:born_in", "bert topic": "BERT, topic"}
NAMES["bert facts:born_in"] = "BERT, facts:born_in"
agreement = read_result("11-scores.json")
rows = []
for setting, its in agreement.items():
    cells = [interval(its[name]) for name in ("correlation", "first lower", "random lower")]
    rows.append([NAMES[setting], *("{:.2f} [{:.2f}, {:.2f}]".format(*cell) for cell in cells)])
    rows[-1] += [f"{interval(its[name])[0]:+.2f}" for name in ("promised", "held")]
header = ["model, task", "rank correlation", "first 24 that lower it", "random words that do", "promised", "held"]
show_table("Promise and truth, ten draws; the last two columns are means over the first 24 words", header, rows)

# %% [markdown]
# The expectation holds in three of four settings, in one of them barely. In rank, promise and truth agree best for
# BERT on `facts` (0.63). For GPT on `sentiment` the mean is 0.22, and its interval reaches down to 0.04. For GPT on
# `facts` there is no agreement at all that ten draws could show. Everywhere the first words promise more than they
# hold, from twice to six times as much. And yet, as you will see, it is for GPT on `facts` that the gradient is worth
# most. This may be the reason, which we have not measured: a correlation looks at all words alike, the search only at
# the best of the first 24.
#
# ## What is such a search worth?
#
# The same ten draws of 16 examples a class, and of the relation `born_in` 16 facts in all (lesson 19 asks for these).
# The search makes 30 rounds with 24 candidates each. Beside it stand
#
# - what it starts from: three random words;
# - a **random search**, which tries 27 random words in a round, because a gradient costs about three forward passes;
# - the template that a person wrote;
# - that template, with the whole model fine-tuned on the same examples; and fine-tuning with a new head (lesson 4).
#
# > **Before you look, guess:** which of the two searches ends higher? By how much?
# >
# > **Expected, before measuring.** AutoPrompt ends above its start and above the random search, above the latter by
# > less. The manual template stays ahead by a few points, on `facts` by many. Fine-tuning everything is ahead of
# > AutoPrompt.

# %%
found = read_result("11-searches.json")
METHODS = ("start", "random search", "AutoPrompt", "manual", "full@manual+verbalizer", "full+head")
rows = []
for setting, its in found.items():
    cells = [
        "{:.3f} [{:.3f}, {:.3f}]".format(*interval(its["accuracy"][name])) if name in its["accuracy"] else ""
        for name in METHODS
    ]
    rows += [
        [NAMES[setting] if name == "start" else "", name, cell]
        for name, cell in zip(METHODS, cells, strict=True)
        if cell
    ]
show_table("Accuracy on test, mean of ten draws", ["model, task", "method", "accuracy [95%]"], rows)


def ahead(setting: str, other: str) -> str:
    """By how much AutoPrompt is ahead, draw by draw."""
    its = found[setting]["accuracy"]
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(
        *interval([a - b for a, b in zip(its["AutoPrompt"], its[other], strict=True)])
    )


others = ("start", "random search", "manual", "full@manual+verbalizer")
rows = [[NAMES[setting], *(ahead(setting, other) for other in others)] for setting in found]
show_table("AutoPrompt less each other, paired by draw", ["model, task", *others], rows)

# %% [markdown]
# The expectations held only in part.
#
# - AutoPrompt ends far above its start in every setting: by 43 and 23 points on `sentiment` and `topic`, by 97 and 71
#   on `facts`.
# - Above the random search it ends on `facts`, by 59 points with GPT and by 8 with BERT. On `sentiment` and `topic`
#   the two are level.
# - The manual template is ahead by 1.2 points on `sentiment` and by 7 with BERT on `facts`. In the other two settings
#   the difference cannot be told from nothing. With GPT on `facts` we had expected it far ahead, and were wrong.
# - Fine-tuning is not ahead of AutoPrompt anywhere, and on `facts` it is behind, by 15 points with GPT and by 14 with
#   BERT. We take this to be the reason: these models know the answers already; sixteen facts say nothing about the
#   others, and 100 steps on 650,000 numbers lose some of them. (The rate is the package's default and was not swept
#   for this relation.)
#
# What did the search find for the facts?

# %%
for setting in ("gpt facts:born_in", "bert facts:born_in"):
    print(f"{NAMES[setting]}: {', '.join(found[setting]['words'])}")

# %% [markdown]
# Look at the first of GPT's: "was born in". Nobody told the search, and it wrote down the very words of the
# pretraining text. The other triggers come near them: "was ... in", "born ... in", "first cried in", which is another
# way in which that text tells of births.
#
# Why does the random search do so well on `sentiment` and so badly there? Two things may decide. Our vocabulary has a
# thousand words, and 27 of them in each of 30 rounds are a quarter of all words in each slot. And on `sentiment` many
# words will do, where a fact needs just the right ones. If the size of the vocabulary were the reason, the gradient
# should also be ahead on the easy tasks as long as the search is short.
#
# > **Expected, before measuring this.** After 1 and after 3 rounds AutoPrompt is ahead. After 30 the random search
# > has caught up where many words will do.

# %%
figure, panels = plt.subplots(1, len(found), figsize=(3.1 * len(found), 3.2), sharey=True, layout="constrained")
for axes, (setting, its) in zip(panels, found.items(), strict=True):
    for name, color in (("AutoPrompt", "tab:orange"), ("random search", "tab:gray")):
        looks = list(its["after rounds"][name])
        means, lows, highs = zip(*(interval(its["after rounds"][name][look]) for look in looks), strict=True)
        axes.fill_between(range(len(looks)), lows, highs, color=color, alpha=0.2, linewidth=0)
        axes.plot(range(len(looks)), means, "o-", color=color, label=name)
    axes.axhline(interval(its["accuracy"]["manual"])[0], color="tab:blue", linewidth=1, linestyle="--", label="manual")
    axes.set_xticks(range(len(looks)), looks)
    axes.set(xlabel="rounds", title=NAMES[setting], ylim=(-0.02, 1.04))
panels[0].set(ylabel="accuracy on test")
panels[0].legend(frameon=False, fontsize=8, loc="lower right")
show(figure, "11-rounds.png")

rows = []
for setting, its in found.items():
    pairs = [
        zip(its["after rounds"]["AutoPrompt"][k], its["after rounds"]["random search"][k], strict=True)
        for k in looks[1:]
    ]
    rows.append(
        [NAMES[setting], *("{:+.2f} [{:+.2f}, {:+.2f}]".format(*interval([a - b for a, b in its])) for its in pairs)]
    )
header = ["model, task", *(f"after {look}" for look in looks[1:])]
show_table("AutoPrompt less random search in accuracy, paired by draw, by rounds", header, rows)

# %% [markdown]
# ![The two searches by rounds](figures/11-rounds.png)
#
# The second half of this expectation holds, the first only on `facts`. There AutoPrompt is ahead after three rounds,
# by 37 points with GPT and by 24 with BERT; after one, GPT's interval still contains zero. On `sentiment` and `topic`
# it is ahead by two points or less, and no interval is clear of zero, even after a single round. So it is not the
# length of the search that decides. On the easy tasks 27 random words nearly always hold one that is good enough:
# after one round accuracy is at 0.86 and 0.93. On `facts` it is at 0.08 and 0.10. We take the number of words that
# are good *enough* to be the reason, and have not counted them.
#
# > **At scale, here, why.** Shin et al. (2020) search for BERT and RoBERTa, whose vocabularies have 30,000 and
# > 50,000 words. Against a manual prompt, AutoPrompt raises the accuracy on movie reviews from 63.2 to 82.3 with
# > BERT, and from 85.2 to 91.4 with RoBERTa. A linear probe has 83.4 and 88.8, fine-tuning 93.5 and 96.7. For facts
# > the share of right answers rises from 31.1 to 43.3. So there the search beats the person and loses to
# > fine-tuning; here it never beats the person, and never loses to fine-tuning. We see the reasons in our world,
# > and have not tested them. Its pretraining text uses the very phrases of our manual templates, so there is hardly
# > anything better to find; of a real model nobody knows the best phrase. And our models answer these reviews and
# > reports nearly perfectly before any training, so there is nothing left for fine-tuning to win. In a vocabulary
# > thirty times as large, a random search would see less than a hundredth of the words: expect the gap of our
# > `facts`, not the tie of our `sentiment`.
#
# ## Common mistakes
#
# - **The gradient of the embedding table.** `E.grad` holds the input's share and the output layer's, because the two
#   are one tensor. Nothing fails; the ranking is only worse. Put the vectors in through `inputs_embeds`, and compare
#   one number with finite differences.
# - **The wrong sign.** The candidates are then those that promise to *raise* the loss. Nothing fails: some are
#   accepted by chance, and you have a poor random search. Plant a trigger that you know, and see that it is found.
# - **Trying words on the examples that proposed them.** A word is then compared on the very examples that it was
#   chosen to suit. The loss on them falls round after round, and with few examples dev does not follow.
# - **Returning the last trigger.** The loss on dev goes up and down, as you saw. Return the best.
# - **A label word in the trigger.** The model repeats a word that it has just read, or avoids it, whatever the review
#   says. "great great great" turns most of GPT's answers round (try it). Keep label words out, and special tokens
#   too.
# - **A template that swallows the trigger.** If the words never reach the input, all candidates have the same loss,
#   and none is strictly better. Change a trigger by hand and see that the scores change.
#
# ## Exercises
#
# 1. (5 minutes) In your loop, accept on `half` in place of `other`. Print both losses in each round. What do you see?
# 2. (10 minutes) Flip the sign of `promise`. How many words are accepted in 25 rounds, and what is the accuracy on
#    test?
# 3. (10 minutes) Put the trigger *before* the review, with `{trigger:3} {text} {mask}`, and search on the command
#    line: `--template`. Is it as good? Why is it slower with GPT?
# 4. (15 minutes) Allow the label words, in five searches from different starts. Is one ever taken?
# 5. (20 minutes) Replace the random slot by the one whose gradient promises most. Does the search get there in fewer
#    rounds?
#
# ## Check yourself
#
# 1. Why does one backward pass rank the whole vocabulary, and a thousand forward passes are not needed?
# 2. The promise is wrong by a factor of two and more. Why does the search work nevertheless?
# 3. Why must the candidates be scored on other examples than those of the gradient, and why does dev choose in the
#    end?
# 4. The trigger that is found reads like nonsense. Is that a fault of the search?
#
# The answers are in `answers/11_autoprompt.md`.
#
# ## In one paragraph
#
# A prompt of words cannot be moved down a gradient, but the gradient at a word's embedding says for every other word
# by about how much it would change the loss. AutoPrompt takes the words that are promised most of, tries each on
# other examples, and keeps one only if it is strictly better; the dev set picks the trigger in the end. Where few
# words will do, as we think for facts, the gradient finds them sooner and more often than chance; where many will do,
# chance does as well.
# The triggers found here come close to the template that a person wrote, and seldom pass it. The next lessons let
# other things be found: lesson 13 templates that can be read, lesson 15 the label words.
