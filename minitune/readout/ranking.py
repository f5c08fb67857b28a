"""What searches for label words have in common: every class needs examples, and no word may stand for two classes.

A search scores each allowed word for each class. Its best words are then shared out: from the highest score down, a
word goes to the class that it has this score for, unless it is taken already or the class has all its words. So a word
that two classes want goes to the one that scores it higher, and the other takes its next best.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from minitune.errors import UserError

Words = list[list[tuple[int, float]]]  # for each class its words, best first: (id, score)


def check_every_class(labels: Tensor, classes: Sequence[str]) -> None:
    """See that each class has an example to find its words on.

    Raises:
        UserError: one has none, or there is one class only.
    """
    if len(classes) < 2:
        raise UserError("label words tell classes apart, and there are not two of them here; give two classes or more")
    present = set(labels.tolist())
    for place, name in enumerate(classes):
        if place not in present:
            raise UserError(
                f"the class {name!r} has no training example, so no words can be searched for it; give it one, or "
                "words of your own with --label-words and +verbalizer"
            )


def share_out(scores: Tensor, allowed: Sequence[int], count: int, classes: Sequence[str]) -> Words:
    """The best words of each class, none of them in two.

    Args:
        scores: (C, A), of each allowed word for each class; -inf = never.
        allowed: A ids.
        count: words a class.

    Raises:
        UserError: a class does not get so many, for too few are allowed.
    """
    finite = scores.isfinite().nonzero().tolist()
    values = scores.tolist()
    order = sorted(finite, key=lambda pair: -values[pair[0]][pair[1]])  # stable: ties go to the first class, first word
    found: Words = [[] for _ in classes]
    taken: set[int] = set()
    for label, word in order:
        if word not in taken and len(found[label]) < count:
            found[label].append((allowed[word], values[label][word]))
            taken.add(word)
    for name, words in zip(classes, found, strict=True):
        if len(words) < count:
            raise UserError(
                f"of {len(allowed)} words that may stand for a class, {len(words)} are left for {name!r} where {count} "
                "were to be found: ask for fewer words, let more be candidates, or take a model that knows more words"
            )
    return found
