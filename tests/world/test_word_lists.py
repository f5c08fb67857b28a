"""Word lists that a person has edited: what needs no code, and where a mistake is told to stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from minitune.errors import UserError
from minitune.files import shared
from minitune.world.word_lists import load_lexicon
from minitune.world.world import World

pytestmark = pytest.mark.lesson01
WORDS = shared("data") / "words"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A copy of the word lists that a test may spoil."""
    return Path(shutil.copytree(WORDS, tmp_path / "words"))


def test_good_words_are_good_and_bad_words_bad():
    """By hand: the oracles and the writers take the same lists, and would turn round together."""
    reviews = load_lexicon().reviews
    sides = {
        "verdicts": (set(reviews.good_verdicts.items), set(reviews.bad_verdicts.items), "great", "awful"),
        "verbs": ({past for past, _ in reviews.good_verbs}, {past for past, _ in reviews.bad_verbs}, "loved", "hated"),
        "adjectives": (
            {word for domain in reviews.domains for aspect in domain.aspects for word in aspect.good},
            {word for domain in reviews.domains for aspect in domain.aspects for word in aspect.bad},
            "charming",
            "boring",
        ),
    }
    for name, (good, bad, praise, blame) in sides.items():
        assert not good & bad, f"{name}: {good & bad} are both good and bad"
        assert praise in good and blame in bad, f"the good and the bad {name} are swapped"


def test_numbers_are_counted_from_zero_and_opposites_go_both_ways_of_meaning():
    instruct = load_lexicon().instruct
    for count, word in ((2, "two"), (3, "three"), (6, "six")):
        assert instruct.numbers[count] == word, "numbers[n] is the word for n: the list is off by one"
    assert all(one != other for one, other in instruct.opposites)


def test_a_new_domain_of_reviews_needs_no_code(words):
    with open(words / "reviews.toml", "a", encoding="utf-8") as file:
        file.write(
            '\n[domains.bicycles]\nnouns = ["bicycle"]\nvisits = ["rode it"]\n'
            'singular = ["saddle", "frame"]\nplural = ["pedals"]\npeople = []\n'
            'good = ["swift"]\nbad = ["rusty"]\n'
        )
    world = World(0, load_lexicon(words))
    about = [text for text in world.documents(800) if re.search(r"\b(saddle|pedals)\b", text)]
    assert len(about) > 20
    assert any("swift" in text for text in about) and any("rusty" in text for text in about)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("news.toml", "adjectives =", "adjective =", ["news.toml", "'adjectives'"]),
        ("common.toml", "days = [", "days = [[", ["common.toml", "TOML"]),
        ("common.toml", '"monday", ', '"Monday", ', ["common.toml", "'Monday'", "lower-case"]),
        ("common.toml", '"monday", ', "7, ", ["common.toml", "7", "'days'"]),
        (
            "news.toml",
            '"on {day}", "yesterday"',
            '"on {year}", "yesterday"',
            ["news.toml", "{year}", "{day}"],
        ),
        ("people.toml", "skew = 0.9", 'skew = "much"', ["people.toml", "born_in", "'skew'", "number"]),
        ("people.toml", 'object = "towns"', 'object = "planets"', ["people.toml", "'planets'", "towns"]),
        ("reviews.toml", '"9 | it was {word} ."', '"it was {word} ."', ["reviews.toml", "'verdicts'", "bar"]),
        ("reviews.toml", "great = 100", "great = -1", ["reviews.toml", "'good'", "above 0"]),
        ("scenes.toml", '"bought buy"', '"bought"', ["scenes.toml", "'bought'", "two words"]),
    ],
)
def test_a_mistake_in_a_word_list_is_told_with_its_place(words, file, old, new, told):
    text = (words / file).read_text(encoding="utf-8")
    assert old in text
    (words / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_lexicon(words)
    for part in told:
        assert part in str(error.value)


def test_a_missing_word_list_is_told(words):
    (words / "places.toml").unlink()
    with pytest.raises(UserError, match=r"places\.toml"):
        load_lexicon(words)
