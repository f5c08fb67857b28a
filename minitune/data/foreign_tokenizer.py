"""A tokenizer of another library: `tokenizer.json` beside a GPT-2 or a BERT, with special tokens of its own names.

Each of our special tokens is found there by its role, or added behind the vocabulary. The model may have more rows
than the tokenizer has tokens (vocabularies are often rounded up): these get names, so that every id keeps its row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Library

from minitune.data.specials import SPECIALS, mark_roles, role_of
from minitune.data.tokenizers import Tokenizer, read_library, try_out
from minitune.errors import UserError
from minitune.files import read_made_json

SAID = {  # by role: the key under which the two files beside it give the name, and the name where they give none
    "bert": {
        "pad": ("pad_token", "[PAD]"),
        "cls": ("cls_token", "[CLS]"),
        "sep": ("sep_token", "[SEP]"),
        "mask": ("mask_token", "[MASK]"),
    },
    "gpt": {"end": ("eos_token", "<|endoftext|>"), "pad": ("pad_token", None)},
}
NEEDED = ("cls", "sep", "mask")  # a BERT was pretrained with them: new ones would say nothing to it
SAMPLE = 200  # tokens of a vocabulary that are tried
PLAIN = (  # a tokenizer of another language may know no word of them: that is said, and nothing more
    *("the film was good and the food was bad", "we went to the house in the morning", "She said that it is true"),
    *("a red car on the street", "how much does it cost", "they have ten books", "no", "this is not what I want"),
)


@dataclass(frozen=True)
class ForeignTokenizer:
    tokenizer: Tokenizer
    found: dict[str, str]  # by role, the names of the special tokens that were there
    added: tuple[str, ...]  # the names of those that are new, behind all of the model's rows
    unnamed: int  # rows of the model that no token had
    unread: float  # share of plain English texts of which nothing is known


def read_foreign_tokenizer(folder: Path, kind: str, rows: int) -> ForeignTokenizer:
    """The tokenizer of a folder, with our special tokens in it.

    Args:
        kind: of the model, "gpt" or "bert".
        rows: of the model's token embedding.

    Raises:
        UserError: there is no `tokenizer.json`, it is damaged, has more tokens than the model has rows, or gaps between
            its ids; it erases every text; a BERT's tokenizer without the tokens that it was pretrained with.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise UserError(
            f"{folder} has no tokenizer.json; save a fast tokenizer there: "
            "AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers writes one"
        )
    content = read_made_json(path)
    if size_of(content) > rows:
        raise UserError(belongs_elsewhere(path, size_of(content), rows))
    library = read_library(json.dumps(content), path)
    content = json.loads(library.to_str())  # as this version of the library writes it, every field there
    ids = sorted(library.get_vocab().values())
    if ids != list(range(len(ids))):
        raise UserError(f"the ids of {path} are not the numbers from 0 to {len(ids) - 1}, each once; mend the file")
    if len(ids) > rows:
        raise UserError(belongs_elsewhere(path, len(ids), rows))
    roles = find_roles(folder, kind, content, library)
    content |= {"truncation": None, "padding": None}  # we cut and pad ourselves
    library = read_library(json.dumps(content), path)
    library.add_special_tokens([library.id_to_token(i) for i in roles.values()])
    found = {role: library.id_to_token(i) for role, i in roles.items()}
    library.add_special_tokens([free_name(f"<|row {row}|>", library) for row in range(len(ids), rows)])
    added = []
    for name in SPECIALS[kind]:
        role = role_of(name)
        if role not in roles and role != "unk":
            added.append(free_name(name, library))
            library.add_special_tokens([added[-1]])
            roles[role] = library.token_to_id(added[-1])
    mark_roles(library, kind, roles)
    tokenizer = Tokenizer(library, kind)
    try_out(tokenizer, path)
    check_tells_apart(tokenizer, path)
    unread = sum(not known(tokenizer, text) for text in PLAIN) / len(PLAIN)
    return ForeignTokenizer(tokenizer, found, tuple(added), rows - len(ids), unread)


