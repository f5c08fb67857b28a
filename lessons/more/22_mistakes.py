# %% [markdown]
# # Lesson 22, more: the table of mistakes
#
# **Belongs to** lesson 22. **To run:** about 6 minutes on one CPU core. **Writes** `22-mistakes.json`; the lesson prints
# its table from the committed one.
#
# Each mistake is made on purpose, on five draws of 64 reviews of each class.

# %%
import copy

import torch
from torch.nn import functional as F

import minitune
from minitune.course.lessons import is_fast, save_result
from minitune.course.plain import Rater, accuracy, train
from minitune.course.solutions import solutions
from minitune.data.examples import draw

mine = solutions(22)
DRAWS, STEPS = (1, 4) if is_fast() else (5, 200)
gpt, reviews = minitune.load("gpt"), minitune.task("rating").dataset


def model_with_lora(seed, rank=4, alpha=8.0, change=lambda layer: None):
    torch.manual_seed(seed)
    model = mine.add_lora(copy.deepcopy(gpt.model), ("query", "value"), rank, alpha)
    for layer in model.modules():
        if isinstance(layer, mine.LoRALinear):
            change(layer)
    return model


def tuned(seed, few, *settings, rate=1e-2) -> Rater:
    rater = Rater(model_with_lora(seed, *settings), gpt.tokenizer, 5, seed)
    train(rater, few, rate, STEPS, seed)
    return rater


def optimizer_first(seed, few) -> Rater:
    """The loop of `train`, with an optimizer that was built before there was anything but the head to train."""
    rater = Rater(copy.deepcopy(gpt.model).requires_grad_(False), gpt.tokenizer, 5, seed)
    optimizer = torch.optim.AdamW([p for p in rater.parameters() if p.requires_grad], lr=1e-2)
    rater.model = model_with_lora(seed)
    generator = torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / STEPS)
        chosen = [few[i] for i in torch.randint(len(few), (16,), generator=generator)]
        loss = F.cross_entropy(rater([e.text for e in chosen]), torch.tensor([e.label for e in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return rater


def without_its_head(right: Rater, seed) -> Rater:
    other = copy.deepcopy(right)
    other.head = Rater(gpt.model, gpt.tokenizer, 5, seed + 100).head
    return other


found: dict[str, list[float]] = {}
for seed in range(DRAWS):
    few, _ = draw(reviews, 64, seed=seed)
    right = tuned(seed, few)
    made = {
        "no mistake": right,
        "A and B both zero": tuned(seed, few, 4, 8.0, lambda layer: layer.A.data.zero_()),
        "A and B both random": tuned(seed, few, 4, 8.0, lambda layer: layer.B.data.normal_(std=layer.A.std().item())),
        "the scale is alpha = 8, rank 4": tuned(seed, few, 4, 8.0, lambda layer: setattr(layer, "scale", 8.0)),
        "the scale is alpha = 32, rank 16": tuned(seed, few, 16, 32.0, lambda layer: setattr(layer, "scale", 32.0)),
        "the rate of full fine-tuning": tuned(seed, few, rate=1e-3),
        "the optimizer built before add_lora": optimizer_first(seed, few),
        "the head not saved": without_its_head(right, seed),
    }
    for mistake, rater in made.items():
        found.setdefault(mistake, []).append(round(accuracy(rater, reviews.test), 4))
for mistake, scores in found.items():
    print(f"{mistake:36} {sum(scores) / len(scores):.2f} ({min(scores):.2f}, {max(scores):.2f})")
save_result(found, "22-mistakes.json")
