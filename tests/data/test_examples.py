"""Datasets: what a user's file is split into, how few examples are drawn, and what a tokenizer makes of texts."""

import random
from collections import Counter

import pytest

from minitune.data.examples import (
    Dataset,
    Example,
    draw,
    draw_few,
    report_texts,
    take_each,
)
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
LABELS = ("bad", "fair", "good")


def pool(*counts):
    """Examples of each class, `counts` of them, shuffled."""
    examples = [Example(f"text {label} {i}", label=label) for label, count in enumerate(counts) for i in range(count)]
    return random.Random(0).sample(examples, len(examples))


# draws


def test_a_draw_is_balanced_disjoint_and_by_seed():
    examples = pool(20, 9, 12)
    for seed in range(20):
        train, dev = draw_few(examples, 4, seed, LABELS)
        assert Counter(e.label for e in train) == Counter(e.label for e in dev) == {0: 4, 1: 4, 2: 4}
        assert not set(train) & set(dev), "an example is in train and in dev"
        assert (train, dev) == draw_few(examples, 4, seed, LABELS)
    assert len({tuple(draw_few(examples, 4, seed, LABELS)[0]) for seed in range(20)}) == 20


@pytest.mark.parametrize(("counts", "shots", "dev"), [((6, 5, 9), 4, 1), ((4, 4, 4), 4, 0), ((4, 9, 9), 4, 0)])
def test_dev_is_as_large_as_the_smallest_class_allows(counts, shots, dev):
    train, rest = draw_few(pool(*counts), shots, 0, LABELS)
    assert len(train) == 3 * shots and len(rest) == 3 * dev


def test_every_example_may_be_drawn():
    examples = pool(6, 6, 6)
    seen = {e for seed in range(60) for e in draw_few(examples, 2, seed, LABELS)[0]}
    assert seen == set(examples)


def test_a_class_too_small_or_absent_is_refused():
    with pytest.raises(UserError, match=r"'fair' has 3 examples"):
        draw_few(pool(9, 3, 9), 4, 0, LABELS)
    with pytest.raises(UserError, match="'good' has 0 examples"):
        draw_few(pool(9, 9), 4, 0, LABELS)


def test_take_each_splits_without_loss():
    examples = pool(5, 8)
    for seed in range(20):
        taken, rest = take_each(examples, {0: 3, 1: 2}, random.Random(seed))
        assert Counter(e.label for e in taken) == {0: 3, 1: 2}
        assert sorted(taken + rest, key=str) == sorted(examples, key=str)


def data_of(*counts, dev=(), by_class=True):
    return Dataset("toy", LABELS, tuple(pool(*counts)), (), tuple(dev), by_class)


def test_so_many_a_class_or_in_all():
    data = data_of(20, 9, 12)
    assert [list(part) for part in draw(data, 4, 1)] == list(draw_few(data.pool, 4, 1, LABELS)), "balanced by class"
    train, dev = draw(data_of(20, 9, 12, by_class=False), 8, 1)
    assert (len(train), len(dev)) == (8, 8) and not set(train) & set(dev)
    train, dev = draw(data_of(3, 3, 3, by_class=False), 7, 1)
    assert (len(train), len(dev)) == (7, 2), "dev is what is left"
    assert draw(data_of(3, 3, 3, by_class=False), 9, 1)[1] == ()


def test_all_of_the_pool_with_the_dev_set_beside_it_or_a_fifth_kept():
    beside = [Example("dev", label=0)]
    data = data_of(4, 4, 2, dev=beside)
    assert draw(data, None, 3) == (data.pool, tuple(beside))
    for by_class in (True, False):
        train, dev = draw(data_of(4, 4, 2, by_class=by_class), None, 3)
        assert (len(train), len(dev)) == (8, 2) and not set(train) & set(dev), "an example is in train and in dev"
    train, dev = draw(Dataset("toy", LABELS, (Example("one"),), ()), None, 3)
    assert (len(train), dev) == (1, ())


def test_a_draw_of_any_kind_is_by_seed_and_changes_nothing():
    for shots in (None, 5):
        data = data_of(9, 9, 9, by_class=False)
        before = data.pool
        assert draw(data, shots, 1) == draw(data, shots, 1) != draw(data, shots, 2)
        assert data.pool == before
    assert draw(data_of(9, 9, 9), 2, 1) != draw(data_of(9, 9, 9), 2, 2)


def test_more_than_there_are_is_refused():
    with pytest.raises(UserError, match="10 examples were asked for, and toy has 9"):
        draw(data_of(3, 3, 3, by_class=False), 10, 0)
    with pytest.raises(UserError, match="'fair' has 2 examples to draw from; lower --shots"):
        draw(data_of(3, 2, 3), 3, 0)


# what a tokenizer makes of texts


def test_the_report_of_texts_by_hand(bert_tokenizer):
    texts = ["the plot was zqzq .", "猫 great !"]  # of 6 words one is split and one unknown
    report = report_texts(texts, bert_tokenizer, context=7)
    length = len(bert_tokenizer.encode(texts[0]))
    assert (report.texts, report.tokens, report.unknown) == (2, length + 3, 1)
    assert report.cut == (length > 7)
    assert report.split_words == pytest.approx(2 / 6)
    assert "2 texts" in str(report) and "33% of the words split" in str(report)


def test_the_report_counts_words_as_often_as_they_occur_and_no_punctuation(gpt_tokenizer):
    report = report_texts(["great zqzq great ! ?", "great"], gpt_tokenizer, context=5)
    assert report.split_words == pytest.approx(1 / 4) and report.unknown == 0 and report.cut == 1
