"""Lesson 15, LM-BFF's label words: whole combinations, judged by how well they answer."""

import itertools
import math

import pytest
import torch

from minitune.errors import UserError
from minitune.readout.lm_bff_words import (
    LMBFFWordsConfig,
    combinations,
    judge,
    likeliest_words,
    lm_bff_words,
    words_within,
)
from tests.naming import expect

pytestmark = pytest.mark.lesson15
CLASSES = ("bad", "fair", "good")
LABELS = torch.tensor([2, 0, 1, 0, 2, 2, 0, 1, 2])
DEV_LABELS = torch.tensor([1, 0, 2, 0, 1, 2])


@pytest.fixture
def logits():
    """(N, V) = (9, 14): each class has a favourite word, a little above the noise."""
    drawn = torch.randn(9, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return drawn + 1.5 * torch.eye(14, dtype=torch.float64)[LABELS + 4]


@pytest.fixture
def dev_logits():
    drawn = torch.randn(6, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return drawn + 1.5 * torch.eye(14, dtype=torch.float64)[DEV_LABELS + 4]


def slow(words, logits, labels):
    """Accuracy and mean loss of one combination, one example after the other."""
    right, loss = 0.0, 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        scores = [row[word] for word in words]
        best = [place for place, score in enumerate(scores) if score == max(scores)]
        right += (label in best) / len(best)
        loss -= math.log(math.exp(scores[label]) / sum(map(math.exp, scores)))
    return right / len(labels), loss / len(labels)


# shapes


def test_one_word_for_each_class_and_all_that_was_tried(logits, dev_logits):
    found = lm_bff_words(
        logits, LABELS, dev_logits, DEV_LABELS, CLASSES, range(14), LMBFFWordsConfig(likeliest=5, judged=7)
    )
    assert len(found.words) == 3 and all(isinstance(word, int) for word in found.words)
    assert found.per_class == 5 and found.on_train.words.shape[1] == 3 and len(found.on_train.words) <= 5**3
    judged = {"the dev set judges all combinations, not the best of training": len(found.on_train.words)}
    expect(len(found.on_dev.words), 7, judged)
    wrong = {"what training holds best is taken, and the dev set is not asked": lambda: found.on_train.words[0]}
    expect(found.words, found.on_dev.words[0], wrong)


# numbers worked by hand


def test_all_combinations_but_those_that_give_a_word_twice():
    wrong = {"a word stands for two classes": [[1, 2], [1, 3], [2, 2], [2, 3]]}
    expect(combinations(torch.tensor([[1, 2], [2, 3]])), [[1, 2], [1, 3], [2, 3]], wrong)


def test_no_word_stands_for_the_first_class_and_for_the_last():
    every = torch.tensor([[1, 5], [2, 6], [1, 7]])
    right = [its for its in itertools.product((1, 5), (2, 6), (1, 7)) if its[0] != its[2]]
    neighbours = list(itertools.product((1, 5), (2, 6), (1, 7)))
    expect(combinations(every), right, {"only neighbouring classes are compared": neighbours})


@pytest.mark.parametrize(
    ("most", "classes", "words"), [(10_000, 2, 100), (10_000, 5, 6), (10_000, 7, 3), (7, 3, 1), (125, 3, 5)]
)
def test_how_many_words_a_class_keep_within_the_bound(most, classes, words):
    expect(words_within(most, classes), words, {"one word too few: k^C may be the bound itself": words - 1})


def test_accuracy_loss_and_order_worked_by_hand():
    logits = torch.tensor([[2.0, 0.0, 1.0, 1.0], [0.0, 2.0, 1.0, 1.0]])
    judged = judge(torch.tensor([[2, 3], [1, 0], [0, 1], [2, 1], [0, 2]]), logits, torch.tensor([0, 1]))
    wrong = {
        "among equally accurate ones the least sure comes first": [[2, 1], [0, 2], [0, 1], [2, 3], [1, 0]],
        "the least accurate comes first": [[1, 0], [2, 3], [0, 1], [2, 1], [0, 2]],
        "equals are not in the order in which they were tried": [[0, 1], [0, 2], [2, 1], [2, 3], [1, 0]],
    }
    expect(judged.words, [[0, 1], [2, 1], [0, 2], [2, 3], [1, 0]], wrong)
    wrong = {
        "a tie counts as right": [1.0, 1.0, 1.0, 1.0, 0.0],
        "a tie counts as wrong": [1.0, 1.0, 1.0, 0.0, 0.0],
    }
    expect(judged.accuracy, [1.0, 1.0, 1.0, 0.5, 0.0], wrong)
    low, high = math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1))
    every = math.log(sum(math.exp(x - 2.0) for x in logits[0].tolist()))
    wrong = {"the loss is over all words, not over the classes'": [every, every + 0.5, every + 0.5]}
    expect(judged.loss[:3], [low, high, high], wrong, tolerance=1e-7)
    expect(judged.tied, 3, {"all that were tried are counted": 5, "the best alone is counted": 1})


