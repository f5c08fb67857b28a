# %% [markdown]
# # Lesson 24: instruction tuning
#
# *From a model that goes on to a model that answers.*
#
# **You need** lessons 2 and 18; 20 and 22 for the comparison. **Reading** 25 minutes. **Running** 2 minutes on one CPU
# core.
#
# When you have finished, you can
#
# - turn records of (instruction, input, output) into rows of tokens, and say of each token whether it is learned,
# - write the training loop and the generation loop around them, and have a small GPT follow instructions in new words,
# - name three flaws of public recipes, say what each costs, and find them in somebody else's code.
#
# ## The problem
#
# Our GPT has read millions of words. It knows what a kite is and which words are colours. Let us ask it something.

# %%
import copy
from itertools import zip_longest

import torch
from matplotlib import pyplot as plt
from torch.nn import functional as F

import minitune
from minitune.course.drawing import arrow, canvas, tokens
from minitune.course.lessons import is_fast, read_result, show, show_table
from minitune.report import interval

gpt = minitune.load("gpt")
model, tokenizer = copy.deepcopy(gpt.model), gpt.tokenizer
data = minitune.task("instruct")
train, test = data.train, data.test[: 24 if is_fast() else None]


def go_on(model, ids: list[int], most: int = 12) -> list[int]:
    """Greedy: read all tokens so far, take the likeliest next one, until the end of text."""
    ids, written = list(ids), []
    with torch.no_grad():
        for _ in range(most):
            hidden = model(torch.tensor([ids])).hidden  # (1, T) -> (1, T, D)
            token = model.logits(hidden[0, -1]).argmax().item()
            if token == tokenizer.end_id:
                break
            ids, written = [*ids, token], [*written, token]
    return written


question = "find the colour . the baker bought a red kite ."
print(f"{question} | {tokenizer.decode(go_on(model, tokenizer.encode(question)))}")

# %% [markdown]
# It has not refused, and it has not misunderstood. It did what it was trained to do: it wrote what usually comes next
# in its text, and that is another sentence. Nothing in 8 million tokens of stories and reviews says that after *find
# the colour* somebody waits for an answer. The knowledge is there. The habit is not.
#
# **Instruction tuning** teaches the habit: show the model records of an instruction, an input and the output that is
# wanted, and train it to write the output. Here are three of 5,702 records.

# %%
for example in (train[0], train[1], train[2]):
    print(f"instruction: {example.text}   input: {example.text_b}   output: {example.answer}")
print(
    f"{len(train):,} to train on, {len(data.test)} for the test; kinds: {', '.join(sorted({e.group for e in train}))}"
)

# %% [markdown]
# The records have twelve kinds of instruction, each in 13 to 27 wordings, and most inputs are asked several things, so
# that only the instruction tells what is wanted. No instruction of the test and no input of it stands in the training
# records. That matters: a model that has learned by heart would look like one that follows.
#
# ## One row of tokens
#
# A GPT reads one row of tokens. So each record becomes one, and marks tell who speaks:

# %%
figure, axes = canvas(19, 4.9)
asked = ["human", ":", "find", "the", "colour", ".", "the", "...", "kite", ".", "assistant", ":"]
row = [(token, "text") for token in asked] + [("red", "read"), ("<end>", "read")]
middles = tokens(axes, 0.3, 2.9, row)
shifted = [("-100", "frozen")] * (len(asked) - 1) + [("red", "read"), ("<end>", "read")]
tokens(axes, 0.3, 0.6, shifted)
for x, (label, _) in zip(middles, shifted, strict=False):
    if label != "-100":
        arrow(axes, (x, 2.85), (x, 1.5))
axes.text(0.3, 3.9, "what is read", fontsize=10)
axes.text(0.3, 1.55, "label: the next token, where it is the answer's", fontsize=10)
for x, text in (
    (middles[1], "mark"),
    (middles[4], "instruction"),
    (middles[7] + 0.6, "input"),
    (middles[10] + 0.6, "mark"),
    (middles[12] + 0.6, "output"),
):
    axes.text(x, 4.35, text, ha="center", fontsize=9, color="#555555")
axes.text(0.3, 0.15, "gray: left out of the loss; green: read by the loss, and learned", fontsize=9, color="#555555")
show(figure, "24-idea.png")

