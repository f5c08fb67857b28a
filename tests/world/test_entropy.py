"""Lesson 2: the grammar's own entropy."""

import math
import random

import pytest

from minitune.world.entropy import news_and_its_surprise
from minitune.world.grammar import NotingRandom, Weighted, chance
from minitune.world.world import World
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson02


def test_surprise_is_the_log_of_the_choices():
    rng = NotingRandom("a seed")
    rng.choice("abcd")
    happened = chance(rng, 0.25)
    drawn = Weighted(("a", "b"), (3, 1)).draw(rng)
    p = 1 / 4 * (0.25 if happened else 0.75) * {"a": 0.75, "b": 0.25}[drawn]
    assert rng.nats == pytest.approx(-math.log(p), abs=1e-12)


def test_noting_changes_no_draw():
    plain, noting = random.Random("x"), NotingRandom("x")
    assert [plain.choice("abcdef") for _ in range(20)] == [noting.choice("abcdef") for _ in range(20)]
    assert [chance(plain, 0.3) for _ in range(20)] == [chance(noting, 0.3) for _ in range(20)]


def test_the_mean_surprise_of_a_fair_choice_is_its_entropy():
    rng = NotingRandom("y")
    for _ in range(4000):
        chance(rng, 0.2)
    entropy = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert rng.nats / 4000 == pytest.approx(entropy, abs=0.03)


def test_the_same_report_written_twice_has_the_same_surprise():
    """One derivation a text: else noting the choices of one would overstate the surprise of the text."""
    world = world_of(3)
    topic = next(iter(world.news.topics.values()))
    surprises: dict[str, set[float]] = {}
    for index in range(20_000):
        rng = NotingRandom(f"{index}")
        sentence = world.news.sentence(rng, topic)
        surprises.setdefault(sentence, set()).add(round(rng.nats, 9))
    assert len(surprises) < 20_000, "nothing was written twice; the test shows nothing"
    assert all(len(found) == 1 for found in surprises.values())


def test_reports_are_seeded_and_differ():
    once, again = (news_and_its_surprise(World(seed=3), 5) for _ in range(2))
    assert once == again and len({text for text, _ in once}) == 5
