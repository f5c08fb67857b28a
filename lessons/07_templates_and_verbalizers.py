# %% [markdown]
# # Lesson 7: templates and verbalizers
#
# *Ask the model in the language that it speaks already.*
#
# **You need** lessons 1 to 4. **Reading** 30 minutes. **Running** 1 minute on one CPU core.
#
# When you have finished, you can
#
# - turn a classification task into a blank, and let a pretrained BERT or GPT fill it, in twenty lines,
# - make class scores of one word, of several, of weighted words, and of words that the tokenizer splits,
# - say what a good zero-shot result proves about a template, and what it does not.
#
# ## The problem
#
# "The plot was dull but the cast was charming." Is the reviewer for the film or against it? In lesson 4 a classifier
# head answered that. A head is a matrix of random numbers when it begins: it must learn from examples what class 1
# means, and with four examples it can hardly know.
#
# Our BERT has read 160,000 texts, many reviews among them. It knows what people write behind such a sentence. So do not
# train anything. Write "it was [MASK] ." behind the review, and look which word BERT would
# put into the blank: a word of praise, such as "great", or one like "terrible".
#
# Somebody has to make two choices. The **template** is how the question is asked: where the review stands, and which
# words stand around it and the blank. The **verbalizer** says which words stand for which class.

# %%
import math
import random
from collections.abc import Sequence

import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.course.drawing import arrow, box, canvas, legend, tokens
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.data.examples import Example, draw
from minitune.predictors.classifier import Classifier, Item
from minitune.predictors.predictor import over
from minitune.prompting.template import Template
from minitune.questions.from_task import task_data
from minitune.readout.phrases import Phrases
from minitune.readout.verbalizer import verbalizer
from minitune.report import interval
from minitune.training.checkpoint import Checkpoint, load_checkpoint, random_twin
from minitune.world.tasks import get_task

figure, axes = canvas(15, 6.6)
row = [(word, "text") for word in ("the", "plot", "was", "dull", ".")]
row += [("it", "frozen"), ("was", "frozen"), ("[MASK]", "read"), (".", "frozen")]
middles = tokens(axes, 0.3, 0.7, row)
axes.text(middles[2], 0.3, "the example's text", ha="center", fontsize=9)
axes.text(middles[6], 0.3, "the template: always the same words", ha="center", fontsize=9)
for x in middles:
    arrow(axes, (x, 1.5), (x, 2.0))
box(axes, 0.3, 2.0, 11.7, 1.4, "BERT, as it was pretrained", "frozen")
blank = middles[7]
arrow(axes, (blank, 3.4), (blank, 3.9))
for place, word in enumerate(("terrible", "bad", "great", "good")):
    box(axes, blank - 3.6 + 1.8 * place, 3.9, 1.8, 0.8, word, "read")
for x, name in ((blank - 1.8, "negative"), (blank + 1.8, "positive")):
    arrow(axes, (x, 4.7), (x, 5.2))
    box(axes, x - 1.4, 5.2, 2.8, 0.8, name, "read")
axes.text(blank + 3.8, 5.5, "the verbalizer:\nwords stand for classes", va="center", fontsize=9)
legend(axes, 0.3, 5.6, ("text", "frozen", "read"))
show(figure, "07-idea.png")

# %% [markdown]
# ![A review, a blank, and the words that BERT would put there](figures/07-idea.png)
#
# Nothing in this picture is orange. Nothing is learned, and nothing is new.
#
# ## Write it yourself
#
# We take the shipped BERT and 1,000 reviews that no model has seen.

# %%
bert = load_checkpoint("bert")
model, tokenizer = bert.model, bert.tokenizer
data, question = task_data("sentiment").for_model(bert)
test = list(data.test[: 40 if is_fast() else None])
labels = torch.tensor([example.label for example in test])
print(len(test), "reviews; the classes are", data.labels)

# %% [markdown]
# **The template.** The text's tokens, then the question's, with the blank in its place. BERT also wants its [CLS] at
# the front and its [SEP] at the end. We have to remember where the blank is, for that is where we shall read.


# %%
def in_template(text: str, blanks: int = 1) -> tuple[list[int], int]:
    """The review with the question behind it, as ids, and where the (first) blank is."""
    before = [tokenizer.cls_id, *tokenizer.encode(text), *tokenizer.encode("it was")]
    return [*before, *[tokenizer.mask_id] * blanks, *tokenizer.encode("."), tokenizer.sep_id], len(before)


ids, place = in_template("the plot was dull but the cast was charming .")
print(" ".join(tokenizer.tokens(ids)), "  <- the blank is token", place)

# %% [markdown]
# We count where the blank is. To search for the first [MASK] instead would be a mistake: somebody may have typed
# "[MASK]" into a review.
#
# **The blank.** BERT gives the blank a hidden state, and its output layer scores every word of the vocabulary there. A
# softmax makes probabilities of them; we keep their logarithms.


