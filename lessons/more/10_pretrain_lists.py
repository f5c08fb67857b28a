# %% [markdown]
# # Lesson 10, more: a text that asks for learning in context
#
# **Belongs to** lesson 10. **To run:** about 15 minutes on one CPU core. **Writes** `10-lists.json`, and the model that
# `minitune.load("gpt-lists")` opens.
#
# Our GPT learns nothing from its context, because nothing in its pretraining text ever rewarded it for looking back:
# "great" means the same in every document. Here it reads on, lists in which a word's meaning holds for one document
# alone (`minitune/world/lists.py`): single words of praise and blame, or words of two topics, each followed by one of two
# arbitrary words. On lists that it has not read, is it right more often than chance?
#
# Only the label words of a list are trained on. The loss has two parts: the cross-entropy of the word among all words,
# and how much likelier the right one of the list's two words is than the other. The first part alone is busy for long
# with learning which two words there are.
#
# **Expected, before measuring.** Papers find that learning in context comes late and of a sudden (Olsson et al. 2022; Chan
# et al. 2022). So the accuracy among the two words stays at 0.50 for thousands of steps, and jumps. Label words that no list
# had are told apart less well than known ones. What the model learns should serve longer lists, and lists with a
# colon between text and word, as well.
#
# (The stored curve was measured on other lists of the same kind, by an earlier version of this file that trained the same
# weights.)

# %%
import random
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.predictors.probes import zero_shot
from minitune.report import interval
from minitune.training.checkpoint import Checkpoint, save_checkpoint
from minitune.training.loop import TrainConfig, train
from minitune.world.lists import Listing, ListStyle, ListWriter
from minitune.world.tasks import get_task
from minitune.world.world import World

OUT, STEPS, ROWS, SETS, LISTS = Path("runs/gpt-lists"), 6000, 32, 10, 20
if is_fast():
    STEPS, ROWS, SETS, LISTS = 2, 4, 2, 3
torch.set_num_threads(1)
plain, gpt = minitune.load("gpt"), minitune.load("gpt")
tokenizer = gpt.tokenizer
writer = ListWriter(World(0), tokenizer)
STYLE = ListStyle()


def pair_of(listing: Listing) -> list[int]:
    return [tokenizer.word_id(word) for word in listing.words]


# %% [markdown]
# ## Training


