"""The lessons: number, file, title and part, in the order in which they are read. All else follows from this table:
what `minitune lesson` lists, the tests' markers, the names of figures and results, the links between pages, the site.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minitune.errors import UserError
from minitune.files import shared


@dataclass(frozen=True)
class Lesson:
    number: int
    name: str  # of its file, without the number
    title: str
    part: str

    @property
    def stem(self) -> str:
        """As in 02_a_gpt_by_hand: the name of its file, its page, its notebook, its answers and its checks."""
        return f"{self.number:02}_{self.name}"

    @property
    def path(self) -> Path:
        return shared("lessons") / f"{self.stem}.py"

    @property
    def page(self) -> Path:
        return shared("lessons") / "pages" / f"{self.stem}.md"

    @property
    def marker(self) -> str:
        """Of its tests: `pytest -m lesson02`."""
        return f"lesson{self.number:02}"


PARTS = {
    "Models": (
        (1, "tokens_and_the_toy_world", "tokens and the toy world"),
        (2, "a_gpt_by_hand", "a GPT by hand"),
        (3, "a_bert_by_hand", "a BERT by hand"),
    ),
    "Fine-tuning": (
        (4, "a_classifier_head", "a classifier head"),
        (6, "layer_freezing", "layer freezing"),
    ),
    "Prompts in words": (
        (7, "templates_and_verbalizers", "templates and verbalizers"),
        (8, "what_a_prompt_is_worth", "what a prompt is worth"),
        (10, "in_context_learning", "in-context learning and calibration"),
        (11, "autoprompt", "AutoPrompt"),
    ),
    "Reading the answer": (
        (15, "searching_label_words", "searching label words"),
        (17, "soft_and_prototypical_verbalizers", "soft and prototypical verbalizers"),
    ),
    "Prompts in vectors": (
        (18, "prompt_tuning", "prompt tuning"),
        (19, "p_tuning", "P-tuning"),
        (20, "prefix_tuning", "prefix tuning"),
        (21, "p_tuning_v2", "P-tuning v2"),
    ),
    "Inside the layers": ((22, "lora", "LoRA"),),
    "Practice": ((24, "instruction_tuning", "instruction tuning"),),
}
LESSONS = tuple(Lesson(*row, part) for part, rows in PARTS.items() for row in rows)


def lessons() -> tuple[Lesson, ...]:
    """All lessons, in order."""
    return LESSONS


def find_lesson(number: int) -> Lesson:
    """Raises:
    UserError: there is no lesson of that number; the sentence names those that are.
    """
    for lesson in lessons():
        if lesson.number == number:
            return lesson
    raise UserError(f"there is no lesson {number}; there are {', '.join(str(lesson.number) for lesson in lessons())}")


def beside(lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after."""
    place = LESSONS.index(lesson)
    return LESSONS[place - 1] if place else None, LESSONS[place + 1] if place + 1 < len(LESSONS) else None