# %%
@torch.no_grad()
def at_blank(text: str) -> Tensor:
    """The log-probability of every word at the blank: (V,)."""
    ids, place = in_template(text)
    hidden = model(torch.tensor([ids])).hidden[0, place]  # (1, T) -> (1, T, D) -> (D,)
    return model.logits(hidden).log_softmax(dim=-1)  # (D,) -> (V,)


for text in (
    "the plot was clever and gripping .",
    "the plot was not clever .",
    "the plot was dull but the cast was charming .",
    "the plot was charming but the cast was dull .",
):
    top = at_blank(text).exp().topk(5)
    said = "  ".join(f"{w} {p:.2f}" for w, p in zip(tokenizer.tokens(top.indices), top.values, strict=True))
    print(text.ljust(50), said)

# %% [markdown]
# Three of the four it reads as we do. "Not clever" leaves it torn: of its five likeliest words three condemn and two
# praise, and they weigh about the same. What follows the "but" decides, in both directions.
#
# **The verbalizer.** Let three words stand for each class. How do three probabilities make one score? Take a smaller
# case first, two words a class, with these scores (logits) at the blank:
#
# | class | words | logits |
# |---|---|---|
# | positive | great, lovely | 5, -5 |
# | negative | terrible, awful | 2, 2 |
#
# The mean of the *logits* says negative: 0 against 2. The mean of the *probabilities* says positive:
# $(e^5 + e^{-5})/2 = 74.2$ against $e^2 = 7.4$. Papers use both (PET the first; AutoPrompt the second, as a sum). We take
# the probabilities, for then a class is as likely as its words are, and a rare synonym does no harm:
#
# $$\text{score}(y) = \log \frac{1}{|V_y|} \sum_{w \in V_y} p(w \text{ at the blank})$$
#
# The mean, and not the sum, or else a class would win by having more words.

# %%
WORDS = {"negative": ("terrible", "bad", "awful"), "positive": ("great", "good", "wonderful")}
word_ids = torch.tensor([[tokenizer.word_id(word) for word in WORDS[label]] for label in data.labels])  # (C, W)


def class_scores(log_p: Tensor) -> Tensor:
    """The log of the mean probability of each class's words: (..., V) -> (..., C)."""
    return log_p[..., word_ids].logsumexp(dim=-1) - math.log(word_ids.shape[1])


by_hand = torch.stack([class_scores(at_blank(example.text)) for example in test])  # (N, C)
print(f"BERT, zero-shot: {(by_hand.argmax(dim=1) == labels).double().mean():.3f}")

# %% [markdown]
# That is a sentiment classifier, and no example was used to make it. Two details deserve a second look. The words are
# listed **by the names of the classes** and put in the order of the labels in one line; listed by place they are easily
# matched to the wrong class, and the accuracy becomes one minus the accuracy. And `word_id` refuses a word that
# the tokenizer splits: the blank is one token, and a word of two can never stand there. We come back to such words.
#
# **GPT** fills a blank by saying the next word. So the template must end where the blank is, and no token stands
# there. The answer is read at the last token, which has seen all the others.

# %%
gpt = load_checkpoint("gpt")


@torch.no_grad()
def after_question(text: str) -> Tensor:
    """The log-probability of every token as the next one, of GPT: (V,)."""
    ids = gpt.tokenizer.encode(f"{text} it was")
    return gpt.model.logits(gpt.model(torch.tensor([ids])).hidden[0, -1]).log_softmax(dim=-1)


gpt_ids = torch.tensor([[gpt.tokenizer.word_id(word) for word in WORDS[label]] for label in data.labels])  # (C, W)
right = [after_question(e.text)[gpt_ids].logsumexp(dim=-1).argmax().item() == e.label for e in test]
print(f"GPT, zero-shot: {sum(right) / len(test):.3f}")

# %% [markdown]
# The prompt ends in "was", not in "was " with a space behind it. GPT's tokens begin with their space: "_great" is the
# word behind "was", and behind "was_" it would have to say "great" without one, which it has hardly ever seen.
#
# ## The same, from the package
#
# `minitune/prompting/template.py` writes the template as a line of text, `{text} it was {mask} .`;
# `minitune/readout/verbalizer.py` holds your `class_scores`; a `Classifier` joins them with the model and does it for
# batches. Open the two files beside this page. The numbers must be yours.

# %%
template = Template.parse("{text} it was {mask} .")
packaged = Classifier(model, tokenizer, template, verbalizer(WORDS, data.labels, tokenizer), data.labels)
difference = (packaged.scores(test).softmax(dim=-1) - by_hand.softmax(dim=-1)).abs().max().item()
print(f"largest difference between your probabilities and the package's: {difference:.0e}")
assert difference < 1e-5, "the package reads another place than you do, or other words"

rendered = template.render(Example("a great [MASK] of a film {mask} !"), tokenizer, context=128)
shown = list(zip(tokenizer.tokens(rendered.ids), rendered.origin, strict=True))
show_table("A text in its template: each token, and where it comes from", ["token", "from"], shown)
print("the blank is token", rendered.blanks[0])

