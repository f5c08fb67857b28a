"""What a search is given, and what it gives back: the face of every answer that is neither given nor learned.

Trigger words, label words and demonstrations are searched on the training examples, before training begins. A search
writes what it found into the question: as a template, as label words, as demonstrations. The question is saved with
what was trained, so a saved method is opened again without another search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from minitune.data.examples import DevSet, Example, TrainSet
from minitune.models.build import Model, copied
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint

UNKNOWN = -100  # the label of a text whose label is not to be used


@dataclass(frozen=True)
class Search:
    """All that a search may look at. The test set is not among it.

    Args:
        checkpoint: the pretrained model and its tokenizer; a search changes neither.
        train, dev: to search on, and to choose with.
        seed: of all that is random in it.
        pool: where the draw comes from.
        folder: where a long search keeps its log and what it needs to go on; None keeps nothing.
        template: how the question is asked, as far as that is known.
        settings: of the answer that searches.
        make_readout: how the answer to a question is read.
        tune: another method, by its name, made for a question and trained on the same draw for as many steps.
    """

    checkpoint: Checkpoint
    question: Question
    train: TrainSet
    dev: DevSet
    seed: int
    pool: TrainSet = field(default_factory=TrainSet)
    folder: Path | None = None
    template: Template | None = None
    settings: Any = None
    make_readout: Callable[[Question], nn.Module] | None = None
    tune: Callable[[str, Question], Predictor] | None = None

    @cached_property
    def model(self) -> Model:
        """The pretrained model, frozen: a copy, so that freezing it changes nothing elsewhere."""
        return copied(self.checkpoint.model).requires_grad_(False).eval()

    def classifier(self, template: Template | None = None, readout: nn.Module | None = None) -> Classifier:
        """The frozen model, asked and read as far as that is known."""
        readout = readout or self.make_readout(self.question)
        device = next(self.model.parameters()).device
        asked = template or self.template
        return Classifier(self.model, self.checkpoint.tokenizer, asked, readout.to(device), self.question.labels)

    @property
    def unlabelled(self) -> tuple[Example, ...]:
        """The texts that were not drawn, without their labels."""
        drawn = {(example.text, example.text_b) for example in (*self.train, *self.dev)}
        rest = (example for example in self.pool if (example.text, example.text_b) not in drawn)
        return tuple(replace(example, label=UNKNOWN) for example in rest)

    @staticmethod
    def progress(steps: Iterable, label: str) -> tqdm:
        """The steps, with a progress bar while they run; `set_postfix` shows the best score so far."""
        return tqdm(steps, label, disable=None, leave=False)


SearchFor = Callable[[Search], Question]
