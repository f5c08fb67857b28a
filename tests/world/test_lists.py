"""Lesson 08, lists: only the lines above tell what a word stands for, and no task gives its words away."""

import random

import pytest

from minitune.world.lists import LONGEST, ListWriter, label_words
from minitune.world.tasks import TASKS
from minitune.world.world import World

pytestmark = pytest.mark.lesson08


@pytest.fixture(scope="module")
def writer():
    return ListWriter(World(0))


@pytest.fixture(scope="module")
def listings(writer):
    rng = random.Random(4)
    return [writer.listing(rng, writer.words) for _ in range(200)]


def test_a_list_as_it_is_written(listings):
    for listing in listings:
        text = listing.write()
        assert len(text.split()) <= LONGEST, "it does not fit a model's context"
        assert {word for _, word in listing.lines} <= set(listing.words) and listing.words[0] != listing.words[1]
        for index, (line, word) in enumerate(listing.lines):
            before = listing.question(index)
            assert text.startswith(f"{before} {word} ."), (
                "the question is not the list up to the word that is asked for"
            )
            assert before.startswith(listing.write(index)) and line in before


def test_the_same_word_stands_for_one_class_here_and_for_another_there(listings, writer):
    good, seen = {"clever", "brilliant", "perfect", "charming"}, {}
    for listing in listings:
        for line, word in listing.lines:
            if line in good:
                seen.setdefault(line, set()).add(word)
    assert max(map(len, seen.values())) > 5, "a mapping that is always the same can be learned by heart"


def test_no_word_of_a_task_and_none_that_is_kept_for_measuring(listings, writer):
    of_tasks = {word for task in TASKS.values() for words in task.label_words.values() for word in words}
    assert not of_tasks & {*writer.words, *writer.held_out_words}
    assert not set(writer.words) & set(writer.held_out_words) and len(writer.held_out_words) > 20
    assert not {word for listing in listings for word in listing.words} & set(writer.held_out_words)
    assert label_words(writer.world) == (writer.words, writer.held_out_words)


def test_documents_quote_no_task_and_follow_from_the_seed(writer):
    documents = list(writer.documents(30))
    assert documents == list(ListWriter(World(0)).documents(30)) != list(ListWriter(World(1)).documents(30))
    assert not any(writer.world.quotes_a_task(text) for text in documents)
