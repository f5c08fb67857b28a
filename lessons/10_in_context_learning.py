# %% [markdown]
# # Lesson 10: in-context learning and calibration
#
# *Show, and train nothing.*
#
# **You need** lesson 7. **Reading** 25 minutes. **Running** 1 minute on one CPU core.
#
# When you have finished, you can
#
# - write demonstrations and a question as one string, and read the answer from the next word,
# - measure what a model would say to nothing at all, and take it off its answers (contextual calibration),
# - tell a model that learns from its context from one that is only swayed by it, and say where the difference comes from.
#
# ## The problem
#
# In lesson 7 we asked our GPT for its opinion with the words "it was", and it was right nearly always. Those words were a
# lucky choice: its pretraining text puts them behind half of all reviews. Suppose that you do not know the right words.
# You write what comes to mind, a colon:

# %%
import torch
from matplotlib import pyplot as plt

import minitune
from minitune.course.drawing import arrow, box, canvas, legend
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.predictors.classifier import Classifier
from minitune.prompting.demonstrations import all_orders, as_demonstrations, choose
from minitune.prompting.template import Template
from minitune.readout.calibrated import Calibrated
from minitune.readout.verbalizer import verbalizer
from minitune.report import interval

gpt = minitune.load("gpt")
model, tokenizer = gpt.model.requires_grad_(False), gpt.tokenizer
reviews = minitune.task("sentiment")
words = ["terrible", "great"]  # of the classes negative and positive
word_ids = [tokenizer.word_id(word) for word in words]
pool = [e for e in reviews.train if len(tokenizer.encode(e.text)) <= 16]  # short ones: several must fit
test = [e for e in reviews.test if len(tokenizer.encode(e.text)) <= 30][: 10 if is_fast() else 60]


def chances(prompt: str) -> torch.Tensor:
    """The probabilities of "terrible" and "great" as the next word: (2,)."""
    ids = torch.tensor([tokenizer.encode(prompt)])  # (1, T)
    hidden = model(ids).hidden[0, -1]  # (D,): where GPT says what comes next
    return model.logits(hidden).softmax(dim=-1)[word_ids]  # (V,) -> (2,)


def accuracy(answer) -> float:
    return sum(answer(e.text) == e.label for e in test) / len(test)


for link in ("it was", ":"):
    right = accuracy(lambda text, link=link: chances(f"{text} {link}").argmax().item())
    print(f"behind {link!r}: {right:.2f} of {len(test)} reviews right")

# %% [markdown]
# Nothing tells the model that an opinion is wanted behind a colon. We could train it. But there is another way to say
# what we want: show it. This is **in-context learning** (Brown et al. 2020): solved examples, the *demonstrations*,
# stand before the question, and the model goes on in the same manner. Not a single weight changes.

# %%
figure, axes = canvas(17.6, 5.0)
shown = [("soup was stale", "text"), (":", "frozen"), ("terrible", "text"), (".", "frozen")]
shown += [("hero was witty", "text"), (":", "frozen"), ("great", "text"), (".", "frozen")]
asked = [("bed was damp", "text"), (":", "frozen")]
x = 0.3
for label, kind in (*shown, *asked):
    width = 3.1 if " " in label else 1.7 if len(label) > 3 else 0.8
    box(axes, x, 0.9, width, 0.8, label, kind)
    x += width
axes.text(0.3, 0.45, "demonstrations, one after the other", fontsize=9)
axes.text(x - 3.9, 0.45, "the question", fontsize=9)
arrow(axes, (x - 0.4, 1.75), (x - 0.4, 2.3))
box(axes, 0.3, 2.3, x - 0.3, 1.0, "GPT, as it was pretrained: nothing is learned", "frozen")
arrow(axes, (x - 0.4, 3.35), (x - 0.4, 3.9))
box(axes, x - 4.2, 3.9, 4.2, 0.8, "terrible or great?", "read")
legend(axes, 0.3, 4.2, ("text", "frozen", "read"))
show(figure, "10-idea.png")

