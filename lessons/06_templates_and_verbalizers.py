# %% [markdown]
# # Lesson 6: templates and verbalizers
#
# **You need** lessons 1 to 3. **To read:** 20 minutes. **To run:** about 3 minutes on two CPU cores.
#
# A pretrained BERT fills blanks. So turn the task into a blank: write the review, then "it was [MASK] .", and see
# whether the model would rather say a word of praise, such as "great", or one like "terrible". Nothing is trained, and
# nothing is new: the question is asked in the language that the model already speaks.
#
# Two choices make such a classifier. The **template** is how the question is asked. The **verbalizer** says which words
# stand for which class. This lesson tries several of each.
#
# **Expected** (sentiment, 1,000 test reviews): zero-shot at least 0.85 through a template that the pretraining text
# uses, at least 0.75 through two that it never uses, between 0.55 and 0.70 through one that asks nothing and one that asks
# something else. Swapped words turn zero-shot accuracy a into 1 - a.

# %%
import torch
from matplotlib import pyplot as plt

import minitune
from minitune.course.lessons import is_fast, show, show_table
from minitune.data.examples import Example
from minitune.methods.experiment import learn
from minitune.methods.method import Method
from minitune.methods.question import Question
from minitune.predictors.classifier import Classifier
from minitune.predictors.probes import zero_shot
from minitune.prompting.template import Template
from minitune.readout.verbalizer import Verbalizer, verbalizer
from minitune.report import interval
from minitune.training.checkpoint import random_twin
from minitune.world.tasks import get_task

bert = minitune.load("bert")
tokenizer, task = bert.tokenizer, get_task("sentiment")

# %% [markdown]
# ## A template, token by token
#
# A template is text with slots. `{text}` is the example, `{mask}` the blank. Only the example's text is ever shortened;
# everything else keeps its place.

# %%
template = Template.parse("{text} it was {mask} .")
example = Example("the plot was dull but the cast was charming .")
rendered = template.render(example, tokenizer, context=128)
shown = list(zip(tokenizer.tokens(rendered.ids), rendered.origin, strict=True))
show_table("A review in its template: each token, and where it comes from", ["token", "from"], shown)
print("the blank is at", rendered.blanks)

# %% [markdown]
# ## A verbalizer, by hand
#
# Let a model give the four words of two classes these scores (logits) at the blank:
#
# | class | words | scores |
# |---|---|---|
# | good | great, lovely | 5, -5 |
# | bad | terrible, awful | 2, 2 |
#
# Which class wins? The mean of the *scores* says bad: 0 against 2. The mean of the *probabilities* says good:
# $(e^5 + e^{-5})/2 = 74.2$ against $e^2 = 7.4$. Papers use both (PET the first; AutoPrompt the second, as a sum). We take
# the probabilities: a class is as likely as its words are, and a rare synonym does no harm.


# %%
class FourWords(torch.nn.Module):
    """A model of four words that always gives the scores of the table."""

    def logits(self, hidden):
        return torch.tensor([[5.0, -5.0, 2.0, 2.0]])


by_hand = Verbalizer([[0, 1], [2, 3]])
print("class scores:", by_hand(torch.zeros(1, 1), FourWords()).exp().tolist(), "  <- 74.2 and 7.4")

# %% [markdown]
# ## What the model says at the blank

# %%
with torch.no_grad():
    for text in (
        "the plot was clever and gripping .",
        "the plot was not clever .",
        "the plot was dull but the cast was charming .",
        "the plot was charming but the cast was dull .",
    ):
        asked = template.render(Example(text), tokenizer, 128)
        hidden = bert.model(torch.tensor([asked.ids])).hidden[0, asked.blanks[0]]
        top = bert.model.logits(hidden).softmax(dim=-1).topk(5)
        said = "  ".join(f"{w} {p:.2f}" for w, p in zip(tokenizer.tokens(top.indices), top.values, strict=True))
        print(text.ljust(50), said)

