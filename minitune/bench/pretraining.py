"""Speed and memory, measured on the machine at hand. Every figure is a ratio of two things timed in turn in one run:
the clock of a busy machine drifts, and drifts for both.

With the extra `parity` installed, the same work is done by the reference library beside ours: the same weights,
positions, loss, dropout (0) and optimizer.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.models import BERTConfig, GPTConfig, generate
from minitune.models.build import ModelConfig, random_model
from minitune.report import size, table
from minitune.training.pretrain import CONTEXT

CONFIGS: dict[str, ModelConfig] = {"gpt": GPTConfig(1809, context=CONTEXT), "bert": BERTConfig(1627, context=CONTEXT)}
GPT_ROWS, BERT_ROWS, BERT_LENGTH = 8, 32, 36  # a batch as in pretraining
NEW_TOKENS = 96


@dataclass
class Figure:
    what: str
    value: float
    unit: str  # "tokens/s", "times", "share" or "bytes"

    def __str__(self) -> str:
        if self.unit == "bytes":
            return size(self.value)
        return f"{self.value:,.0f} tokens/s" if self.unit == "tokens/s" else f"{self.value:.2f}"


def in_turn(jobs: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Run the jobs one after the other, round after round, for about `seconds`; the seconds of each round."""
    for job in jobs.values():  # the first calls allocate
        job()
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[next(iter(jobs))]) < 5:
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(slow: list[float], fast: list[float]) -> float:
    """How many times faster `fast` is: the median over rounds, each compared with its neighbour in time."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


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


def training_step(module: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def step() -> None:
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def our_step(kind: str) -> Callable[[], None]:
    model = random_model(CONFIGS[kind], seed=0).train()
    batch = training_batch(kind, CONFIGS[kind].vocab_size)
    return training_step(model, lambda: model.loss(batch))


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


def transformers_model(kind: str) -> nn.Module:
    """The reference library's model of the same size, dropout 0."""
    import transformers

    transformers.logging.set_verbosity_error()
    c = CONFIGS[kind]
    if kind == "gpt":
        config = transformers.GPT2Config(
            vocab_size=c.vocab_size,
            n_positions=c.context,
            n_embd=c.width,
            n_layer=c.layers,
            n_head=c.heads,
            n_inner=c.inner,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=1,
            eos_token_id=1,
        )
        return transformers.GPT2LMHeadModel(config)
    config = transformers.BertConfig(
        vocab_size=c.vocab_size,
        max_position_embeddings=c.context,
        hidden_size=c.width,
        num_hidden_layers=c.layers,
        num_attention_heads=c.heads,
        intermediate_size=c.inner,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return transformers.BertForPreTraining(config)


def transformers_step(kind: str) -> Callable[[], None]:
    model, batch = transformers_model(kind).train(), training_batch(kind, CONFIGS[kind].vocab_size)
    if kind == "gpt":
        return training_step(model, lambda: model(**batch, labels=batch["input_ids"]).loss)
    batch["next_sentence_label"] = batch.pop("next_sentence")
    return training_step(model, lambda: model(**batch).loss)


# ---- the figures ----


def bench(seconds: float) -> list[dict]:
    """All figures, measured for about `seconds` each; as plain values."""
    from minitune.bench.tuning import tuning_figures  # which stands on this module

    figures: list[Figure] = []
    with_reference = has_transformers()
    threads_before = torch.get_num_threads()
    for threads in sorted({1, min(2, multiprocessing.cpu_count())}):
        torch.set_num_threads(threads)
        for kind in CONFIGS:
            figures += training_figures(kind, seconds, with_reference, f"{threads} thread{'s' * (threads > 1)}")
    torch.set_num_threads(1)
    figures += generation_figures(seconds, with_reference)
    figures += tuning_figures(seconds)
    torch.set_num_threads(threads_before)
    figures += [Figure(f"{kind}: peak memory of a pretraining process", peak_memory(kind), "bytes") for kind in CONFIGS]
    return [figure.__dict__ for figure in figures]


def bench_table(figures: list[dict]) -> str:
    return table(["measured in one run", ""], [[figure["what"], str(Figure(**figure))] for figure in figures])


def training_figures(kind: str, seconds: float, with_reference: bool, threads: str) -> list[Figure]:
    jobs = {"ours": our_step(kind), "products": products_of_a_step(kind)}
    if with_reference:
        jobs["transformers"] = transformers_step(kind)
    times = in_turn(jobs, seconds)
    tokens = training_batch(kind, 100)["input_ids"].numel()
    name = f"{kind}, {threads}: pretraining"
    figures = [
        Figure(name, tokens / statistics.median(times["ours"]), "tokens/s"),
        Figure(f"{name}, share of the matrix products' own rate", ratio(times["products"], times["ours"]), "share"),
    ]
    if with_reference:
        figures.append(
            Figure(f"{name}, times transformers' rate", ratio(times["transformers"], times["ours"]), "times")
        )
    return figures


def generation_figures(seconds: float, with_reference: bool) -> list[Figure]:
    model = random_model(CONFIGS["gpt"], seed=0).eval()
    reference = transformers_model("gpt").eval() if with_reference else None
    figures = []
    for rows in (1, 16):
        prompts = [[11, 12, 13, 14, 15, 16, 17, 18]] * rows
        jobs = {
            "cached": lambda prompts=prompts: generate(model, prompts, NEW_TOKENS),
            "uncached": lambda prompts=prompts: generate(model, prompts, NEW_TOKENS, use_cache=False),
        }
        if reference:
            jobs["transformers"] = lambda prompts=prompts: reference.generate(
                torch.tensor(prompts),
                attention_mask=torch.ones(len(prompts), len(prompts[0]), dtype=torch.long),
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
                do_sample=False,
                pad_token_id=0,
            )
        times = in_turn(jobs, seconds)
        name = f"gpt, 1 thread: generation, {rows} prompt{'s' * (rows > 1)}"
        figures.append(Figure(name, rows * NEW_TOKENS / statistics.median(times["cached"]), "tokens/s"))
        figures.append(Figure(f"{name}, cache against none", ratio(times["uncached"], times["cached"]), "times"))
        if reference:
            rate = ratio(times["transformers"], times["cached"])
            figures.append(Figure(f"{name}, times transformers' rate", rate, "times"))
    return figures


def peak_memory(kind: str) -> float:
    """The most memory that a fresh process held in 20 training steps, PyTorch's own included, in bytes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(memory_of_steps, (kind,))


def memory_of_steps(kind: str) -> float:
    step = our_step(kind)
    for _ in range(20):
        step()
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux counts in KB


def has_transformers() -> bool:
    try:
        import transformers  # noqa: F401
    except ImportError:
        return False
    return True