# %% [markdown]
# ![Solved examples stand before the question](figures/10-idea.png)
#
# ## Write it yourself
#
# **The demonstrations** are a string. Each has the form of the question, with its answer filled in and a full stop.

# %%
four = choose(pool, 4, seed=1)  # two of each class, in random order
context = " ".join(f"{e.text} : {words[e.label]} ." for e in four)
print(context.replace(". the", ".\nthe"))
print(len(tokenizer.encode(context)), "of 128 tokens")

# %% [markdown]
# **The answer** is the next word.

# %%
question = test[0].text
p = chances(f"{context} {question} :")
print(question, "->", {word: f"{chance:.1e}" for word, chance in zip(words, p.tolist(), strict=True)})
print(f"four shown: {accuracy(lambda text: chances(f'{context} {text} :').argmax().item()):.2f}")

# %% [markdown]
# **The prior.** That is far worse than showing nothing. Has the model seen a reason in the four, or does it now lean to one
# of the words whatever it reads? Ask it about nothing. The paper of this lesson (Zhao et al. 2021) takes three texts without
# content, and averages:
#
# $$q = \tfrac{1}{3} \sum_{x_0} p(\text{words} \mid \text{context}, x_0), \text{ brought to the sum 1}
# \qquad x_0 \in \{\text{"N/A"}, \text{"[MASK]"}, \text{""}\} \qquad q: (C)$$

# %%
nothing = ["N/A", "[MASK]", ""]
q = torch.stack([chances(f"{context} {text} :".replace("  ", " ")) for text in nothing]).mean(dim=0)  # (3, 2) -> (2,)
q = q / q.sum()
print({word: round(chance, 3) for word, chance in zip(words, q.tolist(), strict=True)})

# %% [markdown]
# **Calibration** divides each word's probability by what it had for nothing:
#
# $$\hat{y} = \arg\max_y \frac{p_y}{q_y}$$

# %%
calibrated = accuracy(lambda text: (chances(f"{context} {text} :") / q).argmax().item())
print(f"four shown, calibrated: {calibrated:.2f}")

# %% [markdown]
# In logarithms the division is a subtraction, $\log p_y - \log q_y$: a new bias, measured without a single label.
#
# ## The same, from the package
#
# Two modules do this: `minitune/prompting/demonstrations.py` chooses the examples, and
# `minitune/readout/calibrated.py` wraps any read-out. A template holds the demonstrations. Scores are compared below
# after a softmax, since a constant that both classes share changes nothing.

# %%
template = Template(Template.parse("{text} : {mask}").parts, as_demonstrations(four, words))
by_words = verbalizer({"negative": ["terrible"], "positive": ["great"]}, reviews.labels, tokenizer)
packaged = Classifier(model, tokenizer, template, Calibrated(by_words, 2), reviews.labels)
packaged.calibrate()
some = test[:10]
theirs = packaged.scores(some).softmax(dim=-1)
yours = torch.stack([chances(f"{context} {e.text} :") / q for e in some])
yours = yours / yours.sum(dim=-1, keepdim=True)
difference = (theirs - yours).abs().max().item()
print(f"largest difference between your probabilities and the package's: {difference:.0e}")
assert difference < 1e-4, "the demonstrations stand otherwise, or the prior was normalised before the mean"

# %% [markdown]
# From the command line the examples are drawn for you, saved with the question, and printed:
#
# ```
# minitune tune frozen@demonstrations+verbalizer+calibrated --model gpt --task sentiment --shots 4 --out runs/shown
# minitune tune frozen@demonstrations+verbalizer --task sentiment --set shown=2 --set order=3 --out runs/two
# ```
#
# ## In which order?
#
# Four examples can stand in 24 orders, and every order says the same. A reader would not care.
#
# > **Before you run this, guess:** between which accuracies do the 24 lie, before and after calibration?

