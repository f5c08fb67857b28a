"""What a search is given, and what it gives back: the face of every answer that is neither given nor learned.

Trigger words, label words and prototypes are searched on the training examples, before training begins. A search
writes what it found into the question, as a template or as label words. The question is saved with what was trained,
so a saved method is opened again without another search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tqdm import tqdm

from minitune.data.examples import DevSet, TrainSet
from minitune.methods.question import Question
from minitune.prompting.template import Template
from minitune.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Search:
    """All that a search may look at. The test set is not among it.

    Args:
        checkpoint: the pretrained model and its tokenizer; a search changes neither.
        template: how the question is asked, as far as that is known.
        train, dev: to search on, and to choose with.
        seed: of all that is random in it.
    """

    checkpoint: Checkpoint
    question: Question
    template: Template
    train: TrainSet
    dev: DevSet
    seed: int

    @staticmethod
    def progress(steps: Iterable, label: str) -> tqdm:
        """The steps, with a progress bar while they run; `set_postfix` shows the best score so far."""
        return tqdm(steps, label, disable=None, leave=False)


SearchFor = Callable[[Search], Question]
