"""Which of the known mistakes a wrong value is: what the message of a failing test should say."""

from collections.abc import Mapping
from typing import Any

import torch

SHOWN = 8  # numbers of a tensor in a message


def expect(actual: Any, right: Any, wrong: Mapping[str, Any] | None = None, tolerance: float = 1e-9) -> None:
    """That a value is the right one; where it is not, the message names the mistake that gives just this value.

    Args:
        actual, right: tensors, numbers, nested lists of numbers, or anything that `==` compares.
        wrong: for each known cause, in words, the value that it would give. A value may be a function without
            arguments, which is called only where the test fails anyway. Each must differ from the right one, so that
            the test is known to tell them apart.
        tolerance: absolute and relative, between numbers; loosen it only as far as float32 needs.

    Raises:
        AssertionError: with the cause in its message, or with "none of the known mistakes".
        ValueError: a wrong value equals the right one: the numbers of the test are too kind.
    """
    values = {cause: value for cause, value in (wrong or {}).items() if not callable(value)}
    for cause, value in values.items():
        if same(value, right, tolerance):
            raise ValueError(f"these numbers cannot tell the right value from this mistake: {cause}")
    if same(actual, right, tolerance):
        return
    values = {cause: value() if callable(value) else value for cause, value in (wrong or {}).items()}
    causes = [cause for cause, value in values.items() if same(actual, value, tolerance)]
    found = "; or ".join(causes) or ("none of the known mistakes" if wrong else "not equal")
    raise AssertionError(f"{found}: it gives {short(actual)}, and {short(right)} is right")


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Numbers of one shape within the tolerance (nan equals nan); anything else by `==`."""
    numbers = as_numbers(one), as_numbers(other)
    if numbers[0] is None or numbers[1] is None:
        return type(one) is type(other) and bool(one == other)
    return numbers[0].shape == numbers[1].shape and torch.allclose(
        *numbers, rtol=tolerance, atol=tolerance, equal_nan=True
    )


def as_numbers(value: Any) -> torch.Tensor | None:
    """In float64, on the CPU; None for what holds no numbers."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().double()
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def short(value: Any) -> str:
    """As a message shows it: tensors as (0.61, 0.39)."""
    numbers = as_numbers(value)
    if numbers is None:
        return repr(value)
    if not numbers.dim():
        return f"{numbers.item():.6g}"
    flat = numbers.flatten()
    inside = ", ".join(f"{number:.4g}" for number in flat[:SHOWN].tolist()) + (", ..." if len(flat) > SHOWN else "")
    shape = "" if numbers.dim() == 1 else f" of shape {tuple(numbers.shape)}"
    return f"({inside}){shape}"
