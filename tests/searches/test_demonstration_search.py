"""Lesson 10, @demonstrations: with any model and any other answer; saved, told, and never an answer given away."""

from dataclasses import replace

import pytest
import torch

from minitune.data.examples import Dataset, DevSet, Example, TrainSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.methods.method import Method
from minitune.prompting.demonstrations import DemonstrationsConfig
from minitune.prompting.template import Demonstration, Template
from minitune.questions.task_data import TaskData
from minitune.searches.demonstration_search import answer_words, longest_question, not_shown, show_examples
from minitune.searches.search import Search
from minitune.training.checkpoint import load_checkpoint, save_checkpoint
from minitune.tuned.tuned import open_tuned, tune
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson10
POOL = [
    Example(f"the {word} was {how}", label=label)
    for word in ("hero", "plot", "soup", "bread", "bed", "film")
    for label, how in enumerate(("awful", "slow", "great"))
]
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:4])
LONG = Dataset("long", tiny.LABELS, [Example(e.text + " and the room was soft" * 2, label=e.label) for e in POOL], POOL)


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def learned(kind, name="frozen@demonstrations+verbalizer", *settings, data=DATA, shots=4, question=None, seed=5):
    method = Method.parse(name, settings)
    return learn(method, tiny.checkpoint(kind), question or tiny.question(kind), data, shots, seed)


def test_what_is_shown_is_of_the_draw_with_its_own_answers(kind):
    found = learned(kind)
    shown = found.question.demonstrations
    label = {example.text: example.label for example in found.train}
    assert len(shown) == 4 and all(one.text in label for one in shown), "a demonstration is not of the training set"
    for one in shown:
        assert one.answer == tiny.WORDS[tiny.LABELS[label[one.text]]][0], "a demonstration shows another class's word"
    assert [line.partition(": ")[2] for line in found.question.found] == [f"{o.text} -> {o.answer}" for o in shown]


def test_a_class_is_shown_by_its_first_word_without_its_weight():
    words = {"good": ("great:2", "good:3"), "bad": ("not good:0.5", "awful")}
    wrong = {
        "the weight is shown as a part of the word": ["not good:0.5", "fair", "great:2"],
        "another word than the first is shown": ["awful", "fair", "good"],
        "the classes' names are shown": list(tiny.LABELS),
    }
    expect(answer_words(tiny.question("bert", label_words=words)), ["not good", "fair", "great"], wrong)


def shown_of(kind, seed=0, **settings):
    """What is shown of one and the same draw, in which one class is rare."""
    template, settings = Template.parse(tiny.question(kind).template), DemonstrationsConfig(**settings)
    train = TrainSet([example for example in POOL if example.label or "hero" in example.text], tiny.LABELS)
    search = Search(tiny.checkpoint(kind), tiny.question(kind), train, DevSet((), tiny.LABELS), seed)
    return show_examples(replace(search, template=template, settings=settings)).demonstrations


def test_the_seed_and_the_balance_are_the_search_s(kind):
    one, other = ({its.text for its in shown_of(kind, seed, shown=3)} for seed in (0, 1))
    assert one != other, "every seed shows the same examples of a draw"
    rare = [sum(its.answer == "awful" for its in shown_of(kind, seed, shown=3)) for seed in range(6)]
    assert rare == [1] * 6, "the examples are not balanced"
    drawn = [sum(its.answer == "awful" for its in shown_of(kind, seed, shown=3, balanced=False)) for seed in range(6)]
    assert drawn != rare, "the examples are balanced although that was not wanted"


def test_room_is_left_for_the_longest_question(kind):
    template, tokenizer = Template.parse(tiny.question(kind).template), tiny.checkpoint(kind).tokenizer
    train = [Example("great soup"), Example("the film was awful " * 20), Example("a dull plot")]
    lengths = [len(template.render(example, tokenizer, 500).ids) for example in train]
    search = Search(tiny.checkpoint(kind), tiny.question(kind), TrainSet(train), DevSet(()), 0)
    wrong = {"the shortest question": min(lengths), "what the context leaves of it": 61}
    expect(longest_question(template, search), max(lengths), wrong)


def test_a_weighted_word_is_shown_and_read_alike(kind):
    words = {"bad": ("awful:3",), "fair": ("sad:2", "slow"), "good": ("great:0.5",)}
    shown = learned(kind, question=tiny.question(kind, label_words=words)).question.demonstrations
    assert {one.answer for one in shown} == {"awful", "sad", "great"}, "a demonstration shows a weight"


def pairs_shown(count):
    """A search on nine pairs of three first texts, of which the first `count` pairs are shown."""
    pairs = [Example(text, f"it was {word} {i}", label=label)
             for i, text in enumerate(("the hero", "the plot", "the soup"))
             for label, word in enumerate(("awful", "slow", "great"))]  # fmt: skip
    shown = tuple(Demonstration(pair.text, pair.text_b, "great") for pair in pairs[:count])
    asked = replace(tiny.question("bert", template="{text} {text_b} {mask}", is_pair=True), demonstrations=shown)
    return pairs, Search(tiny.checkpoint("bert"), asked, TrainSet(pairs, tiny.LABELS), DevSet((), tiny.LABELS), 0)


def test_pairs_are_trained_on_that_share_a_first_text_with_one_that_is_shown():
    pairs, search = pairs_shown(2)
    wrong = {
        "a pair is left out for its first text alone": [pair.text_b for pair in pairs[3:]],
        "what is shown is trained on": [pair.text_b for pair in pairs],
    }
    expect([pair.text_b for pair in not_shown(search)], [pair.text_b for pair in pairs[2:]], wrong)
    assert not_shown(search).labels == tiny.LABELS


