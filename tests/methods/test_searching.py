"""Before anything is trained: who searches first, on what, with which settings and which seed."""

from dataclasses import replace

import pytest

from minitune.data.examples import DevSet, TrainSet
from minitune.methods import searching
from minitune.methods.asked import ASKED
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.searching import searched, taught
from minitune.prompting.autoprompt import AutoPromptConfig
from minitune.readout.lm_bff_words import LMBFFWordsConfig
from minitune.searches.search import Search
from tests import tiny
from tests.naming import expect

pytestmark = [pytest.mark.lesson11, pytest.mark.lesson15]
TRAIN, DEV = TrainSet(tiny.EXAMPLES[:4], tiny.LABELS), DevSet(tiny.EXAMPLES[4:], tiny.LABELS)
FOUND = {"good": ("clever",), "bad": ("dull",), "fair": ("so",)}
BY_WORDS, BY_TRIGGERS = "{text} so it was {mask} .", "{text} great sad it was {mask} ."


@pytest.fixture
def given(monkeypatch):
    """What each of the two searches is given, in their order; the one finds words, the other triggers."""
    seen = []

    def words(search):
        seen.append(("words", search))
        return replace(search.question, label_words=FOUND, template=BY_WORDS, is_own=True)

    def triggers(search):
        seen.append(("triggers", search))
        return replace(search.question, template=BY_TRIGGERS, is_own=True, found=("triggers: great sad",))

    monkeypatch.setitem(READ, "lm-bff", replace(READ["lm-bff"], search=words))
    monkeypatch.setitem(ASKED, "autoprompt", replace(ASKED["autoprompt"], search=triggers))
    return seen


def search(kind="bert", seed=5, **changes):
    return Search(tiny.checkpoint(kind), tiny.question(kind, **changes), TRAIN, DEV, seed, TRAIN)


def test_label_words_are_found_first_and_triggers_with_them(given):
    question = searched(Method.parse("lora@autoprompt+lm-bff"), search())
    order = [name for name, _ in given]
    assert order == ["words", "triggers"], f"{order}: triggers are searched for with words that will not be read"
    assert given[1][1].question.label_words == FOUND, "triggers are searched for with the words from before the search"
    assert (question.template, question.label_words) == (BY_TRIGGERS, FOUND), "what one search found the other lost"


def test_each_search_has_its_own_settings(given):
    method = Method.parse("lora@autoprompt+lm-bff", ["rounds=3", "rank=2"])
    searched(method, search())
    assert [type(its.settings) for _, its in given] == [LMBFFWordsConfig, AutoPromptConfig], "settings are swapped"
    assert given[1][1].settings.rounds == 3


def test_each_search_asks_as_the_question_is_asked_by_then(given):
    searched(Method.parse("lora@autoprompt+lm-bff"), search())
    templates = [str(its.template) for _, its in given]
    assert templates[0].count("{trigger") == 1, "label words are searched for where no trigger stands"
    expect(templates[1], BY_WORDS, {"as before the first search": templates[0]})
    assert all((its.train, its.dev, its.seed) == (TRAIN, DEV, 5) for _, its in given), "another draw, or another seed"


@pytest.mark.parametrize("what", ["prompt-tuning", "p-tuning"])
def test_a_soft_prompt_stays_before_what_was_found(given, what):
    question = searched(Method.parse(f"{what}@autoprompt", ["length=4"]), search())
    expect(
        question.template, "{soft:4} " + BY_TRIGGERS, {"the soft prompt is lost where triggers are found": BY_TRIGGERS}
    )
    own = "{text} {soft:2} {trigger:2} {mask} ."
    question = searched(Method.parse(f"{what}@autoprompt", ["length=4"]), search(template=own, is_own=True))
    assert question.template == BY_TRIGGERS, "a template of one's own says itself where its placeholders are"


def test_the_read_out_of_a_search_is_that_of_the_method(given, monkeypatch):
    made = []

    def read(question, checkpoint, seed, settings):
        made.append((question, seed, settings))

    monkeypatch.setitem(READ, "lm-bff", replace(READ["lm-bff"], readout=read))
    method = Method.parse("lora@autoprompt+lm-bff")
    searched(method, search(seed=5))
    asked = replace(tiny.question("bert"), label_words=FOUND)
    given[1][1].make_readout(asked)
    question, seed, settings = made[0]
    assert question is asked and settings == method.reading
    expect(seed, 5, {"each draw's read-out starts alike": 0})


def test_what_is_tuned_beside_has_the_seed_the_draw_and_the_steps(given, monkeypatch):
    fitted, built = [], []
    build = Method.build
    monkeypatch.setattr(searching, "fit", lambda *its: fitted.append(its))

    def spied(self, checkpoint, question, seed, **rest):
        built.append((self, question, seed))
        return build(self, checkpoint, question, seed, **rest)

    monkeypatch.setattr(Method, "build", spied)
    searched(Method.parse("lora@autoprompt+lm-bff", ["steps=7"]), search(seed=5))
    asked = tiny.question("bert")
    predictor = given[0][1].tune("full+head", asked)
    (method, question, seed), (other, its, train, dev, its_seed) = built[0], fitted[0]
    assert its is predictor and question is asked and method == other and method.name == "full+head"
    expect(seed, 5, {"what is tuned beside is alike in each draw": 0})
    expect(its_seed, 5, {"what is tuned beside is alike in each draw": 0})
    assert (train, dev) == (TRAIN, DEV), "it is tuned on other examples than the draw's"
    expect(dict(method.changes), {"steps": 7}, {"the number of steps is not handed on": {}})


def test_a_teacher_teaches_and_else_the_draw_does(monkeypatch):
    made = TrainSet(tiny.EXAMPLES[:1], tiny.LABELS)
    monkeypatch.setitem(ASKED, "pet", replace(ASKED["pet"], teach=lambda its: made))
    assert taught(Method.parse("pet"), search()) is made
    assert taught(Method.parse("lora"), search()) is TRAIN