# %%
orders = list(all_orders(four))[:: 8 if is_fast() else 1]
few = test[: 5 if is_fast() else 25]
truth = torch.tensor([e.label for e in few])
raw, after, said = [], [], []
for order in orders:
    shown_so = Template(template.parts, as_demonstrations(order, words))
    classifier = Classifier(model, tokenizer, shown_so, Calibrated(by_words, 2), reviews.labels)
    before = classifier.scores(few)
    classifier.calibrate()  # the prior belongs to this order, and to no other
    raw.append((before.argmax(dim=1) == truth).double().mean().item())
    after.append((classifier.scores(few).argmax(dim=1) == truth).double().mean().item())
    said.append((before.argmax(dim=1) == 1).double().mean().item())
print(f"24 orders of four: {min(raw):.2f} to {max(raw):.2f}; calibrated {min(after):.2f} to {max(after):.2f}")

# %% [markdown]
# One set of examples is one draw. `lessons/more/10_contexts.py` asks eight questions after ten sets in all 24 orders, the
# same sets for every question.
#
# > **Expected, before measuring** (after a trial with 3 sets on 60 reviews). Behind "it was" demonstrations gain nothing,
# > and calibration changes less than 2 points. Behind ":" and "the dog ran to the" calibration gains at least 10 points,
# > and narrows the spread over orders. Random labels cost less than 5 points. With swapped words ("great" shown for bad
# > reviews) the model is right in fewer than 15 of 100 cases. Words that mean nothing stay within 5 points of chance,
# > and so do random weights. "Great" is said more often after "great" than after "terrible".

# %%
result = read_result("10-contexts.json")


def over_orders(name: str, what: str) -> tuple[float, float, list[float]]:
    """The mean over sets and orders, the mean spread over the orders of a set, and the mean of each set."""
    sets = torch.tensor(result["contexts"][name][what])  # (S, 24)
    return sets.mean().item(), sets.std(dim=1).mean().item(), sets.mean(dim=1).tolist()


rows = []
for name, zero in result["zero-shot"].items():
    (mean, spread, before), (mean_c, spread_c, now) = (over_orders(name, what) for what in ("raw", "calibrated"))
    gain, low, high = interval([b - a for a, b in zip(before, now, strict=True)])
    cells = [zero["raw"], zero["calibrated"], mean, spread, mean_c, spread_c]
    rows.append([name, *(f"{cell:.2f}" for cell in cells), f"{gain:+.2f} [{low:+.2f}, {high:+.2f}]"])
header = ["question", "0 shown", "calibrated", "4 shown", "spread", "calibrated", "spread", "gain of calibration"]
show_table("Accuracy of the shipped GPT: 10 sets x 24 orders, 50 test reviews", header, rows)

names = ["it was", ":", "the dog ran to the"]
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for place, name in enumerate(names):
    for offset, what, color in ((-0.18, "raw", "tab:gray"), (0.18, "calibrated", "tab:green")):
        values = torch.tensor(result["contexts"][name][what])  # (S, 24)
        sets = torch.arange(len(values))[:, None].expand_as(values) / len(values)
        jitter = (sets - 0.45) * 0.28
        axes.scatter(
            place + offset + jitter, values, s=7, color=color, alpha=0.5, linewidths=0, label=what if not place else ""
        )
        axes.hlines(values.mean(), place + offset - 0.15, place + offset + 0.15, color="black", linewidth=1.5)
axes.axhline(0.5, color="gray", linestyle=":", linewidth=1)
axes.set_xticks(range(len(names)), [f"“{name}”" for name in names])
axes.set(
    ylabel="accuracy",
    ylim=(0.3, 1.03),
    title="240 contexts a question: a dot each, a column for each set, a line for the mean",
)
axes.legend(frameon=False, loc="lower left", markerscale=2)
show(figure, "10-orders.png")

