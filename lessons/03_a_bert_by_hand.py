# %% [markdown]
# # Lesson 3: a BERT by hand
#
# *Read the whole text at once. Guess the words that were hidden.*
#
# **Before this:** lesson 2. **Reading:** 28 minutes. **Four exercises:** 40 minutes. **Running:** 2 minutes on one CPU
# core.
#
# After this lesson you can
#
# - turn the blocks of a GPT into those of a BERT, and say what changed and why,
# - load pretrained BERT weights into classes that you wrote yourself,
# - hide words as BERT's pretraining does, and train on them.
#
# ## The problem
#
# A word is missing: "the plot was ... and gripping." You know at once that something good belongs there, and you know it
# from the word *after* the gap. Here is what our two pretrained models put into the gap, with the probability that goes to
# all good and to all bad opinion words together:

# %% tags=["hide-input"]
import torch

import minitune
from minitune.world.word_lists import load_lexicon

bert, gpt = minitune.load("bert"), minitune.load("gpt")
aspects = [aspect for domain in load_lexicon().reviews.domains for aspect in domain.aspects]
opinions = {
    "good": sorted({word for aspect in aspects for word in aspect.good}),
    "bad": sorted({word for aspect in aspects for word in aspect.bad}),
}


def describe(scores, tokenizer) -> str:
    """The three likeliest words, and the shares of good and bad ones. (V,) -> text"""
    chances = scores.detach().softmax(dim=-1)
    top = chances.topk(3)
    words = [f"{t.strip('_')} {p:.2f}" for t, p in zip(tokenizer.tokens(top.indices), top.values, strict=True)]
    shares = [
        f"{kind} {sum(chances[tokenizer.word_id(word)].item() for word in some if not tokenizer.is_split(word)):.2f}"
        for kind, some in opinions.items()
    ]
    return f"{', '.join(words):42} {'   '.join(shares)}"


before = "the plot was"
for name in ("GPT", "BERT"):
    for after in ("and gripping .", "and tedious ."):
        if name == "GPT":
            ids = torch.tensor([gpt.tokenizer.encode(before)])
            scores = gpt.model.logits(gpt.model(ids).hidden[0, -1])
        else:
            left, right = bert.tokenizer.encode(before), bert.tokenizer.encode(after)
            ids = [bert.tokenizer.cls_id, *left, bert.tokenizer.mask_id, *right, bert.tokenizer.sep_id]
            scores = bert.model.logits(bert.model(torch.tensor([ids])).hidden[0, 1 + len(left)])
        print(
            f"{name:5} {before} ... {after:15} {describe(scores, gpt.tokenizer if name == 'GPT' else bert.tokenizer)}"
        )

# %% [markdown]
# GPT gives the same answer twice, because at the gap it has read three words and nothing of what follows. A model that
# writes must work like this. To *understand* a finished text, it is a handicap.
#
# If every position sees the whole text, "predict the next token" is no longer a task, since the next token is in view.
# BERT (Devlin et al. 2019) therefore hides some words and asks for those. This is **masked language modeling** (MLM). A
# second, smaller task is **next sentence prediction** (NSP): does the second part of the input follow the first?

# %% tags=["hide-input"]
from matplotlib import pyplot as plt

from minitune.course.drawing import arrow, box, canvas, legend, tokens
from minitune.course.lessons import is_fast, read_result, show

