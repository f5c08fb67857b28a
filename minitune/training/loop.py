"""The training loop: one for pretraining and for every method after it.

It trains any module that has a `loss(batch)`, and changes only the parameters that require a gradient.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from minitune.errors import UserError
from minitune.given import text

Batch = dict[str, Tensor]


LONGEST = 10_000_000  # steps: more of them are a slip of the hand
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {  # of each setting: what is good, and what that is in words
    "steps": (lambda n: 1 <= n <= LONGEST, f"a whole number from 1 to {LONGEST:,}"),
    "lr": (lambda rate: 0 < rate < math.inf, "a number above 0"),
    "warmup": (lambda n: 0 <= n <= LONGEST, f"a whole number from 0 to {LONGEST:,}"),
    "weight_decay": (lambda decay: 0 <= decay <= 1000, "a number from 0 to 1,000"),
    "betas": (lambda b: len(b) == 2 and all(0 <= x < 1 for x in b), "two numbers from 0 to below 1, as in 0.9,0.98"),
    "clip": (lambda norm: norm > 0, "a number above 0"),
    "accumulate": (lambda n: 1 <= n <= 1000, "a whole number from 1 to 1,000"),
    "evaluate_every": (lambda n: 0 <= n <= LONGEST, f"a whole number from 0 (never) to {LONGEST:,}"),
    "seed": (lambda n: 0 <= n < 2**63, "a whole number from 0 to below 2^63"),
}


class Diverged(UserError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class TrainConfig:
    steps: int = 200
    lr: float = 1e-3
    warmup: int = 10  # steps from 0 to lr; from there it falls in a straight line to 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0  # largest norm of the whole gradient
    accumulate: int = 1  # batches of equal size whose mean gradient makes one step
    evaluate_every: int = 0  # steps between looks at the dev set; 0 = never
    keep_best: bool = True  # end with the weights that scored best there, not with the last
    seed: int = 0

    def __post_init__(self):
        for name, (is_good, expected) in RANGES.items():
            if not is_good(getattr(self, name)):
                raise UserError(f"{name} is {getattr(self, name)}, which is out of range; it must be {expected}")


@dataclass
class History:
    losses: list[float] = field(default_factory=list)  # of every step
    scores: list[tuple[int, dict[str, float]]] = field(default_factory=list)  # (step, what `evaluate` said)

    def best(self, by_loss: bool = False) -> float:
        """The highest score so far: of each look, the first number counts; by loss, that of the lowest loss."""
        return first(max((look for _, look in self.scores), key=lowest_loss if by_loss else first))


def first(look: Mapping[str, float]) -> float:
    return next(iter(look.values()))


def lowest_loss(look: Mapping[str, float]) -> float:
    return -look["loss"]


def train(
    module: nn.Module,
    batch_at: Callable[[int], Batch],
    config: TrainConfig,
    *,
    evaluate: Callable[[], dict[str, float]] | None = None,
    save: Callable[[dict], None] | None = None,
    save_seconds: float = 60.0,
    resume: dict | None = None,
    rates: Mapping[str, float] | None = None,
    before_step: Callable[[int], None] | None = None,
    tell: Callable[[int, History], None] | None = None,
    label: str = "training",
    keep_by_loss: bool = False,
) -> History:
    """Train `module` in place and leave it in eval mode.

    Args:
        batch_at: the batch with a given number. Being a function of the number alone, it needs no state to resume.
        evaluate: measures on dev data, by name. The first is the score, higher = better; the weights that
            score best are those that stay (unless `config.keep_best` is off).
        keep_by_loss: those with the lowest "loss" stay instead.
        save: is given the whole state now and then; `resume` takes it back, and the run ends as if never stopped.
        rates: for parameters' names, their part of the learning rate; 1 for those that are not named.
        before_step: is called with the step's number; it may freeze or unfreeze what was trainable at the start.
        tell: is called after each look, with the number of steps done.

    Raises:
        UserError: nothing is trainable; the loss is no number before anything was trained.
        Diverged: the loss is no longer a number.
    """
    trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trainable:
        raise UserError("there is nothing to train: every parameter is frozen")
    device = next(iter(trainable.values())).device
    optimizer = make_optimizer(module, config, rates)
    history, best, start = History(), None, 0
    worth = lowest_loss if keep_by_loss else first
    if resume:
        optimizer.load_state_dict(resume["optimizer"])
        module.load_state_dict(resume["module"])
        history = History(resume["losses"], [tuple(pair) for pair in resume["scores"]])
        best, start = resume["best"], resume["step"]
        torch.set_rng_state(resume["rng"])
    else:
        torch.manual_seed(config.seed)

    train_mode(module)
    saved_at = time.monotonic()
    bar = tqdm(range(start, config.steps), label, config.steps, initial=start, disable=None, leave=False)
    for step in bar:
        if before_step:
            before_step(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config) * group["rate"]
        total = torch.zeros((), device=device)
        for part in range(config.accumulate):
            batch = {k: v.to(device) for k, v in batch_at(step * config.accumulate + part).items()}
            with mixed_precision(device):
                loss = module.loss(batch) / config.accumulate
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(trainable.values(), config.clip)
        optimizer.step()
        optimizer.zero_grad()

        history.losses.append(total.item())
        if not total.isfinite() and step == 0:
            raise UserError(
                f"the loss is {total.item()} before anything was trained: the model's weights are damaged, or a "
                "setting such as alpha or spread is far too large"
            )
        if not total.isfinite():
            raise Diverged(f"the loss is {total.item()} at step {step}: lower the learning rate (it is {config.lr})")
        bar.set_postfix(loss=f"{total.item():.3f}", refresh=False)
        done = step + 1
        if evaluate and config.evaluate_every and (done % config.evaluate_every == 0 or done == config.steps):
            with evaluation(module):
                history.scores.append((done, evaluate()))
            if tell:
                tell(done, history)
            looks = [worth(look) for _, look in history.scores]
            if config.keep_best and looks[-1] >= max(looks):  # of equals, the longest trained
                best = {name: p.detach().clone() for name, p in trainable.items()}
        if save and (time.monotonic() - saved_at > save_seconds or done == config.steps):
            save(training_state(module, optimizer, history, best, done))
            saved_at = time.monotonic()

    if best:
        with torch.no_grad():
            for name, parameter in trainable.items():
                parameter.copy_(best[name])
    if not all(parameter.isfinite().all() for parameter in trainable.values()):
        raise Diverged(f"the last step made weights that are no numbers: lower the learning rate (it is {config.lr})")
    module.eval()
    return history


def training_state(
    module: nn.Module, optimizer: torch.optim.Optimizer, history: History, best: dict | None, step: int
) -> dict:
    """All that the next step depends on."""
    return {
        "step": step,
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "losses": history.losses,
        "scores": history.scores,
        "best": best,
        "rng": torch.get_rng_state(),
    }


def make_optimizer(
    module: nn.Module, config: TrainConfig, rates: Mapping[str, float] | None = None
) -> torch.optim.AdamW:
    """AdamW over what is trainable. Only the weights of linear layers decay towards 0: a bias, a norm, an
    embedding or a prompt near 0 is no simpler than one elsewhere."""
    linear = {id(m.weight) for m in module.modules() if isinstance(m, nn.Linear)}
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}  # by whether they decay, and their rate
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in linear, (rates or {}).get(name, 1.0)), []).append(parameter)
    settings = [
        {"params": parameters, "weight_decay": config.weight_decay * decays, "rate": rate}
        for (decays, rate), parameters in sorted(groups.items(), key=lambda group: group[0], reverse=True)
    ]
    on_mps = next(module.parameters()).device.type == "mps"
    return torch.optim.AdamW(settings, lr=config.lr, betas=config.betas, fused=not on_mps)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Straight up to `lr` in the warm-up, straight down to 0 at the last step."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    return config.lr * (config.steps - step) / max(1, config.steps - config.warmup)


def train_mode(module: nn.Module) -> None:
    """Training mode for what is trained; a part with nothing to train stays in eval mode (no dropout there)."""
    module.train()
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            part.eval()


@contextmanager
def evaluation(module: nn.Module) -> Iterator[None]:
    """Eval mode without gradients, and every part's own mode back afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def mixed_precision(device: torch.device):
    """bfloat16 for the matrix products on a CUDA GPU; float32 elsewhere."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


def pick_device(name: str | torch.device) -> torch.device:
    """`auto` is the GPU if there is one.

    Raises:
        UserError: an unknown name, or a device that this machine lacks.
    """
    name = str(name) if isinstance(name, torch.device) else text("device", name, "auto, cpu, cuda or mps was expected")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if name not in available:
        raise UserError(f"there is no device {name!r}; choose auto, cpu, cuda or mps")
    if not available[name]:
        raise UserError(f"PyTorch finds no {name} device on this machine; use --device auto or cpu")
    return torch.device(name)
