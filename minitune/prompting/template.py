r"""Templates: how a question is put to a pretrained model.

A template is text with slots:

    {text} {text_b}   the example's texts, the only parts that are ever shortened: at their end; {text:start} loses
                      its start, and {text:whole} nothing
    {mask}            the blank that the model fills (several are allowed for BERT)
    {soft:8}          8 placeholder tokens whose embeddings a method learns
    {trigger:3}       3 placeholder tokens that a search replaces by words
    {tokens:12,34}    tokens by their ids, as a search found them: a piece such as "##ing" is no word by itself
    {demonstrations}  where solved examples stand, if there are any; without it they stand before everything
    {sep}             the separator; for BERT, what follows it has token type 1

"{text} it was {mask} ." asks for the opinion of a review. For BERT the blank is a [MASK] token. For GPT it is
the next word: no token stands there, so nothing may follow it. Every piece is written with one space before it.

A demonstration is the template itself, its texts and its blank filled in, without what is learned or searched for.

Schick and Schütze 2021, "Exploiting Cloze Questions", section 3 (PET; arXiv 2001.07676), call this a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from minitune.data.examples import Example
from minitune.data.long_texts import encode_enough
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.prompting.slots import TEXT_SLOTS, Part, read_parts

STOP = "."  # ends a demonstration


@dataclass(frozen=True)
class Demonstration:
    """A solved example that is shown before the question: its texts, and what fills the blank."""

    text: str
    text_b: str | None
    answer: str


@dataclass
class Rendered:
    """One example, token by token, and where its special places are."""

    ids: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)  # BERT's token types
    blanks: list[int] = field(default_factory=list)  # where the hidden state that fills a blank is read
    origin: list[str] = field(default_factory=list)  # the part that each token came from
    cut: int = 0  # tokens of text that did not fit, as far as they were counted
    is_cut_more: bool = False  # a text is so long that the rest of it was not even made into tokens

    def add(self, ids: list[int], part: str, token_type: int = 0) -> None:
        self.ids += ids
        self.types += [token_type] * len(ids)
        self.origin += [part] * len(ids)


@dataclass(frozen=True)
class Template:
    parts: tuple[Part, ...]
    demonstrations: tuple[Demonstration, ...] = ()

    @classmethod
    def parse(cls, string: str) -> Template:
        """Read a template. It is only ever read as text: nothing in it is run.

        Raises:
            UserError: an unknown slot, a brace without its partner, a count out of range, no slot at all.
        """
        return cls(read_parts(string))

    def __str__(self) -> str:
        return " ".join(map(str, self.parts))

    @property
    def blanks(self) -> int:
        return sum(part.kind == "mask" for part in self.parts)

    def count(self, kind: str) -> int:
        """How many placeholder tokens of a kind, "soft" or "trigger", the template has."""
        return sum(part.count for part in self.parts if part.kind == kind)

    def with_triggers(self, ids: Sequence[int]) -> Template:
        """The same template with tokens in the place of its trigger placeholders, in their order.

        Raises:
            ValueError: there are more or fewer ids than placeholders.
        """
        if len(ids) != self.count("trigger"):
            raise ValueError(f"{len(ids)} ids are given for the {self.count('trigger')} triggers of {str(self)!r}")
        parts, rest = [], list(ids)
        for part in self.parts:
            if part.kind == "trigger":
                chosen, rest = rest[: part.count], rest[part.count :]
                part = Part("tokens", ids=tuple(chosen))
            parts.append(part)
        return replace(self, parts=tuple(parts))

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

    def render(
        self, example: Example, tokenizer: Tokenizer, context: int, blank: Sequence[int] | None = None
    ) -> Rendered:
        """The example as the model reads it, at most `context` tokens long.

        A text that does not fit loses words at its end, or where its slot says, the longest text first; nothing else
        is ever cut. A demonstration of this very example is left out: it would give the answer away.

        Args:
            blank: what stands in the place of the blank: by default for BERT one [MASK], for GPT nothing. A word of m
                tokens needs m [MASK]s, or for GPT the m - 1 tokens before its last; the places where each of the m is
                read are the blanks then.

        Raises:
            UserError: the template alone, or a text that may not be cut, fills the context; the example lacks a text
                that the template asks for.
        """
        self.check(tokenizer.kind)
        others = [one for one in self.demonstrations if (one.text, one.text_b) != (example.text, example.text_b)]
        shown = [i for one in others for i in self.shown(one, tokenizer)]
        pieces, is_cut_more = [], False
        for part in self.parts:
            if part.kind in TEXT_SLOTS and part.cut != "whole":  # the context is the most that can be read of it
                ids, is_all = encode_enough(tokenizer, text_in(example, part), context, at_end=part.cut == "start")
                pieces.append(ids)
                is_cut_more |= not is_all
            else:
                pieces.append(self.piece(part, example, tokenizer, shown, blank))
        at_front = shown if all(part.kind != "demonstrations" for part in self.parts) else []
        texts = [p for p, part in zip(pieces, self.parts, strict=True) if part.kind in TEXT_SLOTS]
        cuts = [part.cut for part in self.parts if part.kind in TEXT_SLOTS]
        around = 2 if tokenizer.kind == "bert" else 0  # [CLS] and [SEP]
        fixed = around + len(at_front) + sum(map(len, pieces)) - sum(map(len, texts))
        if fixed >= context:
            raise UserError(self.too_long(fixed, context, len(shown), len(blank or ())))
        rendered = Rendered(cut=shorten(texts, context - fixed, cuts), is_cut_more=is_cut_more)
        token_type, is_gpt = 0, tokenizer.kind == "gpt"
        if not is_gpt:
            rendered.add([tokenizer.cls_id], "special")
        rendered.add(at_front, "demonstrations")
        for part, piece in zip(self.parts, pieces, strict=True):
            if part.kind == "mask":
                first = len(rendered.ids) - is_gpt  # GPT says a token at the place before it
                rendered.blanks += range(first, first + len(piece) + is_gpt)
            rendered.add(piece, part.kind, token_type)
            if part.kind == "sep" and not is_gpt:
                token_type = 1
        if not is_gpt:
            rendered.add([tokenizer.sep_id], "special", token_type)
        if not rendered.ids:
            raise UserError("there is a text with no token in it; remove the empty row")
        return rendered

    def too_long(self, fixed: int, context: int, shown: int, word: int) -> str:
        """Why no text fits: what the template takes, and the prompt, the demonstrations and the label word in it."""
        prompt = self.count("soft")
        inside = [f"{prompt} of them the prompt's; its setting is length"] if prompt else []
        inside += [f"{shown} of them the {len(self.demonstrations)} demonstrations'"] if shown else []
        inside += [f"{word} of them a label word's"] if word > 1 else []
        of_these = f" ({', '.join(inside)})" if inside else ""
        what = "the prompt or the template" if prompt else "it"
        what = "show fewer or shorter demonstrations" if shown else f"shorten {what}"
        mend = f"{what}, or take shorter label words" if word > 1 else what
        taken = f"the template {str(self)!r} alone takes {fixed} tokens{of_these}"
        return f"{taken} and the context holds {context}: {mend}"

    def shown(self, demonstration: Demonstration, tokenizer: Tokenizer) -> list[int]:
        """A demonstration as it is shown: the template, filled in."""
        answer = tokenizer.encode(demonstration.answer)
        example = Example(demonstration.text, demonstration.text_b)
        parts = [part for part in self.parts if part.kind not in ("soft", "trigger", "demonstrations")]
        ids = [i for part in parts for i in self.piece(part, example, tokenizer, (), answer)]
        stop = tokenizer.encode(STOP)
        return ids if ids[-len(stop) :] == stop else ids + stop

    @staticmethod
    def piece(
        part: Part,
        example: Example,
        tokenizer: Tokenizer,
        shown: Sequence[int] = (),
        blank: Sequence[int] | None = None,
    ) -> list[int]:
        if part.kind in TEXT_SLOTS:
            return tokenizer.encode(text_in(example, part))
        if part.kind == "words":
            return tokenizer.encode(part.words)
        if part.kind == "tokens":
            if wrong := [i for i in part.ids if i >= len(tokenizer)]:
                raise UserError(f"{part} names the token {wrong[0]}, and the tokenizer has {len(tokenizer)} tokens")
            return list(part.ids)
        if part.kind == "demonstrations":
            return list(shown)
        if part.kind == "mask":
            one = [tokenizer.mask_id] if tokenizer.kind == "bert" else []
            return one if blank is None else list(blank)
        special = {"soft": tokenizer.soft_id, "trigger": tokenizer.trigger_id, "sep": tokenizer.sep_id}[part.kind]
        return [special] * part.count


def text_in(example: Example, part: Part) -> str:
    """The example's text for a slot.

    Raises:
        UserError: it has none.
    """
    text = getattr(example, part.kind)
    if text is None:
        raise UserError(f"the template asks for {{{part.kind}}}, and the example has no such text")
    return text.strip()


def shorten(texts: list[list[int]], room: int, cuts: Sequence[str] = ()) -> int:
    """Cut tokens from `texts`, in place, the longest first, until they fit; returns how many.

    Args:
        cuts: where each of them is cut, one of `CUT`; by default at its end.

    Raises:
        UserError: what may not be cut does not fit.
    """
    cuts = cuts or ["end"] * len(texts)
    whole = sum(len(text) for text, cut in zip(texts, cuts, strict=True) if cut == "whole")
    if whole > room:
        raise UserError(
            f"a text of {whole} tokens may not be cut, and beside the template there is room for {room}: write its "
            "slot without :whole, or take a shorter text"
        )
    excess = max(0, sum(map(len, texts)) - room)
    kept = [len(text) if cut == "whole" else min(len(text), room) for text, cut in zip(texts, cuts, strict=True)]
    for _ in range(sum(kept) - room):
        kept[max((i for i, cut in enumerate(cuts) if cut != "whole"), key=kept.__getitem__)] -= 1
    for text, cut, count in zip(texts, cuts, kept, strict=True):
        gone = len(text) - count
        del text[slice(gone) if cut == "start" else slice(count, None)]
    return excess


def with_stop(template: str, model_kind: str) -> str:
    """A question that ends in its blank, as the model reads it best: BERT sees the full stop after the blank."""
    return f"{template} ." if model_kind == "bert" and template.endswith("{mask}") else template