figure, axes = canvas(17.4, 11.2)
WIDE = 1.3
sides = (
    ("GPT", 0.3, "the plot was moving and", 2, "token + position", "normalize, change, add"),
    (
        "BERT",
        7.9,
        "[CLS] the plot was [MASK] and gripping",
        4,
        "token + position + type, then norm",
        "change, add, normalize",
    ),
)
for name, left, text, reader, embedded, order in sides:
    words = text.split()
    width = WIDE * len(words)
    places = tokens(axes, left, 0.9, [(word, "text") for word in words], width=WIDE)
    box(axes, left, 2.4, width, 0.9, embedded, "learned")
    for place, x in enumerate(places):
        arrow(axes, (x, 1.7), (x, 2.4))
        if name == "BERT" or place <= reader:
            arrow(axes, (x, 3.3), (places[reader], 5.05))
    box(axes, left, 5.0, width, 0.9, f"2 blocks: {order}", "learned")
    if name == "GPT":
        box(axes, left, 7.0, width, 0.9, "norm, times E transposed", "learned")
        answers = list(zip(places, ["plot", "was", "moving", "and", "gripping"], strict=True))
        axes.text(left, 0.2, "'was' sees itself and what came before", fontsize=9)
        axes.text(left, 9.9, "read at every position: the next token", fontsize=9)
    else:
        box(axes, left, 7.0, 2.4, 0.9, "tanh layer,\n2 scores", "learned")
        box(
            axes,
            left + 2.6,
            7.0,
            width - 2.6,
            0.9,
            "transform: layer, GELU, norm;\ntimes E transposed, plus bias",
            "learned",
        )
        answers = [(places[0], "follows?"), (places[reader], "moving")]
        axes.text(left, 0.2, "'[MASK]' sees every position but padding", fontsize=9)
        axes.text(left, 9.9, "read at [CLS] and at the words to guess", fontsize=9)
    for x, word in answers:
        box(axes, x - WIDE / 2, 8.8, WIDE, 0.8, word, "read")
        arrow(axes, (x, 5.9), (x, 7.0))
        arrow(axes, (x, 7.9), (x, 8.8))
    axes.text(left, 10.5, name, fontsize=13, weight="bold")
legend(axes, 10.2, 10.5, ("text", "learned", "read"))
show(figure, "03-idea.png")

# %% [markdown]
# ![A GPT and a BERT side by side: what is read in, what one position sees, where the loss is read](figures/03-idea.png)
#
# *What one position sees, and where the loss is read. E is the token embedding, which both models use again at the output. The
# second part of BERT's input and the [SEP] after each part are left out.*
#
# ## Write it yourself: the model
#
# Two sentences in a batch have different lengths, so the shorter one is filled up with [PAD]. In lesson 2 the causal
# mask hid the padding at the right end by itself. Without a causal mask, every word would mix the padding in.

# %% tags=["imports"]
import math
import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% [markdown]
# **Exercise 03.1 (8 minutes).** Write the attention of all heads at once, with a mask for padding in place of the causal one.
# The difficult part is the mask's shape: the scores have an axis of positions that ask and one of positions that are asked. Which
# of the two must not be padding? And which score gives a weight of exactly zero?


# %% tags=["exercise"]
def attend(query: Tensor, key: Tensor, value: Tensor, real: Tensor) -> Tensor:
    """Scaled dot-product attention in both directions: three times (B, H, T, D/H) -> (B, H, T, D/H).

    `real` (B, T) is True where there is a token and False where there is padding. Every position, before or after, takes
    from all real ones, and nothing from padding.
    """
    # your turn
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, H, T asking, T asked)
    scores = scores.masked_fill(~real[:, None, None, :], -torch.inf)
    return scores.softmax(dim=-1) @ value


# %%
torch.manual_seed(0)
query, key, value = torch.randn(3, 1, 2, 4, 8)  # one text, two heads, four positions
real = torch.tensor([[True, True, True, False]])
mixed = attend(query, key, value, real)
assert mixed.isfinite().all(), "some outputs are not numbers: did you hide a whole row of scores?"
assert torch.allclose(mixed[:, :, :3], attend(*(x[:, :, :3] for x in (query, key, value)), real[:, :3]), atol=1e-6), (
    "a padded text gives other values than the text alone: is the padding hidden as a key?"
)
assert not torch.allclose(mixed[:, :, 0], value[:, :, 0]), "the first position sees only itself: is a causal mask left?"
print("03.1 is right")

# %% [markdown]
# The layers around it are those of lesson 2, so they are given. Only GELU differs: GPT-2 approximates it with
# tanh, BERT uses the exact one, `F.gelu` as it comes.


