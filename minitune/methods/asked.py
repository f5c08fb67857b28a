"""How is the question asked? Each answer is a template; some are given with the task, others are searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minitune.data.examples import TrainSet
from minitune.prompting.autoprompt import AutoPromptConfig
from minitune.prompting.demonstrations import DemonstrationsConfig
from minitune.prompting.template import Template, with_stop
from minitune.questions.question import Question
from minitune.searches.autoprompt_search import find_triggers, trigger_template
from minitune.searches.demonstration_search import not_shown, show_examples
from minitune.searches.pet import PetConfig, soft_labelled, weigh_patterns
from minitune.searches.search import Search, SearchFor


@dataclass(frozen=True)
class Asked:
    """An answer to "how is the question asked?".

    Args:
        template: how a question, as it stands, is asked of a model of this kind ("gpt" or "bert"); with its settings,
            where it has some.
        search: finds words for the template, or demonstrations, on training examples first, and returns the question
            with them.
        settings: its config.
        teach: makes other training examples of those of the draw.
    """

    template: Callable[..., Template]
    search: SearchFor | None = None
    settings: type | None = None
    teach: Callable[[Search], TrainSet] | None = None

    def asks(self, question: Question, model_kind: str, settings: Any) -> Template:
        return self.template(question, model_kind, *([settings] if self.settings else []))


def bare(question: Question, model_kind: str) -> Template:
    """The text, or the two texts with the separator between them."""
    return Template.parse("{text} {sep} {text_b}" if question.is_pair else "{text}")


def manual(question: Question, model_kind: str) -> Template:
    """Through the task's template, or your own."""
    return Template.parse(question.template if question.is_own else with_stop(question.template, model_kind))


def pet(question: Question, model_kind: str, settings: PetConfig) -> Template:
    """The bare text; models that are asked through every pattern of the task have labelled the texts to learn from."""
    return bare(question, model_kind)


def demonstrations(question: Question, model_kind: str, settings: DemonstrationsConfig) -> Template:
    """Through the task's template, after solved examples from the training set that stand in the same template."""
    return manual(question, model_kind)


ASKED = {
    "bare": Asked(bare),
    "manual": Asked(manual),
    "pet": Asked(pet, search=weigh_patterns, settings=PetConfig, teach=soft_labelled),
    "autoprompt": Asked(trigger_template, search=find_triggers, settings=AutoPromptConfig),
    "demonstrations": Asked(demonstrations, search=show_examples, settings=DemonstrationsConfig, teach=not_shown),
}
