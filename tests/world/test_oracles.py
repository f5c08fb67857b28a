"""The oracles on sentences whose answers a person can check."""

from __future__ import annotations

import pytest

from minitune.world.oracles import Oracles
from minitune.world.word_lists import load_lexicon
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson01


@pytest.fixture(scope="module")
def oracles() -> Oracles:
    return Oracles(load_lexicon())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("the plot was clever .", "positive"),
        ("the plot was not very clever .", "negative"),
        ("the plot was far from dull and the cast was never boring .", "positive"),
        ("the plot was neither clever nor witty .", "negative"),
        ("the plot was dull but the cast was charming .", "positive"),
        ("although the plot was dull , the cast was charming .", "positive"),
        ("the cast was charming , even though we hated the plot .", "positive"),
        ("i enjoyed the soup , yet the bread was stale .", "negative"),
        ("i did not enjoy the soup .", "negative"),
        ("a gripping plot , witty and clever . my aunt fell asleep .", "positive"),
        ("the soup was not fresh , and nor was the bread .", "negative"),
        ("both the soup and the pies were so bland .", "negative"),
    ],
)
def test_sentiment(oracles, text, label):
    assert oracles.sentiment(text) == label


def test_opinions_know_their_parts(oracles):
    def pairs(text):
        return [(opinion.word, opinion.aspect, opinion.good) for opinion in oracles.opinions(text)]

    assert pairs("both the soup and the pies were bland .") == [
        ("bland", "soup", False),
        ("bland", "pies", False),
    ]
    assert pairs("the soup was fresh , and so was the bread .") == [
        ("fresh", "soup", True),
        ("fresh", "bread", True),
    ]
    assert pairs("we did not hate the bed and the view was clean .") == [
        ("hated", "bed", True),
        ("clean", "view", True),
    ]
    assert pairs("it was great .") == []


def test_rating_counts_all_four(oracles):
    assert (
        oracles.rating("the bed was clean but the bath was not clean . i loved the view and the lobby was ugly .")
        == "3"
    )


def test_topic_is_what_two_of_three_sentences_are_about(oracles):
    text = "the crowd signed a tax . the team won the cup . the mayor announced the budget ."
    assert oracles.topic(text) == "politics"


@pytest.mark.parametrize(
    ("claim", "label"),
    [
        ("the baker bought a kite", "yes"),
        ("a red toy was bought by the old baker", "yes"),
        ("the baker bought a blue kite", "no"),
        ("the baker did not buy a kite", "no"),
        ("the baker did not buy a blue kite", "yes"),
        ("the young baker bought a kite", "no"),
        ("the baker bought a kite in the kitchen", "no"),
        ("the lazy baker bought a kite", "maybe"),
        ("the baker bought a black pear", "maybe"),
        ("the baker did not buy a black pear", "maybe"),
    ],
)
def test_entail(oracles, claim, label):
    assert oracles.entail("the old baker bought a red kite and a pear in the park .", claim) == label


def test_entail_swapped_roles_and_either_or(oracles):
    assert oracles.entail("the baker helped the miner .", "the baker was helped by the miner") == "no"
    assert oracles.entail("the baker helped the miner .", "the miner was helped by the baker") == "yes"
    assert oracles.entail("the baker found a kite or a plum .", "the baker found a plum") == "maybe"
    assert oracles.entail("the baker found a fruit .", "the baker found a plum") == "maybe"


def test_what_an_event_writes_can_be_read_back(oracles):
    world = world_of(5)
    for row in world.task("entail")["dev"]:
        assert f"{oracles.read_event(row['text']).text} ." == row["text"]
        assert oracles.read_event(row["text_b"]).text == row["text_b"]


def test_relations_depend_on_who_is_asked(oracles):
    text = "mira has a pupil called tobin , and tobin works for brill ."
    assert oracles.relations(text, "mira", "tobin") == "teacher_of"
    assert oracles.relations(text, "tobin", "mira") == "pupil_of"
    assert oracles.relations(text, "brill", "tobin") == "employer_of"


def test_tags_by_context(oracles):
    assert oracles.tags(["rose", "likes", "."]) == ["O"] * 3  # no frame of the grammar
    tags = oracles.tags(["in", "stone", "rose", "found", "a", "rose", ",", "and", "olive", "likes", "ivy", "."])
    assert tags == ["O", "PLACE", "NAME", "O", "O", "THING", "O", "O", "NAME", "O", "NAME", "O"]
