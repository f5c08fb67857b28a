"""What a task or a file offers to every method: the labels, a template, words for the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from minitune.predictors.writer import ANSWER_ROOM
from minitune.prompting.template import Demonstration, Template


@dataclass(frozen=True)
class Question:
    """A question as it is put to any model.

    Without label words (none are given, and the labels' own names cannot be read at a blank) no verbalizer can be made.
    """

    labels: tuple[str, ...]
    template: str
    label_words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_pair: bool = False  # has a second text
    kind: str = "classes"  # one of `KINDS`
    score: Callable | None = None  # of a written text
    scale: tuple[float, float] = (0.0, 1.0)  # of numbers that are trained on: their mean and their spread
    is_own: bool = False  # the template is the user's, or was searched, and is taken as it stands
    demonstrations: tuple[Demonstration, ...] = ()  # solved examples that are shown before it
    patterns: tuple[str, ...] = ()  # other templates that ask the same
    found: tuple[str, ...] = ()  # what was searched for, in words
    room: int = ANSWER_ROOM  # tokens that a written answer may take, its end among them

    @property
    def blanks(self) -> int:
        """Of the template."""
        return Template.parse(self.template).blanks
