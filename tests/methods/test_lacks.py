"""A base that came without a part: the methods that need it are refused, in Python as in the commands."""

from dataclasses import replace

import pytest

from minitune.data.examples import Dataset
from minitune.errors import UserError
from minitune.experiments.compare import compare
from minitune.experiments.sweep import sweep
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.searching import searched
from minitune.methods.several import all_methods
from minitune.methods.what import WHAT
from minitune.predictors.tagger import TaggedWords
from minitune.questions.task_data import TaskData
from minitune.searches.search import Search
from minitune.training.checkpoint import save_checkpoint
from minitune.tuned.explain import explain
from minitune.tuned.tuned import open_tuned, tune
from tests import tiny
from tests.tiny import EXAMPLES, LABELS

DATA = Dataset("reviews", LABELS, EXAMPLES * 2, EXAMPLES)
NO_WORDS, NO_POOLER = ("MLM head",), ("pooler",)


def lacking(*parts, kind="bert"):
    return replace(tiny.checkpoint(kind), lacks=parts)


def test_who_trains_the_pooler_is_said_truly():
    for name, what in WHAT.items():
        if name == "output":  # reads no head
            continue
        predictor = Method.parse(f"{name}+head").build(tiny.checkpoint("bert"), tiny.question("bert"), 0)
        pooler = getattr(predictor.model, "model", predictor.model).pooler
        trains = all(p.requires_grad for p in pooler.parameters())
        assert what.trains_the_pooler == trains, f"{name} {'trains' if trains else 'does not train'} the pooler"


@pytest.mark.parametrize("name", all_methods())
def test_what_is_refused_and_what_is_not(name):
    method, question = Method.parse(name), tiny.question("bert")
    trained, at_the_blank = WHAT[method.what].trains_the_pooler, READ[method.read].at_the_blank
    refused = {
        NO_WORDS: at_the_blank,
        NO_POOLER: not at_the_blank and not trained,
        ("next-sentence head",): False,
        (): False,
    }
    for lacks, is_refused in refused.items():
        assert bool(method.misses(question, lacking(*lacks))) == is_refused, f"{name} on a base that lacks {lacks}"
    if method.what == "prefix-tuning":  # building one takes a while
        return
    for lacks in (NO_WORDS, NO_POOLER):
        if refused[lacks]:
            with pytest.raises(UserError, match=r"came without (its MLM head|one)"):
                method.build(lacking(*lacks), question, 0)
        else:
            method.build(lacking(*lacks), question, 0)


def test_tags_need_neither():
    question = replace(tiny.question("bert"), kind="tags", template="{text}")
    predictor = Method.parse("frozen").build(lacking("MLM head", "pooler"), question, 0)
    assert len(predictor.answers([TaggedWords(("the", "soup"), (0, 0))])[0].split()) == 2


@pytest.mark.parametrize("name", ["lora", "frozen+number"])
def test_a_number_is_read_through_the_pooler(name):
    question = replace(tiny.question("bert"), kind="number", template="{text}", labels=(), label_words={})
    with pytest.raises(UserError, match=r"through BERT's pooler, .* full\+number, top\+number"):
        Method.parse(name).build(lacking(*NO_POOLER), question, 0)
    Method.parse("top+number").build(lacking(*NO_POOLER), question, 0)
    Method.parse(name).build(lacking(*NO_WORDS), question, 0)


def test_any_word_as_an_answer_needs_the_words():
    question = replace(tiny.question("bert"), kind="words", labels=("good", "bad"))
    question = replace(question, label_words={"good": ("good",), "bad": ("awful",)})
    with pytest.raises(UserError, match="MLM head; take a model that was saved with it"):
        Method.parse("full").build(lacking(*NO_WORDS), question, 0)


def test_compare_tune_and_sweep_refuse_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr("minitune.experiments.experiment.fit", lambda *_: pytest.fail("something was trained"))
    base, question = lacking(*NO_WORDS), tiny.question("bert")
    with pytest.raises(UserError, match="lora reads words at the blank"):
        compare(DATA, base, question, ["frozen+head", "lora"], (1,), 1)
    with pytest.raises(UserError, match="lora reads words at the blank"):
        sweep(DATA, base, question, [Method.parse("lora")], (1e-3,), 1, 1)
    with pytest.raises(UserError, match="zero-shot reads words at the blank"):
        tune(Method.parse("zero-shot"), base, TaskData(DATA, question), 1)


def test_a_search_is_refused_before_it_searches():
    method = Method.parse("full")
    with pytest.raises(UserError, match="MLM head"):
        searched(method, Search(lacking(*NO_WORDS), tiny.question("bert"), DATA.pool, DATA.dev, 0))


def test_compare_on_such_a_base_measures_it_by_the_same_base_with_random_weights():
    rows = compare(
        DATA, lacking("MLM head", "pooler"), tiny.question("bert"), ["full+head"], (1,), 1, settings={"steps": 2}
    )
    assert [row.method for row in rows] == ["majority", "bag-of-words", "full+head", "random-weights"]


@pytest.mark.parametrize(("lacks", "method"), [(NO_WORDS, "lora+head"), (NO_POOLER, "top+head"), (NO_POOLER, "lora")])
def test_what_was_tuned_on_such_a_base_is_opened_again(tmp_path, lacks, method):
    base = lacking(*lacks)
    save_checkpoint(tmp_path / "base", base)
    tuned = tune(Method.parse(method, ["steps=2"]), base, TaskData(DATA, tiny.question("bert")), 1)
    tuned.save(tmp_path / "t")
    opened = open_tuned(tmp_path / "t", tmp_path / "base")
    texts = [example.text for example in EXAMPLES]
    assert opened.base.lacks == lacks and (opened.probabilities(texts) == tuned.probabilities(texts)).all()


def test_a_blank_under_a_head_is_not_read_by_a_head_that_nobody_trained():
    predictor = Method.parse("frozen@manual+head").build(lacking(*NO_WORDS), tiny.question("bert"), 0)
    assert "likeliest words" in explain(predictor, EXAMPLES[0])
    assert "likeliest words" not in explain(predictor, EXAMPLES[0], NO_WORDS)
