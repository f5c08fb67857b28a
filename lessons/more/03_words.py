# %% [markdown]
# # Lesson 3, more: the opinion words in BERT's embedding
#
# **Belongs to** lesson 3. **To run:** a few seconds on one CPU core.
#
# If the model has sorted its opinion words, their embeddings should show it. Here they are in the plane that spreads
# them most (the first two principal components); no label was used to draw it.

# %%
import torch
from matplotlib import pyplot as plt

import minitune
from minitune.course.lessons import show
from minitune.world.word_lists import load_lexicon

bert = minitune.load("bert")
model, tokenizer = bert.model, bert.tokenizer
lexicon = load_lexicon().reviews
aspects = [aspect for domain in lexicon.domains for aspect in domain.aspects]
words = {
    "good": sorted({word for aspect in aspects for word in aspect.good if not tokenizer.is_split(word)}),
    "bad": sorted({word for aspect in aspects for word in aspect.bad if not tokenizer.is_split(word)}),
}
everything = words["good"] + words["bad"]
vectors = model.token_embedding.weight.detach()[[tokenizer.word_id(word) for word in everything]]  # (N, D)
centred = vectors - vectors.mean(dim=0)
plane = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T  # (N, 2)
figure, axes = plt.subplots(figsize=(7.5, 5))
span = plane.max(dim=0).values - plane.min(dim=0).values
labels = []  # where a label is; one that would cover another moves down
for index in plane[:, 1].argsort(descending=True).tolist():
    word, (x, y) = everything[index], plane[index].tolist()
    height = y
    while any(abs(x - u) < 0.13 * span[0] and abs(height - v) < 0.032 * span[1] for u, v in labels):
        height -= 0.008 * span[1].item()
    labels.append((x, height))
    color = "tab:green" if word in words["good"] else "tab:red"
    axes.plot(x, y, "o", color=color, markersize=3)
    axes.annotate(word, (x, height), fontsize=7, color=color, xytext=(4, -2), textcoords="offset points")
axes.margins(x=0.14)
axes.set_ylim(bottom=min(height for _, height in labels) - 0.04 * span[1].item())
axes.set(
    title="Opinion words in BERT's embedding (green: good, red: bad)",
    xlabel="first principal component",
    ylabel="second principal component",
    xticks=[],
    yticks=[],
)
show(figure, "03-words.png")
good, bad = plane[: len(words["good"]), 1], plane[len(words["good"]) :, 1]
parted = bool(good.min() > bad.max() or bad.min() > good.max())
print(f"{len(good)} good and {len(bad)} bad words; does a horizontal line part them all? {'yes' if parted else 'no'}")

# %% [markdown]
# ![Opinion words](../figures/03-words.png)
#
# One direction parts every good word from every bad one. The other sorts them by what they are said of: "cosy", "tasty" and
# "dirty" of rooms and food, "funny" and "tedious" of films and books, and at one end those that suit anything.
# (Labels that would cover each other are a little below their dots.)
