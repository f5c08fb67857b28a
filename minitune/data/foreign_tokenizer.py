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
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.files import read_json

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
PROBE = "a text of 3 words, of cafés and of 猫 !"


@dataclass(frozen=True)
class ForeignTokenizer:
    tokenizer: Tokenizer
    found: dict[str, str]  # by role, the names of the special tokens that were there
    added: tuple[str, ...]  # the names of those that are new, behind all of the model's rows
    unnamed: int  # rows of the model that no token had


def read_foreign_tokenizer(folder: Path, kind: str, rows: int) -> ForeignTokenizer:
    """The tokenizer of a folder, with our special tokens in it.

    Args:
        kind: of the model, "gpt" or "bert".
        rows: of the model's token embedding.

    Raises:
        UserError: there is no `tokenizer.json`, it is damaged, has more tokens than the model has rows, or gaps between
            its ids; a BERT's tokenizer without the tokens that it was pretrained with.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise UserError(
            f"{folder} has no tokenizer.json; save a fast tokenizer there: "
            "AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers writes one"
        )
    content = read_json(path)
    library = library_of(path, content)
    content = json.loads(library.to_str())  # as this version of the library writes it, every field there
    ids = sorted(library.get_vocab().values())
    if ids != list(range(len(ids))):
        raise UserError(f"the ids of {path} are not the numbers from 0 to {len(ids) - 1}, each once; mend the file")
    if len(ids) > rows:
        raise UserError(
            f"{path} has {len(ids):,} tokens, and config.json says that the model knows {rows:,}: it belongs to "
            "another model"
        )
    roles = find_roles(folder, kind, content, library)
    content |= {"truncation": None, "padding": None}  # we cut and pad ourselves
    library = library_of(path, content)
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
    try:
        tokenizer.encode(PROBE)
    except Exception as error:  # the library raises a plain Exception
        raise UserError(f"{path} cannot read any text ({error}); save a tokenizer that can") from None
    return ForeignTokenizer(tokenizer, found, tuple(added), rows - len(ids))


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
        values = read_json(folder / file) if (folder / file).exists() else {}
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


def library_of(path: Path, content: Any) -> Library:
    try:
        return Library.from_str(json.dumps(content))
    except Exception as error:  # the library raises a plain Exception
        raise UserError(f"{path} is no tokenizer of the tokenizers library ({error}); save it anew") from None
