"""The world and its word lists: the same from the same seed, sound grammar, and what is proved of it."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from minitune.errors import UserError
from minitune.files import shared
from minitune.world.grammar import Weighted, a, apportion, fill, runs_of_five
from minitune.world.lexicon import load_lexicon
from minitune.world.proofs import Wording, logistic_regression, prove, report
from minitune.world.world import World, as_csv, as_json

pytestmark = pytest.mark.lesson01
WORDS = shared("data") / "words"


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


@pytest.fixture(scope="module")
def documents(world: World) -> list[str]:
    return list(world.documents(6000))


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A copy of the word lists that a test may spoil."""
    return Path(shutil.copytree(WORDS, tmp_path / "words"))


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
    other = World(4)
    assert list(other.documents(40)) != documents[:40]
    assert set(other.facts) != set(world.facts)
    assert other.task("sentiment") != world.task("sentiment")


def test_the_committed_files_are_the_world_of_seed_0():
    """After a change of the word lists or the grammar, write them again: `minitune data`."""
    world, data = World(0), shared("data")
    with open(data / "sample.txt", encoding="utf-8") as file:
        assert [line.rstrip("\n") for line in islice(file, 300)] == list(world.documents(300))
    for name, ending, write in (
        ("sentiment", "csv", as_csv),
        ("entail", "csv", as_csv),
        ("tags", "jsonl", as_json),
    ):
        committed = (data / "tasks" / name / f"dev.{ending}").read_text(encoding="utf-8")
        assert committed == write(world.task(name)["dev"])


# ---- what is proved ----


def test_the_proofs_hold():
    """Of a world that nobody looked at, reading a part of its text."""
    checks = prove(seed=11, documents=10_000)
    broken = [check for check in checks if not check.ok]
    assert not broken, "\n" + report(broken)


def test_a_document_that_quotes_a_task_is_found(world):
    quoted = world.task("rating")["test"][0]["text"]
    assert world.quotes_a_task(f"we went home . {quoted}")
    assert not world.quotes_a_task("the dog ran home .")


def test_held_out_wording_is_found_only_where_it_stands():
    wording = Wording("the town where {s} was born is {o}")
    assert wording.stands_in("so the town where mira was born is alden .")
    assert not wording.stands_in("the town where mira lives is alden . the place where mira was born is alden .")


def test_logistic_regression_learns_words_and_not_their_order():
    rows = [["good", "soup"], ["bad", "soup"], ["good", "bread"], ["bad", "bread"]]
    assert logistic_regression((rows, "+-+-"), ([["a", "good", "cake"], ["a", "bad", "cake"]], "+-")) == 1.0
    orders = [["not", "good", "but", "bad"], ["not", "bad", "but", "good"]]
    assert logistic_regression((orders, "-+"), (orders, "-+")) == 0.5


# ---- facts ----


def test_a_fact_that_is_counted_stands_in_the_text(world):
    for text, facts in world.documents_with_facts(2000):
        for fact in facts:
            assert fact.subject in text.split() and fact.object in text.split(), (text, fact)


def test_every_subject_has_one_object_a_relation(world):
    assert len({(fact.subject, fact.relation) for fact in world.facts}) == len(world.facts)


# ---- tools ----


def test_small_tools_by_hand():
    assert (a("kite"), a("old kite")) == ("a kite", "an old kite")
    assert fill("{name} has {a thing} and {thing}", name="mira", thing="owl") == "mira has an owl and owl"
    assert list(runs_of_five(["a", "b", "c", "d", "e", "f"])) == [tuple("abcde"), tuple("bcdef")]
    assert apportion([3.0, 1.0], 6) == [5, 1] and sum(apportion([1.0] * 7, 24)) == 24
    draws = Counter(Weighted(("often", "seldom"), (9, 1)).draw(random.Random(i)) for i in range(1000))
    assert 860 < draws["often"] < 940


# ---- word lists that a person has edited ----


def test_a_new_domain_of_reviews_needs_no_code(words):
    with open(words / "reviews.toml", "a", encoding="utf-8") as file:
        file.write(
            '\n[domains.bicycles]\nnouns = ["bicycle"]\nvisits = ["rode it"]\n'
            'singular = ["saddle", "frame"]\nplural = ["pedals"]\npeople = []\n'
            'good = ["swift"]\nbad = ["rusty"]\n'
        )
    world = World(0, load_lexicon(words))
    about = [text for text in world.documents(2000) if re.search(r"\b(saddle|pedals)\b", text)]
    assert len(about) > 50
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
