"""Before anything is trained: a method's answers that are measured or searched for, or that make other examples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from minitune.data.examples import TrainSet
from minitune.methods.asked import ASKED, Asked
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.read import READ, Read
from minitune.methods.what import WHAT
from minitune.predictors.predictor import Predictor
from minitune.prompting.template import Template
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.searches.search import Search


def searched(method: Method, search: Search) -> Question:
    """The question with all that is measured or searched for on the training examples; most methods search for nothing.

    Label words come first: triggers are searched for with them, and demonstrations show them.

    Raises:
        UserError: the method does not suit the question, or needs a part that the model came without; whatever a
            search finds wrong.
    """
    method.check(search.question)
    method.check_base(search.question, search.checkpoint)
    asked, read = ASKED[method.asked], READ[method.read]
    question = KINDS[search.question.kind].measured(search.question, search.train)
    if read.search:
        question = read.search(prepared(method, read, search, question))
    if asked.search:
        found = asked.search(prepared(method, asked, search, question))
        if WHAT[method.what].is_soft and found.is_own and not question.is_own:
            found = replace(found, template=str(method.before(Template.parse(found.template))))
        question = found
    return question


def taught(method: Method, search: Search) -> TrainSet:
    """The examples that are trained on: those of the draw, or what a teacher makes of them."""
    asked = ASKED[method.asked]
    return asked.teach(prepared(method, asked, search, search.question)) if asked.teach else search.train


def prepared(method: Method, answer: Asked | Read, search: Search, question: Question) -> Search:
    """What one of the answers is given."""
    checkpoint, seed, reading = search.checkpoint, search.seed, method.reading
    return replace(
        search,
        question=question,
        template=method.asks(question, checkpoint.kind),
        settings=reading if isinstance(answer, Read) else method.asking,
        make_readout=partial(READ[method.read].reads, checkpoint=checkpoint, seed=seed, settings=reading),
        tune=partial(tuned_beside, method, search),
    )


def tuned_beside(method: Method, search: Search, name: str, question: Question) -> Predictor:
    """Another method on the draw of `method`, for as many steps if their number was set."""
    other = Method.parse(name, {"steps": method.changes["steps"]} if "steps" in method.changes else {})
    predictor = other.build(search.checkpoint, question, search.seed)
    fit(other, predictor, search.train, search.dev, search.seed)
    return predictor
