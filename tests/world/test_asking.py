"""Lesson 24, the records of `instruct`: worded in many ways, some of them held out, and right to the last row."""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter, defaultdict

import pytest

from minitune.files import shared
from minitune.world.asking import Wordings, patterns_of, suits
from minitune.world.oracles import Oracles
from minitune.world.tasks import SPLITS, load_split
from minitune.world.word_lists import load_lexicon
from minitune.world.world import World
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson24
TWO_TASKS = {"last", "first", "count"}, {"who", "colour", "where"}
KINDS = (
    *("opposite", "last", "first", "count", "repeat", "backwards"),
    *("colour", "opinion", "kind", "where", "who", "repaint"),
)
ASKS = {  # words by which a person tells what is wanted, the first that is found decides
    "opposite": r"\bopposite\b",
    "backwards": r"\bbackwards\b",
    "count": r"\bcount\b|\bhow (many|long)\b",
    "last": r"\blast word\b|\bend \?",
    "first": r"\bfirst word\b|\bbegin \?",
    "where": r"\bplace\b|\bwhere\b",
    "who": r"\bperson\b|\bwho\b",
    "opinion": r"\bgood\b|\blike it\b",
    "kind": r"\bkind\b",
    "repaint": r"^make |^change |^write (it|the sentence|this sentence) (in|with the colour) ",
    "colour": r"\bcolour\b",
    "repeat": r"\brepeat\b|\bonce more\b|\bagain\b",
}


def words_in(name: str) -> dict:
    return tomllib.loads((shared("data") / "words" / f"{name}.toml").read_text(encoding="utf-8"))


SCENES, INSTRUCT = words_in("scenes"), words_in("instruct")
COLOURS, PLACES = set(SCENES["colours"]), set(SCENES["places"])
KIND_OF = {thing: kind for kind, things in SCENES["kinds"].items() for thing in things}
NUMBERS = dict(enumerate(INSTRUCT["numbers"]))


@pytest.fixture(scope="module")
def files() -> dict[str, list[dict]]:
    return {split: load_split("instruct", split) for split in SPLITS}


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(0)


@pytest.fixture(scope="module")
def wordings(world) -> Wordings:
    return world.asking.wordings


@pytest.fixture(scope="module")
def oracles() -> Oracles:
    return Oracles(load_lexicon())


# by hand


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("say it .", ("say it .",)),
        ("{say|name} it .", ("say it .", "name it .")),
        ("say it {|now} .", ("say it .", "say it now .")),
        (
            "{a|b} {|c d} {e|f}",
            ("a e", "a f", "a c d e", "a c d f", "b e", "b f", "b c d e", "b c d f"),
        ),
        ("make it {colour} {|now}", ("make it {colour}", "make it {colour} now")),
        ("{|a}{|b}", ("", "b", "a", "ab")),
    ],
)
def test_patterns_written_out_by_hand(line, made):
    assert patterns_of(line) == made


@pytest.mark.parametrize(("source", "fits"), [("a b c d", True), ("a b c d e", False), ("a b", True)])
def test_a_long_list_is_not_turned(source, fits):
    assert suits("backwards", source) == fits and suits("last", source)


# wordings


def test_no_wording_is_both_known_and_held_out_and_each_kind_has_both(wordings):
    assert tuple(wordings.known) == tuple(wordings.held_out) == KINDS
    for kind in KINDS:
        known, held_out = wordings.known[kind], wordings.held_out[kind]
        assert len(set(known)) == len(known) > 5 and len(set(held_out)) == len(held_out) >= 2, kind
        assert not set(known) & set(held_out), f"a wording of {kind} is trained on and tested as new"
        assert set(INSTRUCT["wordings"][kind]) <= set(known), "the plainest wordings are trained on"
        assert all("{" not in wording.replace("{colour}", "") for wording in (*known, *held_out))


def test_no_wording_belongs_to_two_kinds(wordings):
    kinds = defaultdict(set)
    for kind in KINDS:
        for wording in (*wordings.known[kind], *wordings.held_out[kind]):
            kinds[wording].add(kind)
            assert asked_for(wording) == kind, f"a person would take {wording!r} for {asked_for(wording)}"
            filled = wording.replace("{colour}", "green")
            assert wordings.kind_of(filled) == kind, filled
    assert all(len(its) == 1 for its in kinds.values())
    for text in ("", "say it", "what is the last word of the list ? .", "make it green green ."):
        assert wordings.kind_of(text) == ""


def test_what_is_held_out_depends_on_the_words_alone(wordings):
    """By name: neither the seed of the world nor the order of the patterns tells."""
    assert vars(world_of(5).asking.wordings) == vars(wordings)


# every answer, by an oracle of its own


def asked_for(instruction: str) -> str:
    return next(kind for kind, sign in ASKS.items() if re.search(sign, instruction))