# %% [markdown]
# Whatever a text holds is text: the "[MASK]" that somebody typed has been read as six characters, and the braces as
# braces.
#
# ## Which template?
#
# "it was ___" is a phrase of the pretraining text. Two templates marked *unseen* never occur in it. One is irrelevant
# and asks nothing about the review; one is misleading and asks something else. Beside BERT stand GPT and, as a control,
# ten BERTs with random weights: if they did better than chance, something in the test would be rigged.
#
# > **Before you run this, guess:** how good is "the dog ran to the ___"?
# >
# > **Expected, before measuring.** At least 0.85 through the template of the text and 0.75 through the two unseen ones. The
# > irrelevant and the misleading template at chance: why should a model that is asked where the dog ran praise a
# > film? The random weights at chance on average, each between 0.40 and 0.60.

# %%
task = get_task("sentiment")
asked = {
    "as in the text": task.template,
    "unseen": task.unseen_templates[0],
    "unseen, too": task.unseen_templates[1],
    "irrelevant": task.irrelevant_template,
    "misleading": task.misleading_template,
}
few = test[:300]
TWINS = [random_twin(bert, seed) for seed in range(2 if is_fast() else 10)]


def through(checkpoint: Checkpoint, string: str) -> Classifier:
    stop = " ." if checkpoint.kind == "bert" else ""
    words = verbalizer(WORDS, data.labels, checkpoint.tokenizer)
    return Classifier(checkpoint.model, checkpoint.tokenizer, Template.parse(string + stop), words, data.labels)


found = {}
for name, string in asked.items():
    pretrained = [through(checkpoint, string).accuracy(test) for checkpoint in (bert, gpt)]
    found[name] = (*pretrained, [through(twin, string).accuracy(few) for twin in TWINS])
rows = [
    [f"{name}: {asked[name]}", f"{of_bert:.3f}", f"{of_gpt:.3f}", f"{interval(twins)[0]:.3f}"]
    for name, (of_bert, of_gpt, twins) in found.items()
]
show_table("Zero-shot accuracy by template", ["template", "BERT", "GPT", f"{len(TWINS)} random BERTs"], rows)
all_twins = [score for *_, twins in found.values() for score in twins]
print(f"the random BERTs: from {min(all_twins):.3f} to {max(all_twins):.3f}")

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for height, (of_bert, of_gpt, twins) in enumerate(reversed(found.values())):
    axes.plot(twins, [height] * len(twins), "|", color="gray", markersize=10, label="random weights, ten seeds")
    axes.plot(of_bert, height, "o", color="tab:blue", label="BERT")
    axes.plot(of_gpt, height, "s", color="tab:green", label="GPT")
axes.set_yticks(range(len(found)), list(reversed(found)))
axes.axvline(0.5, color="gray", linestyle=":")
axes.set(xlabel="zero-shot accuracy", xlim=(0, 1.02), title="A senseless question is not answered at random")
handles, names = axes.get_legend_handles_labels()
axes.legend(handles[:3], names[:3], frameon=False, fontsize=8, loc="upper left")
show(figure, "07-templates.png")


def said_at_the_blank(string: str) -> float:
    """The mean probability of the six label words together, over the reviews."""
    classifier = through(bert, string)
    log_p = over(classifier, classifier.items(few), lambda batch: model.logits(classifier.read(batch)).log_softmax(-1))
    return log_p[:, word_ids.flatten()].exp().sum(dim=1).mean().item()


for name in ("as in the text", "irrelevant"):
    print(f"{name}: BERT gives the six label words together a probability of {said_at_the_blank(asked[name]):.5f}")

# %% [markdown]
# ![Accuracy by template](figures/07-templates.png)
#
# The two templates that the text never uses do as well as the one that it does: the model has learned what such a
# question is, and no fixed string. The random weights are at chance.
#
# The irrelevant and the misleading template were expected at chance as well, and they are not. BERT is right on 0.645 and
# 0.598. GPT is right on 0.843 through the one, and through the other on 0.158: it gets the reviews the wrong way round,
# which takes as much knowledge of them as to get them right. How can that be? A verbalizer compares the label words
# with each other, however unlikely all six are. At "the dog ran to the ___" BERT gives them 0.00005 of the probability,
# all together; at "it was ___" 0.92. The review has left its mark on the hidden state at the blank, and that mark still
# tips the balance, to one side or the other.
#
# So a good accuracy does not prove that a template makes sense to the model, and the control that shows that nothing
# is rigged is the model with random weights, not the template without sense.
#
# ## Which words, and what to train?
#
# Now the other choice: several mappings of words to classes, zero-shot, and after training on 16 examples a class. In
# two of them the words are the right ones, given to the wrong classes: the model has to unlearn what it knows.
#
# Training changes the model so that it says the right words, and there are two ways. **Everything** may move. Or only the
# **LM head**: the layer that turns a hidden state into word scores, a copy of the embedding table with BERT's
# transform before it. The smaller one is quickly written. The blanks of 32 reviews are read once, for nothing below the
# output layer changes; then a copy of the embedding table learns to say "cat" for praise and "dog" for blame.

