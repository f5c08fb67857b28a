"""Answers to many texts at once, and what was not read of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from minitune.data.reading import first_few
from minitune.data.written import cell
from minitune.errors import UserError
from minitune.methods.ask import read_one
from minitune.predictors.predictor import Predictor
from minitune.predictors.regressor import Regressor
from minitune.predictors.tagger import NO_TAG, Tagger
from minitune.predictors.writer import Writer
from minitune.prompting.template import Rendered
from minitune.questions.question import Question
from minitune.report import shortened, table
from minitune.tuned.queries import Query, check_all

ANSWER = "answer"
ANSWERED = {
    "spans": "tags",
    "number": "a number",
    "words": "any word that the model knows",
    "text": "a text",
    "reply": "a text",
}
DIGITS = 6  # of a probability in a file


@dataclass(frozen=True)
class Answers:
    queries: Sequence[Query]
    values: list[Any]  # a label, a text, a number, or a list of tags; None of what cannot be asked
    cut: list[int]  # tokens of each text that were not read, of a very long one at least so many
    chances: list[dict[str, float | None]] | None = None  # the classes' probabilities, if they were asked for
    is_cut_more: bool = False  # of a very long text not all tokens were counted
    unended: int = 0  # written texts that came to no end

    def notes(self) -> list[str]:
        """What was not read, in sentences; most of the time there is nothing to say."""
        notes, many = [], [count for count in self.cut if count]
        if unasked := [query for query in self.queries if query.why]:
            why = first_few([f"{query.where}: {query.why}" for query in unasked])
            notes.append(f"without an answer: {len(unasked)} of {len(self.queries)} ({why})")
        if many:
            most = "at least " * self.is_cut_more
            notes.append(
                f"texts that are too long for the model: {len(many)} of {len(self.cut)}; {most}{sum(many)} tokens at "
                "their ends were not read"
            )
        untagged = sum(value.count(NO_TAG) for value in self.values if isinstance(value, list))
        if untagged:
            notes.append(
                f"words without a tag, marked {NO_TAG}: {untagged}; they stand behind the cut, or have no token"
            )
        if self.unended:
            notes.append(
                f"answers that came to no end: {self.unended} of {len(self.values)}; the rest of them was not written, "
                "for no answer that was trained on is longer, or the context is full"
            )
        return notes


def answers_to(
    predictor: Predictor, question: Question, queries: Sequence[Query], with_chances: bool = False
) -> Answers:
    """Answers to all that can be asked.

    Raises:
        UserError: nothing can; probabilities where there are no classes.
    """
    if with_chances and question.kind != "classes":
        raise UserError(
            f"this answers with {ANSWERED.get(question.kind, question.kind)}, not with one of a few classes, so there "
            "are no probabilities of them; leave out --probabilities"
        )
    asked = [read_query(predictor, query) for query in queries]
    queries, read = [query for query, _ in asked], [rendered for _, rendered in asked]
    places = [place for place, rendered in enumerate(read) if rendered]
    if not places:
        check_all(queries)
    examples = [queries[place].example for place in places]
    chances, unended = None, 0
    if isinstance(predictor, Tagger):
        values = predictor.tags(examples)
    elif isinstance(predictor, Writer):
        tokens = predictor.tokens(examples)
        values = list(map(predictor.tokenizer.decode, tokens))
        unended = sum(not predictor.has_ended(e, row) for e, row in zip(examples, tokens, strict=True))
    elif isinstance(predictor, Regressor):
        values = [float(answer) for answer in predictor.answers(examples)]  # a number in JSON too
    else:
        values = predictor.answers(examples)
    if with_chances:
        rows = predictor.scores(examples).double().softmax(dim=-1).tolist()
        rounded = [
            {label: round(chance, DIGITS) for label, chance in zip(question.labels, row, strict=True)} for row in rows
        ]
        chances = spread(rounded, places, [dict.fromkeys(question.labels) for _ in queries])
    cut, is_cut_more = [r.cut if r else 0 for r in read], any(r.is_cut_more for r in read if r)
    return Answers(queries, spread(values, places, [None] * len(queries)), cut, chances, is_cut_more, unended)


def read_query(predictor: Predictor, query: Query) -> tuple[Query, Rendered | None]:
    """The query as it is read; or with the reason why it cannot be, and nothing."""
    if query.why:
        return query, None
    try:
        return query, read_one(predictor, query.example)
    except UserError as error:
        return replace(query, why=str(error)), None


def spread(values: Sequence[Any], places: Sequence[int], blanks: list[Any]) -> list[Any]:
    """`blanks` with the values at their places."""
    for place, value in zip(places, values, strict=True):
        blanks[place] = value
    return blanks


def as_table(answers: Answers, column: str = ANSWER) -> str:
    """A line for each text: the text, its answer, the classes' probabilities."""
    labels = list(answers.chances[0]) if answers.chances else []
    rows = []
    for place, (query, value) in enumerate(zip(answers.queries, answers.values, strict=True)):
        chances = [chance(answers.chances[place][label]) for label in labels]
        rows.append([shortened(query.shown), shown(value), *chances])
    return table(["text", column, *labels], rows)


def chance(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    return " ".join(value) if isinstance(value, list) else cell(value)
