"""Plain values from a file, checked against the dataclass that they are to become.

The dataclass is the schema: its annotations say what each field is, its `__post_init__` says in which range. So what is
read from a file and what is given in Python go through one check.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from minitune.errors import UserError
from minitune.given import an

T = TypeVar("T")
LONGEST = 60  # characters of a wrong value that a sentence shows


def plain_to(kind: type[T], values: Any, where: str) -> T:
    """A dataclass from a mapping of plain values.

    A field's default is for people who write Python: a file has every field, or it has lost one. Only a field with a
    `default_factory` may be missing.

    Args:
        kind: its fields may be numbers, strings, bools, tensors, lists, tuples and mappings of these, and dataclasses.
        where: the file, for the sentence.

    Raises:
        UserError: a field that is missing, unknown, of another type, or out of range.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{where} holds {shown(values)} where {an(kind.__name__)} was expected; restore the file")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := [name for name in values if name not in fields]:
        raise UserError(f"{where} has the unknown field {shown(unknown[0])}; known are {', '.join(fields)}")
    required = [name for name, field in fields.items() if field.default_factory is dataclasses.MISSING]
    if missing := [name for name in required if name not in values]:
        raise UserError(f"{where} lacks the field {missing[0]!r}; restore the file or make it again")
    checked = {name: value_to(hints[name], value, f"{where}, {name}") for name, value in values.items()}
    try:
        return kind(**checked)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def value_to(hint: Any, value: Any, where: str) -> Any:
    """`value` as an annotation wants it: numbers, strings, containers of them, dataclasses.

    Raises:
        UserError: it is something else.
    """
    if hint in NAMES:  # of a file of thousands of rows nearly all
        return plain_value(hint, value, where)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        exact = (part for part in inner if type(value) is part)
        return value_to(next(exact, inner[0]), value, where)
    if dataclasses.is_dataclass(hint):
        return plain_to(hint, value, where)
    if origin in (list, tuple, Sequence):
        if not isinstance(value, list | tuple):
            raise wrong(where, value, "a list")
        if origin is tuple and inner[-1] is not ...:
            if len(value) != len(inner):
                raise wrong(where, value, f"a list of {len(inner)}")
            parts = zip(inner, value, strict=True)
        else:
            parts = ((inner[0], part) for part in value)
        made = [value_to(part_hint, part, f"{where}[{place}]") for place, (part_hint, part) in enumerate(parts)]
        return made if origin is list else tuple(made)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise wrong(where, value, "a mapping")
        return {
            value_to(inner[0], key, f"{where}, a key"): value_to(inner[1], part, f"{where}[{shown(key)}]")
            for key, part in value.items()
        }
    return plain_value(hint, value, where)


def plain_value(kind: type, value: Any, where: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**53 else math.inf
    if type(value) is not kind and not (kind is Tensor and type(value) is torch.nn.Parameter):
        raise wrong(where, value, NAMES.get(kind, an(getattr(kind, "__name__", str(kind)))))
    if kind is float and not math.isfinite(value):
        raise wrong(where, value, "a finite number")
    return value


NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", dict: "a mapping"}


def wrong(where: str, value: Any, expected: str) -> UserError:
    return UserError(f"{where} is {shown(value)}; {expected} was expected: restore the file or make it again")


def shown(value: Any) -> str:
    text = f"a tensor {tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def in_range(what: str, ranges: Mapping[str, tuple[Any, bool, str]]) -> None:
    """See that numbers are where they can be: by name the value, whether it is good, and what was expected.

    Raises:
        UserError: one is not.
    """
    for name, (value, is_good, expected) in ranges.items():
        if not is_good:
            raise UserError(f"{what}: {name} is {shown(value)}; {expected} was expected")


def check_tensors(tensors: Mapping[str, Any], places: Mapping[str, Tensor], where: str) -> None:
    """See that tensors from a file are those that belong into `places`: names, shapes, dense, whole, finite numbers.

    Raises:
        UserError: one is missing, unknown, of another shape or kind, or holds a number that is none.
    """
    if unknown := sorted(map(str, set(tensors) - set(places))):
        raise UserError(f"{where} holds {shown(unknown[0])}, which does not belong there: is it of another model?")
    if missing := sorted(set(places) - set(tensors)):
        raise UserError(f"{where} lacks {missing[0]!r}; restore it or make it again")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_meta:
            raise wrong(f"{where}, {name}", tensor, "a dense tensor")
        if tensor.is_floating_point() != places[name].is_floating_point() or tensor.is_complex():
            raise wrong(f"{where}, {name}", tensor, f"a tensor of {str(places[name].dtype).removeprefix('torch.')}")
        if tensor.shape != places[name].shape:
            raise UserError(
                f"{where}, {name} has the shape {tuple(tensor.shape)}; {tuple(places[name].shape)} was expected: is it "
                "of another model?"
            )
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():  # a number shown many times
            raise UserError(f"{where}, {name} holds fewer numbers than its shape says; restore it or make it again")
        if not tensor.isfinite().all():
            raise UserError(f"{where}, {name} holds numbers that are not finite (NaN or infinity): it is damaged")