# %% [markdown]
# Three of the four it reads as we do. "Not clever" leaves it torn: of its five likeliest words three condemn and two
# praise, and they weigh about the same. What follows the "but" decides, in both directions.
#
# ## Which template?
#
# "it was ___" is a phrase of the pretraining text. The two marked *unseen* never occur in it. The irrelevant one asks
# nothing about the review; the misleading one asks something else. Three words stand for each class here: "great", "good"
# and "wonderful" against "terrible", "bad" and "awful". Beside each result stands that of the same model with random
# weights: if it did better than chance, the test would be rigged. And beside that stands the shipped GPT.
#
# > **Expected, before measuring.** The irrelevant and the misleading template at chance: why should a model that is asked
# > where the dog ran praise a film?

# %%
data, question = minitune.task("sentiment").for_model(bert)
test = list(data.test[:100] if is_fast() else data.test)
random_weights, gpt = random_twin(bert), minitune.load("gpt")
asked = {
    "as in the text": task.template,
    "unseen": task.unseen_templates[0],
    "unseen, too": task.unseen_templates[1],
    "irrelevant": task.irrelevant_template,
    "misleading": task.misleading_template,
}
rows = []
for name, string in asked.items():
    scores = [zero_shot(model, task, test, string) for model in (bert, random_weights, gpt)]
    rows.append([f"{name}: {string}", *(f"{score:.3f}" for score in scores)])
header = ["template", "BERT", "BERT, random weights", "GPT"]
show_table(f"Zero-shot accuracy on {len(test)} reviews, by template", header, rows)


def said_at_the_blank(string: str) -> float:
    """The mean probability of the six label words together, over the reviews."""
    readout = verbalizer(task.label_words, task.labels, tokenizer)
    classifier = Classifier(bert.model, tokenizer, Template.parse(f"{string} ."), readout)
    items = [item._replace(hidden=None) for item in classifier.items(test[:200])]
    with torch.no_grad():
        hidden = classifier.read(classifier.collate(items))  # (B, D), at the blank
        return bert.model.logits(hidden).softmax(dim=-1)[:, readout.ids.flatten()].sum(dim=1).mean().item()


for name in ("as in the text", "irrelevant"):
    print(f"{name}: BERT gives the six label words together a probability of {said_at_the_blank(asked[name]):.5f}")

# %% [markdown]
# The two templates that the text never uses do as well as the one that it does: the model has learned what such a
# question is, and no fixed string.
#
# The irrelevant and the misleading template were expected at chance, and they are not. BERT is right on 0.645 and 0.598. GPT
# is right on 0.843 through the one, and through the other on 0.158: it gets the reviews the wrong way round, which takes as
# much knowledge of them as to get them right. We only compare the label words with each other, however unlikely all six
# are. At "the dog ran to the ___" BERT gives them 0.00005 of the probability, all together; at "it was ___" 0.92. The review
# has left its mark on the hidden state at the blank, and that mark still tips the balance, to one side or the other. So the
# control that shows that nothing is rigged is the model with random weights, not the template without sense.
#
# ## Which words?
#
# Five mappings of words to classes, zero-shot and after training on 16 examples a class (five draws). The last two are
# the same words, given to the wrong classes: the model has to unlearn what it knows.
#
# One word stands for each class now. Before looking, write down what you expect. Gao et al. (2021, table 4) found with a
# large model and 16 examples: great/terrible 92.7, good/bad 92.5, cat/dog 91.5, dog/cat 86.2, terrible/great 83.2.
#
# (The rate is 2e-4, 100 steps; it was not swept for each mapping.)

