"""Demonstrations as an answer to "how is the question asked?": which examples of a draw are shown, and do they fit?"""

from __future__ import annotations

from dataclasses import replace

from minitune.data.examples import TrainSet
from minitune.errors import UserError
from minitune.prompting.demonstrations import (
    USUAL,
    as_demonstrations,
    choose,
    ordered,
    with_random_labels,
)
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.readout.verbalizer import weighed
from minitune.searches.search import Search

UNBOUNDED = 1_000_000  # tokens: a text as it is, whatever a model can hold


def show_examples(search: Search) -> Question:
    """The question with training examples shown before it.

    Raises:
        UserError: the task has no classes, the template no blank; more are asked for than there are, or than fit.
    """
    question, config, template = search.question, search.settings, search.template
    if question.kind != "classes":
        raise UserError("@demonstrations shows examples of classes, and this task has none; take another method")
    template.check(search.checkpoint.kind, needs_blank=True)
    answers, longest = answer_words(question), longest_question(template, search)
    count = config.shown or min(USUAL, len(search.train))
    while True:
        chosen = ordered(choose(search.train, count, search.seed, config.balanced), config.order)
        if config.random_labels:
            chosen = with_random_labels(chosen, len(question.labels), search.seed)
        shown = as_demonstrations(chosen, answers)
        taken = sum(len(template.shown(one, search.checkpoint.tokenizer)) for one in shown)
        over = taken + longest - search.checkpoint.model.context
        if over <= 0:
            break
        if config.shown or count == 1:
            raise UserError(
                f"{count} demonstrations leave too little room for the question: the longest example would lose {over} "
                f"of its tokens, with a context of {search.checkpoint.model.context}; show fewer, with --set shown=N, "
                "or shorter ones"
            )
        count -= 1
    found = [
        f"shown before the question: {one.text}{' || ' + one.text_b if one.text_b else ''} -> {one.answer}"
        for one in shown
    ]
    return replace(question, demonstrations=shown, found=(*question.found, *found))


def answer_words(question: Question) -> list[str]:
    """Of each class, the word that demonstrations show: its first one, or where it has none, its name."""
    words = [question.label_words.get(label) for label in question.labels]
    return [
        weighed(of_class[0])[0] if of_class else name for of_class, name in zip(words, question.labels, strict=True)
    ]


def longest_question(template: Template, search: Search) -> int:
    """The tokens of the longest training example, nothing of it cut and nothing shown before it."""
    alone, tokenizer = replace(template, demonstrations=()), search.checkpoint.tokenizer
    return max(len(alone.render(example, tokenizer, UNBOUNDED).ids) for example in search.train)


def not_shown(search: Search) -> TrainSet:
    """What is trained on: the examples that are not shown, so that no question is answered right before it is asked.

    Where that would leave a class without any, all are trained on, and each is asked without its own demonstration
    (see `Template.render`).
    """
    shown = {(one.text, one.text_b) for one in search.question.demonstrations}
    rest = [example for example in search.train if (example.text, example.text_b) not in shown]
    classes = {example.label for example in search.train}
    return TrainSet(rest, search.train.labels) if {e.label for e in rest} == classes else search.train
