# %% [markdown]
# # Lesson 22, more: what does the update look like?
#
# **Belongs to** lesson 22. **To run:** about 5 minutes on one CPU core. **Writes** `22-singular-values.json`.
#
# Singular values say how many directions a change of a weight needs: the rank at 90% energy is the smallest $k$ for which
# the $k$ largest carry 90% of $\sum_i \sigma_i^2$. For LoRA of rank 4 it is at most 4. For full fine-tuning's change of the
# same weights, $W_q$ and $W_v$ of both layers, Biderman et al. (2024) found 10 to 100 times LoRA's usual ranks. Beside
# them stands a matrix of random numbers, which has no direction of its own.
#
# **Expected, before measuring.** Full fine-tuning 20 to 60 of 128, the random matrix about 80. LoRA with room (rank 16)
# fills less than half of it.

# %%
import torch
from matplotlib import pyplot as plt

import minitune
from minitune.course.lessons import is_fast, save_result, show, show_table
from minitune.experiments.experiment import learn
from minitune.methods.method import Method
from minitune.tuning.lora import lora_layers

DRAWS = 1 if is_fast() else 5
SHOTS = 4 if is_fast() else 64
gpt = minitune.load("gpt")
data, question = minitune.task("rating").for_model(gpt)
pretrained = gpt.model.state_dict()


def spectrum(change: torch.Tensor) -> torch.Tensor:
    """The share of the energy that the k largest singular values carry: (k = 1 ... width)."""
    energy = torch.linalg.svdvals(change.detach()).square()
    return energy.cumsum(0) / energy.sum()


def at_90(shares: torch.Tensor) -> int:
    return int((shares < 0.9).sum()) + 1


# %%
TUNED = {
    "LoRA, rank 4": ("lora+head", ["lr=1e-2"]),
    "LoRA, rank 16": ("lora+head", ["lr=1e-2", "rank=16", "alpha=32"]),
    "full": ("full+head", ["lr=1e-3"]),
}
spectra: dict[str, dict[str, list[torch.Tensor]]] = {}  # of a method, of a weight: one of each draw
for name, (written, settings) in TUNED.items():
    method = Method.parse(written, [*settings, *["steps=8"] * is_fast()])
    for seed in range(DRAWS):
        model = learn(method, gpt, question, data, SHOTS, seed).predictor.model
        for block in range(2):
            for layer in ("query", "value"):
                path = f"blocks.{block}.attention.{layer}"
                if name == "full":
                    change = model.get_submodule(path).weight - pretrained[f"{path}.weight"]
                else:
                    change = lora_layers(model)[path].delta()
                spectra.setdefault(name, {}).setdefault(path, []).append(spectrum(change))
noise = spectrum(torch.randn(128, 128, generator=torch.Generator().manual_seed(0)))

# %%
found = {name: {path: [at_90(s) for s in shares] for path, shares in of.items()} for name, of in spectra.items()}
save_result(
    {"task": "rating", "shots": SHOTS, "rank at 90%": found, "random numbers": at_90(noise)}, "22-singular-values.json"
)
rows = [
    [name, path, " ".join(map(str, ranks)), f"{sum(ranks) / len(ranks):.1f}"]
    for name, of in found.items()
    for path, ranks in of.items()
]
rows.append(["random numbers", "", str(at_90(noise)), ""])
show_table("Rank at 90% of the energy, of 128", ["change", "weight", "of each draw", "mean"], rows)

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
colours = {"LoRA, rank 4": "tab:orange", "LoRA, rank 16": "tab:red", "full": "tab:blue"}
for name, of in spectra.items():
    for path, shares in of.items():
        dashes = "--" if path.endswith("query") else "-"
        label = f"{name}: {'$W_q$' if dashes == '--' else '$W_v$'}" if "blocks.0" in path else None
        mean = torch.stack(shares).mean(dim=0)
        axes.plot(range(1, 129), mean, dashes, color=colours[name], label=label, linewidth=1.2)
axes.plot(range(1, 129), noise, color="tab:gray", label="random numbers")
axes.axhline(0.9, color="black", linestyle=":", linewidth=1)
axes.set_xscale("log", base=2)
axes.set_xticks([1, 2, 4, 8, 16, 32, 64, 128], ["1", "2", "4", "8", "16", "32", "64", "128"])
axes.set(xlabel="the k largest singular values ...", ylabel="... carry this share of the energy", ylim=(0, 1.02))
axes.set_title("How many directions a change needs (a line for each layer, mean of the draws)")
axes.legend(frameon=False, fontsize=8, loc="lower right")
show(figure, "22-singular-values.png")