# %%
train, _ = draw(data, 16, seed=0)
with torch.no_grad():
    states = {}  # hidden states at the blanks: (N, D)
    for name, examples in (("train", train), ("test", test)):
        asked_of = [in_template(example.text) for example in examples]
        states[name] = torch.cat([model(torch.tensor([ids])).hidden[:, place] for ids, place in asked_of])
targets = torch.tensor([example.label for example in train])
animals = torch.tensor([tokenizer.word_id("dog"), tokenizer.word_id("cat")])  # negative, positive
table_copy = nn.Parameter(model.token_embedding.weight.detach().clone())  # (V, D)


def accuracy_by_animals() -> float:
    with torch.no_grad():
        said = model.logits(states["test"], table_copy)[:, animals].argmax(dim=1)  # (N, D) -> (N, V) -> (N,)
    return (said == labels).double().mean().item()


print(f"cat / dog before: {accuracy_by_animals():.3f}")
optimizer = torch.optim.Adam([table_copy], lr=3e-3)
for _step in range(100):
    loss = F.cross_entropy(model.logits(states["train"], table_copy)[:, animals], targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"cat / dog after:  {accuracy_by_animals():.3f}")

# %% [markdown]
# One word for each class, cross-entropy over the two, and two rows of a table that moved. Is it always as easy?
#
# Before looking, write down what you expect. Gao et al. (2021, table 4) found with a large model and 16 examples a
# class: great/terrible 92.7, good/bad 92.5, cat/dog 91.5, dog/cat 86.2, terrible/great 83.2.
#
# > **Expected, before measuring** (and before the cell above was written). Zero-shot: as good as the words are, chance for cat and dog, one minus it for swapped
# > words. After training everything, cat and dog within three points of great and terrible, the swapped words below 0.75.
# > With the LM head alone, cat and dog at least five points lower, and the swapped words higher than after training
# > everything: two rows of one matrix are all that must trade places.
#
# `lessons/more/07_words.py` measures it in 25 minutes, ten draws each; we read its result.

# %%
result = read_result("07-words.json")
of_sentiment = [row for row in result["rows"] if row["task"] == "sentiment"]
names = list(dict.fromkeys(row["words"] for row in of_sentiment))
by_name = {(row["words"], row["what"]): row for row in of_sentiment}


def told(scores: list[float]) -> str:
    mean, low, high = interval(scores)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


rows = []
for name in names:
    trained = [told(by_name[name, what]["scores"]) if (name, what) in by_name else "" for what in ("full", "output")]
    rows.append([name, f"{by_name[name, 'full']['zero-shot']:.3f}", *trained])
show_table("sentiment, by the words for positive / negative", ["words", "zero-shot", "everything", "LM head"], rows)
rating = {row["what"]: row for row in result["rows"] if row["task"] == "rating"}
rows = [[what, f"{row['zero-shot']:.3f}", told(row["scores"])] for what, row in rating.items()]
show_table("rating, five classes, a word each", ["trained", "zero-shot", "accuracy"], rows)
gaps = [
    b - a for a, b in zip(*(by_name["terrible / great", what]["scores"] for what in ("full", "output")), strict=True)
]
print("terrible / great, the LM head's gain over everything, paired:", told(gaps))
gaps = [b - a for a, b in zip(*(by_name["cat / dog", what]["scores"] for what in ("output", "full")), strict=True)]
print("cat / dog, the gain of everything over the LM head, paired:", told(gaps))
for rate in ("0.001", "0.003"):
    print(
        f"terrible / great, everything at a rate of {rate}:",
        told(by_name["terrible / great", f"full at {rate}"]["scores"]),
    )
for what, scores in result["by heart"].items():
    print(f"terrible / great, {what}, on the 32 training examples themselves: {interval(scores)[0]:.3f}")

figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for height, name in enumerate(reversed(names)):
    axes.plot(by_name[name, "full"]["zero-shot"], height, "s", color="gray", label="zero-shot")
    for what, color, shift in (("full", "tab:orange", 0.13), ("output", "tab:purple", -0.13)):
        if (name, what) in by_name:
            mean, low, high = interval(by_name[name, what]["scores"])
            error = [[mean - low], [high - mean]]
            label = "everything trained" if what == "full" else "the LM head trained"
            axes.errorbar(mean, height + shift, xerr=error, fmt="D", color=color, capsize=3, markersize=5, label=label)
axes.set_yticks(range(len(names)), list(reversed(names)))
axes.axvline(0.5, color="gray", linestyle=":")
axes.set(xlabel="accuracy (16 examples a class, ten draws)", xlim=(0, 1.02), title="Words matter most without training")
handles, labelled = axes.get_legend_handles_labels()
unique = dict(zip(labelled, handles, strict=True))
axes.legend(unique.values(), unique, frameon=False, fontsize=8, loc="upper left")
show(figure, "07-mappings.png")

