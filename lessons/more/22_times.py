# %% [markdown]
# # Lesson 22, more: the time that is saved, and the time that is not
#
# **Belongs to** lesson 22. **To run:** about 3 minutes on one CPU core. **Writes** `22-times.json`; the lesson prints its
# table from the committed one.
#
# A training step with LoRA against one of full fine-tuning, optimizer included; and a forward pass with the updates
# beside the weights, and merged, against the plain model. At the width of our GPT, 128, and in a random one of width
# 1024, where the matrix products are nearly all of the work. What is compared runs in turn, round after round; the median
# of the rounds' ratios counts.

# %%
import copy

import torch

import minitune
from minitune.bench.measure import in_turn, ratio, threads
from minitune.course.lessons import is_fast, save_result
from minitune.course.solutions import solutions
from minitune.models import GPT, GPTConfig

mine = solutions(22)
PAIR, ALL = ("query", "value"), ("query", "key", "value", "output", "up", "down")
SECONDS = 0.2 if is_fast() else 20
gpt = minitune.load("gpt")
torch.manual_seed(0)
wide = GPT(GPTConfig(len(gpt.tokenizer), layers=2, width=1024, heads=16, inner=4096, context=128))


def step(model):
    """One training step on 16 texts of 32 tokens, as a function without arguments."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    ids = torch.randint(5, len(gpt.tokenizer), (16, 32), generator=torch.Generator().manual_seed(0))

    def run():
        model(ids).hidden.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def forward(model):
    ids = torch.randint(5, len(gpt.tokenizer), (16, 32), generator=torch.Generator().manual_seed(0))

    def run():
        with torch.no_grad():
            model(ids)

    return run


found = {}
with threads(1):
    for width, model in ((128, gpt.model), (1024, wide)):
        pair = mine.add_lora(copy.deepcopy(model), PAIR, rank=4, alpha=8)
        every = mine.add_lora(copy.deepcopy(model), ALL, rank=4, alpha=8)
        models = {"everything": copy.deepcopy(model), "query and value": pair, "all layers": every}
        times = in_turn({name: step(one) for name, one in models.items()}, SECONDS)
        of_width = {f"a step, {name}": ratio(times[name], times["everything"]) for name in list(models)[1:]}
        models = {"plain": model, "kept beside": pair, "merged": mine.merge(pair)}
        times = in_turn({name: forward(one) for name, one in models.items()}, SECONDS)
        of_width |= {f"a forward pass, {name}": ratio(times[name], times["plain"]) for name in list(models)[1:]}
        found[f"width {width}"] = {name: round(value, 3) for name, value in of_width.items()}
        print(found[f"width {width}"], flush=True)
save_result(found, "22-times.json")
