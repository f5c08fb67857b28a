# %% [markdown]
# # Lesson 22, more: accuracy by rank, scale and layers
#
# **Belongs to** lesson 22. **To run:** about 15 minutes on one CPU core. **Writes** `22-ranks.json`; the lesson draws its
# figure and its table from the committed one.
#
# Five draws of 64 examples per class, 200 steps, two tasks. The learning rates are those that a sweep on another world
# chose: 1e-3 for everything, 1e-1 for a head alone, 1e-2 for LoRA at every rank.

# %%
import copy

import torch

import minitune
from minitune.course.lessons import is_fast, save_result
from minitune.course.plain import Rater, accuracy, train
from minitune.course.solutions import solutions
from minitune.data.examples import draw

add_lora = solutions(22).add_lora
PAIR, ALL = ("query", "value"), ("query", "key", "value", "output", "up", "down")
CELLS = {  # name: layers (None: everything, (): nothing), rank, alpha, rate
    "everything": (None, 0, 0, 1e-3),
    "everything, 3e-4": (None, 0, 0, 3e-4),
    "head alone": ((), 0, 0, 1e-1),
    "rank 16, rate 3e-3": (PAIR, 16, 32, 3e-3),
    "rank 1, all layers": (ALL, 1, 2, 1e-2),
    "alpha 8, rank 1, all layers": (ALL, 1, 8, 1e-2),
    **{f"rank {rank}": (PAIR, rank, 2 * rank, 1e-2) for rank in (1, 2, 4, 8, 16)},
    **{f"alpha 8, rank {rank}": (PAIR, rank, 8, 1e-2) for rank in (1, 2, 4, 8, 16)},
}
DRAWS = 1 if is_fast() else 5
gpt = minitune.load("gpt")


def score(data, layers, rank, alpha, rate, seed) -> float:
    few, _ = draw(data, 64, seed=seed)
    torch.manual_seed(seed)
    model = copy.deepcopy(gpt.model)
    if layers:
        add_lora(model, layers, rank, alpha)
    elif layers == ():
        model.requires_grad_(False)
    rater = Rater(model, gpt.tokenizer, len(data.labels), seed)
    train(rater, few, rate, seed=seed)
    return round(accuracy(rater, data.test), 4)


found = {}
for task in ("rating", "sentiment"):
    data = minitune.task(task).dataset
    for name, cell in CELLS.items():
        found.setdefault(task, {})[name] = [score(data, *cell, seed) for seed in range(DRAWS)]
        print(task, name, found[task][name], flush=True)
save_result(found, "22-ranks.json")