# %% [markdown]
# ![Accuracy in all orders, before and after calibration](figures/10-orders.png)
#
# Behind ":" and "the dog ran to the" calibration gains 26 and 14 points. But compare the columns: what it regains is hardly
# more than what the demonstrations had taken away. Without any, the model was right in 88 and 86 of 100 cases. Four
# examples pushed it towards "terrible", and calibration pushed it back. Behind "it was", where the prior is near even,
# calibration gains nothing, as it should. One expectation failed: behind ":" the spread over orders stays as wide as it
# was (0.07). Each order has its own prior, and dividing by it moves the mean and not what else differs.
#
# ## What sways it?
#
# Models are said to favour the answer that stands last. How often does ours say "great", by what was shown last?

# %%
rows = []
for name, last in (
    (":", "last labels"),
    ("the dog ran to the", "last labels"),
    ("it was", "last labels"),
    (":, random labels", "last labels"),
    (":, random labels", "last reviews"),
    ("it was, random labels", "last labels"),
    ("it was, random labels", "last reviews"),
):
    differences, after_bad, after_good = [], [], []
    for said_after, lasts in zip(result["contexts"][name]["said"], result[last][name], strict=True):
        share = {
            label: [said for said, last in zip(said_after, lasts, strict=True) if last == label] for label in (0, 1)
        }
        if share[0] and share[1]:  # by chance, random labels may all be the same
            after_bad.append(sum(share[0]) / len(share[0]))
            after_good.append(sum(share[1]) / len(share[1]))
            differences.append(after_good[-1] - after_bad[-1])
    gap, low, high = interval(differences)
    means = [f"{sum(side) / len(side):.2f}" for side in (after_bad, after_good)]
    rows.append([name, last, *means, f"{gap:+.3f} [{low:+.3f}, {high:+.3f}]", str(len(differences))])
header = ["question", "by", "last is bad", "last is good", "difference", "sets"]
show_table("Share of reviews for which the model says great", header, rows)

# %% [markdown]
# So it is, it seems: 11, 20 and 5 points. But look at the rows with random labels. There the last *word* is "great" as
# often behind a bad review as behind a good one, and it makes no difference at all. What the last *review* says makes as
# much of a difference as before, 8 and 4 points. Our model reads the demonstrations as more of the same text, and counts
# their opinions in. Without the control we would have called that a bias towards the last label. (The control was looked at
# in this way after the first measurement.)
#
# ## Does it learn from its context?
#
# Look at the controls in the table. With *random labels* the demonstrations lie half of the time, and nothing happens.
# With *swapped words* each of them says that a bad review is called "great", and the model goes on to call bad reviews
# "terrible". With two words that mean nothing, "kite" and "spoon", only the demonstrations can tell which is which, and
# the model is at chance. So our GPT has **learned nothing from the context**. What four examples change is how likely each
# word is in general, and that is what calibration repairs.
#
# (Calibrated, "kite" and "spoon" reach 0.59. Has it learned a little after all? Swap the two, and it is 0.39: the model
# goes by something in the words and not by what was shown.)
#
# ## A model that does
#
# Why should it look back? In its pretraining text "great" means the same in every document, so nothing was ever gained by
# finding out. Chan et al. (2022) found what asks a model to learn in context: a text in bursts, in which the same word
# means something else in each document. `minitune/world/lists.py` writes such a text: words of praise and blame, each
# followed by one of two arbitrary words, which are drawn anew for each list. `lessons/more/10_pretrain_lists.py` lets our GPT
# read on in it, and what comes of that is `gpt-lists`: the same two layers, the same size. Here is one list, and the same
# list with its two words swapped:

# %%
lists_gpt = minitune.load("gpt-lists").model.requires_grad_(False)
lines = [("dull", 0), ("fresh", 1), ("witty", 1), ("horrid", 0), ("perfect", 1), ("weak", 0)]
rows = []
for pair in (("kite", "olive"), ("olive", "kite")):
    above = " ".join(f"{line} {pair[which]}" for line, which in lines)
    for asked_word in ("clever", "boring"):
        ids = torch.tensor([tokenizer.encode(f"{above} {asked_word}")])
        cells = []
        for reader in (model, lists_gpt):
            p = reader.logits(reader(ids).hidden[0, -1]).softmax(dim=-1)[[tokenizer.word_id(word) for word in pair]]
            cells.append(
                "  ".join(f"{word} {chance:.2f}" for word, chance in sorted(zip(pair, p.tolist(), strict=True)))
            )
        rows.append([f"{above} {asked_word}", *cells])
