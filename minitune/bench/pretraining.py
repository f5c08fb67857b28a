"""Speed and memory of pretraining: the same batches, loss and optimizer for `transformers` and for us, and beside both
the bare matrix products of a step, which nothing in PyTorch can outrun.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from minitune.bench.measure import Figure, in_turn, ratio, threads
from minitune.bench.memory import peak_memory
from minitune.bench.models import CONFIGS, is_installed, training_step, transformers_model
from minitune.data.texts import read_texts
from minitune.models.build import random_model
from minitune.training.pretrain import CONTEXT, pretrain

GPT_ROWS, BERT_ROWS, BERT_LENGTH = 8, 32, 36  # a batch as in pretraining


# ---- the work ----


def training_batch(kind: str, vocab_size: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    if kind == "gpt":
        return {"input_ids": torch.randint(10, vocab_size, (GPT_ROWS, CONTEXT), generator=generator)}
    ids = torch.randint(10, vocab_size, (BERT_ROWS, BERT_LENGTH), generator=generator)
    guessed = torch.rand(ids.shape, generator=generator) < 0.35
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": (torch.arange(BERT_LENGTH) > BERT_LENGTH // 2).long().expand_as(ids),
        "labels": ids.masked_fill(~guessed, -100),
        "next_sentence": torch.randint(0, 2, (BERT_ROWS,), generator=generator),
    }


def our_step(kind: str) -> Callable[[], None]:
    model = random_model(CONFIGS[kind], seed=0).train()
    batch = training_batch(kind, CONFIGS[kind].vocab_size)
    return training_step(model, lambda: model.loss(batch))


def transformers_step(kind: str) -> Callable[[], None]:
    model, batch = transformers_model(kind).train(), training_batch(kind, CONFIGS[kind].vocab_size)
    if kind == "gpt":
        return training_step(model, lambda: model(**batch, labels=batch["input_ids"]).loss)
    batch["next_sentence_label"] = batch.pop("next_sentence")
    return training_step(model, lambda: model(**batch).loss)


def products_of_a_step(kind: str) -> Callable[[], None]:
    """The matrix products of one training step and nothing else: forward, and two of the same size backward."""
    c, batch = CONFIGS[kind], training_batch(kind, CONFIGS[kind].vocab_size)
    rows, length = batch["input_ids"].shape
    tokens, head = rows * length, c.width // c.heads
    decoded = tokens if kind == "gpt" else int((batch["labels"] != -100).sum())
    shapes = c.layers * [*4 * [(tokens, c.width, c.width)], (tokens, c.width, c.inner), (tokens, c.inner, c.width)]
    shapes += [(decoded, c.width, c.vocab_size)]
    shapes += [(decoded, c.width, c.width)] if kind == "bert" else []
    pairs = [(torch.randn(m, k), torch.randn(k, n), torch.randn(m, n)) for m, k, n in shapes]
    query, weights = torch.randn(rows * c.heads, length, head), torch.randn(rows * c.heads, length, length)

    def multiply() -> None:
        for x, w, gradient in pairs:
            x @ w, gradient @ w.T, x.T @ gradient
        for _ in range(3 * c.layers):  # attention: scores and mixing
            query @ query.transpose(1, 2), weights @ query

    return multiply


# ---- the figures ----


def pretraining_figures(kind: str, count: int, seconds: float) -> list[Figure]:
    """With `count` threads."""
    jobs = {"ours": our_step(kind), "products": products_of_a_step(kind)}
    if is_installed("transformers"):
        jobs["transformers"] = transformers_step(kind)
    with threads(count):
        times = in_turn(jobs, seconds)
    row = f"{kind} pretraining, {count} thread{'s' * (count > 1)}"
    tokens = training_batch(kind, 100)["input_ids"].numel()
    figures = [Figure(row, "tokens/s", tokens / statistics.median(times["ours"]), "tokens/s")]
    if "transformers" in times:
        figures.append(Figure(row, "times transformers", ratio(times["transformers"], times["ours"]), "times"))
    figures.append(Figure(row, "of bare products", ratio(times["products"], times["ours"]), "share"))
    return [*figures, Figure(row, "peak memory", peak_memory(steps, kind, count), "bytes")]


def steps(kind: str, count: int) -> None:
    """Twenty of them: by then all that a step needs has been allocated."""
    step = our_step(kind)
    with threads(count):
        for _ in range(20):
            step()


# ---- a text of one's own ----

OWN_TEXT = 20_000_000  # characters
SHAPES = {"lines": 20, "one line": 10**9}  # words a line


def own_text_figures(seconds: float) -> list[Figure]:
    """The memory of a whole run on a large text: what is read and cut into tokens counts, whatever shape it has."""
    return [
        Figure(f"gpt nano, {OWN_TEXT / 1e6:.0f} MB of text in {shape}", "peak memory", found, "bytes")
        for shape, found in ((shape, peak_memory(run_on_text, words, OWN_TEXT)) for shape, words in SHAPES.items())
    ]


def run_on_text(words_a_line: int, characters: int) -> None:
    """A few steps on a text of drawn words, frequent and rare ones, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        write_drawn_text(path, words_a_line, characters)
        pretrain("gpt", read_texts(path, "gpt"), Path(folder) / "run", size="nano", steps=5)


def write_drawn_text(path: Path, words_a_line: int, characters: int) -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(5_000)]
    shares = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))  # Zipf's law
    written = placed = 0
    with path.open("w", encoding="utf-8") as file:
        while written < characters:
            for word in rng.choices(words, cum_weights=shares, k=1_000):
                placed += 1
                written += file.write(word + ("\n" if placed % words_a_line == 0 else " "))