# %% [markdown]
# ![A record as a row of tokens, and its labels](figures/24-idea.png)
#
# Green is what the model shall write; gray labels are left out of the loss. In symbols, with $x_1 \ldots x_n$ the
# tokens of the question and $y_1 \ldots y_m$ those of the answer, $y_m$ being the end of text:
#
# $$L = -\frac{1}{m} \sum_{j=1}^{m} \log p(y_j \mid x_1 \ldots x_n,\ y_1 \ldots y_{j-1})$$
#
# This is the loss of pretraining (lesson 2) with a **mask**: the question is read and never learned. The number -100 is
# nothing but a habit of PyTorch: `F.cross_entropy` leaves out labels of that value.
#
# ## Write it yourself: the tokens and the mask
#
# Three lines have to be right, and each of them goes wrong in published code.
#
# - **One string.** Tokenize question and answer as *one* text, for that is what stands before the model when it answers.
# - **The end.** Put the end-of-text token behind the answer, and learn it: it is how the model says that it has finished.
# - **The cut.** If a record is too long, shorten its input. Never cut the answer, nor its end.

# %%
CONTEXT = model.context  # 128 tokens


def asked_as(instruction: str, source: str) -> str:
    return " ".join(f"human : {instruction} {source} assistant :".split())


def row_of(example, context: int = CONTEXT) -> tuple[list[int], int]:
    """The tokens of a record, and where its answer begins."""
    words = example.text_b.split()
    while True:
        question = tokenizer.encode(asked_as(example.text, " ".join(words)))
        ids = [*tokenizer.encode(f"{asked_as(example.text, ' '.join(words))} {example.answer}"), tokenizer.end_id]
        assert ids[: len(question)] == question, "the question alone must be the beginning of the whole"
        if len(ids) <= context:
            return ids, len(question)
        if not words:
            raise ValueError(f"instruction and output alone take {len(ids)} tokens")
        words.pop()  # the input loses its last word


def labels_of(ids: list[int], start: int) -> list[int]:
    """At each place the next token, if that is the answer's."""
    following = [*ids[1:], -100]  # behind the last token nothing follows
    return [token if place + 1 >= start else -100 for place, token in enumerate(following)]


ids, start = row_of(train[1])
names = tokenizer.tokens(ids)
rows = []
for place, (name, label) in enumerate(zip(names, labels_of(ids, start), strict=True)):
    rows.append([str(place), name, "-100" if label == -100 else tokenizer.tokens([label])[0]])
show_table("A record, token by token", ["place", "reads", "label"], rows)
short, at = row_of(train[1], context=len(ids) - 3)
print(f"in {len(ids) - 3} tokens: {' '.join(tokenizer.tokens(short))}")

# %% [markdown]
# Look at the place of `assistant :`'s colon. It is the last token of the question and its label is the first token of
# the answer, because a GPT says each token at the place before it. If the labels begin one place later, nobody teaches
# the model how to begin an answer.
#
# ## Write it yourself: the loop
#
# A batch is padded on the right; padding has the label -100 as well. Everything else is the loop of lesson 2. We tune
# all of the model's weights.


