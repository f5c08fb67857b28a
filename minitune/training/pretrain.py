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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minitune.data.batching import MaskedPairs, PackedRows, TextStore, encoded
from minitune.data.tokenizers import Tokenizer, load_tokenizer, train_tokenizer
from minitune.errors import UserError
from minitune.files import is_there
from minitune.models.build import KINDS, SIZES, Model, random_model
from minitune.outputs import check_is_no_input
from minitune.schema import plain_to
from minitune.training.checkpoint import Checkpoint, read_tensors, save_checkpoint, write_tensors
from minitune.training.loop import History, TrainConfig, evaluation, train
from minitune.training.progress import plain_lines
from minitune.training.run import RECIPES, Asked, Recipe, Run, check_same, read_run
from minitune.training.state import StateFile, check_state
from minitune.writing import alone_in, check_can_write, write_json

CONTEXT = 128
HELD_OUT = 100  # one text of so many, or one piece of a long text, is kept for the held-out loss
LOOKS = 30  # how often a run looks at its progress
MINUTES = 15  # if no length is given
WORTH_TIMING = 500  # steps: of fewer, timing some would be no small part


@dataclass
class Result:
    checkpoint: Checkpoint
    run: Run
    history: History
    seconds: float  # of training, up to the last save
    tokens_per_step: float
    parameters: int


class Pretraining:
    """The parts of a run: its texts as tokens, its batches, its model, its held-out loss."""

    def __init__(self, kind: str, size: str, texts: Iterable[str], tokenizer: Tokenizer, seed: int, recipe: Recipe):
        config_class = KINDS[kind][1]
        config = config_class(len(tokenizer), context=CONTEXT, spread=recipe.spread, **SIZES[size])
        self.model: Model = random_model(config, seed)
        self.tokenizer = tokenizer
        self.texts = TextStore(encoded(tokenizer, texts), CONTEXT - 1 if kind == "gpt" else CONTEXT - 3)
        is_held_out = np.arange(len(self.texts)) % HELD_OUT == 0
        learned = self.texts.part(~is_held_out) if len(self.texts) > 1 else self.texts  # one text alone is both
        batches = {"gpt": PackedRows, "bert": MaskedPairs}[kind]
        self.batches = batches(learned, tokenizer, CONTEXT, recipe.batch_size, seed)
        self.held_out = batches(self.texts.part(is_held_out), tokenizer, CONTEXT, recipe.batch_size, seed)

    @property
    def tokens_per_step(self) -> float:
        """On the average, padding and special tokens among them."""
        some = range(min(20, self.batches.per_epoch))
        return statistics.mean(self.batches.batch(i)["input_ids"].numel() for i in some)

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
    size: str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    resume: bool = False,
    text_name: str = "text",
    tokenizer: Tokenizer | None = None,
    watch: Callable[[Checkpoint], dict[str, float]] = lambda checkpoint: {},
    device: torch.device | str = "cpu",
    recipe: Recipe | None = None,
    asked: Asked | None = None,
    begin: Callable[[Pretraining, Run, float | None], None] = lambda work, run, per_step: None,
    finish: Callable[[Result], None] = lambda result: None,
    save_seconds: float = 30.0,
) -> Result:
    """Pretrain a model on `texts` and write it to the folder `out`, in which nothing else may run meanwhile.

    Args:
        size: of the model (default: micro).
        steps, minutes: how long, one of the two; `minutes` times the first steps and fixes a number of steps from that.
        seed: of the weights and the batches (default: 0).
        resume: go on from the last save in `out`; whatever else is given must be as it was.
        tokenizer: if it is not to be trained on these texts.
        watch: measures along the way, of the model as it is then.
        asked: is kept with the run.
        begin: is called before the training, with the seconds of a step if they were measured.
        finish: is called with the finished model, to write a report for example. If it is stopped, a resumed run calls
            it again, with the same result.

    Raises:
        UserError: out of range, nothing to resume, other settings than the run was started with, a run is there, or
            another one goes on there at this moment.
    """
    check_can_write(out / "model.pt")
    with alone_in(out):
        settings, state_file = (
            {"kind": kind, "size": size, "seed": seed, "steps": steps, "recipe": recipe},
            out / "state.pt",
        )
        text = f"({len(texts)} texts, {digest(texts)})"
        if resume:
            run = resumed_run(out, settings | {"minutes": minutes}, text)
            torch.set_num_threads(run.threads)
            tokenizer = load_tokenizer(out / "tokenizer.json")
            state = resumed_state(state_file, run, tokenizer)
        else:
            check_is_free(out)
            run = Run(
                kind,
                size or "micro",
                seed or 0,
                1 if steps is None else steps,
                torch.get_num_threads(),
                f"{text_name} {text}",
                recipe or RECIPES.get(kind),
                asked or Asked(),
            )
            tokenizer, state = tokenizer or train_tokenizer(kind, texts), None
        work = Pretraining(run.kind, run.size, texts, tokenizer, run.seed, run.recipe)
        work.model.to(device)
        per_step = None
        if not resume:
            if steps is None or steps >= WORTH_TIMING:
                per_step = work.seconds_per_step(TrainConfig(lr=run.recipe.lr))
            if steps is None:
                run = replace(run, steps=max(1, round(60 * (minutes or MINUTES) / per_step)))
            write_json(out / "run.json", asdict(run))  # first: from here on what is there is known as this run's
            tokenizer.save(out / "tokenizer.json")
        begin(work, run, per_step)
        result = learn(work, run, out, state, watch, save_seconds)
        save_checkpoint(out, result.checkpoint)
        finish(result)
        state_file.unlink(missing_ok=True)  # only now: a kill before this line loses nothing
    return result


