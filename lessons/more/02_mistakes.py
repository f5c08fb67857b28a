# %% [markdown]
# # Lesson 2, more: the table of mistakes
#
# **Belongs to** lesson 2. **To run:** about 4 minutes on one CPU core. **Writes** `02-mistakes.json`, from which the
# lesson's table is taken.
#
# Each mistake is made on purpose in the lesson's own solutions, and the model is trained once, for half as many steps as
# in the lesson. It is one run each, so small differences mean nothing.

# %%
import random

import torch

import minitune
from minitune.course.lessons import is_fast, save_result
from minitune.course.solutions import exercises_of
from minitune.course.table import find_lesson
from minitune.files import read_text
from minitune.models.common import draw_weights
from minitune.world.entropy import news_and_its_surprise
from minitune.world.world import World

torch.set_num_threads(1)
ROWS, WINDOW, STEPS = 16, 64, 4 if is_fast() else 150
world, tokenizer = World(seed=0), minitune.load("gpt").tokenizer


def stream(texts: list[str]) -> torch.Tensor:
    """All texts in one row of tokens, each with the token that ends a text: (N,)."""
    return torch.tensor([i for row in tokenizer.encode_many(texts) for i in [*row, tokenizer.end_id]])


count = ROWS * WINDOW * STEPS // 26 + 100
text = stream([world.news.document(random.Random(f"lesson 2, {i}")) for i in range(count)])
held = stream([report for report, _ in news_and_its_surprise(world, 60 if is_fast() else 600)])
windows = held[: len(held) // WINDOW * WINDOW].view(-1, WINDOW)

MASK = "scores.masked_fill(future, -torch.inf)"
SHIFT = "scores[:, :-1].flatten(0, 1), ids[:, 1:].flatten()"
MISTAKES = {  # what is wrong: (text of the solution, text in its place)
    "no mistake": ("", ""),
    "no causal mask": (MASK, "scores"),
    "the loss not shifted": (SHIFT, "scores.flatten(0, 1), ids.flatten()"),
    "view in place of a transposition": (
        "x.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
        "x.reshape(len(x), self.heads, x.shape[1], -1)",
    ),
    "no residual around attention": ("x = x + self.attention(", "x = self.attention("),
    "no positions": (" + self.position_embedding(positions)", ""),
    "no division by sqrt(d)": (" / math.sqrt(query.shape[-1])", ""),
}


def trained(mine):
    """A model and the loss of each step."""
    torch.manual_seed(0)
    model = mine.GPT(len(tokenizer))
    draw_weights(model, spread=0.05)
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=3e-3), []
    for step, batch in enumerate(text[: STEPS * ROWS * WINDOW].view(STEPS, ROWS, WINDOW)):
        optimizer.param_groups[0]["lr"] = 3e-3 * min((step + 1) / 50, 1 - step / STEPS)
        loss = mine.next_token_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


@torch.no_grad()
def written(model, count: int = 30) -> str:
    generator, ids = torch.Generator().manual_seed(0), tokenizer.encode("the young team")
    while len(ids) < count and ids[-1] != tokenizer.end_id:
        p = model(torch.tensor([ids]))[0, -1].softmax(dim=-1)
        ids.append(torch.multinomial(p, 1, generator=generator).item())
    return tokenizer.decode(ids)


lesson, found = find_lesson(2), {}
source = read_text(lesson.path)
for mistake, (old, new) in MISTAKES.items():
    assert not old or source.count(old) == 1, f"{old!r} must be in the lesson once"
    mine = exercises_of(lesson, source.replace(old, new) if old else source, lesson.path)
    model, losses = trained(mine)
    with torch.no_grad():
        loss = mine.next_token_loss(model(windows), windows).item()
    found[mistake] = {"first": round(losses[0], 2), "last": round(loss, 2), "writes": written(model)}
    print(
        f"{mistake:36} first loss {losses[0]:6.2f}   on new reports {loss:5.2f}   {found[mistake]['writes']}",
        flush=True,
    )
save_result(found, "02-mistakes.json")