# %%
def batch_of(examples) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and labels, each (B, T)."""
    made = [row_of(example) for example in examples]
    ids = list(zip(*zip_longest(*(ids for ids, _ in made), fillvalue=tokenizer.pad_id), strict=True))
    labels = list(zip(*zip_longest(*(labels_of(*one) for one in made), fillvalue=-100), strict=True))
    mask = [[1] * len(row) + [0] * (len(ids[0]) - len(row)) for row, _ in made]
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def loss_of(model, examples) -> torch.Tensor:
    ids, mask, labels = batch_of(examples)
    logits = model.logits(model(ids, attention_mask=mask).hidden)  # (B, T) -> (B, T, D) -> (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())  # over the places whose label is not -100


STEPS, RATE = 5 if is_fast() else 1000, 1e-3
optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS)
generator = torch.Generator().manual_seed(0)
for step in range(STEPS):
    chosen = torch.randint(len(train), (16,), generator=generator).tolist()
    loss = loss_of(model, [train[i] for i in chosen])
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    falling.step()
    if step % 200 == 0 or step == STEPS - 1:
        written = tokenizer.decode(
            go_on(model, tokenizer.encode(asked_as("find the colour .", "the baker bought a red kite .")))
        )
        print(f"step {step:>4}   loss {loss.item():.3f}   it says: {written}")

# %% [markdown]
# Now ask it the whole test, in words that it has not been trained on. An answer counts only if it is the very text that
# is wanted: **exact match**. Our `go_on` reads everything again for each token of each question; minitune's
# `generate` writes the same for many rows at once.

# %%
from minitune.models import generate


def answers_of(model, examples) -> list[str]:
    prompts = [tokenizer.encode(asked_as(example.text, example.text_b)) for example in examples]
    written = generate(model, prompts, 12, stop_id=tokenizer.end_id)
    assert written[:5] == [go_on(model, prompt) for prompt in prompts[:5]], "the padding is read, or the cache is wrong"
    return [tokenizer.decode(row) for row in written]


model.eval()
answers = answers_of(model, test)
right = [answer == example.answer for answer, example in zip(answers, test, strict=True)]
pretrained = [answer == example.answer for answer, example in zip(answers_of(gpt.model, test), test, strict=True)]
copied = [example.text_b == example.answer for example in test]
for name, its in (("tuned", right), ("pretrained", pretrained), ("repeating the input", copied)):
    print(f"exact match on {len(test)} instructions in new words, {name}: {sum(its) / len(its):.3f}")
wrong = [pair for pair, is_right in zip(zip(test, answers, strict=True), right, strict=True) if not is_right]
for example, answer in wrong[:8]:
    print(f"  {example.text} | {example.text_b} -> {answer!r}, wanted {example.answer!r}")

# %% [markdown]
# Nine answers in ten are right, and the words of the questions are new. Nearly all that is wrong is of two kinds, and
# neither is disobedience: lists that shall be turned around, and lists that shall be counted. Where it is asked to
# count it says a number, and where it is asked to turn a list around it begins with the last word. The model has
# understood the instruction and is not able to follow it.
#
# ## The same, from the package
#
# `minitune/predictors/writer.py` is what you have written. Its template is written as everywhere in this course: `human
# : {text:whole} {text_b} assistant :` puts the instruction at `{text:whole}`, which is never cut, and the input at
# `{text_b}`, which loses words at its end where a record is too long. Give the package your weights.

# %%
from minitune.methods.method import Method

asked = data.for_model(gpt)[1]
writer = Method.parse("full").build(gpt, asked, seed=0)
writer.model.load_state_dict(model.state_dict())
some = train[:16]
batch, (ids, mask, labels) = writer.collate(writer.items(some)), batch_of(some)
assert torch.equal(batch["input_ids"], ids) and torch.equal(batch["attention_mask"], mask), "another row of tokens"
assert torch.equal(batch["label"], labels), "another mask"
with torch.no_grad():
    print(f"loss: {writer.loss(batch).item():.6f} = {loss_of(model, some).item():.6f}")
    torch.testing.assert_close(writer.loss(batch), loss_of(model, some))
assert writer.write(test) == answers, "another answer"
print("the same tokens, labels, loss and answers")

# %% [markdown]
# From the command line, on the toy world's records or on a file of your own, with any method that GPT can be tuned by:
#
# ```
# minitune tune lora --task instruct --set rank=32 --set alpha=32 --set lr=3e-3 --set steps=8000 --turns 3 \
#   --set targets=query,key,value,output,up,down --out runs/follows
# minitune chat runs/follows
# minitune predict runs/follows "find the colour . || the baker bought a red kite ."
# minitune explain runs/follows "find the colour . || the baker bought a red kite ."
# minitune tune lora --instructions mine.json --model DIR
# ```
#
# `minitune chat` without a folder talks to a LoRA that is shipped, made by the first of these commands.
#
# ## Who follows?
#
# We have tuned everything. Do fewer numbers do? `lessons/more/24_methods.py` tuned the same GPT in five ways, five
# seeds each, 4,000 steps, each at the rate that was best on dev: full fine-tuning; LoRA of rank 32 on every linear
# layer, 147,456 numbers; a prefix of 16 keys and values in each layer; and a soft prompt of 16 vectors that starts from
# the text *"the following is a conversation with a helpful assistant"*, or from random numbers.
#
# > **Before you look, guess:** which of them pass 0.90, and what do those do that do not?
#
# What we wrote down before measuring, after one trial run of the first two (0.95 and 0.94): full fine-tuning and LoRA
# above 0.90; the prefix 0.3 to 0.7; the prompts below 0.4, from a text a few points above random; the pretrained model
# 0, repeating the input 0.083, the commonest answer of each kind 0.10 to 0.15. Two instructions at once: nobody above
# 0.1, for no record to train on has two.

# %%
result = read_result("24-methods.json")
methods, others = result["methods"], result["others"]
kinds = sorted(next(iter(methods.values()))["by kind"][0])
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(13, 4.4), layout="constrained", width_ratios=(1, 1.7))
for place, its in enumerate(methods.values()):
    mean, low, high = interval(its["single"])
    left.errorbar(mean, -place, xerr=[[mean - low], [high - mean]], fmt="o", color="tab:orange", capsize=3)
for (name, score), style in zip(others.items(), (":", "--", "-."), strict=True):
    left.axvline(score, color="tab:gray", linestyle=style, label=f"{name}: {score:.2f}")
left.set_yticks([-place for place in range(len(methods))], list(methods))
left.set(xlim=(-0.02, 1.02), ylim=(0.5 - len(methods), 0.5), xlabel="exact match on instructions in new words")
left.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
means = torch.tensor(
    [[sum(run[kind] for run in its["by kind"]) / len(its["by kind"]) for kind in kinds] for its in methods.values()]
)
right_axes.imshow(means, cmap="Greens", vmin=0, vmax=1, aspect="auto")
for row, its in enumerate(means.tolist()):
    for column, score in enumerate(its):
        colour = "white" if score > 0.6 else "black"
        right_axes.text(column, row, f"{score:.2f}", ha="center", va="center", fontsize=8, color=colour)
right_axes.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
right_axes.set_yticks(range(len(methods)), [])
right_axes.set_title("by kind of instruction", fontsize=10)
show(figure, "24-methods.png")
rows = []
for name, its in methods.items():
    mean, low, high = interval(its["single"])
    tokens_right, pairs = interval(its["tokens"])[0], interval(its["pairs"])[0]
    rows.append(
        [
            name,
            f"{its['numbers']:,}",
            f"{its['lr']:g}",
            f"{mean:.3f} [{low:.3f}, {high:.3f}]",
            f"{tokens_right:.3f}",
            f"{pairs:.3f}",
        ]
    )
rows += [[name, "0", "", f"{score:.3f}", "", ""] for name, score in others.items()]
show_table(
    "Exact match on instructions in new words, five seeds, with 95% intervals; single tokens; two instructions at once",
    ["", "trained", "rate", "exact match", "tokens", "two at once"],
    rows,
)

# %% [markdown]
# ![Exact match of five methods, and by kind of instruction](figures/24-methods.png)
#
# Full fine-tuning follows 0.97 of instructions in words that it has never seen, and LoRA 0.92 with less than a quarter
# of the numbers. The pretrained model follows none, and repeating the input would be right as often as there are
# sentences to repeat. What full fine-tuning still gets wrong are lists to be turned around (0.72) and opinions (0.90);
# LoRA loses more on lists, turned or counted.
#
# The prefix stays at 0.24, below the 0.3 that we had expected at least, and the soft prompts at 0.08 (from a text) and
# 0.05 (from random): no better than repeating the input. The start from a text is 2.7 points ahead, which could be
# chance (interval -1.1 to 6.5). Look at the right panel for what they do learn. The prefix names the person every time
# and hardly follows anything else; the prompt from a text does so three times in four, and says next to nothing else
# right. The person is the sentence's first two words, so one and the same place is to be copied whatever the sentence.
# All other kinds need an operation that the instruction chooses, and its key words, *colour*, *opposite*, *backwards*,
# *count*, stand nowhere in the pretraining text: their vectors are as they were drawn at first. A prompt or a prefix
# changes no weight. It can only direct what the frozen model is able to do, and nothing in its pretraining has made
# this model able to do what a word tells it.
#
# Half of all single *tokens* are right even for the prompt (0.58), and 0.71 for the prefix. Token accuracy lets the
# model lean on the right words before each one, so it flatters. Ask for exact match.
#
# Two instructions at once: 0.00 for everybody. The next section looks at that.
#
# (This and the next two experiments were measured on eight records more, whose outputs gave away a sentence of the dev or
# the test file, five of the test's 504. They have been removed from the training file since.)
#
# ## How many wordings?
#
# A person who knows *name the colour* also understands *say the colour*. Does the model? `lessons/more/24_wordings.py`
# tuned it on the same records, each kind worded in one way only, in three, or in all that are not held out (13 to 27),
# and asked the same test. It then added 600 records with two instructions at once, of eight pairs, and asked four other
# pairs.
#
# > **Before you look, guess:** what does a model that knows one wording of each kind do with another?
#
# What we wrote down before measuring: below 0.4 with one wording, 0.6 to 0.8 with three, 0.85 to 0.90 with all. Two at
# once: 0 without the added records; with them 0.7 and more on the pairs that were trained on, about half as much on the
# others.

# %%
result = read_result("24-wordings.json")
wordings, combined = result["wordings"], result["combined"]
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for of, colour, name in (("dev", "tab:gray", "in known words (dev)"), ("test", "tab:orange", "in new words (test)")):
    values = [interval(its[of]) for its in wordings.values()]
    means = [mean for mean, _, _ in values]
    bars = [[mean - low for mean, low, _ in values], [high - mean for mean, _, high in values]]
    left.errorbar(range(len(means)), means, bars, color=colour, marker="o", capsize=3, label=name)
left.set_xticks(range(len(wordings)), ["1", "3", "13 to 27"])
left.set(xlabel="wordings of each kind that were trained on", ylabel="exact match", ylim=(-0.02, 1.02))
left.legend(frameon=False, loc="lower right")
for place, its in enumerate(combined.values()):
    mean, low, high = interval(its)
    right_axes.bar(place, mean, 0.55, color="#ffb55a", edgecolor="#444444")
    right_axes.errorbar(place, mean, [[mean - low], [high - mean]], color="black", capsize=3)
alone = interval([score for its in [wordings["all"]["pairs"]] for score in its])[0]
right_axes.axhline(alone, color="tab:gray", linestyle=":", label=f"pairs, trained on single ones alone: {alone:.2f}")
right_axes.set_xticks(
    range(len(combined)), ["pairs that were\ntrained on", "pairs that\nwere not", "single\ninstructions"]
)
right_axes.set(ylim=(0, 1.02), title="600 records with two instructions added")
right_axes.title.set_fontsize(10)
right_axes.legend(frameon=False, fontsize=8, loc="upper left")
show(figure, "24-wordings.png")
show_table(
    "Exact match by the number of wordings, five seeds",
    ["wordings", "known words (dev)", "new words (test)", "two at once"],
    [
        [many, *("{:.3f} [{:.3f}, {:.3f}]".format(*interval(its[of])) for of in ("dev", "test", "pairs"))]
        for many, its in wordings.items()
    ],
)
show_table(
    "Exact match with 600 records of two instructions",
    ["", "exact match"],
    [[name, "{:.3f} [{:.3f}, {:.3f}]".format(*interval(its))] for name, its in combined.items()],
)
for instruction, source, wanted, written in result["wrong"][:4]:
    print(f"  {instruction} | {source} -> {written!r}, wanted {wanted!r}")

# %% [markdown]
# ![Exact match by the number of wordings, and of two instructions at once](figures/24-wordings.png)
#
# **Wordings.** With one wording of each kind the model follows 0.99 of the instructions that are worded so, and 0.41 of
# those that are not. Three wordings bring 0.62, all of them 0.91. In *known* words the order is upside down, 0.99, 0.97
# and 0.92, where we had expected no difference: more wordings are more to learn in the same 1,000 steps. Whoever looks
# at known words alone would take the model that understands least.
#
# **Two at once.** Without the added records no pair is ever answered in full. With them 0.66 of the pairs that were
# trained on are, and of the four others 0.06, where we had expected half as many. Read the examples: asked for the
# person and the place, it gives the person and the *colour*. In all records that were trained on, a colour came behind
# *the doctor and*. The model has learned which answers go together, and not that the second answer belongs to the
# second instruction. To put known parts together in a new way is what small networks are worst at (Lake and Baroni
# 2018).
#
# ## What do three common flaws cost?
#
# You find each of these in public code. `lessons/more/24_flaws.py` made them, one at a time.
#
# 1. **A space behind the question.** Somebody writes `"Assistant: "` and tokenizes. For a byte-level BPE the space belongs
#    to the *next* word: `_red` is one token, and a lone `_` behind the colon is another one, behind which no word has ever
#    stood.
# 2. **The end cut off.** Records are cut to a length, `(prompt + answer + end)[:n]`, or the tokenizer adds no end at all.
# 3. **Halves tokenized apart.** The answer is tokenized by itself. As the beginning of a text it has no space, and `red`
#    becomes other tokens than `_red`.

# %%
for text in ("assistant : red", "assistant : ", "red"):
    print(repr(text).ljust(18), tokenizer.tokens(tokenizer.library.encode(text, add_special_tokens=False).ids))
result = read_result("24-flaws.json")
rows = []
for case, its in result["cases"].items():
    lost = interval([good[0] - other[0] for good, other in zip(result["cases"]["right"], its, strict=True)])
    means = [f"{sum(values) / len(values):.3f}" for values in zip(*its, strict=True)]
    rows.append([case, *means, "" if case == "right" else "{:.3f} [{:.3f}, {:.3f}]".format(*lost)])
show_table(
    "What a flaw costs: exact match on the test, five seeds, and what is lost, paired by seed",
    ["", "exact match", "begins right", "lost"],
    rows,
)

# %% [markdown]
# What we wrote down before measuring: right, 0.85 to 0.90 after these steps; asked with a space and tuned without,
# below 0.3; tuned and asked with it, 3 to 10 points lost; halves apart, the same; no end, 0.00 exactly, and the
# beginning as often right as without the flaw.
#
# No flaw is harmless, and none stops the training: all four losses fall to nearly nothing.
#
# - **Without an end** no answer is right, although 0.93 of them *begin* with exactly the right words: 0.92 do where nothing
#   is wrong. The model has learned everything but to stop, and writes on until its room is full. In a demo somebody cuts
#   the text off at a line break, and nobody notices.
# - **Asked with a space and tuned without one**, six answers in ten are lost. The training is perfect; the flaw is in
#   one character of the program that asks. A lone space before the answer is a place that the model has never been to.
# - **Tuned and asked with the space**, or with **halves apart**, fifteen answers in a hundred are lost, more than the three to
#   ten that we had expected. Training and asking agree with each other here; they disagree with the pretraining. Every
#   answer has to begin with pieces like `r` and `ed`, which the model does not know as the colour: it has to learn from 5,702
#   records that they mean what `_red` means. The two rows are nearly the same, for what costs is the first word and not the
#   space.
#
# All three can be seen before any training: print the tokens of one record, as we did above, and read them one by one.

# %% [markdown]
# ## What does it make of a conversation?
#
# `minitune chat` keeps what was said in front of the next question, as every chat program does: `human : A assistant :
# B <end> human : C assistant :`. Our model has learned from single turns. Let us ask it the test once more, now with
# one, two or three other questions of the test and their right answers before each.
#
# > **Before you run this, guess:** how much does an earlier turn disturb?
#
# What we wrote down before measuring: half of the answers are lost at the second turn.

# %%
from dataclasses import replace

from minitune.files import shared

shipped = minitune.open(shared("checkpoints") / "gpt-instruct").predictor
several = list(test[:200])
rows = []
for turns in range(4):
    behind = [
        replace(example, before=tuple(several[(place + back) % len(several)] for back in range(1, turns + 1)))
        for place, example in enumerate(several)
    ]
    scores = [writer.measure(writer.items(behind))["exact match"] for writer in (writer, shipped)]
    rows.append([str(turns), *(f"{score:.3f}" for score in scores)])
show_table(
    f"Exact match on {len(several)} instructions, by the turns before them",
    ["turns before", "yours, tuned on single turns", "shipped, tuned behind up to 3 turns"],
    rows,
)

# %% [markdown]
# It is much worse than we had expected: of your model's 0.86 a single turn before the question leaves 0.12. Nothing in
# its training looked like this. The question stands at other places, there are two inputs to take an answer from, and
# there was never an end before it. That a model answers one question says nothing of a second.
#
# The remedy is to train on what will be asked. The shipped writer was tuned with `--turns 3`: each record stood behind
# none to three others, which are read and not learned. Behind three turns it still answers 0.85 of what it is asked,
# against 0.90 alone.
#
# ## Your own records, in any language
#
# A file of records like Alpaca's is all that the commands need, and GPT's byte-level BPE spells every text of every
# language without a loss (lesson 1). But the base must know the language: pretrain one on text of yours first. `data/`
# has a Chinese text of 688 sentences and 50 Chinese records to try it with:
#
# ```
# minitune pretrain gpt --text data/chinese_text.txt --size nano --steps 300 --out runs/chinese
# minitune tune full --instructions data/chinese_instructions.json --model runs/chinese --set lr=1e-3 --set steps=300 \
#   --out runs/follows
# minitune predict runs/follows --data data/chinese_instructions.json
# ```
#
# Of the 50 records 10 are kept for the test and 8 to choose by. In our run the model knew the other 32 by heart, and
# answered none of the 18: 27 kilobytes of text teach the form of a sentence and nearly nothing of what it means. A
# score on records that were trained on would have been 1.00.
#
# > **At scale, here, why.** FLAN (Wei et al. 2022) tuned models of 0.4 to 137 billion weights on dozens of tasks in many
# > wordings and asked tasks of *kinds* that it had held out: the large ones gained, those of 8 billion and less lost. Our
# > test is easier. The kinds are known and only the words are new, so do not take 0.9 here for a model that understands
# > instructions; ask it for a thirteenth kind and it does one of the twelve. Alpaca had 52,000 records for 7 billion weights, and
# > LIMA (Zhou et al. 2023) 1,000 for 65 billion: there pretraining has taught the skills, and the records only teach to show
# > them. Our GPT had never turned a list around, so its 5,702 records have to teach the skill itself. That is why prompts
# > and prefixes, which change no weight, fail here, and why they come close to full fine-tuning on large models (lessons 18
# > and 17). And the flaws: a model that has read billions of texts has met more odd spaces than ours, and loses less by one.
# > The missing end costs the same at every size.
#
# ## Common mistakes
#
# | mistake | what you would see |
# |---|---|
# | the question is learned too | a loss that is higher and falls more slowly; most of the training goes into copying questions |
# | labels that are not shifted by one | a loss near 0 at once, and nonsense when it writes: it learned to repeat the token it reads |
# | labels that are shifted twice (by you, and by a library that shifts them again) | the first word is always missing |
# | no end token, or an end token that is cut | right answers with something behind them, up to the limit |
# | the padding token is the end token, and is masked by its id | the same: the one end that counts is masked with the padding |
# | a space behind `assistant :` | the first word in strange pieces, or an answer to another question |
# | padding on the right when generating in batches | short questions are answered after a gap of padding; the answer changes with the batch |
# | a test that shares wordings or inputs with the training file | a score that you never see again |
#
# ## Exercises
#
# **21.1** Learn the question as well: give every place the label of the next token. Train as long as before. What becomes of
# the loss, and of exact match? (15 minutes)
# **21.2** Change `labels_of` so that the mask is off by one place, first in one direction and then in the other. Then forget
# the shift: let each place's label be the token that stands there. Guess each time what the model says, then run it.
# (15 minutes)
# **21.3** Ask the tuned model in words of your own, ten different ways, for the colour of something. Which words does it
# need? (10 minutes)
# **21.4** Take 200 records in place of 5,702, once as 200 different inputs, once as 50 inputs that are asked four things each.
# Which set teaches more? (15 minutes)
# **21.5** The writer was tuned on single turns. Make 500 records of two turns out of the training file and tune on both.
# Does the second turn recover? (30 minutes)
#
# ## Check yourself
#
# 1. Why does the last token of the question have a label, and the last token of the answer (the end) none behind it?
# 2. A colleague tokenizes prompt and answer separately and joins the ids. With which tokenizers does this matter, and
#    how would you find out in one line?
# 3. Exact match is 0.90 and token accuracy 0.97. How can both be true?
# 4. Why does repeating the input reach 0.083 on our test? What would a paper's reader think of a method at 0.083?
# 5. A record has an instruction of 90 tokens, an input of 40 and an output of 20, and the context is 128. What is cut?
#
# ## In one paragraph
#
# Instruction tuning is the loss of pretraining on rows of question and answer, with the question masked. Three details
# decide whether it works: one string, the end, the cut. With them a small GPT follows nine instructions in ten in words
# that are new to it, if all of its weights may change or LoRA's do; a prompt or a prefix before a frozen model does not
# get there at this size. How many wordings it has seen decides about new ones, and what it was never trained on, two
# instructions at once or a conversation, it does not do. **Next:** lesson 25 puts all methods side by side.
