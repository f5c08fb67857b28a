"""Lesson 10, demonstrations: which solved examples are shown, with which answers, in which order."""

import random
from collections import Counter

import pytest

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.prompting.demonstrations import (
    DemonstrationsConfig,
    all_orders,
    as_demonstrations,
    choose,
    ordered,
    with_random_labels,
)
from minitune.prompting.template import Demonstration
from tests.naming import expect

pytestmark = pytest.mark.lesson10
POOL = [Example(f"text {i}", f"more {i}" if i % 2 else None, label=(0, 0, 0, 1, 2)[i % 5]) for i in range(20)]


def counts(chosen):
    return sorted(Counter(example.label for example in chosen).values())


# shapes


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4, 20])
def test_as_many_as_asked_for_none_of_them_twice(count, balanced):
    chosen = choose(POOL, count, seed=3, balanced=balanced)
    assert len({example.text for example in chosen}) == len(chosen) == count
    assert set(chosen) <= set(POOL)


# numbers worked by hand


@pytest.mark.parametrize(("count", "expected"), [(3, [1, 1, 1]), (4, [1, 1, 2]), (6, [2, 2, 2]), (14, [4, 4, 6])])
def test_balanced_means_each_class_as_often_while_there_are_enough(count, expected):
    for seed in range(5):  # of the pool's 20, twelve are of one class
        found = choose(POOL, count, seed)
        drawn = counts(choose(POOL, count, seed, balanced=False))
        wrong = {"the examples are drawn as they come, not as often of each class": drawn} if drawn != expected else {}
        expect(counts(found), expected, wrong)


def test_unbalanced_follows_the_pool():
    drawn = Counter(example.label for seed in range(200) for example in choose(POOL, 5, seed, balanced=False))
    assert drawn[0] / 1000 == pytest.approx(0.6, abs=0.06)


def test_the_extra_one_is_not_always_of_the_same_class():
    twice = {
        max(Counter(e.label for e in choose(POOL, 4, seed)).items(), key=lambda item: item[1]) for seed in range(9)
    }
    assert len(twice) > 1, "one class is always shown more often than the others"


def test_there_are_24_orders_of_four():
    orders = list(all_orders(choose(POOL, 4, seed=0)))
    assert len(set(orders)) == 24 and all(set(order) == set(orders[0]) for order in orders)


def test_answers_stand_with_their_own_texts():
    chosen = [POOL[4], POOL[3], POOL[0]]

    def shown(*answers, second=("more 3",)):
        texts = [("text 4", None), ("text 3", *second), ("text 0", None)]
        return tuple(Demonstration(a, b, answer) for (a, b), answer in zip(texts, answers, strict=True))

    wrong = {
        "the answers are in the order of the classes and not of the texts (P49)": shown("zero", "one", "two"),
        "the second text is lost": shown("two", "one", "zero", second=(None,)),
    }
    expect(as_demonstrations(chosen, ["zero", "one", "two"]), shown("two", "one", "zero"), wrong)


# invariants


def test_the_same_seed_gives_the_same_and_the_order_is_a_seed_of_its_own():
    assert choose(POOL, 6, seed=1) == choose(POOL, 6, seed=1)
    assert set(choose(POOL, 6, seed=1)) != set(choose(POOL, 6, seed=2)), "another seed chooses the same examples"
    chosen = choose(POOL, 6, seed=1)
    orders = {tuple(ordered(chosen, seed)) for seed in range(8)}
    assert len(orders) > 4, "the order does not depend on its seed"
    assert all(set(order) == set(chosen) for order in orders)


def test_nothing_depends_on_what_was_drawn_before():
    random.seed(0)
    first = choose(POOL, 4, seed=5), ordered(POOL, 5), with_random_labels(POOL, 3, 5)
    random.seed(9)
    assert (choose(POOL, 4, seed=5), ordered(POOL, 5), with_random_labels(POOL, 3, 5)) == first


def test_balanced_examples_are_not_sorted_by_class():
    firsts = {choose(POOL, 6, seed)[0].label for seed in range(12)}
    lasts = {choose(POOL, 6, seed)[-1].label for seed in range(12)}
    assert firsts == lasts == {0, 1, 2}, "a class always stands first: what looks like recency is the order of the draw"


def test_random_labels_leave_the_texts_and_say_nothing_of_the_class():
    dealt = [e for seed in range(30) for e in with_random_labels(POOL, 3, seed)]
    texts = {"the second text is lost": [(e.text, None) for e in POOL]}
    expect([(e.text, e.text_b) for e in dealt[:20]], [(e.text, e.text_b) for e in POOL], texts)
    right = sum(e.label == POOL[i % 20].label for i, e in enumerate(dealt)) / len(dealt)
    assert right == pytest.approx(1 / 3, abs=0.06), "random labels must be right as often as chance is"


# bad input


def test_more_than_there_are():
    with pytest.raises(UserError, match=r"21 demonstrations are asked for, and there are 20 examples.*--set shown=N"):
        choose(POOL, 21, seed=0)


@pytest.mark.parametrize("name", ["shown", "order"])
def test_settings_out_of_range(name):
    with pytest.raises(UserError, match=f"{name} is -1"):
        DemonstrationsConfig(**{name: -1})