# %% [markdown]
# ![The choice of words, before and after training](figures/07-mappings.png)
#
# Zero-shot, the words are everything. Swapped, the accuracy is one minus what it was.
#
# After training everything on 16 examples a class, "cat" and "dog" stand beside "great" and "terrible", 0.934 and 0.936, as
# expected. Weights (five a class) make no difference any more. The swapped words stay at 0.546 and 0.560.
#
# The LM head alone was expected to fail at "cat" and "dog", and does not: 0.931, and the difference from training
# everything is none that ten draws can tell. And it turns the swapped words round, as expected, and all the way, to
# 0.935: the hidden state at the blank tells good from bad already, and two rows of one matrix only have to trade
# places. All that was wrong were the names.
#
# Why does everything fail where its smallest part succeeds? We thought of the rate, for the LM head's is ten times as
# large, and expected more than 0.75 at that rate; it gave 0.583. The answer is in the last two lines of the output. Both
# ways are right on the 32 training examples (0.975 and 0.972). With everything in motion the model has learned them by heart, one by
# one, which is easier for so many numbers than to turn round what they know of thousands of reviews. The LM head sees
# only the blank's hidden state, where the reviews of a class look alike, so that what it learns holds for all of them.
#
# Nothing here beats zero-shot with good words (0.942): this model knows what a good review is, and 32 examples
# add nothing. `rating` is another matter. There zero-shot is right on 0.391 of five classes, the LM head comes to
# 0.479, and training everything to 0.744. What the hidden state does not tell apart, another output layer cannot.
#
# ## Several words a class
#
# "Great" is one way to praise, and a review may be nearer to "charming". So let more words stand for a class. Our world
# has five verdicts a class that are one token each, and eight opinions that suit everything. We draw 1 to 8 of these
# thirteen at random, twenty times, and score the same 1,000 blanks with each draw.
#
# A mean of probabilities listens to the commonest words, and hardly to the rare ones. **Weights** can mend that. We give each
# word one over the mean probability that BERT gives it at the blanks of 300 training reviews. (Their labels are not
# looked at.) Each word then has the same say on average.
#
# > **Before you run this, guess:** do eight words do better than one, and does it help to weigh them?
# >
# > **Expected, before measuring.** One word drawn at random is on average at least three points below eight, and the
# > spread over draws shrinks by half or more from one word to eight. With eight words weighing gains between zero and two
# > points.

# %%
VERDICTS = {"negative": "terrible bad awful dreadful poor", "positive": "great good wonderful superb lovely"}
OPINIONS = {
    "negative": "dull boring ugly weak horrid annoying dismal hopeless",
    "positive": "charming clever delightful brilliant splendid excellent pleasant perfect",
}
choices = [
    [tokenizer.word_id(w) for w in f"{VERDICTS[label]} {OPINIONS[label]}".split() if not tokenizer.is_split(w)]
    for label in data.labels
]
print("words to choose from:", [len(of_class) for of_class in choices])


def blanks_of(examples: Sequence[Example]) -> Tensor:
    """The log-probability of every word at each example's blank: (N, V)."""
    items = packaged.items(examples)
    return over(packaged, items, lambda batch: model.logits(packaged.read(batch)).log_softmax(dim=-1))


log_p, prior = blanks_of(test), blanks_of(data.pool[:300]).exp().mean(dim=0)  # (N, V), (V,)


def accuracy_of(words: list[list[int]], is_weighed: bool) -> float:
    """Zero-shot accuracy with these words a class."""
    scores = []
    for of_class in words:
        weights = 1 / prior[of_class] if is_weighed else torch.ones(len(of_class))
        scores.append((log_p[:, of_class] + (weights / weights.sum()).log()).logsumexp(dim=-1))  # (N, W) -> (N,)
    return (torch.stack(scores, dim=1).argmax(dim=1) == labels).double().mean().item()


COUNTS, DRAWS = (1, 2, 3, 5, 8), 3 if is_fast() else 20
rng, by_count = random.Random(0), {}
for count in COUNTS:
    drawn = [[rng.sample(of_class, count) for of_class in choices] for _ in range(DRAWS)]
    by_count[count] = [[accuracy_of(words, is_weighed) for words in drawn] for is_weighed in (False, True)]
