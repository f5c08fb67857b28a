r"""Templates: how a question is put to a pretrained model.

A template is text with slots:

    {text} {text_b}   the example's texts, the only parts that are ever shortened
    {mask}            the blank that the model fills (several are allowed for BERT)
    {soft:8}          8 placeholder tokens whose embeddings a method learns
    {trigger:3}       3 placeholder tokens that a search replaces by words
    {sep}             the separator; for BERT, what follows it has token type 1

"{text} it was {mask} ." asks for the opinion of a review. For BERT the blank is a [MASK] token. For GPT it is
the next word: no token stands there, so nothing may follow it. Every piece is written with one space before it.

Schick and Schütze 2021, "Exploiting Cloze Questions", section 3 (PET; arXiv 2001.07676), call this a pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError

MOST = 10_000  # placeholders: longer than any context here, and no danger to the memory
TEXT_SLOTS = ("text", "text_b")
SLOTS = "{text}, {text_b}, {mask}, {sep}, {soft:N}, {trigger:N}"


@dataclass(frozen=True)
class Part:
    kind: str  # "words", "text", "text_b", "mask", "sep", "soft" or "trigger"
    words: str = ""  # of a "words" part
    count: int = 1  # of a "soft" or "trigger" part


@dataclass
class Rendered:
    """One example, token by token, and where its special places are."""

    ids: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)  # BERT's token types
    blanks: list[int] = field(default_factory=list)  # where the hidden state that fills a blank is read
    origin: list[str] = field(default_factory=list)  # the part that each token came from
    cut: int = 0  # tokens of text that did not fit

    def add(self, ids: list[int], part: str, token_type: int = 0) -> None:
        self.ids += ids
        self.types += [token_type] * len(ids)
        self.origin += [part] * len(ids)


@dataclass(frozen=True)
class Template:
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, string: str) -> Template:
        """Read a template. It is only ever read as text: nothing in it is run.

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
        return cls(tuple(parts))

    def __str__(self) -> str:
        slots = {"soft": "{soft:%d}", "trigger": "{trigger:%d}"}
        return " ".join(
            p.words if p.kind == "words" else slots[p.kind] % p.count if p.kind in slots else f"{{{p.kind}}}"
            for p in self.parts
        )

    @property
    def blanks(self) -> int:
        return sum(part.kind == "mask" for part in self.parts)

    def count(self, kind: str) -> int:
        """How many placeholder tokens of a kind, "soft" or "trigger", the template has."""
        return sum(part.count for part in self.parts if part.kind == kind)

    def check(self, model_kind: str, needs_blank: bool = False) -> None:
        """Raises:
        UserError: a blank is needed and missing; for GPT, something follows the blank, or nothing precedes it.
        """
        if needs_blank and not self.blanks:
            raise UserError(f"the template {str(self)!r} has no blank: write {{mask}} where the label's word belongs")
        if model_kind == "gpt" and self.blanks:
            if self.parts[-1].kind != "mask" or self.blanks > 1:
                raise UserError(
                    f"the template {str(self)!r} does not end with its only blank, and GPT fills a blank by saying "
                    "the next word: end the template with {mask}"
                )
            if len(self.parts) == 1:
                raise UserError("the template {mask} gives GPT nothing to read before the blank: write {text} {mask}")

    def render(self, example: Example, tokenizer: Tokenizer, context: int) -> Rendered:
        """The example as the model reads it, at most `context` tokens long.

        A text that does not fit loses words at its end, the longest text first; nothing else is ever cut.

        Raises:
            UserError: the template alone fills the context; the example lacks a text that the template asks for.
        """
        self.check(tokenizer.kind)
        pieces = [self.piece(part, example, tokenizer) for part in self.parts]
        texts = [piece for piece, part in zip(pieces, self.parts, strict=True) if part.kind in TEXT_SLOTS]
        around = 2 if tokenizer.kind == "bert" else 0  # [CLS] and [SEP]
        fixed = around + sum(map(len, pieces)) - sum(map(len, texts))
        if fixed >= context:
            raise UserError(self.too_long(fixed, context))
        rendered = Rendered(cut=shorten(texts, context - fixed))
        token_type = 0
        if tokenizer.kind == "bert":
            rendered.add([tokenizer.cls_id], "special")
        for part, piece in zip(self.parts, pieces, strict=True):
            if part.kind == "mask":
                rendered.blanks.append(len(rendered.ids) - (tokenizer.kind == "gpt"))  # GPT: the token before it
            rendered.add(piece, part.kind, token_type)
            if part.kind == "sep" and tokenizer.kind == "bert":
                token_type = 1
        if tokenizer.kind == "bert":
            rendered.add([tokenizer.sep_id], "special", token_type)
        if not rendered.ids:
            raise UserError("there is a text with no token in it; remove the empty row")
        return rendered

    def too_long(self, fixed: int, context: int) -> str:
        """Why no text fits: what the template takes, and the prompt in it."""
        prompt = self.count("soft")
        of_prompt = f" ({prompt} of them the prompt's; its setting is length)" if prompt else ""
        what = "the prompt or the template" if prompt else "it"
        taken = f"the template {str(self)!r} alone takes {fixed} tokens{of_prompt}"
        return f"{taken} and the context holds {context}: shorten {what}"

    @staticmethod
    def piece(part: Part, example: Example, tokenizer: Tokenizer) -> list[int]:
        if part.kind in TEXT_SLOTS:
            text = getattr(example, part.kind)
            if text is None:
                raise UserError(f"the template asks for {{{part.kind}}}, and the example has no such text")
            return tokenizer.encode(text.strip())
        if part.kind == "words":
            return tokenizer.encode(part.words)
        if part.kind == "mask":
            return [tokenizer.mask_id] if tokenizer.kind == "bert" else []
        special = {"soft": tokenizer.soft_id, "trigger": tokenizer.trigger_id, "sep": tokenizer.sep_id}[part.kind]
        return [special] * part.count


def read_slot(slot: str, string: str) -> Part:
    name, _, count = slot.strip("{}").strip().partition(":")
    if name in ("soft", "trigger"):
        if count and not (count.isascii() and count.isdigit() and len(count) < 9 and 0 < int(count) <= MOST):
            raise UserError(
                f"{slot} in the template {string!r} needs a whole number from 1 to {MOST:,}, as in {{{name}:8}}"
            )
        return Part(name, count=int(count or 1))
    if name in (*TEXT_SLOTS, "mask", "sep") and not count:
        return Part(name)
    raise UserError(f"the template {string!r} has the unknown slot {slot}; the slots are {SLOTS}")


def shorten(texts: list[list[int]], room: int) -> int:
    """Cut tokens from the ends of `texts`, in place, the longest first, until they fit; returns how many."""
    excess = max(0, sum(map(len, texts)) - room)
    for _ in range(excess):
        max(texts, key=len).pop()
    return excess


def with_stop(template: str, model_kind: str) -> str:
    """A question that ends in its blank, as the model reads it best: BERT sees the full stop after the blank."""
    return f"{template} ." if model_kind == "bert" and template.endswith("{mask}") else template
