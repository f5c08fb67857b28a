"""Lesson 15: label words are searched at the blank of the training examples, told, used and saved."""

import re
from dataclasses import fields, replace

import pytest
import torch

from minitune.data.examples import Dataset, DevSet, Example, TrainSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.methods.asked import ASKED
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.prompting.template import Demonstration, Template
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.searches import label_search
from minitune.searches.search import Search
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from minitune.training.loop import TrainConfig
from minitune.tuned.tuned import open_tuned, tune
from tests import tiny

pytestmark = pytest.mark.lesson15
SEARCHES = ("petal", "lm-bff", "autoprompt")
POOL = [Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread", "film", "room")
        for label, how in enumerate(("awful", "slow and so sad", "great"))]  # fmt: skip
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:3])
ALL = [(read, kind) for read in SEARCHES for kind in ("gpt", "bert")]


def found_by(read, kind, what="frozen", shots=2, seed=0, settings=(), **changes):
    method = Method.parse(f"{what}+{read}", settings)
    return learn(method, tiny.checkpoint(kind), tiny.question(kind, **changes), DATA, shots, seed)


def search_of(kind, read, examples=POOL, dev=(), **changes):
    """As `searched` makes it, of a template of the reader's own."""
    given = {"template": Template.parse(tiny.question(kind).template), "settings": READ[read].settings()} | changes
    return Search(tiny.checkpoint(kind), tiny.question(kind), TrainSet(examples), DevSet(dev), seed=0, **given)


# shapes


@pytest.mark.parametrize(("read", "kind"), ALL)
def test_each_class_gets_words_of_its_own_that_the_model_knows(read, kind):
    learned = found_by(read, kind)
    words, known = learned.question.label_words, set(tiny.checkpoint(kind).tokenizer.words())
    assert list(words) == list(tiny.LABELS) and {len(its) for its in words.values()} == {1 if read == "lm-bff" else 3}
    flat = [word for its in words.values() for word in its]
    assert len(set(flat)) == len(flat) and set(flat) <= known, "a word stands for two classes, or is no whole word"
    ids = [[tiny.checkpoint(kind).tokenizer.word_id(word) for word in its] for its in words.values()]
    assert learned.predictor.readout.ids.tolist() == ids, "other words are used than were found"
    for label, its in words.items():
        assert f"{label} = {its[0]}" in learned.question.found[0], "what was found is not told"


# numbers worked by hand


def test_lm_bff_tells_its_ties_and_how_far_it_looked():
    _, tried, ties = found_by("lm-bff", "bert", settings=["tried=70", "judged=5"]).question.found
    assert (
        "combinations of the 4 likeliest words a class" in tried
        and " a class would make" in tried
        and "no more than 70 are)" in tried
    )
    assert "of the 5 best" in ties and "on the dev set" in ties
    whole = Dataset("toy", tiny.LABELS, POOL[:6], POOL[6:])  # nothing is left for a dev set
    method = Method.parse("frozen+lm-bff")
    ties = learn(method, tiny.checkpoint("bert"), tiny.question("bert"), whole, 2, 0).question.found[-1]
    assert "there is no dev set, so the surest of them was taken" in ties


# invariants


@pytest.mark.parametrize(("read", "kind"), ALL)
def test_the_base_is_left_as_it_was_and_the_test_is_not_looked_at(read, kind):
    before = fingerprint(tiny.checkpoint(kind).model)
    one = found_by(read, kind, what="full", settings=["steps=2"])
    assert fingerprint(tiny.checkpoint(kind).model) == before
    other = Dataset("toy", tiny.LABELS, POOL, POOL[9:])
    two = learn(Method.parse(f"full+{read}", ["steps=2"]), tiny.checkpoint(kind), tiny.question(kind), other, 2, 0)
    assert one.question.label_words == two.question.label_words


@pytest.mark.parametrize("read", SEARCHES)
def test_another_template_draw_or_number_of_examples_is_another_search(read):
    """A search that is remembered under too few of these would give back stale words."""
    variants = [{}, {"template": "so {mask} is {text}"}, {"seed": 3}, {"shots": 4}]
    found = [found_by(read, "bert", **changes).question.found for changes in variants]
    assert len(set(found)) == 4, "a stale result is given back: the words do not depend on template, seed and shots"
    assert found_by(read, "bert").question.found == found[0]


