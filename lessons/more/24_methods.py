# %% [markdown]
# # Lesson 24, more: who follows instructions?
#
# **Belongs to** lesson 24. **To run:** about an hour on one CPU core. **Writes** `24-methods.json`.
#
# Five ways to tune the GPT on the records to train on, each with five seeds: of the order of the records and of all
# that starts at random. The weights with the best exact match on the 300 records of the dev file stay. The test is read
# once: 504 single instructions in words that no record to train on has, and 120 pairs of instructions. Learning rates
# were chosen on the dev file, with another seed (100) and 1,000 steps. Two of LoRA's were level there, 0.005 (0.753) and
# 0.003 (0.747), so both were run with five seeds, and the dev file chose again. The test took no part in it.
#
# Measured on 5,710 records: eight of them, whose outputs gave away a sentence of the dev or test file (five of the test's
# 504), were found afterwards and are no longer in the training file.
#
# **Expected, before measuring** (but after one trial run of the first two, which gave 0.95 and 0.94). *Full fine-tuning and
# LoRA:* above 0.90 on single instructions. *Prefix tuning:* 0.3 to
# 0.7. *Prompt tuning:* below 0.4, from a text a few points above random. *The pretrained model:* 0. *Repeating the input:*
# one kind in twelve, 0.083. *The commonest answer of each kind:* 0.10 to 0.15. *Pairs:* no method above 0.1, for no record to
# train on has two instructions.

# %%
from collections import defaultdict

import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.experiments.baselines import commonest_answer, copied_input
from minitune.methods.method import Method
from minitune.report import interval
from minitune.tuned.tuned import tune
from minitune.tuning.trained import count, trainable

SEEDS = 1 if is_fast() else 5
STEPS, RATE_STEPS = (5, 5) if is_fast() else (4000, 1000)
TEXT = "the following is a conversation with a helpful assistant"  # 16 tokens
EVERY_LAYER = "targets=query,key,value,output,up,down"
METHODS = {  # the method, its settings, the rates that are tried
    "full": ("full", [], (1e-3, 2e-3, 3e-3)),
    "LoRA": ("lora", ["rank=32", "alpha=32", EVERY_LAYER], (1e-3, 3e-3, 5e-3)),
    "prefix": ("prefix-tuning", ["length=16"], (3e-4, 1e-3, 3e-3, 1e-2)),
    "prompt from a text": ("prompt-tuning", ["length=16", "start=text", f"text={TEXT}"], (1e-2, 3e-2, 1e-1, 3e-1)),
    "prompt from random": ("prompt-tuning", ["length=16", "start=random"], (1e-2, 3e-2, 1e-1, 3e-1)),
}
gpt = minitune.load("gpt")
single, pairs = minitune.task("instruct"), minitune.task("instruct:together")
shots = 32 if is_fast() else None


def tuned(name, lr, steps, seed):
    what, settings, _ = METHODS[name]
    return tune(Method.parse(what, [*settings, f"lr={lr}", f"steps={steps}"]), gpt, single, shots, seed)


# %% [markdown]
# Which learning rate?

# %%
rates = {}  # of each method, by rate: the best exact match on the dev file
for name, (_, _, tried) in METHODS.items():
    rates[name] = {str(lr): tuned(name, lr, RATE_STEPS, seed=100).learned.history.best() for lr in tried}
    print(name, rates[name], flush=True)

# %% [markdown]
# And then the five seeds.

# %%
found, also = {}, {}  # with the rate that was chosen; and what was run beside it
for name, given in [*((name, None) for name in METHODS), ("LoRA", 3e-3)]:
    lr = given or float(max(rates[name], key=rates[name].get))
    runs = defaultdict(list)
    for seed in range(SEEDS):
        method = tuned(name, lr, STEPS, seed)
        test, kinds = method.measure(single.test), defaultdict(list)
        for written, example in zip(method.predictor.write(single.test), single.test, strict=True):
            kinds[example.group].append(method.predictor.score(written, example))
        runs["single"].append(test["exact match"])
        runs["tokens"].append(test["token accuracy"])
        runs["dev"].append(method.learned.history.best())
        runs["pairs"].append(method.measure(pairs.test)["exact match"])
        runs["by kind"].append({kind: sum(scores) / len(scores) for kind, scores in kinds.items()})
    numbers = count(trainable(method.predictor))
    its = {"lr": lr, "numbers": numbers, **runs}
    if name in found and sum(its["dev"]) < sum(found[name]["dev"]):
        also[name] = its
    else:
        also |= {name: found[name]} if name in found else {}
        found[name] = its
    print(name, lr, runs["single"], flush=True)

pretrained = Method.parse("frozen").build(gpt, single.for_model(gpt)[1], seed=0)
others = {
    "the pretrained model": pretrained.measure(pretrained.items(single.test))["exact match"],
    "repeating the input": copied_input(single.dataset, None, 1).score,
    "the commonest answer of each kind": commonest_answer(single.dataset, None, 1).score,
}
result = {"seeds": SEEDS, "steps": STEPS, "rates": rates, "methods": found, "also": also, "others": others}
save_result(result, "24-methods.json")

# %%
rows = [
    [
        name,
        f"{its['numbers']:,}",
        f"{its['lr']:g}",
        *(f"{interval(its[of])[0]:.3f}" for of in ("single", "tokens", "pairs")),
    ]
    for name, its in found.items()
]
rows += [[name, "0", "", f"{score:.3f}", "", ""] for name, score in others.items()]
show_table(
    "Exact match on instructions in new words, mean of the seeds",
    ["", "trained", "rate", "single", "tokens", "pairs"],
    rows,
)