show_table("The probability of the list's two words as the next one", ["list", "gpt", "gpt-lists"], rows)

# %% [markdown]
# The swapped list turns the answer of `gpt-lists` round. No weight has changed between the two lines: it has found the
# meaning of "kite" in what it just read. Our first GPT says neither word.
#
# > **Expected, before measuring.** Papers find that learning in context comes late and of a sudden. So the accuracy among
# > a list's two words stays at 0.50 for thousands of steps, and jumps. Label words that no list had are told apart less
# > well. What is learned should serve longer lists, and a colon between text and word, as well.

# %%
lists = read_result("10-lists.json")
cases = list(lists["gpt"]["cases"])
rows = []
for case in cases:
    ends = [interval(lists[name]["cases"][case]) for name in ("gpt", "gpt-lists")]
    rows.append([case, *(f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in ends)])
rows.append(
    ["reviews, zero-shot, as in lesson 7", *(f"{lists[name]['zero-shot']:.2f}" for name in ("gpt", "gpt-lists"))]
)
show_table("Right among a list's two words: 10 sets of 20 lists", ["lists", "gpt", "gpt-lists"], rows)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
styles = {"known words, opinions": "-", "known words, topics": "--", "new words, opinions": ":"}
for name, style in styles.items():
    left.plot(
        *zip(*((step, look[name]) for step, look in lists["looks"]), strict=True), style, label=name, color="black"
    )
left.axhline(0.5, color="gray", linewidth=0.8)
left.set(xlabel="steps of reading lists", ylabel="accuracy in context", ylim=(0.3, 1.03), title="Late, and of a sudden")
left.legend(frameon=False, loc="upper left", fontsize=8)
for name, marker, color in (("gpt", "s", "tab:gray"), ("gpt-lists", "o", "tab:orange")):
    by_lines = lists[name]["by lines"]["lists twice as long"]
    points = [(int(above), sum(values) / len(values)) for above, values in by_lines.items()]
    right.plot(*zip(*points, strict=True), marker + "-", color=color, markersize=4, label=name)
right.axvline(12.5, color="black", linestyle=":", linewidth=1)
right.text(12.9, 0.95, "longer than any list\nthat it has read", fontsize=8, va="top")
right.axhline(0.5, color="gray", linewidth=0.8)
right.set(xlabel="lines above", ylim=(0.3, 1.03), title="As far as its text reached, and no further")
right.legend(frameon=False, loc="lower left", fontsize=8)
show(figure, "10-lists.png")

# %% [markdown]
# ![In-context accuracy while reading lists, and by the number of lines above](figures/10-lists.png)
#
# For 4,000 steps nothing seems to happen, and within 400 more it is there. (Olsson et al. 2022 explain such jumps: one
# layer must note what stood before each label, a later one must find the like of the question among those notes, and neither
# gains anything before the other is there. They call the pair induction heads.) The control holds: with label words dealt
# at random the same model is at chance.
#
# The other half of the expectation fails. The model has learned to look back in *such* lists. Words that no list had
# are told apart a little (0.61), a colon or a clause in place of a word are too much (0.50 and 0.53, not to be told from
# chance), and behind the twelfth line it is lost, since it has never read a thirteenth. And reviews it can no longer judge: nothing in
# the lists asked for that. Learning in context is a skill like any other. It reaches as far as the text that taught it,
# and a large model's reaches far because its text holds lists of every kind.
#
# ## Improving a prompt by hand
#
# Most prompts are made by a person who tries something, looks at a handful of examples, and keeps what looks better.
# Ten such persons, each with a draw of their own, start with ":" and the words "awful" and "good". In each step they try
# several variants of one thing and keep the one that does best on their eight dev examples. The test is read at the end.