@pytest.mark.parametrize(("read", "kind"), ALL)
def test_permuting_the_classes_permutes_the_words(read, kind):
    order = [2, 0, 1]
    moved = [replace(example, label=order.index(example.label)) for example in POOL]
    names = tuple(tiny.LABELS[i] for i in order)
    one = READ[read].search(search_of(kind, read, dev=POOL[:6])).label_words
    search = search_of(kind, read, moved, dev=moved[:6])
    two = READ[read].search(replace(search, question=replace(search.question, labels=names))).label_words
    assert one == {name: two[name] for name in tiny.LABELS}, "words were matched to another class"


@pytest.mark.parametrize(("read", "kind"), ALL)
def test_placeholders_of_what_is_learned_or_searched_later_are_left_out(read, kind):
    plain = tiny.question(kind).template
    later = plain.replace("{text}", "{soft:3} {text} {trigger:2}")
    found = [READ[read].search(search_of(kind, read, template=Template.parse(t))) for t in (plain, later)]
    assert found[0].label_words == found[1].label_words


def test_demonstrations_that_are_there_are_shown(monkeypatch):
    given = []
    monkeypatch.setattr(
        label_search, "over", lambda classifier, items, read: given.extend(items) or torch.zeros(18, 24)
    )
    shown = replace(
        Template.parse("{text} it was {mask}"), demonstrations=(Demonstration("great soup", None, "great"),)
    )
    label_search.at_the_blank(search_of("gpt", "petal", template=shown), POOL)
    assert "demonstrations" in given[0].rendered.origin


# parity with an independent computation


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_what_is_read_at_the_blank_of_a_padded_batch_is_what_each_text_gives_alone(kind):
    base = tiny.checkpoint(kind)
    hidden, labels = label_search.at_the_blank(search_of(kind, "petal"), POOL)
    assert labels.tolist() == [example.label for example in POOL]
    for row, example in zip(hidden, POOL, strict=True):
        rendered = Template.parse(tiny.question(kind).template).render(example, base.tokenizer, 61)
        alone = base.model(torch.tensor([rendered.ids])).hidden[0, rendered.blanks[0]]
        torch.testing.assert_close(row, alone, rtol=0, atol=1e-5, msg="the blank of a padded text is read elsewhere")


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_autoprompt_reads_what_is_multiplied_with_the_words_vectors(kind, monkeypatch):
    """Of BERT after its MLM transform: before it, hidden states do not lie in the space of the words."""
    given = {}
    monkeypatch.setattr(label_search, "autoprompt_words", lambda *a: given.update(a=a) or [[(9, 0.0)]] * 3)
    monkeypatch.setattr(label_search, "with_words", lambda search, *_: search.question)
    label_search.autoprompt(search_of(kind, "autoprompt"))
    features, _, output, *_ = given["a"]
    model = tiny.checkpoint(kind).model
    hidden, _ = label_search.at_the_blank(search_of(kind, "autoprompt"), POOL)
    scores = features @ output.T + (model.decoder_bias if kind == "bert" else 0)
    torch.testing.assert_close(scores, model.logits(hidden), rtol=0, atol=1e-5)


# does it find what is there?


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_lm_bff_s_words_answer_as_well_as_it_tells(kind):
    """What it counted over combinations, and what the finished classifier does with the one that was taken."""
    learned = found_by("lm-bff", kind, shots=3, settings=["judged=40"])
    told = float(re.search(r"the best accuracy on the dev set, (\d\.\d+)", learned.question.found[-1])[1])
    assert learned.predictor.accuracy(learned.dev) == pytest.approx(told, abs=0.006)
    assert told > 1 / 3, "of 40 combinations that fit the training examples none does better than chance on dev"


# with every other answer


@pytest.mark.parametrize(
    ("what", "read"),
    [("prompt-tuning", "petal"), ("p-tuning-v2", "lm-bff"), ("lora", "autoprompt"), ("output", "petal")],
)
def test_it_works_with_whatever_may_change_and_is_opened_again(read, what, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("bert"))
    method = Method.parse(f"{what}@manual+{read}", {"steps": 2})
    tuned = tune(method, load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("bert")), shots=2)
    tuned.save(tmp_path / "t")
    again = open_tuned(tmp_path / "t")
    assert again.question.label_words == tuned.question.label_words and again.question.found == tuned.question.found
    texts = [example.text for example in POOL]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts))


