r"""AutoPrompt: gradients say which words to try in a template.

A trigger is P tokens of the template that the loss may choose. Let e_p be the input embedding at one of its places.
Putting the word w there changes the loss by about

    L(w) - L(now)  ~  (E[w] - e_p) . dL/de_p        E: (V, D)    e_p, dL/de_p: (D,)

so the words with the highest score  - E[w] . dL/de_p  are the candidates: one backward pass ranks the whole vocabulary.
A straight line is a rough guide over the distance between two words. So each candidate is tried, on other examples than
those of the gradient, and taken only if it is strictly better on them than what stood there. The dev set picks the
trigger that is returned, of all that were taken.

Shin et al. 2020, "AutoPrompt", section 2.2 (arXiv 2010.15980). The paper starts from [MASK] tokens, which GPT does not
have; here a trigger starts from words drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.seeds import stream

GRADIENT_COSTS = 3  # candidates: forward and backward take about three forward passes


@dataclass(frozen=True)
class AutoPromptConfig:
    triggers: int = 3  # tokens that are searched for; in a template of your own, as many as it has
    rounds: int = 50  # in each, one place of the trigger is tried anew
    candidates: int = 32  # words that are tried in a round
    batch: int = 32  # examples of a gradient; candidates are scored on as many others
    words_only: bool = True  # no pieces of words, no punctuation, no capitals

    def __post_init__(self):
        for name in ("triggers", "rounds", "candidates", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be 1 or more")


class TriggerLoss(Protocol):
    """What the search knows of a model: a loss that depends on a trigger and on the examples that are chosen."""

    embedding: Tensor  # E: (V, D)
    labels: Sequence[float]  # of the examples, so that both halves get their share of each class

    def loss_of(self, triggers: Tensor, rows: Tensor) -> Tensor:
        """The mean loss over the examples `rows` (B,) with each of the triggers (N, P): -> (N,)."""

    def gradient_of(self, trigger: Tensor, rows: Tensor) -> Tensor:
        """Of the mean loss over `rows` (B,), with respect to the input embeddings of the trigger (P,): -> (P, D)."""


@dataclass(frozen=True)
class Round:
    """What one round tried, and what came of it."""

    position: int  # in the trigger
    token: int  # the best of the candidates
    predicted: float | None  # change of the loss by the first-order score, on the gradient's examples
    true: float  # change of the loss on the other examples
    loss: float  # on those, of the trigger that is kept
    accepted: bool
    dev: float | None  # score of the new trigger on dev, if it was accepted


@dataclass(frozen=True)
class Log:
    """A search as far as it has come. It holds all that the search needs to go on."""

    start: tuple[int, ...]
    dev: float  # the score of `start`
    rounds: tuple[Round, ...] = ()

    def __post_init__(self):
        if wrong := [its.position for its in self.rounds if not 0 <= its.position < len(self.start)]:
            raise UserError(f"a round has the position {wrong[0]}, and the trigger has {len(self.start)} tokens")

    def kept(self) -> Iterator[tuple[tuple[int, ...], float]]:
        """The start and each trigger that was accepted after it, with its score on dev."""
        trigger = self.start
        yield trigger, self.dev
        for its in self.rounds:
            if its.accepted:
                trigger = put(trigger, its.position, its.token)
                yield trigger, its.dev

    @property
    def current(self) -> tuple[int, ...]:
        return list(self.kept())[-1][0]

    @property
    def best(self) -> tuple[tuple[int, ...], float]:
        """The trigger with the highest score on dev, and that score; of equals the earliest."""
        return max(self.kept(), key=lambda pair: pair[1])


def put(trigger: tuple[int, ...], position: int, token: int) -> tuple[int, ...]:
    return (*trigger[:position], token, *trigger[position + 1 :])


def allowed_tokens(tokenizer: Tokenizer, label_ids: Sequence[int], words_only: bool) -> Tensor:
    """The ids that a trigger may hold: neither special tokens nor label words, with which it would answer by itself.

    Raises:
        UserError: none is left.
    """
    ids = tokenizer.ordinary_ids()
    if words_only:
        ids = [i for word, i in tokenizer.whole_words().items() if word == word.lower()]
    left = sorted(set(ids) - set(label_ids))
    if not left:
        mend = "set words_only=false" if words_only else "give fewer label words"
        raise UserError(
            f"no word is left for a trigger: of the {len(tokenizer)} tokens, {len(ids)} could stand in it and all of "
            f"them are label words; {mend}"
        )
    return torch.tensor(left)


def first_order(embedding: Tensor, now: int, gradient: Tensor) -> Tensor:
    """By how much each word would change the loss, were it a straight line: (V, D), (D,) -> (V,)."""
    return (embedding - embedding[now]) @ gradient


# ---- which words are tried ----

# (loss, trigger (P,), position, rows, allowed, how many, generator) -> ids (N,), predicted changes (N,) or None
Propose = Callable[
    [TriggerLoss, Tensor, int, Tensor, Tensor, int, torch.Generator], tuple[Tensor, Sequence[float] | None]
]


def by_gradient(
    loss: TriggerLoss, trigger: Tensor, position: int, rows: Tensor, allowed: Tensor, count: int, _: torch.Generator
) -> tuple[Tensor, Sequence[float]]:
    """The words from which the gradient promises most."""
    gradient = loss.gradient_of(trigger, rows)[position]  # (P, D) -> (D,)
    change = first_order(loss.embedding, trigger[position], gradient)[allowed]  # (V,) -> (A,)
    promised = change.topk(min(count, len(allowed)), largest=False)
    return allowed[promised.indices], promised.values.tolist()


def by_chance(
    loss: TriggerLoss, trigger: Tensor, position: int, rows: Tensor, allowed: Tensor, count: int, dice: torch.Generator
) -> tuple[Tensor, None]:
    """Words drawn at random, and a few more for the gradient that is not taken: the control, at an equal budget."""
    order = torch.randperm(len(allowed), generator=dice)
    return allowed[order[: count + GRADIENT_COSTS]], None


# ---- the search ----


def halves(labels: Sequence[float], most: int, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two sets of examples that share none, each with its share of every class: (B,), (B,).

    At most `most` in each. A single example has to serve as both.
    """
    order = torch.randperm(len(labels), generator=dice).tolist()
    dealt = sorted(order, key=lambda row: labels[row])  # each class in the drawn order: a stable sort
    parts = []
    for side in (dealt[0::2], dealt[1::2] or dealt):
        mixed = torch.randperm(len(side), generator=dice)[:most]
        parts.append(torch.tensor(side)[mixed])
    return parts[0], parts[1]


