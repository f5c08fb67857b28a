"""Spans: the things that neighbouring words name together, read off their tags, and F1 over them.

    B-PER I-PER O         one thing of two words (IOB2); I-PER I-PER O is read alike (IOB1)
    B-PER M-PER E-PER O   one thing of three words (BMES; IOBES has I for M, BILOU has L for E); S, or U, is one word
    B I O                 the same with one kind of thing, which has no name
    PER PER O             plain tags: neighbours with the same tag are one thing

A thing is found where its first word, its last word and its name are right: half of a name is no name (Tjong Kim Sang
and De Meulder 2003, section 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MARKED = re.compile("([BIMESLU])(?:[-_](.+))?")
Span = tuple[int, int, str]  # first word, last word, name


def span_f1(given: Sequence[Sequence[int]], right: Sequence[Sequence[int]], labels: Sequence[str]) -> float:
    """Of all spans in the tags that were given and of all that should be there, each text by itself."""
    hits = named = 0
    for tags, its in zip(given, right, strict=True):
        found, expected = spans_of(tags, labels), spans_of(its, labels)
        hits += len(found & expected)
        named += len(found) + len(expected)
    return 2 * hits / max(1, named)


def is_marked(labels: Sequence[str]) -> bool:
    """Whether the tags say where a thing begins; the first label is that of words outside. "B" alone does where there
    are others of its kind: names of one letter are rather names."""
    marks = [MARKED.fullmatch(label) for label in labels[1:]]
    bare = {mark[1] for mark in marks if mark and mark[2] is None}
    return all(marks) and (not bare or ("B" in bare and len(bare) > 1))


def spans_of(tags: Sequence[int], labels: Sequence[str]) -> set[Span]:
    marked, spans, first, open_name = is_marked(labels), set(), 0, None
    for place, tag in enumerate([*tags, 0]):  # one word outside closes the last
        mark, name = ("", None) if tag == 0 else ("I", labels[tag])
        if tag and marked:
            mark, name = MARKED.fullmatch(labels[tag]).groups(default="")
        if open_name is not None and (name != open_name or mark in "BSU"):
            spans.add((first, place - 1, open_name))
            open_name = None
        if name is not None and open_name is None:
            first, open_name = place, name
        if name is not None and mark in "ESLU":  # this word is the last one
            spans.add((first, place, name))
            open_name = None
    return spans
