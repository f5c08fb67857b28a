# %% [markdown]
# # Lesson 2, more: how close the shipped GPT comes, where its heads look, and the cache
#
# **Belongs to** lesson 2. **To run:** about 30 seconds on one CPU core.
#
# Three things that the lesson leaves out. The shipped GPT was trained on all five kinds of documents, so on news it must
# also find out that it is reading news. The heads, on average over reports instead of on one sentence. And writing with
# the key/value cache gives the same tokens as writing without it.

# %%
import math

import torch

import minitune
from minitune.course.lessons import is_fast, show_table
from minitune.models import generate
from minitune.models.attention import attention_weights, visible_keys
from minitune.predictors.probes import news_loss
from minitune.world.entropy import news_and_its_surprise
from minitune.world.world import World

COUNT = 40 if is_fast() else 600
gpt = minitune.load("gpt")
model, tokenizer = gpt.model, gpt.tokenizer
reports = news_and_its_surprise(World(seed=0), COUNT)  # (text, -ln p of its choices)

# %% [markdown]
# ## The gap between the loss and the entropy
#
# Of all documents 15% are news. To say that a document is news costs $-\ln 0.15 = 1.9$ nats a report, which the grammar's
# entropy of news does not count. What remains of the gap is what the model has not learned, give or take the luck of 600
# reports.

# %%
loss, entropy = news_loss(gpt, reports)
tokens = sum(len(tokenizer.encode(text)) + 1 for text, _ in reports) / COUNT  # with the token that ends a text
kind = -math.log(0.15) / tokens
print(f"the grammar's entropy on news: {entropy:.3f} nats a token")
print(f"the shipped GPT's loss there:  {loss:.3f}")
print(f"{tokens:.1f} tokens a report; to tell that it is news costs {kind:.3f} a token")
print(f"what is left of the gap: {loss - entropy - kind:+.3f}")

# %% [markdown]
# ## Where the heads look, on average
#
# The mean weight that each head gives to the token just before, to itself, and to the first token, from the fourth position
# on. In large models some heads send later words to the first token when they have nothing to look for (Xiao et al. 2023);
# the table says whether one of ours does.


# %%
@torch.no_grad()
def head_weights(text: str) -> list[torch.Tensor]:
    """The attention weights of every layer: a list of (H, T, T). Hooks read queries and keys as they pass."""
    seen, ids = {}, torch.tensor([tokenizer.encode(text)])
    hooks = [
        getattr(block.attention, name).register_forward_hook(lambda _, __, y, k=(i, name): seen.update({k: y}))
        for i, block in enumerate(model.blocks)
        for name in ("query", "key")
    ]
    model(ids)
    for hook in hooks:
        hook.remove()
    visible = visible_keys(None, ids.shape[1], 0, causal=True, device=ids.device)
    split = model.blocks[0].attention.split
    return [attention_weights(*(split(seen[i, name]) for name in ("query", "key")), visible)[0] for i in range(2)]


places = {"itself": 0, "the token before": -1}
sums = torch.zeros(2, 4, 3)
for text, _ in reports[:100]:
    for layer, weights in enumerate(head_weights(text)):
        for column, offset in enumerate(places.values()):
            sums[layer, :, column] += weights.diagonal(offset=offset, dim1=1, dim2=2)[:, 3:].mean(dim=1)
        sums[layer, :, 2] += weights[:, 3:, 0].mean(dim=1)
means = sums / min(100, COUNT)
show_table(
    "Mean attention weight on reports",
    ["head", *places, "the first token"],
    [
        [f"layer {layer + 1}, head {head + 1}", *(f"{value:.2f}" for value in means[layer, head])]
        for layer in range(2)
        for head in range(4)
    ],
)

# %% [markdown]
# ## The cache
#
# While it writes, a model needs the keys and values of everything before. They do not change, so they are kept, and one more
# token costs one position in place of all. Prompts of unequal length are padded on the left, with a mask, and positions that
# do not count the padding; without either a batch gives other tokens than each prompt alone.

# %%
prompts = [tokenizer.encode(text) for text in ("the hotel was", "mira was born in", "yesterday")]
with_cache = generate(model, prompts, 20)
print("same without the cache:", with_cache == generate(model, prompts, 20, use_cache=False))
print("same one by one:       ", with_cache == [generate(model, [p], 20)[0] for p in prompts])
