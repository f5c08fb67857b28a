r"""A verbalizer chosen by hand: words stand for classes.

    score(y) = log( sum over w in V_y of a_w exp(logit_w)  /  sum over w in V_y of a_w )        a_w = 1 by default

The scores are the log of the mean probability that the model gives to a class's words at the blank, up to a
constant that is the same for all classes. The mean, not the sum: a class is not likelier for having more words. A word
may weigh more than another, "great:2".
No parameter is new: with a frozen model this is a zero-shot classifier.

Schick and Schütze 2021, "Exploiting Cloze Questions", section 3 (arXiv 2001.07676), with the mean of logits;
Shin et al. 2020, "AutoPrompt", equation 1 (arXiv 2010.15980), with the sum of probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.given import called, plain, several
from minitune.models.build import Model
from minitune.readout.losses import cross_entropy

LIGHTEST, HEAVIEST = 1e-30, 1e30  # weights: beyond them a float32 or its sum is 0 or infinite
Tokens = TypeVar("Tokens", int, tuple[int, ...])  # a word: its one token, or its several


class Verbalizer(nn.Module):
    """Reads the words at the blank: hidden (B, D) -> class scores (B, C).

    Args:
        words: for each class, in the order of the labels, the ids of its words.
        weights: as many numbers above 0 for each class; by default all words weigh the same.
    """

    reads = "blank"
    reads_words = True
    loss = staticmethod(cross_entropy)

    def __init__(self, words: Sequence[Sequence[int]], weights: Sequence[Sequence[float]] | None = None):
        super().__init__()
        width = max(map(len, words))
        weights = weights or [[1.0] * len(ids) for ids in words]
        padded = [[*ids, *[ids[0]] * (width - len(ids))] for ids in words]
        parts = [[*its, *[0.0] * (width - len(its))] for its in weights]
        self.register_buffer("ids", torch.tensor(padded), persistent=False)  # (C, W)
        self.register_buffer("weights", torch.tensor(parts), persistent=False)  # (C, W), 0 = padding

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        logits = model.logits(hidden)[:, self.ids]  # (B, D) -> (B, V) -> (B, C, W)
        weights = self.weights.to(logits.dtype)
        total = (logits + weights.log()).logsumexp(dim=-1)  # (B, C, W) -> (B, C)
        return total - weights.sum(dim=-1).log()

    def chances(self, hidden: Tensor, model: Model) -> Tensor:
        """The mean probability of each class's words, among all words of the model: (B, D) -> (B, C)."""
        return (self(hidden, model) - model.logits(hidden).logsumexp(dim=-1, keepdim=True)).exp()


def verbalizer(label_words: Mapping[str, Sequence[str]], labels: Sequence[str], tokenizer: Tokenizer) -> Verbalizer:
    """A verbalizer from words of one token each, in the order of `labels`.

    Raises:
        UserError: as of `chosen_words`; a word that is not one token.
    """
    chosen = chosen_words(label_words, labels, tokenizer.word_id)
    return Verbalizer(*apart(chosen))


def chosen_words(
    label_words: Mapping[str, Sequence[str]], labels: Sequence[str], read: Callable[[str], Tokens]
) -> list[list[tuple[Tokens, float]]]:
    """For each class, in the order of `labels`, its words as `read` gives them, each with its weight.

    Raises:
        UserError: a class without words, a class that is not among the labels, a word that is given twice, to one class
            or to two, a weight that is not above 0; whatever `read` finds wrong.
    """
    unknown = sorted(set(label_words) - set(labels))
    if unknown:
        raise UserError(f"label words are given for {unknown}, and the labels are {list(labels)}")
    owner: dict[Tokens, str] = {}
    example = ";".join(f"{label}=..." for label in labels[:2])
    chosen = []
    for label in labels:
        if not label_words.get(label):
            raise UserError(f"the class {label!r} has no label word; give each class one, as in {example!r}")
        chosen.append([(read(word), weight) for word, weight in map(weighed, label_words[label])])
        for (tokens, _), word in zip(chosen[-1], label_words[label], strict=True):
            if owner.get(tokens) == label:
                raise UserError(f"the word {word!r} is given twice for {label!r}; give it once")
            if tokens in owner:
                raise UserError(
                    f"the word {word!r} stands for {owner[tokens]!r} and for {label!r}; give it to one of them"
                )
            owner[tokens] = label
    return chosen