def learn(
    work: Pretraining,
    run: Run,
    out: Path,
    state: StateFile | None,
    watch: Callable[[Checkpoint], dict[str, float]],
    save_seconds: float,
) -> Result:
    """Train the model of a run to its last step, from `state` if there is one, and save the state now and then."""
    config = TrainConfig(
        steps=run.steps,
        lr=run.recipe.lr,
        warmup=min(run.recipe.warmup, run.steps // 10),
        weight_decay=run.recipe.weight_decay,
        evaluate_every=max(1, run.steps // LOOKS),
        keep_best=False,
        seed=run.seed,
    )
    if state:
        check_state(state, work.model, config, str(out / "state.pt"))
    checkpoint, started = Checkpoint(work.model, work.tokenizer), time.perf_counter()
    before = seconds = state.seconds if state else 0.0

    def save(now: dict) -> None:
        nonlocal seconds
        seconds = before + time.perf_counter() - started
        whose = {"run": run.identity, "tokenizer": digest([work.tokenizer.library.to_str()]), "seconds": seconds}
        write_tensors(out / "state.pt", "pretraining", now | whose)

    history = train(
        work.model,
        work.batches.batch,
        config,
        evaluate=lambda: {"held-out loss": work.held_out_loss(), **watch(checkpoint)},
        save=save,
        save_seconds=save_seconds,
        resume=vars(state) if state else None,
        tell=plain_lines(f"pretraining {run.kind}", run.steps, state.step if state else 0),
        label=f"pretraining {run.kind}",
    )
    # Nothing of how the run went, such as its time, so that a resumed run ends in the same bytes; and copied, for a
    # string that is held in two places is written once if it is one object there, and twice if it is two.
    checkpoint.made = json.loads(json.dumps({"run": run.identity, "reached": history.scores[-1][1]}))
    parameters = sum(p.numel() for p in work.model.parameters())
    return Result(checkpoint, run, history, seconds, work.tokens_per_step, parameters)


def digest(texts: Iterable[str]) -> str:
    """A short name of these very texts."""
    sha = hashlib.sha256()
    for index, text in enumerate(texts):
        sha.update(("\n" * (index > 0) + text).encode())
    return sha.hexdigest()[:16]


def resumed_run(out: Path, given: Mapping[str, Any], text: str) -> Run:
    """The run that goes on in `out`.

    Args:
        given: what is asked for now, None where nothing is.
        text: number and digest of the texts.

    Raises:
        UserError: it was started otherwise, or is finished.
    """
    run = read_run(out)
    check_same(out, run, given)
    if not run.text.endswith(text):
        raise UserError(
            f"the run in {out} was started with text {run.text!r}, and this is another one, {text}: give the same, or "
            "choose another --out"
        )
    if (out / "model.pt").exists() and not (out / "state.pt").exists():
        raise UserError(f"the run in {out} is finished: there is nothing to resume")
    return run


def resumed_state(path: Path, run: Run, tokenizer: Tokenizer) -> StateFile | None:
    """What the last save left; None before the first.

    Raises:
        UserError: it is damaged, or was saved by another run.
    """
    if not is_there(path):
        return None
    state = plain_to(StateFile, read_tensors(path, "pretraining"), str(path))
    if (state.run.identity, state.tokenizer) != (run.identity, digest([tokenizer.library.to_str()])):
        raise UserError(
            f"{path} was saved by another run than the one that run.json and tokenizer.json beside it tell of: put "
            "back the files of one run, or start anew in another --out"
        )
    return state


WRITTEN = ("run.json", "tokenizer.json", "state.pt", "model.pt", "report.json", "report.png")


def check_is_free(out: Path, inputs: Iterable[Path] = ()) -> None:
    """See that a run may begin in `out`: what a run of ours left there before its first save may be replaced.

    Args:
        inputs: what the run reads.

    Raises:
        UserError: an unfinished run, a finished model, or files of another origin are there; one of the inputs is.
    """
    for name in WRITTEN:
        check_is_no_input(out / name, inputs)
    if is_there(out / "state.pt"):
        raise UserError(f"{out} holds an unfinished run: add --resume to go on with it, or choose another --out")
    if is_there(out / "model.pt"):
        raise UserError(f"{out} holds a finished model, which stays as it is: choose another --out, or remove it")
    try:
        read_run(out)
    except UserError:
        if others := [name for name in WRITTEN if is_there(out / name)]:
            raise UserError(
                f"{out} holds a {others[0]} that no run of minitune has left there, and it stays as it is: choose "
                "another --out"
            ) from None