@pytest.mark.parametrize("read", SEARCHES)
def test_words_found_for_a_frozen_model_are_saved_though_nothing_was_trained(read, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("gpt"))
    tuned = tune(
        Method.parse(f"frozen+{read}"), load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("gpt")), 2
    )
    tuned.save(tmp_path / "t")
    assert open_tuned(tmp_path / "t").question.label_words == tuned.question.label_words


@pytest.mark.parametrize("read", SEARCHES)
def test_labels_that_are_no_words_need_none(read):
    labels = ("one star", "3.5", "zqzq!")
    asked = Question(labels, "{text} it was {mask}")
    data = Dataset("toy", labels, POOL, POOL[:3])
    words = learn(Method.parse(f"frozen+{read}+calibrated"), tiny.checkpoint("gpt"), asked, data, 2, 0).question
    assert list(words.label_words) == list(labels) and all(words.label_words.values())


@pytest.mark.parametrize("read", SEARCHES)
def test_no_setting_has_the_name_of_another_answer_s(read):
    """Settings are given and saved by name: the first answer that has one of this name would take it."""
    others = [answer.settings for answer in (*WHAT.values(), *ASKED.values()) if answer.settings]
    taken = {field.name for config in (*others, TrainConfig) for field in fields(config)}
    assert taken.isdisjoint(field.name for field in fields(READ[read].settings))


# what is refused


@pytest.mark.parametrize(("asked", "read"), [("words", "petal"), ("number", "lm-bff"), ("tags", "autoprompt")])
def test_a_task_without_classes_is_refused_before_the_search(asked, read, monkeypatch):
    never = replace(READ[read], search=lambda search: pytest.fail("it is searched before it is refused"))
    monkeypatch.setitem(READ, read, never)
    question = replace(tiny.question("bert"), kind=asked)
    with pytest.raises(UserError, match=rf"lora\+{read} searches for words that stand for .* write lora alone"):
        learn(Method.parse(f"lora+{read}"), tiny.checkpoint("bert"), question, DATA, 2, 0)


def test_words_that_are_given_and_searched_for():
    data = TaskData(DATA, tiny.question("bert"))
    with pytest.raises(UserError, match="petal searches for label words itself: leave out those"):
        tune(Method.parse("full+petal"), tiny.checkpoint("bert"), data, 2, label_words=tiny.WORDS)


@pytest.mark.parametrize(
    ("read", "settings", "examples", "dev", "message"),
    [
        ("petal", {"words_each": 40}, POOL, (), "are left for 'bad' where 40 were to be found"),
        ("autoprompt", {"words_each": 40}, POOL, (), "are left for '.*' where 40 were to be found"),
        ("lm-bff", {"likeliest": 1}, [replace(POOL[0], label=label) for label in range(3)], (), "make no combination"),
        ("petal", {}, [e for e in POOL if e.label != 1], (), "'fair' has no training example"),
        ("lm-bff", {}, POOL, POOL[2::3], "all dev examples are of the class 'good'"),
    ],
)
def test_what_cannot_be_searched(read, settings, examples, dev, message):
    with pytest.raises(UserError, match=message):
        READ[read].search(search_of("bert", read, examples, dev, settings=READ[read].settings(**settings)))


def test_a_template_with_several_blanks():
    with pytest.raises(UserError, match="has 2 blanks, and a word that is searched for is one token"):
        found_by("petal", "bert", template="{text} it was {mask} {mask} .")


def test_a_tokenizer_without_whole_words(monkeypatch):
    monkeypatch.setattr(type(tiny.checkpoint("gpt").tokenizer), "whole_words", lambda self: {})
    with pytest.raises(UserError, match="the gpt tokenizer keeps no word of letters whole"):
        found_by("petal", "gpt")


def test_more_scores_than_the_machine_holds(monkeypatch):
    monkeypatch.setattr(label_search, "machine_memory", lambda: 20_000)
    with pytest.raises(UserError, match=r"and this machine has 20.0 KB: search on fewer, with --shots"):
        found_by("petal", "gpt")