@pytest.mark.parametrize("sure", [True, False])
def test_accuracy_goes_before_loss(sure):
    """Words 0 and 1 answer two of three right and are very sure; words 2 and 3 are right of all, and hardly sure."""
    logits = torch.tensor([[9.0, 0.0, 0.2, 0.0], [9.0, 0.0, 0.2, 0.0], [0.1, 0.0, 0.0, 0.2]])
    order = [[0, 1], [2, 3]] if sure else [[2, 3], [0, 1]]
    best = judge(torch.tensor(order), logits, torch.tensor([0, 0, 1])).words[0]
    expect(best, [2, 3], {"combinations are ordered by their loss alone, not by accuracy first": [0, 1]})


# invariants


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_words_that_all_tie_are_at_chance(classes):
    """Were ties given to the first class, a combination that says nothing would be right whenever that class is."""
    logits, words = torch.full((6, 9), 0.3), torch.arange(classes)[None]
    for label in range(classes):
        accuracy = judge(words, logits, torch.full((6,), label)).accuracy.item()
        assert accuracy == pytest.approx(1 / classes), "a tie is resolved by the order of the classes"


def test_each_class_s_words_are_likely_in_its_own_examples(logits):
    """The examples stand in no order: a mean over the wrong ones would mix the classes."""
    allowed = [i for i in range(14) if i not in (0, 3, 5)]

    def likely(of_rows):
        chosen = [of_rows(logits[label == LABELS]) for label in range(3)]
        return [sorted(allowed, key=lambda word: -scores[word].item())[:4] for scores in chosen]

    right = likely(lambda rows: rows.mean(dim=0))
    wrong = {
        "means are taken over all examples, not over the class's": likely(lambda rows: logits.mean(dim=0)),
        "the highest logit counts, not the mean": likely(lambda rows: rows.amax(dim=0)),
        "the least likely words are taken": likely(lambda rows: -rows.mean(dim=0)),
        "places among the allowed words are taken for ids": [[allowed.index(word) for word in its] for its in right],
    }
    expect(likeliest_words(logits, LABELS, 3, allowed, 4), right, wrong)


def test_the_order_of_the_examples_does_not_matter(logits, dev_logits):
    order = torch.tensor([4, 8, 0, 3, 7, 1, 5, 2, 6])
    config = LMBFFWordsConfig(likeliest=5)
    one = lm_bff_words(logits, LABELS, dev_logits, DEV_LABELS, CLASSES, range(14), config)
    other = lm_bff_words(logits[order], LABELS[order], dev_logits, DEV_LABELS, CLASSES, range(14), config)
    assert one.words == other.words and one.on_train.tied == other.on_train.tied


def test_no_word_stands_for_two_classes_and_none_is_found_that_is_not_allowed(logits, dev_logits):
    allowed = [1, 4, 5, 6, 9]
    found = lm_bff_words(logits, LABELS, dev_logits, DEV_LABELS, CLASSES, allowed, LMBFFWordsConfig(likeliest=50))
    assert all(len(set(words)) == 3 and set(words) <= set(allowed) for words in found.on_train.words.tolist())
    assert len(found.on_train.words) == 5 * 4 * 3, "some combination is left out, or tried twice"


def test_the_parts_that_are_judged_at_once_do_not_matter(logits, monkeypatch):
    words = combinations(likeliest_words(logits, LABELS, 3, range(14), 6))
    whole = judge(words, logits, LABELS)
    monkeypatch.setattr("minitune.readout.lm_bff_words.AT_ONCE", 100)
    parts = judge(words, logits, LABELS)
    assert torch.equal(whole.words, parts.words)
    torch.testing.assert_close(whole.loss, parts.loss, rtol=1e-12, atol=0)


# parity with an independent computation