rows = []
for count, (plain, weighed) in by_count.items():
    mean, low, high = interval([b - a for a, b in zip(plain, weighed, strict=True)])
    spread = torch.tensor(plain).std().item()
    cells = [f"{interval(plain)[0]:.3f}", f"{spread:.3f}", f"{interval(weighed)[0]:.3f}"]
    rows.append([str(count), *cells, f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"])
header = ["words a class", "equal weights", "spread", "weighed", "gain by weighing"]
show_table(f"Zero-shot accuracy with words drawn at random, {DRAWS} draws", header, rows)

figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for side, (name, color) in enumerate((("equal weights", "tab:blue"), ("one over the prior", "tab:orange"))):
    for place, count in enumerate(COUNTS):
        scores, x = by_count[count][side], place + 0.3 * side - 0.15
        axes.plot([x] * len(scores), scores, "o", color=color, alpha=0.25, markersize=4)
        axes.plot(x, interval(scores)[0], "D", color=color, label=name if place == 0 else None)
axes.set_xticks(range(len(COUNTS)), COUNTS)
axes.set(xlabel="words a class, drawn at random", ylabel="zero-shot accuracy", title="More words, fewer bad surprises")
axes.legend(frameon=False, fontsize=8, loc="lower right")
show(figure, "07-several-words.png")

# %% [markdown]
# ![Accuracy by the number of words](figures/07-several-words.png)
#
# The first guess holds. With one word a class drawn at random the mean is 0.739, with eight it is 0.944, and the spread
# falls from 0.212 to 0.006. But look where the points lie. They form two heaps, one at 0.94 and one just above 0.50,
# and two words are not better than one. A draw fails where one class got a verdict, such as "great", and the other
# none: people say "it was great" far more often than "it was clever", so the class with the verdict wins whatever the
# review says. Of eight words in thirteen at least one is almost always a verdict, and both classes have theirs.
#
# Weighing was expected to help at eight words, and does nothing there (-0.001). It helps where draws fail: with two
# words it gains 0.142, and with three and five the gain is no longer certain. A common word beside a rare one is
# quieted by its weight. One word alone cannot be weighed, for the weights of a class are shares of one. Against a whole
# class that is too common there is another remedy, calibration, in lesson 10.
#
# ## A word of several tokens
#
# "Magnificent" is rare in the pretraining text, and both tokenizers split it into six pieces. How likely is it at the
# blank? For GPT there is a plain answer. It says one token after the other, so append the word's pieces and read, before
# each of them, how likely it was. BERT has one blank for one token: give it as many blanks as there are pieces, and read
# one piece at each, all at once.


# %%
@torch.no_grad()
def gpt_pieces(text: str, word: str) -> Tensor:
    """The log-probability of each piece, each after those before it: (m,)."""
    pieces = gpt.tokenizer.encode(word)
    ids = gpt.tokenizer.encode(f"{text} it was") + pieces
    hidden = gpt.model(torch.tensor([ids])).hidden[0, -len(pieces) - 1 : -1]  # a piece is said at the place before it
    log_p = gpt.model.logits(hidden).log_softmax(dim=-1)  # (m, V)
    return log_p[range(len(pieces)), pieces]


@torch.no_grad()
def bert_at_once(text: str, word: str) -> Tensor:
    """The log-probability of each piece of a word of m tokens, at m blanks: (m,)."""
    pieces = tokenizer.encode(word)
    ids, place = in_template(text, blanks=len(pieces))
    hidden = model(torch.tensor([ids])).hidden[0, place : place + len(pieces)]  # (m, D)
    log_p = model.logits(hidden).log_softmax(dim=-1)  # (m, V)
    return log_p[range(len(pieces)), pieces]


def show_pieces(name: str, pieces_of, checkpoint: Checkpoint) -> None:
    chances = pieces_of("the plot was clever and gripping .", "magnificent").exp().tolist()
    pieces = checkpoint.tokenizer.tokens(checkpoint.tokenizer.encode("magnificent"))
    print(f"{name:14}", "  ".join(f"{piece} {chance:.3f}" for piece, chance in zip(pieces, chances, strict=True)))


show_pieces("GPT", gpt_pieces, gpt)
show_pieces("BERT, at once", bert_at_once, bert)

# %% [markdown]
# Six log-probabilities, and one score is wanted. Three rules are in use. The **first** piece alone: fast, and the default
# of one well-known library. The **sum**, which is the word's whole probability. The **mean**, the sum divided by
# the number of pieces.
#
# > **Before you run this, guess:** "abominable" begins, for GPT, with the piece "_a". What does the first rule do then?
# >
# > **Expected, before measuring** (accuracy, and how often the answer is "positive"). First: GPT almost never says
# > "positive" where "abominable" stands for the other class, for "_a" is the article too. Sum: where a word of one token stands
# > against one of several, the short one wins at least 95 times in 100. Mean: at least 0.85 for GPT and 0.75 for BERT
# > on words that are both long, and fair answers where one is short.

# %%
PAIRS = (
    ("great", "terrible"),
    ("very good", "very bad"),
    ("magnificent", "abominable"),
    ("magnificent", "terrible"),
    ("great", "abominable"),
)
RULES = {"first": lambda pieces: pieces[0], "sum": Tensor.sum, "mean": Tensor.mean}
some = test[: 8 if is_fast() else 300]


def compare_rules(name: str, pieces_of) -> None:
    scored = {word: [pieces_of(e.text, word) for e in some] for word in dict.fromkeys(w for p in PAIRS for w in p)}
    rows = []
    for good, bad in PAIRS:
        cells = []
        for rule in RULES.values():
            says = [bool(rule(g) > rule(b)) for g, b in zip(scored[good], scored[bad], strict=True)]
            right = sum(said == e.label for said, e in zip(says, some, strict=True)) / len(some)
            cells.append(f"{right:.2f} ({sum(says) / len(some):.2f})")
        rows.append([f"{good} / {bad}", *cells])
    title = f"{name}: accuracy, and in brackets the share of 'positive', of {len(some)} reviews"
    show_table(title, ["words", *RULES], rows)


compare_rules("GPT", gpt_pieces)
compare_rules("BERT, at once", bert_at_once)

# %% [markdown]
# **First** fails where it must: "very good" and "very bad" begin alike, so they tie, and the tie goes to one class
# every time. "_a" is the article, and no sign of "abominable". The library that takes the first piece by default
# does not warn.
#
# GPT reads whole words almost perfectly, by the mean *and by the sum*, and the second was not expected. Its pieces
# after the first are nearly certain (behind "_mag" it gives "n" a probability of 0.985), so a long word costs hardly
# more than a short one. BERT failed, by both rules: it never says "positive" for "magnificent" against "abominable".
# The line above the tables shows why. Asked for six pieces at once it finds none of them likely, for no piece knows
# what the others are: at the second blank, "##n" would be wrong behind any other beginning.
#
# GPT had an advantage: each piece was read with those before it in their places. BERT can have that too. Put the question
# six times, with none, one, two ... of the pieces filled in, and read the next piece each time.


# %%
@torch.no_grad()
def bert_in_turn(text: str, word: str) -> Tensor:
    """The log-probability of each piece, those before it being in their places: (m,)."""
    pieces, rows = tokenizer.encode(word), []
    for j in range(len(pieces)):
        ids, place = in_template(text, blanks=len(pieces))
        ids[place : place + j] = pieces[:j]
        rows.append(ids)
    hidden = model(torch.tensor(rows)).hidden  # (m, T, D)
    own = hidden[range(len(pieces)), range(place, place + len(pieces))]  # piece j in row j: (m, D)
    return model.logits(own).log_softmax(dim=-1)[range(len(pieces)), pieces]


show_pieces("BERT, in turn", bert_in_turn, bert)
compare_rules("BERT, in turn", bert_in_turn)

# %% [markdown]
# Now BERT knows the word, and here the rule matters. By the **sum**, "terrible" wins against "magnificent" every
# time (0.49, and no answer "positive"), and "great" against "abominable" 96 times in 100: each further piece costs
# probability, and the shortest word wins. By the **mean** the same words reach 0.94. On two long words it stops at 0.79
# (at least 0.75 was expected): the model has hardly read them.
#
# The package takes the mean, and reads piece after piece. `minitune/readout/phrases.py` puts the question once for each
# beginning of a word, and makes class scores of the words as before. A model that knows nothing gives every token the
# same probability, and then words of all lengths tie, as they should.

# %%
for checkpoint, pieces_of in ((bert, bert_in_turn), (gpt, gpt_pieces)):
    its = checkpoint.tokenizer
    words = [[tuple(its.encode("abominable")), tuple(its.encode("very bad"))], [tuple(its.encode("magnificent"))]]
    string = "{text} it was {mask}" + (" ." if checkpoint is bert else "")
    phrases = Phrases(words, its.mask_id if checkpoint is bert else None)
    theirs = Classifier(checkpoint.model, its, Template.parse(string), phrases).scores(some[:8])
    yours = torch.tensor(
        [
            [
                math.log(sum(pieces_of(e.text, word).mean().exp().item() for word in ("abominable", "very bad")) / 2),
                pieces_of(e.text, "magnificent").mean().item(),
            ]
            for e in some[:8]
        ]
    )
    difference = (theirs - yours).abs().max().item()
    print(f"{checkpoint.kind}: {len(phrases.fills)} variations, largest difference of a score {difference:.0e}")
    assert difference < 1e-4, "another place is read than yours, or another rule makes the score"

# %% [markdown]
# ## Which end of a long text?
#
# A model has a context, ours of 128 tokens, and a long text must lose some. Only the text may be shortened, never the
# question: a template whose blank is cut off asks nothing. `{text}` loses words at its end, and `{text:start}` at its
# start. Our reviews are short, so we pretend that the context is.
#
# > **Expected, before measuring.** What follows a "but" decides, and it stands behind it. So keeping the end of a
# > review beats keeping its start, by 2 to 6 points at 8 tokens, and by less at 20.

# %%
KEPT = (4, 24) if is_fast() else (4, 8, 12, 16, 20, 24)
SLOTS = {"the start": "{text}", "the end": "{text:start}"}
kept_right = {}
for checkpoint in (bert, gpt):
    stop, around = (" .", 6) if checkpoint is bert else ("", 2)  # tokens around the text
    words = verbalizer(WORDS, data.labels, checkpoint.tokenizer)
    for name, slot in SLOTS.items():
        short = Template.parse(f"{slot} it was {{mask}}{stop}")
        classifier = Classifier(checkpoint.model, checkpoint.tokenizer, short, words)
        for kept in KEPT:
            items = [Item(short.render(e, checkpoint.tokenizer, around + kept), e.label) for e in test]
            right = over(classifier, items, classifier).argmax(dim=1) == labels
            kept_right[checkpoint.kind, name, kept] = right.double()
rows = []
for kind in ("bert", "gpt"):
    for kept in KEPT:
        start, end = (kept_right[kind, name, kept] for name in SLOTS)
        mean, low, high = interval((end - start).tolist())
        row = [kind, str(kept), f"{start.mean():.3f}", f"{end.mean():.3f}", f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"]
        rows.append(row)
header = ["model", "tokens kept", "the start", "the end", "end - start, over reviews"]
show_table("Zero-shot accuracy on reviews that are cut", header, rows)

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for kind, color in (("bert", "tab:blue"), ("gpt", "tab:green")):
    for name, line in (("the start", "o--"), ("the end", "s-")):
        scores = [kept_right[kind, name, kept].mean().item() for kept in KEPT]
        axes.plot(KEPT, scores, line, color=color, label=f"{kind.upper()}, {name} is kept")
axes.set(xlabel="tokens of the review that are kept", ylabel="zero-shot accuracy", title="Which end holds the verdict")
axes.set_xticks(KEPT)
axes.legend(frameon=False, fontsize=8)
show(figure, "07-ends.png")

# %% [markdown]
# ![Accuracy by what is kept of a text](figures/07-ends.png)
#
# The end holds the verdict, for both models and more clearly than expected: with 8 tokens left, keeping the end gains
# 0.069 (BERT) and 0.064 (GPT). At 24 tokens little is cut, and little is lost. In a film review that a person wrote, the
# verdict may stand at either end, and in a news report the first sentence says what it is about: measure it for your
# own texts before you cut them.
#
# > **At scale, here, why.** With RoBERTa-large and 16 examples a class, Gao et al. found great/terrible 92.7 and cat/dog
# > 91.5; swapped words came to 83.2. Our words tie after training, and our swapped words come to 0.55 or to 0.94, by what
# > is trained. We think that both have one reason. In our small world the hidden state at "it was ___" says little else
# > than good or bad, so any two targets are equally easy for an output layer; and a small model that may change
# > everything has it easier to remember 32 reviews than to turn that state round. Expect a real model to lie between, and
# > words and wordings to differ more: ours understands three wordings alike because its text has few kinds of question.
#
# ## Common mistakes
#
# | mistake | what you would see |
# |---|---|
# | the first piece stands for a word that is split | classes whose words begin alike get the same scores |
# | log-probabilities summed over a word's pieces | the class with the shortest word wins, whatever the text says |
# | probabilities summed over a class's words | the class with the most words wins |
# | label words in another order than the labels | accuracy is one minus what it should be |
# | one word for two classes | ties; the package refuses it |
# | the first [MASK] in the text is taken for the blank | wrong answers for texts in which somebody typed "[MASK]" |
# | a space at the end of a GPT's prompt | the probability goes to tokens without a space before them |
# | the question is cut off with the end of a long text | answers that do not depend on the text |
#
# ## Exercises
#
# **6.1** Find a template that looks sensible to you and does worse than 0.6. Say why the model does not understand it.
# (10 minutes)
# **6.2** Score the classes by the mean of the logits instead of the mean of the probabilities. On how many of the 1,000
# reviews do the two disagree, and which is right more often? (10 minutes)
# **6.3** Write `class Verbalizer(nn.Module)` for classes of unequal word counts, without a loop over classes in
# `forward`. Test it with a model that gives every word the same logit: all classes must tie. (20 minutes)
# **6.4** From how many examples a class on does training everything learn swapped words, and not its examples by heart?
# `minitune tune full --task sentiment --label-words "positive=terrible;negative=great" --shots 64 --out runs/swapped`
# tells the accuracy on test. (15 minutes, most of them the machine's)
# **6.5** `bert_in_turn` fills from left to right. Fill the surest piece first instead, as Schick and Schütze (2021) do.
# Does "magnificent" against "abominable" rise above 0.79? (20 minutes)
#
# ## Check yourself
#
# 1. Should a template with an irrelevant question be at chance, zero-shot? What would you measure to see that it asks
#    nothing?
# 2. Why can "cat" and "dog" reach a good accuracy after training, and not before?
# 3. Your classes have one, two and five label words. Which rule favours the class of five, and which does not?
# 4. Is a model with random weights and a verbalizer useless after training as well?
#
# The answers are in `answers/07_templates_and_verbalizers.md`.
#
# ## In one paragraph
#
# A template turns a task into a blank that a pretrained model can fill, and a verbalizer turns the words at the blank into
# class scores: the log of the mean probability of a class's words, each a mean over its tokens where it has several.
# Nothing is learned, and on reviews BERT is right on 94 of 100 and GPT on all but a few. Zero-shot, the words are
# everything, and they must be about equally common; several a class make bad surprises rarer. **Next:** lesson 8 asks
# how many labelled examples such a question is worth.