def search_trigger(
    loss: TriggerLoss,
    dev: Callable[[Tensor], float],
    log: Log,
    allowed: Tensor,
    config: AutoPromptConfig,
    seed: int,
    propose: Propose = by_gradient,
) -> Iterator[Log]:
    """Search on from `log`, and yield it after each further round, until it has `config.rounds`.

    What a round draws depends on the seed and its number alone, so a search that was interrupted ends as it would have.

    Args:
        dev: the score of a trigger (P,) on the dev set; higher is better.
        allowed: the ids that may stand in a trigger.
        propose: which words are tried, `by_gradient` or `by_chance`.
    """
    trigger = torch.tensor(log.current)
    for number in range(len(log.rounds), config.rounds):
        dice = stream(seed, number)
        position = int(torch.randint(len(trigger), (), generator=dice))
        rows, others = halves(loss.labels, config.batch, dice)
        words, predicted = propose(loss, trigger, position, rows, allowed, config.candidates, dice)
        tried = trigger.repeat(1 + len(words), 1)  # (1 + N, P); the first is what stands there now
        tried[1:, position] = words
        now, *losses = loss.loss_of(tried, others).tolist()
        best = min(range(len(words)), key=losses.__getitem__)
        is_better = losses[best] < now
        if is_better:
            trigger = tried[1 + best]
        its = Round(
            position=position,
            token=int(words[best]),
            predicted=None if predicted is None else predicted[best],
            true=losses[best] - now,
            loss=min(losses[best], now),
            accepted=is_better,
            dev=dev(trigger) if is_better else None,
        )
        log = replace(log, rounds=(*log.rounds, its))
        yield log