# %%
class Reader(nn.Module):
    """A GPT, and its loss on the label words of lists."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.gpt = model

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        ids, answers, other = (batch[name][:, 1:] for name in ("input_ids", "answers", "other"))  # each (B, T - 1)
        hidden = self.gpt(batch["input_ids"]).hidden[:, :-1]  # (B, T - 1, D)
        loss = F.cross_entropy(self.gpt.logits(hidden[answers >= 0]), answers[answers >= 0])
        known = other >= 0  # both words have been shown before
        table = self.gpt.token_embedding.weight
        ahead = (hidden[known] * (table[ids[known]] - table[other[known]])).sum(dim=-1)  # difference of two logits
        return loss + F.softplus(-ahead).mean()


def batch_at(number: int) -> dict[str, Tensor]:
    rng = random.Random(f"0/{number}")
    ids = torch.full((ROWS, STYLE.tokens), tokenizer.end_id)
    answers, other = torch.full_like(ids, -1), torch.full_like(ids, -1)
    for row in range(ROWS):
        listing = writer.listing(rng, STYLE, writer.words)
        found, places = listing.encode(tokenizer)
        pair, shown = pair_of(listing), set()
        for place, (_, which) in zip(places, listing.lines, strict=True):
            if place < STYLE.tokens:
                answers[row, place] = pair[which]
                other[row, place] = pair[1 - which] if len(shown) == 2 else -1
            shown.add(which)
        found = found[: STYLE.tokens]
        ids[row, : len(found)] = torch.tensor(found)
    return {"input_ids": ids, "answers": answers, "other": other}


# %% [markdown]
# ## What is looked at
#
# Lists that were never read, no line of them twice by intent. Among the list's two words, once both have been shown: how
# often is the right one likelier?


# %%
def lists_of(style: ListStyle, words: tuple[str, ...], seed: int, count: int = LISTS) -> list[Listing]:
    rng = random.Random(f"lists to look at {seed}")
    return [writer.listing(rng, style, words) for _ in range(count)]


def rightness(model: nn.Module, listings: list[Listing], shuffled: bool = False) -> dict[int, list[bool]]:
    """By the number of lines above, and by kind under -1 (opinions) and -2 (topics): right or wrong."""
    found: dict[int, list[bool]] = {}
    for listing in listings:
        ids, places = listing.encode(tokenizer)
        pair, shown = pair_of(listing), set()
        if shuffled:  # a control: each line has one of the two words at random
            dice = random.Random(listing.words[0])
            for place in places[:-1]:
                ids[place] = dice.choice(pair)
        with torch.no_grad():
            hidden = model(torch.tensor([ids[: model.context]])).hidden[0]
        for above, (place, (_, which)) in enumerate(zip(places, listing.lines, strict=True)):
            if len(shown) == 2 and place < model.context:
                scores = model.logits(hidden[place - 1])
                right = (scores[pair[which]] > scores[pair[1 - which]]).item()
                for name in (above, -1 if listing.kind == "polarity" else -2):
                    found.setdefault(name, []).append(right)
            shown.add(which)
    return found


def share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


FRESH = ListStyle(burst=0.0)
LOOKS = {
    name: lists_of(FRESH, words, 0, 3 * LISTS)
    for name, words in (("known", writer.words), ("new", writer.held_out_words))
}


def looks() -> dict[str, float]:
    found = {name: rightness(gpt.model, listings) for name, listings in LOOKS.items()}
    kinds = {"opinions": -1, "topics": -2}
    return {f"{name} words, {kind}": share(found[name].get(at, [])) for name in found for kind, at in kinds.items()}


# %%
before = looks()
history = train(
    Reader(gpt.model),
    batch_at,
    TrainConfig(steps=STEPS, lr=1e-3, warmup=50, evaluate_every=max(1, STEPS // 60), keep_best=False),
    evaluate=looks,
    tell=lambda done, history: print(done, f"loss {history.losses[-1]:.3f}", history.scores[-1][1], flush=True),
    label="reading lists",
)
gpt.made = {"command": "python lessons/more/10_pretrain_lists.py", "from": "gpt", "steps": STEPS, "reached": looks()}
save_checkpoint(OUT, gpt)
print(f"model: {OUT}")

# %% [markdown]
# ## What it has learned, and how far that reaches

# %%
CASES = {
    "as it was trained": (FRESH, writer.words, False),
    "label words that no list had": (FRESH, writer.held_out_words, False),
    "label words at random": (FRESH, writer.words, True),
    "a colon between text and word": (ListStyle(burst=0.0, links=(":",)), writer.words, False),
    "clauses in place of words": (ListStyle(("clause",), burst=0.0), writer.words, False),
    "lists twice as long": (ListStyle(burst=0.0, tokens=96), writer.words, False),
}


def measured(checkpoint: Checkpoint) -> dict:
    found: dict = {"cases": {}, "by lines": {}}
    for name, (style, words, shuffled) in CASES.items():
        sets = [rightness(checkpoint.model, lists_of(style, words, seed), shuffled) for seed in range(1, SETS + 1)]
        found["cases"][name] = [share([r for at, its in one.items() if at >= 0 for r in its]) for one in sets]
        lines = sorted({at for one in sets for at in one if at >= 0})
        found["by lines"][name] = {str(at): [share(one[at]) for one in sets if at in one] for at in lines}
    examples = list(minitune.task("sentiment").test)
    found["zero-shot"] = zero_shot(checkpoint, get_task("sentiment"), examples[: 20 if is_fast() else None])
    return found


result = {name: measured(checkpoint) for name, checkpoint in (("gpt", plain), ("gpt-lists", gpt))}
result |= {"steps": STEPS, "looks": [[0, before], *history.scores]}
save_result(result, "10-lists.json")

# %%
rows = [
    [
        name,
        *(
            f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            for mean, low, high in (interval(result[model]["cases"][name]) for model in ("gpt", "gpt-lists"))
        ),
    ]
    for name in CASES
]
rows.append(
    ["reviews, zero-shot, as in lesson 7", *(f"{result[model]['zero-shot']:.3f}" for model in ("gpt", "gpt-lists"))]
)
show_table(f"Right among a list's two words: {SETS} sets of {LISTS} lists", ["lists", "gpt", "gpt-lists"], rows)