def test_a_class_of_which_all_are_shown_is_trained_on_all_the_same():
    pairs, search = pairs_shown(1)
    few = replace(search, train=TrainSet([pairs[0], pairs[1], pairs[2], pairs[4]], tiny.LABELS))
    wrong = {"a class is left without any example": [*pairs[1:3], pairs[4]]}
    expect(list(not_shown(few)), [pairs[0], pairs[1], pairs[2], pairs[4]], wrong)


def test_what_is_read_is_the_demonstrations_one_after_the_other_and_then_the_question(kind):
    found = learned(kind)
    tokenizer, asked = tiny.checkpoint(kind).tokenizer, Example("a sad plot")
    ids = found.predictor.render([asked])[0].ids
    told = [f"{one.text} it was {one.answer} ." for one in found.question.demonstrations]
    before = tokenizer.encode(" ".join(told))
    start = kind == "bert"
    assert ids[start : start + len(before)] == before
    alone = Template.parse(tiny.question(kind).template).render(asked, tokenizer, 61).ids
    assert ids[start + len(before) :] == alone[start:]


def test_the_order_changes_and_the_examples_stay(kind):
    one, other = (learned(kind, "frozen@demonstrations", f"order={n}").question.demonstrations for n in (0, 3))
    assert one != other, "the order does not depend on its own seed"
    assert set(one) == set(other), "another order shows other examples"


@pytest.mark.parametrize(
    "name", ["full@demonstrations+verbalizer", "prompt-tuning@demonstrations", "lora@demonstrations+head"]
)
def test_no_example_that_is_trained_on_is_shown(kind, name, monkeypatch):
    """P48: a question whose answer stands before it teaches to copy."""
    trained = []
    from minitune.experiments import experiment

    plain = experiment.fit
    monkeypatch.setattr(
        experiment, "fit", lambda m, p, train, *rest: trained.append(train) or plain(m, p, train, *rest)
    )
    found = learned(kind, name, "steps=2", *(["length=2"] if "prompt" in name else []))
    shown = {one.text for one in found.question.demonstrations}
    (train,) = trained
    assert len(train) == 12 - 4 and not shown & {example.text for example in train}


def test_an_example_is_never_its_own_demonstration(kind):
    """P48, where every example of a class is shown: each is asked without its own."""
    found = learned(kind, "full@demonstrations", "steps=1", shots=1)
    shown = found.question.demonstrations
    assert len(shown) == 3
    for example in found.train:
        ids = found.predictor.render([example])[0].ids
        mine = tiny.checkpoint(kind).tokenizer.encode(example.text)
        places = [i for i in range(len(ids)) if ids[i : i + len(mine)] == mine]
        assert len(places) == 1, "the question stands among its own demonstrations, with its answer"


def test_random_labels_are_a_control_of_the_same_texts(kind):
    one = learned(kind, seed=2).question.demonstrations
    other = learned(kind, "frozen@demonstrations", "random_labels=true", seed=2).question.demonstrations
    assert [o.text for o in one] == [o.text for o in other] and one != other


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        *[("verbalizer", "gpt"), ("verbalizer", "bert"), ("head", "gpt"), ("soft", "bert"), ("prototypes", "gpt")],
        *[("probe", "bert"), ("petal", "gpt")],
    ],
)
def test_with_any_other_answer_calibrated_or_not_saved_and_opened(kind, read, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint(kind))
    base, data = load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question(kind))
    texts = ["a sad plot", "great soup"]
    for name in (f"frozen@demonstrations+{read}", f"frozen@demonstrations+{read}+calibrated"):
        method = Method.parse(name, ["steps=2", "shown=2"])
        tuned = tune(method, base, data, shots=2, seed=1)
        tuned.save(tmp_path / name)
        opened = open_tuned(tmp_path / name)
        assert len(tuned.question.demonstrations) == 2
        assert opened.question.demonstrations == tuned.question.demonstrations
        assert opened.question.found == tuned.question.found
        assert torch.equal(opened.probabilities(texts), tuned.probabilities(texts))


def test_of_themselves_as_many_are_shown_as_fit(kind):
    found = learned(kind, data=LONG)
    assert 1 <= len(found.question.demonstrations) < 4
    longest = max(found.train, key=lambda example: len(example.text))
    assert found.predictor.render([longest])[0].cut == 0, "no room is left for the longest question"


@pytest.mark.parametrize(
    ("settings", "data", "shots", "expected"),
    [
        (
            ["shown=4"],
            LONG,
            4,
            r"4 demonstrations leave too little room .* lose \d+ of its tokens, with a context of 61",
        ),
        (["shown=7"], DATA, 2, r"7 demonstrations are asked for, and there are 6 examples"),
        (["shown=-1"], DATA, 2, "shown is -1"),
    ],
)
def test_more_than_fit_and_more_than_there_are(kind, settings, data, shots, expected):
    with pytest.raises(UserError, match=expected):
        learned(kind, "frozen@demonstrations", *settings, data=data, shots=shots)


def test_where_there_is_nothing_to_show(kind):
    with pytest.raises(UserError, match="has no blank"):
        learned(kind, question=tiny.question(kind, template="{text} so", is_own=True))
    with pytest.raises(UserError, match="this task has no"):
        learned(kind, "full@demonstrations", question=replace(tiny.question(kind), kind="words"))
