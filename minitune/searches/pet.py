"""PET as a method: models that ask in every way there is label the texts that were not drawn, and a classifier learns
from what they say. The formulas are those of `prompting/pet.py`.

    the draw  ->  one `full+verbalizer` for each pattern  ->  soft labels of other texts  ->  `full+distilled` on those

The classifier sees neither the draw's labels nor any other; its dev set, which chooses when to stop, is the draw's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minitune.data.examples import TrainSet
from minitune.errors import UserError
from minitune.prompting.pet import distillation, ensemble, pattern_weights, soft_labels
from minitune.questions.question import Question
from minitune.readout.losses import cross_entropy
from minitune.searches.search import Search

TEACHER = "full+verbalizer"


@dataclass(frozen=True)
class PetConfig:
    unlabelled: int = 1000  # texts at most, that the patterns label

    def __post_init__(self):
        if self.unlabelled < 1:
            raise UserError(f"unlabelled is {self.unlabelled}, and PET learns from such texts: give at least 1")


def patterns_of(question: Question) -> list[Question]:
    """The question, put in each of its ways: through its own template first, then through its other patterns."""
    others = [replace(question, template=pattern, is_own=False) for pattern in question.patterns]
    return [question, *(other for other in others if other.template != question.template)]


def weights_of(search: Search) -> Tensor:
    """How much each pattern counts: by its accuracy on the draw before any training: (P,)."""
    untrained = (search.tune("zero-shot", asked) for asked in patterns_of(search.question))
    return pattern_weights([predictor.accuracy(search.train) for predictor in untrained])


def weigh_patterns(search: Search) -> Question:
    """The question with each pattern and its weight, in words.

    Raises:
        UserError: the question has no classes, or there is no text left to label.
    """
    question = search.question
    if question.kind != "classes":
        raise UserError("PET labels texts with classes, and this task has none; take another method")
    if not search.unlabelled:
        raise UserError(
            f"PET labels texts that were not drawn, and all {len(search.pool)} are drawn; give fewer with --shots"
        )
    weighed = zip(weights_of(search).tolist(), patterns_of(question), strict=True)
    return replace(question, found=tuple(f"PET, weight {weight:.2f}: {asked.template}" for weight, asked in weighed))


def soft_labelled(search: Search) -> TrainSet:
    """Texts that were not drawn, each with the probabilities that the patterns' models give it together."""
    texts = list(search.unlabelled)
    if len(texts) > search.settings.unlabelled:
        texts = random.Random(f"unlabelled {search.seed}").sample(texts, search.settings.unlabelled)
    teachers = (search.tune(TEACHER, asked) for asked in patterns_of(search.question))  # one at a time in memory
    scores = torch.stack([teacher.scores(texts) for teacher in teachers])  # (P, N, C)
    labels = soft_labels(ensemble(scores, weights_of(search))).tolist()  # (N, C)
    labelled = (replace(text, label=tuple(label)) for text, label in zip(texts, labels, strict=True))
    return TrainSet(labelled, search.train.labels)


def as_taught(scores: Tensor, label: Tensor) -> Tensor:
    """The loss of a classifier that learns from soft labels (B, C); on a dev set, whose labels are classes (B,),
    cross-entropy: -> ()."""
    return distillation(scores, label) if label.is_floating_point() else cross_entropy(scores, label)