def test_equals_a_loop_over_all_combinations(logits, dev_logits):
    candidates = likeliest_words(logits, LABELS, 3, range(14), 5).tolist()
    every = [words for words in itertools.product(*candidates) if len(set(words)) == 3]
    kept = sorted(every, key=lambda words: (-slow(words, logits, LABELS)[0], slow(words, logits, LABELS)[1]))[:6]
    best = min(
        kept, key=lambda words: (-slow(words, dev_logits, DEV_LABELS)[0], slow(words, dev_logits, DEV_LABELS)[1])
    )
    found = lm_bff_words(
        logits, LABELS, dev_logits, DEV_LABELS, CLASSES, range(14), LMBFFWordsConfig(likeliest=5, judged=6)
    )
    again = min(
        every, key=lambda words: (-slow(words, dev_logits, DEV_LABELS)[0], slow(words, dev_logits, DEV_LABELS)[1])
    )
    unsure = max(
        kept, key=lambda words: (slow(words, dev_logits, DEV_LABELS)[0], slow(words, dev_logits, DEV_LABELS)[1])
    )
    wrong = {
        "the dev set is not looked at": kept[0],
        "the dev set judges all combinations, not the best of training": again,
        "among equals on dev the least sure is taken": unsure,
        "the loss on dev decides, not the accuracy": min(kept, key=lambda its: slow(its, dev_logits, DEV_LABELS)[1]),
    }
    expect(found.words, best, {cause: value for cause, value in wrong.items() if value != best})
    assert len({kept[0], again, best}) == 3, "the fixture does not tell what judges"
    by_loss = sorted(every, key=lambda words: slow(words, logits, LABELS)[1])[:6]
    expect(found.on_train.words[:6], kept, {"training orders by the loss alone": by_loss})
    for words, accuracy, loss in zip(*(part.tolist() for part in vars(found.on_train).values()), strict=True):
        torch.testing.assert_close((accuracy, loss), slow(words, logits, LABELS), rtol=1e-12, atol=1e-12)


def test_the_ties_at_the_top_are_counted(logits):
    found = lm_bff_words(logits, LABELS, None, None, CLASSES, range(14), LMBFFWordsConfig(likeliest=6))
    accuracies = [slow(words, logits, LABELS)[0] for words in found.on_train.words.tolist()]
    assert found.on_train.tied == sum(accuracy == max(accuracies) for accuracy in accuracies) > 1
    assert found.on_dev is None and found.words == tuple(found.on_train.words[0].tolist())
    tied = found.on_train.first(found.on_train.tied)
    assert found.words == tuple(tied.words[tied.loss.argmin()].tolist()), "among ties the surest is to be taken"


# does it find what is there?


def test_planted_words_are_found_in_a_linear_world():
    generator = torch.Generator().manual_seed(3)
    output = torch.randn(60, 64, generator=generator) / 4
    planted = [7, 12, 44]
    labels, dev_labels = torch.arange(3).repeat(8), torch.arange(3).repeat(8).flip(0)

    def world(of):
        return (output[planted][of] + 0.5 * torch.randn(24, 64, generator=generator)) @ output.T

    found = lm_bff_words(world(labels), labels, world(dev_labels), dev_labels, CLASSES, range(60), LMBFFWordsConfig())
    assert list(found.words) == planted and found.per_class == 21  # 21^3 = 9,261 within 10,000


def test_the_dev_set_decides_among_what_training_keeps(logits, dev_logits):
    """On dev everything is the other way round: bad is said with the word that training has for good."""
    turned = dev_logits.clone()
    turned[:, [4, 6]] = dev_logits[:, [6, 4]] * 3
    config = LMBFFWordsConfig(likeliest=6, judged=10_000)
    found = lm_bff_words(logits, LABELS, turned, DEV_LABELS, CLASSES, range(14), config)
    alone = lm_bff_words(logits, LABELS, None, None, CLASSES, range(14), config)
    assert found.words != alone.words, "the dev set is not looked at"
    assert slow(found.words, turned, DEV_LABELS)[0] == max(
        slow(words, turned, DEV_LABELS)[0] for words in found.on_train.words.tolist()
    )


# what is refused


def test_a_class_without_an_example_is_named(logits, dev_logits):
    with pytest.raises(UserError, match="'fair' has no training example"):
        lm_bff_words(logits, torch.where(LABELS == 1, 0, LABELS), None, None, CLASSES, range(14), LMBFFWordsConfig())


def test_a_dev_set_of_one_class_is_refused(logits, dev_logits):
    with pytest.raises(UserError, match="all dev examples are of the class 'good'"):
        lm_bff_words(logits, LABELS, dev_logits, torch.full((6,), 2), CLASSES, range(14), LMBFFWordsConfig())


def test_no_combination_of_different_words(logits):
    with pytest.raises(UserError, match="the 1 likeliest words of each of 3 classes make no combination"):
        lm_bff_words(logits * 0, LABELS, None, None, CLASSES, range(14), LMBFFWordsConfig(likeliest=1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"likeliest": 0}, "likeliest is 0"), ({"tried": 0}, "tried is 0; 1 to"), ({"judged": 0}, "judged is 0")],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(UserError, match=message):
        LMBFFWordsConfig(**settings)
