# %% [markdown]
# # Lesson 3, more: the table of mistakes
#
# **Belongs to** lesson 3. **To run:** about 6 minutes on one CPU core. **Writes** `03-mistakes.json`; the lesson prints its
# table from the committed one.
#
# Each mistake is made on purpose, once. Four are made while training, with the batches, the steps and the rates of the
# lesson; the others are made with the shipped weights. What is measured is the loss on hidden words, of the same batches
# made without a mistake.

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F

import minitune
from minitune.course.lessons import is_fast, save_result
from minitune.course.solutions import solutions
from minitune.world.world import World

mine = solutions(3)
STEPS = 4 if is_fast() else 400
bert = minitune.load("bert")
tokenizer = bert.tokenizer
stops = {tokenizer.word_id(stop) for stop in ".?"}


def sentences(ids):
    ends = [place + 1 for place, i in enumerate(ids) if i in stops]
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]


texts = World(seed=0).documents(300 if is_fast() else 8000)
documents = [document for document in map(sentences, tokenizer.encode_many(texts)) if len(document) > 1]
held_out, documents = documents[:200], documents[200:]
checks = [mine.make_batch(held_out, tokenizer, seed=10_000 + number) for number in range(10)]


@torch.no_grad()
def held(model) -> list[float]:
    """The losses on hidden words and on pairs."""
    found = [[part.item() for part in mine.losses(model, batch)] for batch in checks]
    return [round(sum(part) / len(checks), 4) for part in zip(*found, strict=True)]


class Causal(nn.Module):
    """The attention of lesson 2, left as it was: no position sees what comes after it."""

    def __init__(self, attention):
        super().__init__()
        self.inner = attention

    def forward(self, x, real):
        rows = [self.inner(x[:, : place + 1], real[:, : place + 1])[:, -1] for place in range(x.shape[1])]
        return torch.stack(rows, dim=1)


def everywhere(model, batch):
    """A loss at every position that is not padding, hidden or not."""
    inputs, types, real, labels, follows = batch
    hidden = model(inputs, types, real)
    targets = torch.where(labels == -100, inputs, labels)
    return F.cross_entropy(word_scores_of(model, hidden[real]), targets[real]), F.cross_entropy(
        model.follows(hidden), follows
    )


def labels_too_late(model, batch):
    """The labels are copied after the words were hidden."""
    inputs, types, real, labels, follows = batch
    return mine.losses(model, (inputs, types, real, torch.where(labels == -100, labels, inputs), follows))


def word_scores_of(model, hidden):
    return mine.word_scores(model, hidden)


def trained(losses, change=lambda model: None):
    torch.manual_seed(0)
    model = mine.BERT(len(tokenizer))
    change(model)
    history = mine.pretrain(model, lambda step: mine.make_batch(documents, tokenizer, seed=step), STEPS, losses)
    return {"first": round(history[0][0], 4), "last": round(history[-1][0], 4), "held out": held(model)}


def default_embeddings(model):
    for name in ("token_embedding", "position_embedding", "type_embedding"):
        nn.init.normal_(getattr(model, name).weight)


shipped = mine.BERT(len(tokenizer))
shipped.load_state_dict(bert.model.state_dict())
found = {"shipped": {"no mistake": held(shipped)}, "trained": {}}


def no_padding_mask():
    model = copy.deepcopy(shipped)
    for block in model.blocks:
        block.attention.forward = lambda x, real, keep=block.attention.forward: keep(x, torch.ones_like(real))
    return model


def causal():
    model = copy.deepcopy(shipped)
    for block in model.blocks:
        block.attention = Causal(block.attention)
    return model


def pre_ln():
    model = copy.deepcopy(shipped)
    for block in model.blocks:

        def forward(x, real, block=block):
            x = x + block.attention(block.attention_norm(x), real)
            return x + block.mlp(block.mlp_norm(x))

        block.forward = forward
    return model


def one_type():
    model = copy.deepcopy(shipped)
    model.forward = lambda ids, types, real, keep=model.forward: keep(ids, torch.zeros_like(types), real)
    return model


def no_transform():
    model = copy.deepcopy(shipped)
    model.transform = model.transform_norm = nn.Identity()
    return model


for name, make in {
    "no padding mask": no_padding_mask,
    "a causal mask": causal,
    "pre-LN": pre_ln,
    "every type 0": one_type,
    "no transform": no_transform,
}.items():
    found["shipped"][name] = held(make())
    print(
        f"shipped, {name:20} words {found['shipped'][name][0]:.2f}   pairs {found['shipped'][name][1]:.2f}", flush=True
    )
for name, arguments in {
    "no mistake": (mine.losses,),
    "labels after hiding": (labels_too_late,),
    "a loss everywhere": (everywhere,),
    "default embeddings": (mine.losses, default_embeddings),
}.items():
    found["trained"][name] = trained(*arguments)
    print(f"trained, {name:20} {found['trained'][name]}", flush=True)
save_result(found, "03-mistakes.json")
