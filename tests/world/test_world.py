"""The world as a whole: the same from the same seed, sound grammar, no task in its text, facts that agree."""

from __future__ import annotations

import re

import pytest

from minitune.world.world import World
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson01


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(3)


@pytest.fixture(scope="module")
def documents(world: World) -> list[str]:
    return list(world.documents(1500))


# ---- form ----


def test_a_document_is_one_line_of_known_form(documents):
    for text in documents:
        assert text == " ".join(text.split()) and text.isascii() and text == text.lower(), text
        assert text[-2:] in (" .", " !", " ?"), text
        assert 1 <= len(re.findall(r" [.!?](?= |$)", text)) <= 6, text
        assert not set("{}|") & set(text), f"a slot was not filled: {text}"


def test_articles_and_verbs_agree(documents, world):
    plurals = {x.name for domain in world.lexicon.reviews.domains for x in domain.aspects if x.plural}
    for text in documents:
        assert not re.search(r"\ba [aeiou]", text), text
        assert not re.search(r"\ban [^aeiou]", text), text
        for noun, verb in re.findall(r"\bthe (\w+) (was|were) ", text):
            if f"and the {noun} were" not in text and noun in plurals:
                assert verb == "were", text


def test_a_document_has_about_26_words(documents):
    mean = sum(len(text.split()) for text in documents) / len(documents)
    assert 22 < mean < 32


# ---- seeds ----


def test_the_same_seed_gives_the_same_text_whatever_the_count(documents):
    assert list(World(3).documents(40)) == documents[:40]


def test_another_seed_gives_another_world(documents, world):
    other = world_of(5)
    assert list(other.documents(40)) != documents[:40]
    assert set(other.facts) != set(world.facts)
    assert other.task("sentiment") != world.task("sentiment")


# ---- tasks apart ----


def test_a_document_that_quotes_a_task_is_found(world):
    quoted = world.task("rating")["test"][0]["text"]
    assert world.quotes_a_task(f"we went home . {quoted}")
    assert not world.quotes_a_task("the dog ran home .")


# ---- facts ----


def test_a_fact_that_is_counted_stands_in_the_text(world):
    for text, facts in world.documents_with_facts(1000):
        for fact in facts:
            assert fact.subject in text.split() and fact.object in text.split(), (text, fact)


def test_every_subject_has_one_object_a_relation(world):
    assert len({(fact.subject, fact.relation) for fact in world.facts}) == len(world.facts)
