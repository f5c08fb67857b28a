"""What an interrupted pretraining goes on from: each field of `state.pt` is checked before PyTorch sees it. A moment of
another shape, or a count of steps that is no tensor, ends the process inside of PyTorch, or goes on with other numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.schema import check_tensors, wrong
from minitune.training.loop import TrainConfig, make_optimizer
from minitune.training.run import Run

COUNT = torch.zeros(())  # of steps, as AdamW keeps one for each parameter


@dataclass(frozen=True)
class StateFile:
    """What `state.pt` holds."""

    step: int
    module: dict[str, Tensor]
    optimizer: dict[str, Any]
    losses: list[float]
    scores: list[tuple[int, dict[str, float]]]
    best: NoneType  # a pretraining ends with its last weights
    rng: Tensor
    run: Run
    tokenizer: str
    seconds: float


def check_state(state: StateFile, module: nn.Module, config: TrainConfig, where: str) -> None:
    """See that a state is one of this module's training: all its parts, of the right shapes, at the same step.

    Args:
        where: the file, for the sentence.

    Raises:
        UserError: it is not.
    """
    step, every = state.step, config.evaluate_every
    if not 0 < step <= config.steps or len(state.losses) != step:
        raise wrong(f"{where}, step", step, f"the number of its losses, {len(state.losses)}, up to {config.steps}")
    looks = [done for done in range(1, step + 1) if done % every == 0 or done == config.steps]
    names = [set(look) for _, look in state.scores]
    if [done for done, _ in state.scores] != looks or any(its != names[0] for its in names):
        raise UserError(f"{where}, scores are not of each look up to step {step}; restore the file or make it again")
    if not 0 <= state.seconds < 1e12:
        raise wrong(f"{where}, seconds", state.seconds, "a number from 0 on")
    check_tensors(state.module, module.state_dict(), f"{where}, module")
    check_optimizer(state.optimizer, module, config, step, f"{where}, optimizer")
    check_random_state(state.rng, f"{where}, rng")


def check_optimizer(state: Mapping[str, Any], module: nn.Module, config: TrainConfig, step: int, where: str) -> None:
    optimizer = make_optimizer(module, config)
    fresh = optimizer.state_dict()["param_groups"]
    groups = state.get("param_groups")
    if set(state) != {"state", "param_groups"} or not isinstance(groups, list) or len(groups) != len(fresh):
        raise wrong(where, state, f"the state of AdamW in {len(fresh)} groups")
    for number, (group, expected) in enumerate(zip(groups, fresh, strict=True)):
        place = f"{where}, group {number}"
        if not isinstance(group, Mapping) or set(group) != set(expected):
            raise wrong(place, group, f"a mapping of {', '.join(expected)}")
        for name, value in expected.items():
            found = group[name]
            differs = repr(found) != repr(value)  # a tensor in its place has no truth value
            if type(found) is not type(value) or (name != "lr" and differs):  # lr is set anew at each step
                raise wrong(f"{place}, {name}", found, repr(value))
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = state["state"]
    if not isinstance(moments, Mapping) or set(moments) != set(range(len(parameters))):
        raise wrong(f"{where}, state", moments, f"the moments of {len(parameters)} parameters")
    for number, parameter in enumerate(parameters):
        place, its = f"{where}, parameter {number}", moments[number]
        if not isinstance(its, Mapping):
            raise wrong(place, its, "a mapping")
        expected = {"step": COUNT, "exp_avg": parameter, "exp_avg_sq": parameter}
        check_tensors(its, expected, place)
        if other := [name for name in expected if its[name].dtype != expected[name].dtype]:
            raise wrong(f"{place}, {other[0]}", its[other[0]], f"a tensor of {expected[other[0]].dtype}")
        if its["step"] != step:
            raise wrong(f"{place}, step", its["step"].item(), str(step))
        if (its["exp_avg_sq"] < 0).any():
            raise UserError(f"{place}, exp_avg_sq has squares below 0: restore the file or make it again")


def check_random_state(state: Tensor, where: str) -> None:
    try:
        torch.Generator().set_state(state)
    except (RuntimeError, TypeError):
        raise wrong(where, state, "a state of PyTorch's random numbers") from None
