"""What a method trains: by name, counted, as a table. The same questions for all of them."""

from __future__ import annotations

from torch import nn

from minitune.report import size, table


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Every parameter that training may change, by name; a tied one once."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def count(parameters: dict[str, nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters.values())


def trainable_table(module: nn.Module) -> str:
    """Each trainable parameter with its shape, and what all of them come to."""
    chosen, whole = trainable(module), sum(parameter.numel() for parameter in module.parameters())
    rows = [[name, " x ".join(map(str, p.shape)), f"{p.numel():,}"] for name, p in chosen.items()]
    total, stored = count(chosen), sum(p.numel() * p.element_size() for p in chosen.values())
    rows.append(["in all", f"{total / whole:.2%} of {whole:,}; {size(stored)} to store", f"{total:,}"])
    return table(["trainable", "shape", "numbers"], rows)
