"""What special tokens are for: their roles, told by our names, or written into the file of another's tokenizer.

pad, unk, cls, sep, mask (BERT's own)    pad, end (GPT's own)    soft, trigger: placeholders    x, y, z: sentinels
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tokenizers import Tokenizer as Library
from tokenizers import processors

GPT_SPECIALS = ("<|pad|>", "<|end|>", "<|soft|>", "<|trigger|>", "<|sep|>", "<|x|>", "<|y|>", "<|z|>")
BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[SOFT]", "[TRIGGER]", "[X]", "[Y]", "[Z]")
SPECIALS = {"gpt": GPT_SPECIALS, "bert": BERT_SPECIALS}


def role_of(name: str) -> str:
    """What a special token of ours is for: "[MASK]" -> "mask"."""
    return name.strip("<|>[]").lower()


def mark_roles(library: Library, kind: str, ids: Mapping[str, int]) -> None:
    """Write into a tokenizer which ids are its special tokens, in place, by role.

    They stand where the library keeps what it puts around a text, so the file is read by any program that reads such
    files. We never let the library put them there: see `Tokenizer.encode`.
    """
    around = ("cls $A sep", "cls $A sep $B:1 sep:1") if kind == "bert" else ("$A", "$A $B:1")
    marks = [{"id": role, "ids": [i], "tokens": [library.id_to_token(i)]} for role, i in ids.items()]
    library.post_processor = processors.TemplateProcessing(single=around[0], pair=around[1], special_tokens=marks)


def roles_of(library: Library, kind: str) -> dict[str, int]:
    """The ids of the special tokens by role, of those that are there: as they are marked, or by our names."""
    state = json.loads(library.post_processor.__getstate__()) if library.post_processor else {}
    marked = {role: mark["ids"][0] for role, mark in (state.get("special_tokens") or {}).items()}
    if "soft" in marked:
        return marked
    found = {role_of(name): library.token_to_id(name) for name in SPECIALS[kind]}
    return {role: index for role, index in found.items() if index is not None}
