# %% [markdown]
# # Lesson 8, more: a text that asks for learning in context
#
# **Belongs to** lesson 8. **To run:** about 6 minutes on one CPU core. **Writes** `08-lists.json`.
#
# Our GPT learns nothing from its context, because nothing in its pretraining text ever rewarded it for looking back: "great"
# means the same in every document. Here it reads on, one half of each batch from its old text, the other half lists in
# which a word's meaning holds for one document alone (`minitune/world/lists.py`). On lists that it has not read, with
# label words that no list had, is it right more often than chance?
#
# **Expected, before measuring.** Papers find that learning in context comes late and of a sudden (Olsson et al. 2022; Chan
# et al. 2022). In trials of 300 to 600 steps it had not come (see lesson 8). So within these steps the loss falls, the model
# learns to say one of the two words, and which of the two stays near 0.50. `STEPS` is the number to raise.

# %%
import random

import torch

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.data.batching import PackedRows, TextStore, encoded
from minitune.training.loop import TrainConfig, train
from minitune.world.lists import ListWriter
from minitune.world.world import World

STEPS, DOCUMENTS, LISTS = (4, 200, 6) if is_fast() else (600, 8000, 200)
torch.set_num_threads(1)
world, gpt = World(0), minitune.load("gpt")
model, tokenizer, writer = gpt.model, gpt.tokenizer, ListWriter(World(0))
context = model.config.context


def rows_of(texts) -> PackedRows:
    return PackedRows(TextStore(encoded(tokenizer, texts), context - 1), tokenizer, context, batch_size=4, seed=0)


lists, plain = rows_of(writer.documents(DOCUMENTS)), rows_of(world.documents(DOCUMENTS))


def batch_at(number: int) -> dict[str, torch.Tensor]:
    halves = [half.batch(number)["input_ids"] for half in (lists, plain)]
    return {"input_ids": torch.cat(halves)}  # 2 x (4, T) -> (8, T)


rng = random.Random("held-out lists")
kept = tuple(word for word in writer.held_out_words if len(tokenizer.encode(word)) == 1)
known = tuple(word for word in writer.words if len(tokenizer.encode(word)) == 1)
unread = {name: [writer.listing(rng, some) for _ in range(LISTS)] for name, some in (("known", known), ("new", kept))}


def looks() -> dict[str, float]:
    """On the last line of each list: is the right one of its two words likelier, and is it one of the two that is said?"""
    found = {}
    for name, listings in unread.items():
        right, of_the_two = 0, 0
        for listing in listings:
            ids = tokenizer.encode(listing.question(len(listing.lines) - 1))[-context:]
            with torch.no_grad():
                scores = model.logits(model(torch.tensor([ids])).hidden[0, -1])  # (V,)
            first, second = (tokenizer.word_id(word) for word in listing.words)
            says_first = (scores[first] > scores[second]).item()
            right += says_first == (listing.lines[-1][1] == listing.words[0])
            of_the_two += scores.argmax().item() in (first, second)
        found |= {f"{name} words: right": right / LISTS, f"{name} words: one of the two": of_the_two / LISTS}
    return found


# %%
before = looks()
history = train(
    model,
    batch_at,
    TrainConfig(steps=STEPS, lr=1e-3, warmup=50, evaluate_every=max(1, STEPS // 6), keep_best=False),
    evaluate=looks,
    tell=lambda done, history: print(done, f"loss {history.losses[-1]:.3f}", history.scores[-1][1], flush=True),
    label="reading lists",
)
every = max(1, STEPS // 12)
losses = [[i + every, sum(history.losses[i : i + every]) / every] for i in range(0, STEPS, every)]
save_result(
    {"steps": STEPS, "lists": LISTS, "looks": [[0, before], *history.scores], "losses": losses}, "08-lists.json"
)

# %%
rows = [[str(step), *(f"{value:.3f}" for value in look.values())] for step, look in [(0, before), *history.scores]]
show_table(f"The last line of {LISTS} lists that were never read, after so many steps", ["steps", *before], rows)
