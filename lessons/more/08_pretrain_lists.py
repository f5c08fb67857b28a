# %% [markdown]
# # Lesson 8, more: a text that asks for learning in context
#
# **Belongs to** lesson 8. **To run:** about 25 minutes on one CPU core. **Writes** `08-lists.json`, and the model that
# `minitune.load("gpt-lists")` opens.
#
# Our GPT learns nothing from its context, because nothing in its pretraining text ever rewarded it for looking back:
# "great" means the same in every document. Here it reads on, lists in which a word's meaning holds for one document
# alone (`minitune/world/lists.py`). On lists that it has not read, is it right more often than chance?
#
# Two stages. In the first all lines are single words, and a few of them come again and again in each list. In the second
# they are words, clauses and sentences, with something between text and word, and a quarter of each batch is the old
# text, so that nothing is forgotten. Only the label words of a list are trained on. The loss has two parts: the
# cross-entropy of the word among all words, and how much likelier the right one of the list's two words is than the
# other. The first part alone is busy for long with learning which two words there are.
#
# **Expected, before measuring** (a first trial of stage one had gone before, with the same seed). Papers find that
# learning in context comes late and of a sudden (Olsson et al. 2022; Chan et al. 2022). So the accuracy among the two words
# stays at 0.50 for thousands of steps and jumps; in stage two it passes from words to clauses and sentences within a
# few hundred steps; label words that no list had are told apart less well than known ones.

# %%
import random
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.data.batching import PackedRows, TextStore, encoded
from minitune.training.checkpoint import save_checkpoint
from minitune.training.loop import TrainConfig, train
from minitune.world.lists import ListStyle, ListWriter
from minitune.world.world import World

torch.set_num_threads(1)
OUT = Path("runs/gpt-lists")
world, gpt = World(0), minitune.load("gpt")
model, tokenizer, context = gpt.model, gpt.tokenizer, gpt.model.config.context
writer = ListWriter(world, tokenizer)
WORDS = ListStyle()
ALL = ListStyle(
    forms=("word", "clause", "clause", "sentences"),
    links=("", ":", "it was", "this is", "we say"),
    stop=".",
    tokens=96,
    burst=0.3,
)
plain = PackedRows(TextStore(encoded(tokenizer, world.documents(200 if is_fast() else 6000)), context - 1), tokenizer, context, 4, 0)


class Reader(nn.Module):
    """A GPT, and the loss of the label words of lists; of ordinary text beside them, if a batch has some."""

    def __init__(self):
        super().__init__()
        self.gpt = model

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        ids, answers, other = batch["input_ids"], batch["answers"], batch["other"]  # (B, T), (B, T), (B, T)
        hidden = self.gpt(ids).hidden[:, :-1]
        said = answers[:, 1:]
        loss = F.cross_entropy(self.gpt.logits(hidden[said >= 0]), ids[:, 1:][said >= 0])
        known = other[:, 1:] >= 0  # both words have been shown before
        table = self.gpt.token_embedding.weight
        ahead = (hidden[known] * (table[ids[:, 1:][known]] - table[other[:, 1:][known]])).sum(dim=-1)
        loss = loss + F.softplus(-ahead).mean()
        return loss + self.gpt.loss({"input_ids": batch["plain"]}) if "plain" in batch else loss


def batch_of(number: int, style: ListStyle, rows: int, seed: int) -> dict[str, torch.Tensor]:
    rng = random.Random(f"{seed}/{number}")
    ids = torch.full((rows, style.tokens), tokenizer.end_id)
    answers, other = torch.full_like(ids, -1), torch.full_like(ids, -1)
    for row in range(rows):
        listing = writer.listing(rng, style, writer.words)
        found, places = listing.encode(tokenizer)
        pair, shown = [tokenizer.word_id(word) for word in listing.words], set()
        for place, (_, which) in zip(places, listing.lines, strict=True):
            if place < style.tokens:
                answers[row, place] = pair[which]
                if len(shown) == 2:
                    other[row, place] = pair[1 - which]
            shown.add(which)
        found = found[: style.tokens]
        ids[row, : len(found)] = torch.tensor(found)
    return {"input_ids": ids, "answers": answers, "other": other}


def with_plain(number: int) -> dict[str, torch.Tensor]:
    return batch_of(number, ALL, 20, 1) | {"plain": plain.batch(number)["input_ids"].long()}


# %% [markdown]
# What is looked at: lists that were never read, in each form, with label words that other lists had and with words that
# none had; among the list's two words, once both have been shown, how often is the right one likelier?

# %%
LISTS = 6 if is_fast() else 60
rng = random.Random("lists to look at")
fresh = {
    f"{form}, {name} words": [
        writer.listing(rng, ListStyle((form,), ("",) if form == "word" else ("it was",), "" if form == "word" else ".", 96, 0.0), some)
        for _ in range(LISTS)
    ]
    for form in ("word", "clause", "sentences")
    for name, some in (("known", writer.words), ("new", writer.held_out_words))
}


def looks() -> dict[str, float]:
    found = {}
    for name, listings in fresh.items():
        right = []
        for listing in listings:
            ids, places = listing.encode(tokenizer)
            with torch.no_grad():
                hidden = model(torch.tensor([ids[:context]])).hidden[0]
            pair, shown = [tokenizer.word_id(word) for word in listing.words], set()
            for place, (_, which) in zip(places, listing.lines, strict=True):
                if len(shown) == 2 and place < context:
                    scores = model.logits(hidden[place - 1])
                    right.append((scores[pair[which]] > scores[pair[1 - which]]).item())
                shown.add(which)
        found[name] = sum(right) / max(1, len(right))
    return found


def stage(name: str, batch_at, steps: int, lr: float) -> list:
    def tell(done, history):
        print(name, done, f"loss {sum(history.losses[-50:]) / len(history.losses[-50:]):.3f}", {k: round(v, 2) for k, v in history.scores[-1][1].items()}, flush=True)

    settings = TrainConfig(steps=steps, lr=lr, warmup=50, evaluate_every=max(1, steps // 20), keep_best=False)
    return train(Reader(), batch_at, settings, evaluate=looks, tell=tell, label=name).scores


# %%
ONE, TWO = (2, 2) if is_fast() else (6000, 2000)
curve = [[0, looks()]]
curve += stage("words", lambda number: batch_of(number, WORDS, 32, 0), ONE, 1e-3)
curve += [[ONE + step, look] for step, look in stage("all", with_plain, TWO, 5e-4)]
gpt.made = {"command": "python lessons/more/08_pretrain_lists.py", "from": "gpt", "steps": ONE + TWO, "world": 0, "reached": curve[-1][1]}
save_checkpoint(OUT, gpt)
print(f"model: {OUT}")
save_result({"stages": [ONE, TWO], "lists": LISTS, "looks": curve}, "08-lists.json")

# %%
rows = [[str(step), *(f"{value:.2f}" for value in look.values())] for step, look in curve]
show_table("Right among the two words of lists that were never read, after so many steps", ["steps", *curve[0][1]], rows)
