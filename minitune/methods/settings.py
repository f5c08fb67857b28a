"""Settings written as text, `rank=8`, and the dataclasses that they belong to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from minitune.errors import UserError


def apply_settings(
    method: str, given: Sequence[str] | Mapping[str, Any], own: Any, training: Any
) -> tuple[Any, dict[str, Any]]:
    """A method's own settings with what was given, and what was given of the training's.

    Args:
        given: by name, or written as "name=value".
        own: the method's settings, or None; a name that both have is the method's.

    Raises:
        UserError: something not of the form name=value, a name that neither has, a value of the wrong kind.
    """
    changed, trained = {}, {}
    of_method = {f.name: getattr(own, f.name) for f in fields(own)} if is_dataclass(own) else {}
    of_training = {f.name: getattr(training, f.name) for f in fields(training)}
    for name, value in given.items() if isinstance(given, Mapping) else map(parted, given):
        if name in of_method:
            changed[name] = value_like(name, value, of_method[name])
        elif name in of_training:
            trained[name] = value_like(name, value, of_training[name])
        else:
            raise UserError(
                f"{method} has no setting {name!r}; it has {', '.join(of_method) or 'none of its own'}; its training "
                f"has {', '.join(of_training)}"
            )
    replace(training, **trained)  # refuses what is out of range
    return (replace(own, **changed) if changed else own), trained


def parted(setting: str) -> tuple[str, str]:
    """ "name=value" -> (name, value)

    Raises:
        UserError: there is no equals sign.
    """
    name, equals, value = (part.strip() for part in setting.partition("="))
    if not equals:
        raise UserError(f"cannot read the setting {setting!r}; write name=value, as in lr=0.001")
    return name, value


def value_like(name: str, value: Any, default: Any) -> Any:
    """`value` as one of the same kind as `default`: text is read, a number or a list is checked.

    Raises:
        UserError: it is of another kind.
    """
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return read_value(name, str(value), default)


def read_value(name: str, text: str, default: Any) -> Any:
    """`text` as a value of the same kind as `default`.

    Raises:
        UserError: it is none.
    """
    kind = type(default)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is tuple:
            inner = type(default[0])
            return tuple(inner(part.strip()) for part in text.split(",") if part.strip())
        number = kind(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a list a,b,c")
        raise UserError(
            f"{name}={text} cannot be read: {expected} was expected, as in {name}={show(default)}"
        ) from None
    if kind is float and not math.isfinite(number):
        raise UserError(f"{name}={text} is out of range: a finite number was expected, as in {name}={show(default)}")
    return number


def show(value: Any) -> str:
    """A value as it is written behind --set."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings_of(config: Any) -> list[str]:
    """Each setting with its value: rank=4."""
    return [f"{f.name}={show(getattr(config, f.name))}" for f in fields(config)] if is_dataclass(config) else []