# %%
mappings = {
    "great / terrible": ("great", "terrible"),
    "good / bad": ("good", "bad"),
    "cat / dog": ("cat", "dog"),
    "bad / good (swapped)": ("bad", "good"),
    "terrible / great (swapped)": ("terrible", "great"),
}
SEEDS, SHOTS = (1, 4) if is_fast() else (5, 16)
measured = {}
for name, (positive, negative) in mappings.items():
    words = {"positive": (positive,), "negative": (negative,)}
    own = Question(question.labels, question.template, words)
    untrained = Method.parse("zero-shot").build(bert, own, seed=0)
    tuned = []
    for seed in range(SEEDS):
        method = Method.parse("full+verbalizer", ["lr=2e-4"])
        tuned.append(learn(method, bert, own, data, SHOTS, seed).predictor.accuracy(test))
    measured[name] = (untrained.accuracy(test), tuned)
    mean, low, high = interval(tuned)
    print(f"{name:28} zero-shot {measured[name][0]:.3f}   tuned {mean:.3f} [{low:.3f}, {high:.3f}]")

# %%
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for height, (untrained, tuned) in enumerate(reversed(measured.values())):
    mean, low, high = interval(tuned)
    axes.plot(untrained, height, "s", color="tab:gray", label="zero-shot" if height == 0 else None)
    axes.plot(tuned, [height] * len(tuned), "o", color="tab:blue", alpha=0.3, markersize=4)
    axes.errorbar(
        mean,
        height,
        xerr=[[mean - low], [high - mean]],
        fmt="D",
        color="tab:blue",
        capsize=3,
        label=f"tuned on {SHOTS} a class" if height == 0 else None,
    )
axes.set_yticks(range(len(measured)), list(reversed(measured)))
axes.axvline(0.5, color="gray", linestyle=":")
axes.set(
    xlabel="accuracy on test (positive / negative)",
    xlim=(0, 1.02),
    title="The choice of words matters most without training",
)
axes.legend(frameon=False, loc="upper left", fontsize=8)
show(figure, "06-mappings.png")

# %% [markdown]
# ![The choice of words](figures/06-mappings.png)
#
# ## What to notice
#
# - Zero-shot, the words are everything. Swapped, accuracy is one minus what it was.
# - After training on 16 examples a class, "cat" and "dog" do as well as "great" and "terrible": 0.94, all three. In the
#   paper a small gap is left (91.5 against 92.7).
# - Swapped words end near chance, 0.55 with intervals that reach below 0.50, far behind senseless ones, where the paper's
#   larger model reached 83. A hundred small steps teach a new meaning to "cat", and do not turn round the meaning of
#   "great". Give them more steps, or a larger rate, and see (exercise 4).
# - Training did not improve on zero-shot here: 0.942 before and 0.939 after. This model knows already what a good review is,
#   and 32 examples add nothing to it.
# - A verbalizer adds no parameter at all. A classifier head adds some that start at random and must be learned from the
#   same few examples.
#
# ## Common mistakes
#
# - **A label word that is split.** The blank is one token; a word of two can never be its answer. We refuse it.
# - **Two classes sharing a word**, which makes ties and a bias. Refused too.
# - **Words in another class order than the labels**: accuracy becomes one minus accuracy. Here words are given by name.
# - **GPT with something after the blank.** GPT fills a blank by saying the next word, so the template must end there.
#
# ## Exercises
#
# 1. Find a template that does worse than 0.6 although it looks sensible to you. Why does the model not understand it?
# 2. Use `"{text} it was {mask}"` with the shipped GPT and compare.
# 3. Give each class all six verdict words instead of one. Does zero-shot accuracy rise?
# 4. Tune the swapped mapping at five times the learning rate, then with five times the steps. Which helps more?
#
# ## Three questions
#
# **1. Should a template with an irrelevant question be at chance, zero-shot?** One would think so, and it is not: look at the
# table. A verbalizer compares the label words with each other and does not ask how likely they are at all, so whatever the
# review leaves at the blank can decide. Were the score the probability of "great" itself, an irrelevant question would be
# seen at once. This is also why a good accuracy is no proof that a template makes sense to the model.
#
# **2. Why can cat/dog reach a good accuracy after training?** Training moves the hidden state at the blank towards one
# word's embedding or the other's. Any two words that differ can serve as targets.
#
# **3. Is a random-weights model with a verbalizer useless after training as well?** No: then it is an ordinary
# classifier trained from nothing. Zero-shot it is at chance, as it should be.
