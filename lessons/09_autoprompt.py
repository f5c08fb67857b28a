# %% [markdown]
# # Lesson 9: AutoPrompt
#
# *Let the gradient say which words to try.*
#
# **You need** lessons 2 and 6. **Reading** 25 minutes. **Running** 2 minutes on one CPU core.
#
# When you have finished, you can
#
# - rank a whole vocabulary by what each word would do to a loss, with one backward pass,
# - write a search for prompt words that cannot fool itself,
# - say what such a search is worth beside a template that a person thought of, and beside fine-tuning.
#
# ## The problem
#
# In lesson 6 our GPT judged reviews through "it was", and was nearly always right. Somebody had to think of these two
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
# round. Could we try all words? Our vocabulary is tiny, and still there are more than a billion combinations of three.
# Even for one word we would need a thousand forward passes for every example.
#
# Prompt tuning (lesson 15) moves vectors down the gradient. A word cannot move: there is nothing between "plot" and
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
show(figure, "09-idea.png")

# %% [markdown]
# ![Gradients point at words to try](figures/09-idea.png)
#
# Let $e_p$ be the embedding at place $p$ of the trigger. To first order, putting the word $w$ there changes the loss by
#
# $$L(w) - L(\text{now}) \approx (E[w] - e_p) \cdot \frac{\partial L}{\partial e_p}$$
#
# One backward pass gives $\partial L/\partial e_p$, and one product with the embedding table gives this number for every
# word at once. The words with the lowest are the **candidates**.
#
# ## Write it yourself
#
# **The gradient.** We need the loss as a function of the *embeddings* that stand in the prompt, so the prompt goes in
# through `inputs_embeds`. Note what we do not use: `E.grad`. In GPT the embedding table is the output layer as well, and
# its gradient has a share from there.


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
# **One slot.** We start from a prompt of one word, "the". Half of the examples give the gradient. On the other half we try
# the ten words that it promises most of. Trying a word on the examples that have proposed it would flatter the word: it
# was chosen because it suits just these.

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
# Most of these words help, and the numbers are far off: a straight line is a poor map over the distance between two words.
# We only need the *order*, and of the order only that something good is among the first.
#
# **The loop.** In each round one slot of the prompt, chosen at random. The gradient on one half of the examples; the
# candidates on the other half, together with what stands there now. A candidate is taken only if it is strictly better. The
# dev set takes no part in this. It sees each prompt that was taken, and picks the one that we keep.

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
# The trigger means nothing to us, and it works. Look at the losses on dev: they do not only fall. That is why the last
# trigger is not always the one to keep.
#
# ## The same, from the package
#
# Two modules do what you have just done. `minitune/prompting/trigger_loss.py` holds your two functions, `losses` and
# `gradient`, for triggers anywhere in the template, for GPT and BERT, and for any way of reading the answer.
# `minitune/prompting/autoprompt.py` holds your loop. Open them beside this page. First the two functions, on your trigger
# and on ten others:

# %%
from minitune.methods.autoprompt_search import trigger_loss
from minitune.predictors.classifier import Classifier
from minitune.prompting.autoprompt import AutoPromptConfig, Log, search_trigger
from minitune.prompting.template import Template
from minitune.readout.verbalizer import verbalizer

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
# Then the loop. The package searches anything that has such a pair of functions, yours as well. Both must end at the same
# trigger.


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
# `tune` prints the words that it found, and the log of the search stands in `runs/found/search.json`. You may stop a search
# with Ctrl-C: the best trigger so far is kept.
#
# ## How far does the gradient see?
#
# For one slot of our tiny model we can afford the truth: the loss with *every* word of the vocabulary in the slot, beside
# what the gradient promised of it.
#
# > **Before you run this, guess:** of the 24 words that are promised most of, how many really lower the loss? And how many
# > of all words do?

# %%
half, other = parted(torch.Generator().manual_seed(0))
trigger, p = drawn[1], 2
promise = (E[words] - E[trigger[p]]) @ gradient(trigger, half)[p]  # (W,)
every = trigger.repeat(1 + len(words), 1)
every[1:, p] = words
found = losses(every, other)
change = found[1:] - found[0]  # (W,)
first = promise.topk(CANDIDATES, largest=False).indices
place = int((promise < promise[change.argmin()]).sum()) + 1
print(f"of the {CANDIDATES} words that are promised most of, {int((change[first] < 0).sum())} lower the loss")
print(f"of all {len(words)} words, {int((change < 0).sum())} do")
print(f"the truly best word, {said(words[change.argmin()][None])!r}, is in place {place} of the promises")

figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
axes.axhline(0, color="gray", linewidth=1, linestyle=":")
axes.axvline(0, color="gray", linewidth=1, linestyle=":")
axes.scatter(promise, change, s=8, color="tab:gray", alpha=0.5, label="all words")
axes.scatter(promise[first], change[first], s=16, color="tab:orange", label=f"the {CANDIDATES} candidates")
low, high = min(promise.min(), change.min()).item(), max(promise.max(), change.max()).item()
axes.plot([low, high], [low, high], color="tab:blue", linewidth=1, label="promised = true")
axes.set(
    xlabel="change of the loss that the gradient promises",
    ylabel="true change, on other examples",
    xlim=(1.05 * promise.min().item(), 1.05 * promise.max().item()),
    ylim=(change.min().item() - 0.1, change.max().item() + 0.1),
    title="A rough guide is guide enough",
)
axes.legend(frameon=False, fontsize=8)
show(figure, "09-promises.png")

# %% [markdown]
# ![Promised and true change](figures/09-promises.png)