def right_answer(instruction: str, source: str, oracles: Oracles) -> set[str]:
    """What a careful reader would say."""
    kind, words = asked_for(instruction), source.split()
    coloured = re.fullmatch(r"(the \w+) (\w+) an? (\w+) (\w+)(?: (in the (\w+)))? \.", source)
    if kind == "opposite":
        pairs = [pair.split() for pair in INSTRUCT["opposites"]]
        pairs += [pair[::-1] for pair in pairs]
        return {f"{words[0]} {other} {words[2]}" for word, other in pairs if word == words[1] and len(words) == 3}
    if kind == "opinion":
        return {{"positive": "good", "negative": "bad"}[oracles.sentiment(source)]}
    if kind == "kind":
        return {KIND_OF[words[-1]]}
    if kind in ("last", "first", "count", "backwards"):
        assert not source.endswith("."), source
        return {{"last": words[-1], "first": words[0], "count": NUMBERS[len(words)]}.get(kind, " ".join(words[::-1]))}
    person, _, colour, thing, place, room = coloured.groups()
    assert colour in COLOURS and thing in KIND_OF and (room is None or room in PLACES), source
    if kind == "repaint":
        (new,) = COLOURS.intersection(instruction.split())
        return {source.replace(f" {colour} ", f" {new} ")} if new != colour else set()
    return {{"repeat": source, "who": person, "colour": colour, "where": place}[kind]}


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_is_right(files, oracles, split):
    for row in files[split]:
        if row.get("part") == "together":
            continue
        assert row["kind"] == asked_for(row["instruction"]), row
        assert row["output"] in right_answer(row["instruction"], row["input"], oracles), row


def test_two_instructions_have_both_answers_in_their_order(files, oracles, wordings):
    rows = [row for row in files["test"] if row["part"] == "together"]
    alone = {row["input"] for row in files["test"] if row["part"] == "alone"}
    for row in rows:
        one, other = re.findall(r"[^.?]+[.?]", row["instruction"])
        answers = [right_answer(part.strip(), row["input"], oracles).pop() for part in (one, other)]
        assert row["output"] == " and ".join(answers), "an answer is missing, or they are in the other order"
        kinds = (asked_for(one), asked_for(other))
        assert (
            row["kind"] == " and ".join(kinds)
            and kinds[0] != kinds[1]
            and set(kinds) <= max(TWO_TASKS, key=lambda kinds_: len(kinds_ & set(kinds)))
        )
        for kind, part in zip(kinds, (one, other), strict=True):
            assert part.strip() in wordings.known[kind], "each half is worded as in training: only joining them is new"
        assert row["input"] in alone
    counts = Counter(row["kind"] for row in rows)
    assert len(counts) == 12 and set(counts.values()) == {10}


# what is new in the test


def sentences(row: dict) -> set[str]:
    return {row["input"]} | ({row["output"]} if row["output"].endswith(".") else set())


@pytest.mark.parametrize("split", ["dev", "test"])
def test_no_sentence_of_a_later_file_stands_in_an_earlier_one(files, split):
    earlier = SPLITS[: SPLITS.index(split)]
    known = {sentence for name in earlier for row in files[name] for sentence in sentences(row)}
    both = [row for row in files[split] if sentences(row) & known]
    assert not both, f"{len(both)} rows of {split} were read in training, as inputs or as outputs: {both[:2]}"


def test_the_test_is_worded_as_nothing_to_train_on(files, wordings):
    known = {row["instruction"] for split in ("train", "dev") for row in files[split]}
    for row in files["test"]:
        if row["part"] == "alone":
            assert row["instruction"] not in known, "a wording of the test is trained on"
            colour = COLOURS.intersection(row["instruction"].split())
            plain = re.sub(rf"\b({'|'.join(colour)})\b", "{colour}", row["instruction"]) if colour else ""
            assert {row["instruction"], plain} & set(wordings.held_out[row["kind"]])
    told = {(row["kind"], row["instruction"]) for row in files["test"] if row["part"] == "alone"}
    assert all(sum(kind == its for its, _ in told) >= 2 for kind in KINDS), "one held out wording of a kind is not much"


def test_every_wording_to_train_on_is_trained_on(files, wordings):
    said = {row["instruction"] for row in files["train"]}
    for kind in KINDS:
        for wording in wordings.known[kind]:
            assert {wording.replace("{colour}", colour) for colour in COLOURS} & said, wording


def test_only_the_instruction_tells_what_is_wanted_of_an_input(files):
    """Each list or sentence to train on is asked several things, any other input in several ways."""
    asked, worded = defaultdict(set), defaultdict(set)
    for row in files["train"]:
        asked[row["input"]].add(row["kind"])
        worded[row["input"]].add(row["instruction"])
    for source, kinds in asked.items():
        if not kinds & {"opposite", "opinion", "kind"}:
            assert len(kinds) >= 3, f"{source!r} is only asked for {kinds}: the input tells what to answer"
        assert len(worded[source]) >= 2, source
    assert any(len(kinds) >= 4 for kinds in asked.values())
    pairs = [(row["instruction"], row["input"]) for row in files["train"]]
    assert len(set(pairs)) == len(pairs), "a record stands twice"


def test_the_kinds_of_the_test_are_balanced(files):
    counts = Counter(row["kind"] for row in files["test"] if row["part"] == "alone")
    assert counts == dict.fromkeys(KINDS, 42)


# invariants


def test_the_files_are_those_of_the_world(files, world):
    assert world.task("instruct") == files, "the files are another world's, or an earlier one's"


def test_another_world_asks_other_inputs_in_the_same_words(files):
    other = world_of(5).task("instruct")
    assert len(other["test"]) == len(files["test"]) and other["test"] != files["test"]
    held_out = {row["instruction"] for row in files["test"] if row["part"] == "alone" and row["kind"] == "last"}
    assert {row["instruction"] for row in other["test"] if row["part"] == "alone" and row["kind"] == "last"} == held_out


def test_a_row_whose_sentence_is_known_is_drawn_anew(world):
    row = {"instruction": "repeat it .", "input": "a .", "output": "b .", "kind": "repeat"}
    asking = world.asking
    assert asking.fresh(row, {"c ."}, random.Random(0)) is row
    for seen in ({"a ."}, {"b ."}):
        drawn = asking.fresh(row, seen, random.Random(0))
        assert drawn["kind"] == "repeat" and drawn["input"] != "a .", "an output is a sentence too"