# %% tags=["imports", "hide-input"]
class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:  # (B, T, D), (B, T) -> (B, T, D)
        query, key, value = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return self.output(attend(query, key, value, real).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.down(F.gelu(self.up(x)))


# %% [markdown]
# **Exercise 03.2 (12 minutes).** Write BERT's block, and the head that turns a hidden state into a score for each word.
#
# A block of GPT normalizes, changes, adds (*pre-LN*). BERT's block is the older *post-LN* of Vaswani et al. (2017): change,
# add, and normalize the sum.
#
# $$a = \text{LN}(x + \text{Attention}(x)) \qquad y = \text{LN}(a + \text{FF}(a))$$
#
# The head first transforms the hidden state $h$, then compares it with every word's embedding, and adds a bias per word:
#
# $$\text{scores} = \text{LN}(\text{GELU}(W_t h + b_t))\, E^\top + b \qquad E: (V, D)$$
#
# Pretrained weights are found by the *names* of attributes, so use the ones in the docstrings.


# %% tags=["exercise"]
class BERTBlock(nn.Module):
    """Post-LN: (B, T, D), real (B, T) -> (B, T, D).

    Parts: `self.attention` (a SelfAttention), `self.mlp` (a FeedForward), and after them the norms `self.attention_norm`
    and `self.mlp_norm`. BERT's norms have eps=1e-12; PyTorch's default is 1e-5.
    """

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        # your turn
        self.attention = SelfAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.mlp = FeedForward(width, inner)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        # your turn
        x = self.attention_norm(x + self.attention(x, real))
        return self.mlp_norm(x + self.mlp(x))


def word_scores(bert: nn.Module, hidden: Tensor) -> Tensor:
    """The MLM head: hidden states (..., D) -> a score for every word (..., V).

    `bert` has `transform` (a linear layer), `transform_norm`, `token_embedding` and `decoder_bias` (V,).
    """
    # your turn
    changed = bert.transform_norm(F.gelu(bert.transform(hidden)))
    return changed @ bert.token_embedding.weight.T + bert.decoder_bias


# %% [markdown]
# The rest of the model is given. A token's **type** is 0 in the first part of the input and 1 in the second. Next
# sentence prediction reads [CLS].


# %% tags=["imports"]
class BERT(nn.Module):
    def __init__(self, words: int, context=128, width=128, layers=2, heads=4, inner=512):
        super().__init__()
        self.token_embedding = nn.Embedding(words, width)
        self.position_embedding = nn.Embedding(context, width)
        self.type_embedding = nn.Embedding(2, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(BERTBlock(width, heads, inner) for _ in range(layers))
        self.transform = nn.Linear(width, width)
        self.transform_norm = nn.LayerNorm(width, eps=1e-12)
        self.decoder_bias = nn.Parameter(torch.zeros(words))
        self.pooler = nn.Linear(width, width)
        self.next_sentence = nn.Linear(width, 2)
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                nn.init.normal_(part.weight, std=0.05)

    def forward(self, ids: Tensor, types: Tensor, real: Tensor) -> Tensor:  # three times (B, T) -> (B, T, D)
        places = torch.arange(ids.shape[1])
        x = self.token_embedding(ids) + self.position_embedding(places) + self.type_embedding(types)
        x = self.embedding_norm(x)
        for block in self.blocks:
            x = block(x, real)
        return x

    def follows(self, hidden: Tensor) -> Tensor:
        """Scores of "it follows" and "it does not", read at [CLS]: (B, T, D) -> (B, 2)."""
        return self.next_sentence(torch.tanh(self.pooler(hidden[:, 0])))


# %%
tokenizer = bert.tokenizer
mine = BERT(len(tokenizer))
mine.load_state_dict(bert.model.state_dict())  # an error here names what is missing or unknown


@torch.no_grad()
def guess(model: BERT, text: str) -> Tensor:
    """The scores of all words at the [MASK] of a text: -> (V,)"""
    left, right = map(tokenizer.encode, text.split("[MASK]"))
    ids = torch.tensor([[tokenizer.cls_id, *left, tokenizer.mask_id, *right, tokenizer.sep_id]])  # (1, T)
    hidden = model(ids, torch.zeros_like(ids), torch.ones_like(ids, dtype=torch.bool))
    return word_scores(model, hidden[0, 1 + len(left)])


ids = torch.tensor(
    [[tokenizer.cls_id, *tokenizer.encode("edna plays the guitar ."), tokenizer.sep_id, tokenizer.pad_id]]
)
types, real = torch.zeros_like(ids), ids != tokenizer.pad_id
theirs = bert.model.logits(bert.model(ids, attention_mask=real.long(), token_type_ids=types).hidden)
difference = (word_scores(mine, mine(ids, types, real)) - theirs)[:, :-1].abs().max().item()
assert difference < 1e-4, f"your scores differ from the package's by {difference:.2g}: pytest -m lesson03 says more"
print(f"03.2 is right; largest difference from the package's scores: {difference:.0e}")
for text in ("the plot was [MASK] and gripping .", "the plot was [MASK] and tedious .", "edna [MASK] the guitar ."):
    print(f"{text:40} {describe(guess(mine, text), tokenizer)}")

# %% [markdown]
# Your classes, with the shipped weights, are the BERT of the first table.
#
# ## Write it yourself: what it learns from
#
# **Exercise 03.3 (12 minutes).** Choose words, hide them, and keep what they were. Each ordinary token is chosen independently with
# probability `share`. Of the chosen ones
#
# - 80% are replaced by [MASK],
# - 10% are replaced by a random ordinary token,
# - 10% are left as they are.
#
# The loss is computed at the chosen positions only; `F.cross_entropy` ignores positions whose label is -100. Why not hide
# all of the chosen ones? A model that has to predict only at [MASK] has no reason to keep a good hidden state for words
# that it can see, and a user's text has no [MASK]. No token may meet two fates.


# %% tags=["exercise"]
def corrupt(
    ids: Tensor, words: Tensor, mask_id: int, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What BERT reads, and what it is to guess: ids (B, T) -> inputs (B, T), labels (B, T).

    `words` (N,) are the ids of the ordinary tokens; special tokens and padding are not among them. `ids` stays as it is.
    All random numbers come from `generator`.
    """
    # your turn: torch.isin, torch.rand and torch.randint (with generator=generator), torch.where
    chosen = torch.isin(ids, words) & (torch.rand(ids.shape, generator=generator) < share)
    labels = ids.masked_fill(~chosen, -100)
    fate = torch.rand(ids.shape, generator=generator)
    inputs = ids.masked_fill(chosen & (fate < 0.8), mask_id)
    swapped = chosen & (fate >= 0.8) & (fate < 0.9)
    any_words = words[torch.randint(len(words), ids.shape, generator=generator)]
    return torch.where(swapped, any_words, inputs), labels


# %%
words = torch.tensor(tokenizer.ordinary_ids())
sentence = torch.tensor(
    [[tokenizer.cls_id, *tokenizer.encode("the soup was bland and so was the bread ."), tokenizer.sep_id]]
)
many = sentence.repeat(4000, 1)
inputs, labels = corrupt(many, words, tokenizer.mask_id, 0.35, torch.Generator().manual_seed(0))
chosen = labels != -100
assert torch.equal(many, sentence.repeat(4000, 1)), "the ids that were given have changed: work on a copy"
assert torch.equal(labels[chosen], many[chosen]), "a label must be the token that was there before it was hidden"
assert not chosen[:, [0, -1]].any(), "[CLS] or [SEP] is to be guessed"
assert torch.equal(inputs[~chosen], many[~chosen]), "a token that is not to be guessed was replaced"
hidden, kept = (inputs == tokenizer.mask_id)[chosen].float().mean(), (inputs == many)[chosen].float().mean()
print(f"chosen {chosen[:, 1:-1].float().mean():.1%}; of these hidden {hidden:.1%}, unchanged {kept:.1%}")
assert abs(hidden - 0.8) < 0.02 and abs(kept - 0.1) < 0.02, "of the chosen tokens 80% are hidden and 10% stay"
for row in range(3):
    print(" ".join(tokenizer.tokens(inputs[row])), "   to guess:", " ".join(tokenizer.tokens(labels[row][chosen[row]])))

# %% [markdown]
# The paper chooses 15% of the tokens. We choose 35%, for a short training to learn more from; we did not compare the two.
#
# **Exercise 03.4 (8 minutes).** Make a row for both tasks from two parts of text: [CLS] first [SEP] second [SEP]. Half of the time
# the second part is the rest of the same document; half of the time it is the end of another one.


# %% tags=["exercise"]
def make_pair(
    documents: list[list[list[int]]], index: int, cls_id: int, sep_id: int, rng: random.Random
) -> tuple[list[int], list[int], int]:
    """The ids of a row, the type of each, and its label: 0 if the second part follows, 1 if it does not.

    A document is a list of two or more sentences, a sentence a list of ids. Cut document `index` between two sentences,
    wherever `rng` says. With probability one half, the second part comes from any other document, cut in the same way. The
    first [SEP] is of type 0, the second of type 1.
    """
    # your turn: rng.random() and rng.randrange(start, end)
    document = documents[index]
    cut = rng.randrange(1, len(document))
    first, second, label = document[:cut], document[cut:], 0
    if rng.random() < 0.5:
        other = rng.randrange(len(documents) - 1)
        stranger = documents[other + (other >= index)]  # any but this one
        second, label = stranger[rng.randrange(1, len(stranger)) :], 1
    first, second = ([i for sentence in part for i in sentence] + [sep_id] for part in (first, second))
    first = [cls_id, *first]
    return first + second, [0] * len(first) + [1] * len(second), label


# %%
from minitune.world.world import World


def sentences(ids: list[int]) -> list[list[int]]:
    """A document's tokens, cut after each full stop and question mark."""
    stops = {tokenizer.word_id(stop) for stop in ".?"}
    ends = [place + 1 for place, i in enumerate(ids) if i in stops]
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]


texts = World(seed=0).documents(300 if is_fast() else 8000)
documents = [document for document in map(sentences, tokenizer.encode_many(texts)) if len(document) > 1]
held_out, documents = documents[:200], documents[200:]
seen = {}
for seed in range(20):
    row, types, label = make_pair(documents, 3, tokenizer.cls_id, tokenizer.sep_id, random.Random(seed))
    assert row[0] == tokenizer.cls_id and row.count(tokenizer.sep_id) == 2, "[CLS] in front, [SEP] after each part"
    assert types == [0] * (row.index(tokenizer.sep_id) + 1) + [1] * types.count(1), "the first [SEP] ends type 0"
    assert len(types) == len(row), "every token has a type"
    seen[label] = " ".join(tokenizer.tokens(row))
assert set(seen) == {0, 1}, "of twenty rows some must follow (0) and some must not (1)"
print("follows:         ", seen[0])
print("does not follow: ", seen[1])

# %% [markdown]
# ### Train it
#
# A batch is 32 pairs, padded, with words hidden. The loss is the sum of two cross-entropies, $L = L_\text{MLM} +
# L_\text{NSP}$.


# %% tags=["imports"]
def make_batch(documents, tokenizer, seed: int, size: int = 32) -> tuple[Tensor, ...]:
    """inputs, types, real and labels (B, T), and for each row 0 if its second part follows (B,)."""
    rng = random.Random(seed)
    chosen = [rng.randrange(len(documents)) for _ in range(size)]
    rows = [make_pair(documents, index, tokenizer.cls_id, tokenizer.sep_id, rng) for index in chosen]
    longest = max(len(ids) for ids, _, _ in rows)
    ids = torch.tensor([ids + [tokenizer.pad_id] * (longest - len(ids)) for ids, _, _ in rows])
    types = torch.tensor([types + [0] * (longest - len(types)) for _, types, _ in rows])
    words, generator = torch.tensor(tokenizer.ordinary_ids()), torch.Generator().manual_seed(seed)
    inputs, labels = corrupt(ids, words, tokenizer.mask_id, 0.35, generator)
    return inputs, types, ids != tokenizer.pad_id, labels, torch.tensor([label for _, _, label in rows])


def losses(model: BERT, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    inputs, types, real, labels, follows = batch
    hidden = model(inputs, types, real)
    chosen = labels != -100  # only these are compared with the whole vocabulary
    mlm = F.cross_entropy(word_scores(model, hidden[chosen]), labels[chosen])
    return mlm, F.cross_entropy(model.follows(hidden), follows)


# %% tags=["imports", "hide-input"]
def pretrain(model: BERT, batch_at, steps: int, losses=losses) -> list[tuple[float, float]]:
    """AdamW, the rate rising for 50 steps and then falling to zero; the two losses of each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98))
    found = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min((step + 1) / 50, (steps - step) / (steps - 50) if step >= 50 else 1)
        mlm, nsp = losses(model, batch_at(step))
        optimizer.zero_grad()
        (mlm + nsp).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        found.append((mlm.item(), nsp.item()))
    return found


# %% [markdown]
# > **Guess before you run this.** A model that knows nothing has a loss of $\ln V$ on the words and of $\ln 2$ on the pairs. After a
# > minute of training, will it know that an adjective belongs into "the plot was [MASK] and gripping"? Will it know that a *good*
# > one does?

# %%
torch.manual_seed(0)
young = BERT(len(tokenizer))
print(f"knowing nothing   MLM {math.log(len(tokenizer)):.2f}   NSP {math.log(2):.2f}")
found = pretrain(young, lambda step: make_batch(documents, tokenizer, seed=step), steps=4 if is_fast() else 400)
for start in range(0, len(found), 50):
    mlm, nsp = (sum(part) / len(part) for part in zip(*found[start : start + 50], strict=True))
    print(f"steps {start + 1:3} to {min(start + 50, len(found)):3}  MLM {mlm:.2f}   NSP {nsp:.2f}")


def held(model: BERT) -> str:
    """The two losses on documents that were not trained on."""
    with torch.no_grad():
        found = [losses(model, make_batch(held_out, tokenizer, seed=10_000 + number)) for number in range(10)]
    mlm, nsp = (sum(loss.item() for loss in part) / len(found) for part in zip(*found, strict=True))
    return f"MLM {mlm:.2f}   NSP {nsp:.2f}"


print("held-out documents ", held(young))
print("the shipped weights", held(mine), "  (they have read nearly all of these documents)")
for text in ("the plot was [MASK] and gripping .", "the plot was [MASK] and tedious .", "edna [MASK] the guitar ."):
    print(f"{text:36} {describe(guess(young, text), tokenizer)}")

# %% [markdown]
# After a minute the model knows what kind of word belongs into the gap: an adjective of a review, a verb after a name.
# But good and bad words get nearly the same probability, whichever word follows "and".
#
# ## What it costs

# %% tags=["hide-input"]
parts = {
    "embeddings and their norm": ("token_embedding", "position_embedding", "type_embedding", "embedding_norm"),
    "two blocks": ("blocks",),
    "MLM head, without E": ("transform", "transform_norm", "decoder_bias"),
    "NSP head": ("pooler", "next_sentence"),
}
sizes = {name: p.numel() for name, p in mine.named_parameters()}
for part, names in parts.items():
    print(f"{part:26} {sum(n for name, n in sizes.items() if name.split('.')[0] in names):8,}")
print(f"{'together':26} {sum(sizes.values()):8,}   {4 * sum(sizes.values()) / 1e6:.1f} MB in 32 bits")
print(f"with gradients and AdamW's two averages: {16 * sum(sizes.values()) / 1e6:.1f} MB")
_, _, real, labels, _ = make_batch(documents, tokenizer, seed=0)
print(
    f"of {real.sum()} tokens in a batch {(labels != -100).sum()} have a loss: {(labels != -100).sum() / real.sum():.0%}"
)

# %% [markdown]
# The last line is the price of masking: a GPT has a loss at every token that it reads, a BERT only at the chosen ones. In
# exchange, one pass gives each token a state that has seen both sides. It is not made for writing: a new word changes the
# states of all words before it, so that nothing can be cached.
#
# The shipped BERT read 20 million tokens in 39 minutes on one CPU core. BERT-base has 110 million parameters and was
# trained on 16 TPU chips for four days. At 16 bytes per parameter (a weight, its gradient and two averages in 32 bits) it
# needs 1.8 GB before activations. With 7 billion it would be 112 GB.
#
# ## When does it learn what is good?
#
# Nobody tells the model that "gripping" is praise. But our text joins like with like: "the plot was clever *and*
# gripping", "the soup was bland, *and so was* the bread". To guess a word beside "and", it pays to know which words keep
# company. Here are two pretrainings of the shipped size. One reads our text, the other a text from the same grammar in
# which no sentence joins two opinions; the words, the verdicts and one polarity per review are as before. Along the way
# both are asked, without further training, whether 400 reviews are good or bad: "the soup was cold. it was [MASK]".
#
# > **Guess before you look.** Does the accuracy rise as smoothly as the loss falls? Where does it end without joined opinions?

# %% tags=["hide-input"]
runs = read_result("03-joined-opinions.json")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, color, style in (("with", "tab:blue", "-"), ("without", "tab:purple", "--")):
    run = runs[name]
    read = [step * run["tokens_per_step"] / 1e6 for step in run["steps"]]
    left.plot(read, run["held-out loss"], style, color=color, label=f"{name} joined opinions")
    right.plot(read, run["sentiment"], style, color=color, marker=".", markersize=4)
    above = max(place for place, score in enumerate(run["sentiment"]) if place == 0 or score < 0.6) + 1
    when = f"above 0.60 from {read[above]:.1f} million tokens on" if above < len(read) else "never above 0.60"
    print(
        f"{name:8} joined opinions: {when}; at the end {run['sentiment'][-1]:.2f}, loss {run['held-out loss'][-1]:.2f}"
    )
    print(f"{'':26}first looks: {' '.join(f'{score:.3f}' for score in run['sentiment'][:8])}")
    print(f"{'':26}topic at the end {run['topic'][-1]:.2f}, facts {run['facts'][-1]:.2f}")
left.set(xlabel="million tokens read", ylabel="loss on held-out text (nats)", xlim=(0, 20.5), ylim=(0, 3.6))
left.legend(frameon=False)
right.axhline(0.5, color="gray", linestyle=":")
right.text(20.3, 0.45, "chance", color="gray", ha="right", fontsize=9)
right.set(xlabel="million tokens read", ylabel="zero-shot accuracy, sentiment", xlim=(0, 20.5), ylim=(0.4, 1))
show(figure, "03-polarity.png")

# %% [markdown]
# ![The loss falls smoothly in both runs; the accuracy jumps in one and stays at chance in the other](figures/03-polarity.png)
#
# *One run each, with one seed; 31 looks at 400 reviews of the dev set. The loss is MLM plus NSP, each on held-out text of its own
# kind.*
#
# With joined opinions, the accuracy stays at or near chance for four million tokens and then leaves it within a look or
# two, while the loss shows nothing special. Without them it never leaves chance, although that model knows topics and
# facts about as well. In these two runs, it took the joined opinions to learn polarity.
#
# With another seed the jump may come earlier or later. An accuracy of *exactly* 0.5 at four looks in a row suggests that
# the model gave every review the same answer. Perhaps the scores had drifted apart before; we did not record them.
#
# > **At scale.** Chen et al. (2024) see an abrupt step in a real BERT-base: within a short window, attention heads pick up syntax, the
# > loss drops steeply, and grammatical abilities follow. Schaeffer et al. (2023) argue that many jumps reported of large models
# > disappear when a smooth measure replaces accuracy.
#
# ## In practice
#
# - **Share of masked words.** Wettig et al. (2023) find 40% better than 15% for models of the size of BERT-large; ModernBERT
#   (Warner et al. 2024) uses 30%.
# - **NSP.** Removing it hurt in the BERT paper. RoBERTa (Liu et al. 2019), trained longer, did as well or slightly
#   better without it, and most later models leave it out.
# - **Pre-LN** has replaced post-LN in most newer models, ModernBERT among them: deep post-LN models need a careful warmup.
# - **What encoders are for today:** classification, tagging, search and reranking.
#
# With the library `transformers`:
#
# ```python
# from transformers import AutoModelForMaskedLM, AutoTokenizer, DataCollatorForLanguageModeling
#
# tokenizer = AutoTokenizer.from_pretrained("google-bert/bert-base-uncased")
# model = AutoModelForMaskedLM.from_pretrained("google-bert/bert-base-uncased")  # blocks and MLM head
# collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)  # your `corrupt`
# batch = collate([tokenizer("the plot was clever and gripping.")])  # new words are hidden at every call
# loss = model(**batch).loss  # labels of -100 are ignored there too
# ```
#
# And with minitune: `minitune pretrain bert --minutes 1`. Its model, `minitune/models/bert.py`, has the names of yours.
# Its batches (`minitune/data/batching.py`) differ in one thing: a text's positions sometimes start late, so that the late
# ones are trained too.
#
# ## Common mistakes
#
# Each was made once ([more/03_mistakes.py](more/03_mistakes.py)). First with the shipped weights, which load without an
# error:

# %% tags=["hide-input"]
mistakes = read_result("03-mistakes.json")
print("with the shipped weights       MLM    NSP")
for name, (mlm, nsp) in mistakes["shipped"].items():
    print(f"{name:27} {mlm:6.2f} {nsp:6.2f}")
print("\nin training, 400 steps     first loss   last loss   MLM on hidden words, held out")
for name, run in mistakes["trained"].items():
    print(f"{name:27} {run['first']:9.2f} {run['last']:11.2f} {run['held out'][0]:16.2f}")

# %% [markdown]
# - **No padding mask:** the mean loss hardly tells, but a text's scores now depend on what else is in its batch.
# - **A causal mask, pre-LN, no transform:** every name and shape fits, and the model is much worse all the same. After
#   loading weights, compare the scores with the original's.
# - **Every type 0:** the words barely suffer, and the pairs become worse than a coin's $\ln 2$.
# - **Labels copied after hiding:** the training loss is superb, because the answer is in the input.
# - **A loss everywhere:** a low loss again, since most positions can be copied. On hidden words the model has learned
#   less.
# - **Embeddings as PyTorch draws them**, from $N(0, 1)$: the first loss is far above $\ln V = 7.39$, and the training
#   lags behind.
#
# ## Check yourself
#
# 1. In a batch of two texts of 5 and 8 tokens, how many of the $8 \cdot 8$ scores of the shorter text are $-\infty$? What comes out
#    at its padded positions, and why does that do no harm?
# 2. At a share of 15%, which part of all tokens is shown to the model as [MASK], which part is a wrong word, and which part has a loss?
# 3. Why does a BERT that hides *no* word, and has a loss at every position, learn next to nothing?
# 4. After the minute of training the model gave good and bad words the same share. What would you have to measure along the way to
#    know whether polarity is learned gradually?
#
# [Answers](answers/03_a_bert_by_hand.md), with reasons.
#
# **More:** [facts, and how often a text must state them](more/03_facts.py), [the opinion words' embeddings](more/03_words.py).
#
# ## In one paragraph
#
# A BERT is a transformer without the causal mask: every position sees every real one, and padding is hidden as a key. Its
# blocks normalize after adding, its input has types, and its output goes through a transform before it meets the
# embedding. It is trained to guess a share of the words, most of them hidden, some exchanged, some left in view, and to
# tell whether two parts belong together. What such a model knows can arrive abruptly, while the loss falls smoothly.
# **Next:** lesson 4 puts a classifier on top.
