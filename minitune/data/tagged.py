"""Tagged words in a user's own file: CoNLL, a token and its tag on each line, or JSON Lines with `tokens` and `tags`.

CoNLL's files have a line a token and an empty line between sentences. The first column is the token and the last one
its tag, whatever stands between (Tjong Kim Sang and De Meulder 2003). Tags may be written B-PER, I-PER, O, or plain.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from minitune.data.rows import Layout, Table, read_table
from minitune.data.words import has_half_character
from minitune.errors import UserError
from minitune.files import read_text

CONLL = (".conll", ".bio", ".iob")
OUTSIDE = "O"


class Tagged(NamedTuple):
    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int  # where it ends


def read_tagged(path: Path, layout: Layout) -> list[Tagged]:
    """The sentences of a .conll, .bio, .iob, .txt, .tsv or .jsonl file.

    Raises:
        UserError: another ending; whatever `read_text` or `read_table` finds wrong; a line without a tag, or as many
            tags as there are not tokens.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return json_sentences(read_table(path, layout), layout)
    if suffix not in (*CONLL, ".txt", ".tsv"):
        raise UserError(
            f"{path} ends in {suffix or 'nothing'}; tags are read from {', '.join(CONLL)}, .txt or .tsv, a token and a "
            "tag on each line, or from .jsonl with tokens and tags"
        )
    return sentences(path, read_text(path, layout.encoding))


def sentences(path: Path, text: str) -> list[Tagged]:
    found: list[Tagged] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        line = line.rstrip("\r")
        is_note = line.startswith("-DOCSTART-") or (line.startswith("# ") and " = " in line)
        if line.strip() and not is_note:
            fields = [part for part in (line.split("\t") if "\t" in line else line.split()) if part.strip()]
            if len(fields) < 2:
                raise UserError(
                    f"{path}, line {number}: a token and its tag were expected, and here is {line.strip()!r} alone; an "
                    "empty line ends a sentence"
                )
            words.append(checked(fields[0].strip(), path, number))
            tags.append(fields[-1].strip())
        elif words:
            found.append(Tagged(tuple(words), tuple(tags), number))
            words, tags = [], []
    if not found:
        raise UserError(f"{path} has no sentences; a token and its tag on each line were expected")
    return found


def json_sentences(table: Table, layout: Layout) -> list[Tagged]:
    found = []
    tokens, tags = layout.text or "tokens", layout.label or "tags"
    for line, row in table.rows:
        where = f"{table.path}, line {line}"
        for column in (tokens, tags):
            value = row.get(column)
            if not isinstance(value, list) or not value:
                raise UserError(f'{where}: a list was expected in {column!r}, as in "tokens": ["a"], "tags": ["O"]')
        if len(row[tokens]) != len(row[tags]):
            raise UserError(f"{where}: {len(row[tokens])} {tokens} and {len(row[tags])} {tags}; each token has one tag")
        words = tuple(checked(word, table.path, line) for word in row[tokens])
        found.append(Tagged(words, tuple(checked(as_name(tag), table.path, line) for tag in row[tags]), line))
    return found


def as_name(tag: object) -> object:
    """Tags that are numbers are names like any other."""
    return str(tag) if isinstance(tag, int) else tag


def checked(word: object, path: Path, line: int) -> str:
    """Raises:
    UserError: an empty token, or one that is no text.
    """
    if not isinstance(word, str) or not word.strip() or has_half_character(word):
        raise UserError(f"{path}, line {line}: {word!r} is no token and no tag; a text was expected")
    return word.strip()


def names_of(sentences: list[Tagged]) -> tuple[str, ...]:
    """The tags, that of words outside first. Where B- is used, I- of the same thing may come, and the other way."""
    tags = {tag for sentence in sentences for tag in sentence.tags} - {OUTSIDE}
    if all(re.fullmatch("[BI]-.+", tag) for tag in tags):
        tags |= {mark + tag[1:] for tag in tags for mark in "BI"}
    return (OUTSIDE, *sorted(tags))