# %%
steps = [[person[place] for person in result["by hand"]] for place in range(len(result["by hand"][0]))]
rows = []
for before, step in zip([None, *steps[:-1]], steps, strict=True):
    cells = [step[0]["step"], str(step[0]["tried"])]
    for part in ("dev", "test"):
        scores = [person[part] for person in step]
        cells.append(f"{interval(scores)[0]:.2f}")
        gain = interval([a[part] - b[part] for a, b in zip(step, before, strict=True)]) if before else None
        cells.append(f"{gain[0]:+.2f} [{gain[1]:+.2f}, {gain[2]:+.2f}]" if gain else "")
    rows.append(cells)
header = ["step", "variants", "dev", "gained there", "test", "gained there"]
show_table("A prompt improved step by step: the mean of 10 persons", header, rows)

# %% [markdown]
# Only one step was worth anything: another wording, 38 points on the test. All ten chose "the dog ran to the", which means
# nothing and happens to work. After it, eight examples cannot tell the
# variants apart. Each person has tried some twenty things and ends at 0.99 on dev; the test says 0.83. The last step is the
# clearest: it tries four demonstrations in six orders, gains 2.5 points on dev, and nothing on the test. Of several prompts
# that are equally good, the one that looks best on eight examples was lucky. That is overfitting to dev, by hand.
#
# > **At scale, here, why.** In the paper calibration moved GPT-3 (175B, AG's News, no demonstrations) from 43.9 to 73.9, and GPT-3
# > 2.7B (SST-2, eight shown) from 54.0 to 82.0; it can also cost a little (RTE, eight shown, 66.2 to 65.5). Our 26 points
# > behind ":" are of that kind and that size. The paper has orders of the same four examples between 54.3 and 93.4. Ours
# > differ as well, but by what the last review says. And a large model does learn from its
# > demonstrations: with enough parameters it even follows swapped words, where small ones keep to what the words mean
# > (Wei et al. 2023). That random labels do hardly any harm was found for large models too (Min et al. 2022). Ours shows
# > the simplest reason why this can be.
#
# ## Common mistakes
#
# | mistake | what you would see |
# |---|---|
# | the prior of one order is used for another | calibration helps some orders and harms others |
# | each content-free text is brought to the sum 1 before the mean | a text at which neither word is likely counts as much as the others |
# | scores (logits) are divided by the prior, not probabilities | with negative scores the order of the classes turns round |
# | the question stands among its own demonstrations in training | the training loss falls to 0, dev stays poor |
# | demonstrations sorted by class | the class that stands last seems to be the better one |
# | choosing the order on the test set | a gain that no other test set shows |
#
# ## Exercises
#
# **8.1** Leave out one of the three content-free texts at a time. How much does the prior change, and how much the
# accuracy? (10 minutes)
# **8.2** Show four examples of the *same* class. What does the model say, and does calibration repair it? (10 minutes)
# **8.3** Measure the prior on 50 unlabelled reviews in place of the three texts. For which test sets would that be wrong?
# (15 minutes)
# **8.4** The demonstrations are read again for every question. Read them once and keep their keys and values.
# (20 minutes; `lessons/more/10_contexts.py` does it)
#
# ## Check yourself
#
# 1. Calibration needs no labels. Why is it no training, and what does it cost for each new order?
# 2. Demonstrations with random labels do as well as those with right ones. What does that say about the model, and what
#    not?
# 3. A prior of exactly one half each: what does calibration change?
#
# ## In one paragraph
#
# Demonstrations stand before the question and change what the model finds likely, without a single trained number. A
# model learns from them only if its pretraining rewarded it for looking back. `gpt-lists` was, and does; our first GPT was
# not, and is only swayed, by the opinions that it has just read. Contextual calibration measures the sway on texts without content and takes it
# off. It repairs a lopsided prior and can do nothing where the prior is even. **Next:** lesson 11 lets a search find the
# words of the question.
