# %% [markdown]
# # Lesson 24, more: what three common flaws cost
#
# **Belongs to** lesson 24. **To run:** about 20 minutes on one CPU core. **Writes** `24-flaws.json`.
#
# Full fine-tuning as in the lesson, 1,000 steps, five seeds, made right and with one flaw at a time:
#
# - **a space behind the question**: "assistant : " instead of "assistant :". The space becomes a token of its own, and the
#   answer's first word loses it. We ask a model that was tuned right in this way, and one that was tuned so too.
# - **no end**: the records are cut behind the answer's last word, and the end token with them.
# - **halves tokenized apart**: the answer is tokenized by itself, as the beginning of a text, without its space.
#
# Exact match is measured with what the model writes, up to its end or to the room that it has. Where there is no end, we
# also look whether the right answer is what it begins with.
#
# Measured on 5,710 records, eight of which have been removed since (see `24_methods.py`).
#
# **Expected, before measuring.** *Right:* 0.85 to 0.90 after these steps. *Asked with a space, tuned without:* below 0.3:
# behind a lone space the model has never seen a word. *Tuned and asked with it:* 3 to 10 points lost, for every answer has to
# begin with pieces that stand nowhere in the pretraining text. *Halves apart:* the same. *No end:* 0.00 exactly, and the
# beginning right as often as without the flaw.

# %%


import minitune
from minitune.course.lessons import is_fast, save_result, show_table
from minitune.methods.method import Method
from minitune.models import generate
from minitune.predictors.predictor import ExampleBatches
from minitune.predictors.writer import Item
from minitune.prompting.template import Rendered
from minitune.report import interval
from minitune.training.loop import TrainConfig, train

SEEDS, STEPS = (1, 5) if is_fast() else (5, 1000)
gpt, data = minitune.load("gpt"), minitune.task("instruct")
t, question = gpt.tokenizer, data.for_model(gpt)[1]
learned, test = data.train[: 32 if is_fast() else None], data.test
(space,) = t.library.encode(" ", add_special_tokens=False).ids


def alone(text):
    """The tokens of a text that begins without a space."""
    return t.library.encode(text, add_special_tokens=False).ids


WAYS = {  # what stands behind the question, how the answer is tokenized, and what ends it
    "right": ([], t.encode, [t.end_id]),
    "a space behind the question": ([space], alone, [t.end_id]),
    "no end": ([], t.encode, []),
    "halves tokenized apart": ([], alone, [t.end_id]),
}


# %%
def items(writer, way, examples):
    """Questions and answers in one of these ways."""
    behind, tokenized, end = WAYS[way]
    made = []
    for example in examples:
        asked = [*writer.question(example).ids, *behind]
        rendered = Rendered()
        rendered.add([*asked, *tokenized(example.answer), *end], "all")
        made.append(Item(rendered, len(asked), example))
    return made


def written(writer, behind):
    """What is written to each question of the test, as tokens."""
    prompts = [[*writer.question(example).ids, *behind] for example in test]
    return [
        row
        for start in range(0, len(prompts), 64)
        for row in generate(writer.model, prompts[start : start + 64], writer.room + 4, stop_id=t.end_id)
    ]


def scores(writer, behind):
    """Exact match, and how often the answer's words come first, whatever follows them."""
    texts = [t.decode(row).split() for row in written(writer, behind)]
    answers = [example.answer.split() for example in test]
    exact = sum(text == answer for text, answer in zip(texts, answers, strict=True))
    first = sum(text[: len(answer)] == answer for text, answer in zip(texts, answers, strict=True))
    return exact / len(test), first / len(test)


found = {}  # of each case: the two scores of every seed
for way in WAYS:
    for seed in range(SEEDS):
        writer = Method.parse("full").build(gpt, question, seed)
        batches = ExampleBatches(writer, learned, 16, seed)
        batches.items = items(writer, way, learned)
        train(writer, batches.batch, TrainConfig(steps=STEPS, lr=1e-3, seed=seed), label=way)
        found.setdefault(way, []).append(scores(writer, WAYS[way][0]))
        if way == "right":
            found.setdefault("tuned right, asked with a space", []).append(scores(writer, [space]))
        print(way, found[way][-1], flush=True)
    save_result({"seeds": SEEDS, "steps": STEPS, "cases": found}, "24-flaws.json")

# %%
rows = []
for case, its in found.items():
    lost = interval([right[0] - other[0] for right, other in zip(found["right"], its, strict=True)])
    means = [sum(values) / len(values) for values in zip(*its, strict=True)]
    rows.append([case, *(f"{mean:.3f}" for mean in means), "{:.3f} [{:.3f}, {:.3f}]".format(*lost)])
show_table(
    "What a flaw costs: exact match on the test, and paired by seed what is lost",
    ["", "exact match", "begins right", "lost [95%]"],
    rows,
)
