"""The slots of a template: what stands in braces, and how it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from minitune.errors import UserError

MOST = 10_000  # placeholders: longer than any context here, and no danger to the memory
TEXT_SLOTS = ("text", "text_b")
CUT = ("end", "start", "whole")  # where a text that does not fit loses words
SLOTS = "{text}, {text_b}, {mask}, {sep}, {soft:N}, {trigger:N}, {tokens:ID,ID}, {demonstrations}"


@dataclass(frozen=True)
class Part:
    kind: str  # "words", "text", "text_b", "mask", "sep", "soft", "trigger", "tokens" or "demonstrations"
    words: str = ""  # of a "words" part
    count: int = 1  # of a "soft" or "trigger" part
    cut: str = "end"  # of a text, one of `CUT`
    ids: tuple[int, ...] = ()  # of a "tokens" part

    def __str__(self) -> str:
        if self.kind == "words":
            return self.words
        if self.kind in ("soft", "trigger"):
            return f"{{{self.kind}:{self.count}}}"
        if self.kind == "tokens":
            return f"{{tokens:{','.join(map(str, self.ids))}}}"
        return f"{{{self.kind}}}" if self.cut == "end" else f"{{{self.kind}:{self.cut}}}"


def read_parts(string: str) -> tuple[Part, ...]:
    """A template's parts, in order.

    Raises:
        UserError: an unknown slot, a brace without its partner, a count out of range, no slot at all.
    """
    parts = []
    for piece in re.split(r"(\{[^{}]*\})", string):
        if piece.startswith("{") and piece.endswith("}"):
            parts.append(read_slot(piece, string))
        elif "{" in piece or "}" in piece:
            raise UserError(f"the template {string!r} has a brace without its partner near {piece.strip()!r}")
        elif piece.strip():
            parts.append(Part("words", words=piece.strip()))
    if not any(part.kind in (*TEXT_SLOTS, "mask") for part in parts):
        raise UserError(f"the template {string!r} has no slot for the example; write {{text}} where it shall stand")
    return tuple(parts)


def read_slot(slot: str, string: str) -> Part:
    name, _, detail = slot.strip("{}").strip().partition(":")
    if name in ("soft", "trigger"):
        if detail and not (is_whole(detail) and 0 < int(detail) <= MOST):
            raise UserError(
                f"{slot} in the template {string!r} needs a whole number from 1 to {MOST:,}, as in {{{name}:8}}"
            )
        return Part(name, count=int(detail or 1))
    if name == "tokens":
        ids = [i.strip() for i in detail.split(",")]
        if not all(map(is_whole, ids)):
            raise UserError(f"{slot} in the template {string!r} needs the ids of tokens, as in {{tokens:12,34}}")
        return Part("tokens", ids=tuple(map(int, ids)))
    if name in TEXT_SLOTS and detail:
        if detail not in CUT:
            raise UserError(
                f"{slot} in the template {string!r} does not say where a text is cut; write {{{name}}} for its end, "
                f"{{{name}:start}} or {{{name}:whole}}"
            )
        return Part(name, cut=detail)
    if name in (*TEXT_SLOTS, "mask", "sep", "demonstrations") and not detail:
        return Part(name)
    raise UserError(f"the template {string!r} has the unknown slot {slot}; the slots are {SLOTS}")


def is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9