def apart(chosen: Sequence[Sequence[tuple[Tokens, float]]]) -> tuple[list[list[Tokens]], list[list[float]]]:
    """Words and weights, each by class."""
    return [[tokens for tokens, _ in its] for its in chosen], [[weight for _, weight in its] for its in chosen]


def weighed(word: str) -> tuple[str, float]:
    """ "great:2" -> ("great", 2.0); a word without a number behind a colon weighs 1.

    Raises:
        UserError: the weight is not above 0, or is beyond all measure.
    """
    bare, colon, number = word.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        return word, 1.0
    if not (colon and bare):
        return word, 1.0
    if not LIGHTEST <= weight <= HEAVIEST:
        beyond = f" ({LIGHTEST:g} to {HEAVIEST:g})" if 0 < weight < math.inf else ""
        raise UserError(
            f"the label word {word!r} has the weight {number}; a number above 0{beyond} was expected, as in {bare}:2"
        )
    return bare, weight


def label_words_of(given: Any) -> dict[str, tuple[str, ...]]:
    """Label words in any of the forms in which they may be given, all to the same:

        "positive=great:2,good;negative=bad"                        as on the command line
        {"positive": "great:2,good", "negative": "bad"}
        {"positive": ["great:2", "good"], "negative": ["bad"]}      a word may hold a comma here
        {"positive": {"great": 2, "good": 1}, "negative": ["bad"]}

    Raises:
        UserError: another form; whatever `parse_label_words` finds wrong.
    """
    label_words = plain(given)
    if isinstance(label_words, str):
        return parse_label_words(label_words)
    if not isinstance(label_words, Mapping):
        raise UserError(f'label_words is {called(given)}; words by label were expected, as in {{"good": ["great"]}}')
    for label in label_words:
        if not isinstance(label, str):
            raise UserError(f"label_words has the key {called(label)}; a label is a text, as in {str(label)!r}")
    return {label: words_of_label(label, words) for label, words in label_words.items()}


def words_of_label(label: str, given: Any) -> tuple[str, ...]:
    """The words that are given for one label, each with its weight behind it if it has one.

    Raises:
        UserError: no word, or something else than words.
    """
    name = f"label_words[{label!r}]"
    expected = 'words were expected, as in ["great", "good:2"] or {"great": 1, "good": 2}'
    if isinstance(given, str):
        words = [word.strip() for word in given.split(",")]
    elif isinstance(given, Mapping):
        for word, weight in given.items():
            if not isinstance(word, str) or type(weight) not in (int, float) or not LIGHTEST <= weight <= HEAVIEST:
                raise UserError(f"{name} holds {called(word)}: {called(weight)}; {expected}")
        words = [f"{word}:{weight!r}" if weight != 1 else word for word, weight in given.items() if word.strip()]
    else:
        words = [plain(word) for word in several(name, given, expected)]
    if odd := [word for word in words if not isinstance(word, str)]:
        raise UserError(f"{name} holds {called(odd[0])}; {expected}")
    found = tuple(word.strip() for word in words if word.strip())
    if not found:
        raise UserError(f"the class {label!r} has no label word: {name} is {called(given)}; {expected}")
    return found


def parse_label_words(string: str) -> dict[str, tuple[str, ...]]:
    """Read "positive=great:2,good;negative=bad"; the weights stay behind their words.

    Raises:
        UserError: a piece without "=", a class named twice, or a class without words.
    """
    label_words: dict[str, tuple[str, ...]] = {}
    for piece in filter(str.strip, string.split(";")):
        label, equals, words = (part.strip() for part in piece.partition("="))
        chosen = tuple(word.strip() for word in words.split(",") if word.strip())
        if not equals or not label or not chosen:
            raise UserError(f"cannot read the label words {piece!r}; write label=word,word;label=word")
        if label in label_words:
            raise UserError(
                f"the class {label!r} stands twice in the label words {string!r}; give all its words at once"
            )
        label_words[label] = chosen
    if not label_words:
        raise UserError("the label words are empty; write label=word,word;label=word")
    return label_words
