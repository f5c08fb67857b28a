"""Label words that are searched on the training examples: what the searches in `readout` are given of them, and what is
told of what they found.

All of them look at the blank of the untrained model's template, before anything is learned: placeholders of a soft
prompt or of triggers are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.files import machine_memory
from minitune.predictors.predictor import over
from minitune.questions.question import Question
from minitune.readout.autoprompt_words import autoprompt_words
from minitune.readout.lm_bff_words import Judged, LMBFFWords, lm_bff_words
from minitune.readout.petal import petal_words
from minitune.readout.verbalizer import Verbalizer
from minitune.report import size
from minitune.searches.search import Search


def petal(search: Search) -> Question:
    """0: words at the blank, searched by PETAL's likelihood ratio."""
    hidden, labels = at_the_blank(search, search.train)
    words, log_p = allowed(search), search.model.logits(hidden).log_softmax(dim=-1)  # (N, D) -> (N, V)
    found = petal_words(log_p, labels, search.question.labels, list(words.values()), search.settings)
    return with_words(search, words, found, "the likelihood ratio")


def autoprompt(search: Search) -> Question:
    """0: words at the blank, searched by AutoPrompt: a classifier of hidden states scores the words' vectors."""
    hidden, labels = at_the_blank(search, search.train)
    words = allowed(search)
    found = autoprompt_words(
        search.model.before_decoder(hidden),
        labels,
        search.model.token_embedding.weight,
        search.question.labels,
        list(words.values()),
        search.settings,
    )
    return with_words(
        search, words, found, "the log-probability that a classifier of hidden states gives their vectors"
    )


def lm_bff(search: Search) -> Question:
    """0: one word a class at the blank, the combination that LM-BFF finds to answer best."""
    hidden, labels = at_the_blank(search, search.train)
    dev_logits, dev_labels = None, None
    if search.dev:
        at_dev, dev_labels = at_the_blank(search, search.dev)
        dev_logits = search.model.logits(at_dev)
    words, classes = allowed(search), search.question.labels
    ids = list(words.values())
    found = lm_bff_words(search.model.logits(hidden), labels, dev_logits, dev_labels, classes, ids, search.settings)
    question = with_words(search, words, [[(word, 0.0)] for word in found.words], "")
    return replace(question, found=(*question.found, *ties(found, search, len(words))))


def allowed(search: Search) -> dict[str, int]:
    """Each word that may stand for a class: whole words of one token, no pieces, no special tokens.

    Raises:
        UserError: the tokenizer keeps no word whole.
    """
    words = search.checkpoint.tokenizer.whole_words()
    if not words:
        raise UserError(
            f"the {search.checkpoint.kind} tokenizer keeps no word of letters whole, so none can stand for a class; "
            "take another model, or a method with +head"
        )
    return words


@torch.no_grad()
def at_the_blank(search: Search, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Hidden states at the blank (N, D), and the classes (N,).

    Raises:
        UserError: the template has no blank, or several; the words' scores of so many examples would not fit into the
            memory.
    """
    if search.template.blanks > 1:
        raise UserError(
            f"the template {str(search.template)!r} has {search.template.blanks} blanks, and a word that is searched "
            "for is one token: leave one {mask}"
        )
    memory, needed = machine_memory(), 24 * len(examples) * len(search.checkpoint.tokenizer)
    if memory and needed > memory:
        raise UserError(
            f"the scores of all words at the blanks of {len(examples)} examples take {size(needed)}, and this machine "
            f"has {size(memory)}: search on fewer, with --shots"
        )
    parts = tuple(part for part in search.template.parts if part.kind not in ("soft", "trigger"))
    classifier = search.classifier(replace(search.template, parts=parts), Verbalizer([[0]]))  # read at the blank
    hidden = over(classifier, classifier.items(examples), classifier.read)
    return hidden, torch.tensor([int(example.label) for example in examples], device=hidden.device)


def with_words(
    search: Search, allowed_words: Mapping[str, int], found: Sequence[Sequence[tuple[int, float]]], by: str
) -> Question:
    """The question with the words that were found, and with them told.

    Args:
        allowed_words: those of `allowed`, with their ids.
        found: for each class its words, (id, score).
        by: what the scores are; nothing where a word has none of its own.
    """
    name_of = {i: word for word, i in allowed_words.items()}
    words = {label: tuple(name_of[i] for i, _ in its) for label, its in zip(search.question.labels, found, strict=True)}
    told = [
        f"{label} = {', '.join(f'{name_of[i]} {score:.2f}' if by else name_of[i] for i, score in its)}"
        for label, its in zip(search.question.labels, found, strict=True)
    ]
    line = f"label words found on {len(search.train)} examples: {'; '.join(told)}"
    line += f" (the number is {by})" if by else ""
    return replace(search.question, label_words=words, found=(*search.question.found, line))


def ties(found: LMBFFWords, search: Search, words: int) -> tuple[str, str]:
    """How many combinations were tried, how many of them the examples could not tell apart, and which was taken.

    Args:
        words: how many may stand for a class.
    """
    classes, wanted = len(search.question.labels), min(search.settings.likeliest, words)
    tried = f"{len(found.on_train.words):,} combinations of the {found.per_class} likeliest words a class were tried"
    if found.per_class < wanted:
        tried += f" ({wanted} a class would make {wanted**classes:,}, and no more than {search.settings.tried:,} are)"
    on_train = f"{tied(found.on_train)} the best accuracy on the training examples, {found.on_train.accuracy[0]:.2f}"
    if found.on_dev is None:
        return tried, f"{on_train}; there is no dev set, so the surest of them was taken"
    dev = found.on_dev
    return tried, (
        f"{on_train}; of the {len(dev.words):,} best, surest first, {tied(dev)} the best accuracy on the dev set, "
        f"{dev.accuracy[0]:.2f}: the surest there was taken"
    )


def tied(judged: Judged) -> str:
    return "1 has" if judged.tied == 1 else f"{judged.tied:,} share"
