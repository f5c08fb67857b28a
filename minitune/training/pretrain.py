"""Pretraining: text in, checkpoint out. Stopped at any moment, it resumes to the same weights, bit for bit.

GPT learns to say the next word. BERT learns to fill in hidden words, and to tell whether a second text follows
the first (see `minitune.models` for the losses, `minitune.data.batching` for the batches).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from minitune.data.batching import MaskedPairs, PackedRows, TextStore
from minitune.data.tokenizers import Tokenizer, load_tokenizer, train_tokenizer
from minitune.errors import UserError
from minitune.files import read_text, write_text
from minitune.models.build import KINDS, SIZES, Model, random_model
from minitune.training.checkpoint import Checkpoint, read_tensors, save_checkpoint, write_tensors
from minitune.training.loop import History, TrainConfig, evaluation, train

CONTEXT = 128
HELD_OUT = 100  # one text of so many is kept for the held-out loss
LOOKS = 30  # how often a run looks at its progress


@dataclass(frozen=True)
class Recipe:
    """How a model of a kind learns best, as found by trying."""

    lr: float
    batch_size: int  # rows of the whole context for GPT, pairs of texts for BERT
    spread: float  # of the first weights
    warmup: int = 100
    weight_decay: float = 0.01


RECIPES = {
    "gpt": Recipe(lr=1.5e-3, batch_size=8, spread=0.05),
    "bert": Recipe(lr=1.5e-3, batch_size=32, spread=0.05),
}


@dataclass(frozen=True)
class Run:
    """What a pretraining run is, whole: the same run gives the same weights on the same machine."""

    kind: str
    size: str
    seed: int
    steps: int
    threads: int
    text: str  # what was read, and its hash
    recipe: Recipe

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Run:
        values = json.loads(text)
        return Run(**{**values, "recipe": Recipe(**values["recipe"])})


@dataclass
class Result:
    checkpoint: Checkpoint
    run: Run
    history: History
    seconds: float = 0.0
    tokens_per_step: float = 0.0
    parameters: int = field(default=0)


class Pretraining:
    """The parts of a run: its texts as tokens, its batches, its model, its held-out loss."""

    def __init__(self, kind: str, size: str, texts: Sequence[str], tokenizer: Tokenizer, seed: int, recipe: Recipe):
        config_class = KINDS[kind][1]
        config = config_class(len(tokenizer), context=CONTEXT, spread=recipe.spread, **SIZES[size])
        self.model: Model = random_model(config, seed)
        self.tokenizer = tokenizer
        ids = tokenizer.encode_many(texts)
        longest = CONTEXT - 1 if kind == "gpt" else CONTEXT - 3
        held_out = ids[::HELD_OUT]
        learned = [text for index, text in enumerate(ids) if index % HELD_OUT] or ids  # one text alone is both
        batches = {"gpt": PackedRows, "bert": MaskedPairs}[kind]
        self.batches = batches(TextStore(learned, longest), tokenizer, CONTEXT, recipe.batch_size, seed)
        self.held_out = batches(TextStore(held_out, longest), tokenizer, CONTEXT, recipe.batch_size, seed)

    def held_out_loss(self, batches: int = 10) -> float:
        """The mean loss on text that is never trained on."""
        device = next(self.model.parameters()).device
        with evaluation(self.model):
            losses = [
                self.model.loss({k: v.to(device) for k, v in self.held_out.batch(i).items()}).item()
                for i in range(min(batches, self.held_out.per_epoch))
            ]
        return statistics.mean(losses)

    def seconds_per_step(self, config: TrainConfig, steps: int = 25) -> float:
        """Measured on a copy that is thrown away; the median, without the first steps."""
        copy = random_model(self.model.config, seed=0).to(next(self.model.parameters()).device)
        times = [time.perf_counter()]

        def timed_batch(number: int):
            times.append(time.perf_counter())
            return self.batches.batch(number)

        train(copy, timed_batch, TrainConfig(steps=steps, lr=config.lr), label="timing")
        return statistics.median(after - before for before, after in itertools.pairwise(times[6:]))


def pretrain(
    kind: str,
    texts: Sequence[str],
    out: Path,
    *,
    size: str = "micro",
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    text_name: str = "text",
    tokenizer: Tokenizer | None = None,
    watch: Callable[[Checkpoint], dict[str, float]] = lambda checkpoint: {},
    device: torch.device | str = "cpu",
    recipe: Recipe | None = None,
    save_seconds: float = 30.0,
) -> Result:
    """Pretrain a model on `texts` and write it to the folder `out`.

    Args:
        steps, minutes: how long, one of the two; `minutes` times the first steps and fixes a number of steps from that.
        resume: go on from the last save in `out`; everything else must be as it was.
        tokenizer: if it is not to be trained on these texts.
        watch: measures along the way, of the model as it is then.

    Raises:
        UserError: out of range, nothing to resume, another text than the run was started with, or a run is there.
    """
    if kind not in KINDS:
        raise UserError(f"there is no model {kind!r} to pretrain; choose gpt or bert")
    if size not in SIZES:
        raise UserError(f"there is no size {size!r}; choose one of {', '.join(SIZES)}")
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    text = f"{text_name} ({len(texts)} texts, {digest})"
    settings, state_file, state = out / "run.json", out / "state.pt", None
    if resume and (out / "model.pt").exists() and not state_file.exists():
        raise UserError(f"the run in {out} is finished: there is nothing to resume")
    if resume:
        run = resumed_run(settings, {"kind": kind, "text": text})
        tokenizer = load_tokenizer(out / "tokenizer.json")
        state = read_tensors(state_file, "pretraining") if state_file.exists() else None
        torch.set_num_threads(run.threads)
        work = Pretraining(run.kind, run.size, texts, tokenizer, run.seed, run.recipe)
        work.model.to(device)
    else:
        if state_file.exists():
            raise UserError(f"{out} holds an unfinished run: add --resume to go on with it, or choose another --out")
        if (out / "model.pt").exists():
            raise UserError(f"{out} holds a finished model, which stays as it is: choose another --out, or remove it")
        recipe = recipe or RECIPES[kind]
        tokenizer = tokenizer or train_tokenizer(kind, texts)
        work = Pretraining(kind, size, texts, tokenizer, seed, recipe)
        work.model.to(device)
        if steps is None:
            per_step = work.seconds_per_step(TrainConfig(lr=recipe.lr))
            steps = max(1, round(60 * (15 if minutes is None else minutes) / per_step))
        run = Run(kind, size, seed, steps, torch.get_num_threads(), text, recipe)
        tokenizer.save(out / "tokenizer.json")
        write_text(settings, run.to_json())

    config = TrainConfig(
        steps=run.steps,
        lr=run.recipe.lr,
        warmup=min(run.recipe.warmup, run.steps // 10),
        weight_decay=run.recipe.weight_decay,
        evaluate_every=max(1, run.steps // LOOKS),
        keep_best=False,
        seed=run.seed,
    )
    checkpoint = Checkpoint(work.model, tokenizer)
    started = time.perf_counter()
    history = train(
        work.model,
        work.batches.batch,
        config,
        evaluate=lambda: {"held-out loss": work.held_out_loss(), **watch(checkpoint)},
        save=lambda state: write_tensors(state_file, "pretraining", state),
        save_seconds=save_seconds,
        resume=state,
        label=f"pretraining {run.kind}",
    )
    seconds = time.perf_counter() - started
    checkpoint.made = {"run": json.loads(run.to_json()), "reached": history.scores[-1][1]}
    save_checkpoint(out, checkpoint)
    state_file.unlink(missing_ok=True)  # only now: a kill before this line loses nothing
    tokens = statistics.mean(work.batches.batch(i)["input_ids"].numel() for i in range(min(20, work.batches.per_epoch)))
    return Result(checkpoint, run, history, seconds, tokens, sum(p.numel() for p in work.model.parameters()))


def resumed_run(settings: Path, now: dict[str, str]) -> Run:
    if not settings.exists():
        raise UserError(f"there is nothing to resume in {settings.parent}: it has no {settings.name}")
    try:
        run = Run.from_json(read_text(settings))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{settings} is damaged ({error}); start the run anew in another folder") from None
    for name, value in now.items():
        if getattr(run, name) != value:
            raise UserError(
                f"the run in {settings.parent} was started with {name} {getattr(run, name)!r}, not {value!r}: give the "
                "same, or choose another --out"
            )
    return run