def check_tells_apart(tokenizer: Tokenizer, path: Path) -> None:
    """See that something is left of texts, and not always the same: those of the tokenizer's own vocabulary.

    Raises:
        UserError: its rules erase every text, or make one token of all.
    """
    ids = tokenizer.ordinary_ids()
    own = [tokenizer.decode([i]).strip() for i in ids[:: len(ids) // SAMPLE + 1]]
    texts = {text for text in own if any(map(str.isalnum, text))} | set(PLAIN)
    if len({known(tokenizer, text) for text in texts}) == 1:
        left = " ".join(tokenizer.tokens(tokenizer.encode(PLAIN[0])[:3])) or "nothing"
        raise UserError(
            f"{path} reads {len(texts)} texts, of its own vocabulary too, as one and the same ({left}): its normalizer "
            "or its splitting erases what it is given; save the tokenizer anew"
        )


def known(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The tokens of a text but those for what is not known."""
    return tuple(i for i in tokenizer.encode(text) if i != tokenizer.unk_id)


def size_of(content: Any) -> int:
    """How many tokens a tokenizer's file lists, before the library makes anything of it."""
    model = content.get("model") if isinstance(content, dict) else None
    listed = model.get("vocab") if isinstance(model, dict) else None
    return len(listed) if isinstance(listed, dict | list) else 0


def find_roles(folder: Path, kind: str, content: dict[str, Any], library: Library) -> dict[str, int]:
    """The ids of the special tokens that are there, by our roles; no two roles share one.

    Raises:
        UserError: a token that the model cannot do without is not there.
    """
    said = names_said(folder)
    roles: dict[str, int] = {}
    for role, (key, usual) in SAID[kind].items():
        name = said.get(key, usual)
        index = None if name is None else library.token_to_id(name)
        if index is not None and index not in roles.values():
            roles[role] = index
        elif role in NEEDED:
            raise UserError(
                f"{folder / 'tokenizer.json'} has no token {name!r} of its own for {key}, which a BERT cannot do "
                "without; save the tokenizer with which it was pretrained"
            )
    unknown = library.token_to_id(unknown_name(content) or "")
    if unknown is not None and unknown not in roles.values():
        roles["unk"] = unknown
    special = {token["content"]: token["id"] for token in content["added_tokens"] if token["special"]}
    for name in SPECIALS[kind]:  # of a model that has been here before
        if role_of(name) not in (*roles, "unk") and special.get(name, -1) not in (-1, *roles.values()):
            roles[role_of(name)] = special[name]
    return roles


def names_said(folder: Path) -> dict[str, str]:
    """What the two files beside the tokenizer call its special tokens; the first one has the word."""
    said: dict[str, str] = {}
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        values = read_made_json(folder / file) if (folder / file).exists() else {}
        if not isinstance(values, dict):
            raise UserError(f"{folder / file} holds no JSON object; save the tokenizer anew")
        for key, value in values.items():
            name = value.get("content") if isinstance(value, dict) else value  # a name, or a token with its settings
            if key.endswith("_token") and isinstance(name, str):
                said.setdefault(key, name)
    return said


def unknown_name(content: dict[str, Any]) -> str | None:
    """What the tokenizer writes for a word that it cannot spell."""
    model = content["model"]
    if isinstance(model.get("unk_id"), int):
        return model["vocab"][model["unk_id"]][0]
    return model.get("unk_token")


def free_name(name: str, library: Library) -> str:
    """`name`, or where a word of the vocabulary is called so, with as many brackets more as it takes."""
    while library.token_to_id(name) is not None:
        name = f"[{name}]"
    return name


def belongs_elsewhere(path: Path, tokens: int, rows: int) -> str:
    return (
        f"{path} has {tokens:,} tokens, and config.json says that the model knows {rows:,}: it belongs to another model"
    )
