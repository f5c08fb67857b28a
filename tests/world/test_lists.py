"""Lesson 10, lists: only the lines above tell what a word stands for, and no task gives its words away."""

import random

import pytest

from minitune.training.checkpoint import load_checkpoint
from minitune.world.lists import STOCK, ListStyle, ListWriter
from minitune.world.tasks import TASKS
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson10
STYLE = ListStyle(("word", "clause", "sentences"), ("", "this is"), stop=".", tokens=90, burst=0.5)


@pytest.fixture(scope="module")
def tokenizer():
    return load_checkpoint("gpt").tokenizer


@pytest.fixture(scope="module")
def writer(tokenizer):
    return ListWriter(world_of(0), tokenizer)


@pytest.fixture(scope="module")
def listings(writer):
    rng = random.Random(4)
    return [writer.listing(rng, STYLE, writer.words) for _ in range(150)]


def test_a_list_as_tokens(listings, tokenizer):
    for listing in listings:
        ids, places = listing.encode(tokenizer)
        lines = (f"{text} {listing.link} {listing.words[which]} ." for text, which in listing.lines)
        assert tokenizer.decode(ids).split() == " ".join(lines).split()
        said = [tokenizer.word_id(listing.words[which]) for _, which in listing.lines]
        assert [ids[place] for place in places] == said, "the places are not those of the label words"
        assert listing.words[0] != listing.words[1] and {which for _, which in listing.lines} <= {0, 1}


def test_some_lines_come_again_and_others_are_new(writer):
    rng = random.Random(1)
    always = [writer.listing(rng, ListStyle(burst=1.0), writer.words) for _ in range(20)]
    assert all(len(set(listing.lines)) <= 2 * STOCK for listing in always)
    never = [writer.listing(rng, ListStyle(burst=0.0), writer.words) for _ in range(20)]
    assert sum(len(set(listing.lines)) for listing in never) > sum(len(set(listing.lines)) for listing in always)


def test_the_same_word_stands_for_one_class_here_and_for_another_there(listings):
    seen = {}
    for listing in listings:
        for word in listing.words:
            seen.setdefault(word, set()).add((listing.kind, listing.words.index(word)))
    assert max(map(len, seen.values())) > 2, "a mapping that is always the same can be learned by heart"


def test_no_word_of_a_task_and_none_that_is_kept_for_measuring(listings, writer):
    of_tasks = {word for task in TASKS.values() for words in task.label_words.values() for word in words}
    assert not of_tasks & {*writer.words, *writer.held_out_words}
    assert not set(writer.words) & set(writer.held_out_words) and len(writer.held_out_words) > 20
    assert not {word for listing in listings for word in listing.words} & set(writer.held_out_words)


def test_lists_quote_no_task_and_follow_from_their_seed(listings, writer):
    rng = random.Random(4)
    assert [writer.listing(rng, STYLE, writer.words) for _ in range(5)] == listings[:5]
    assert not any(writer.world.quotes_a_task(text) for listing in listings for text, _ in listing.lines)
