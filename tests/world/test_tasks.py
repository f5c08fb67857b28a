"""The nine tasks: balanced, clean, and the same in memory as in their files."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from minitune.errors import UserError
from minitune.files import shared
from minitune.world.oracles import Oracles
from minitune.world.task_rows import balanced, texts_of
from minitune.world.tasks import SPLITS, TASKS, get_task, load_split
from minitune.world.word_lists import load_lexicon
from minitune.world.world import SIZES, World
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson01
COLUMNS = {
    "sentiment": {"text", "label"},
    "topic": {"text", "label"},
    "entail": {"text", "text_b", "label"},
    "facts": {"subject", "relation", "object", "phrasing", "count", "held_out"},
    "relations": {"text", "text_b", "head", "tail", "head_type", "tail_type", "label"},
    "tags": {"tokens", "tags"},
    "rating": {"text", "label"},
    "describe": {"name", "kind", "food", "price", "area", "text", "held_out"},
    "instruct": {"instruction", "input", "output", "kind"},
}
RECORDS = {"instruct": (5702, 300, 504 + 120)}  # of 1,500 inputs to train on; behind the test, two instructions at once


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, list[dict]]]:
    return {name: {split: load_split(name, split) for split in SPLITS} for name in TASKS}


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(0)


@pytest.mark.parametrize("name", TASKS)
def test_files_have_the_columns_and_sizes(files, name):
    for split in SPLITS:
        more = {"part"} if (name, split) == ("instruct", "test") else set()
        assert all(set(row) == COLUMNS[name] | more for row in files[name][split])
    if name in SIZES:
        assert tuple(len(files[name][split]) for split in SPLITS) == (SIZES | RECORDS)[name]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.labels and task.kind != "tagging"])
def test_every_split_is_balanced(files, name):
    for split in SPLITS:
        counts = Counter(row["label"] for row in files[name][split])
        assert set(counts) == set(TASKS[name].labels)
        assert len(set(counts.values())) == 1, counts


@pytest.mark.parametrize("name", [name for name in SIZES if name != "instruct"])  # it asks of an input several times
def test_no_text_stands_twice(files, name):
    texts = [tuple(texts_of(row)) for split in SPLITS for row in files[name][split]]
    assert len(set(texts)) == len(texts)


def test_facts_of_the_test_are_other_facts_in_other_words(files):
    rows = files["facts"]
    known = {(row["subject"], row["relation"]) for split in ("train", "dev") for row in rows[split]}
    asked = {(row["subject"], row["relation"]) for row in rows["test"]}
    assert not known & asked and len(asked) == len(rows["test"])
    assert all(row["held_out"] for row in rows["test"]) and not any(row["held_out"] for row in rows["train"])
    assert all(row["phrasing"].endswith("{mask}") for split in SPLITS for row in rows[split])


def test_half_of_describe_is_of_combinations_never_seen(files):
    def combination(row):
        return row["kind"], row["food"], row["price"]

    known = {combination(row) for split in ("train", "dev") for row in files["describe"][split]}
    for row in files["describe"]["test"]:
        assert row["held_out"] == (combination(row) not in known) or not row["held_out"]
        assert not (row["held_out"] and combination(row) in known)
        assert all(row[field] in row["text"] for field in ("name", "kind", "food", "price", "area"))


def test_words_of_two_meanings_are_tagged_by_their_context(files):
    tags = Counter()
    for row in files["tags"]["train"]:
        assert len(row["tokens"]) == len(row["tags"])
        tags.update((word, tag) for word, tag in zip(row["tokens"], row["tags"], strict=True))
    assert min(tags["rose", "NAME"], tags["rose", "THING"], tags["stone", "PLACE"], tags["stone", "THING"]) > 20


def test_the_order_of_entities_does_not_tell_the_relation(files):
    """Head first and tail first must be about as frequent in every class."""
    first = Counter()
    for row in files["relations"]["train"]:
        first[row["label"]] += row["text"].split().index(row["head"]) < row["text"].split().index(row["tail"])
    for label, count in first.items():
        assert 0.35 < count / (SIZES["relations"][0] / 7) < 0.65, label


def test_templates_end_in_their_blank_and_label_words_fit():
    for task in TASKS.values():
        templates = [
            task.template,
            *task.unseen_templates,
            task.irrelevant_template,
            task.misleading_template,
        ]
        if task.label_words:
            assert all(template.endswith("{mask}") and "{text}" in template for template in templates), task.name
            assert len(task.unseen_templates) == 2 and set(task.label_words) == set(task.labels)
            words = [word for words in task.label_words.values() for word in words]
            assert len(set(words)) == len(words), f"two classes of {task.name} share a word"


# what label words mean, by people and by another part of the world

MEANT = {  # as a person would say it; the order of the labels is that of their scores
    "sentiment": (("negative", "positive"), {"negative": "terrible bad awful", "positive": "great good wonderful"}),
    "rating": (tuple("12345"), {"1": "terrible", "2": "bad", "3": "moderate", "4": "good", "5": "great"}),
    "entail": (("maybe", "no", "yes"), {"maybe": "maybe", "no": "no", "yes": "yes"}),
    "topic": (
        ("business", "politics", "science", "sports", "weather"),
        {word: word for word in ("business", "politics", "science", "sports", "weather")},
    ),
    "relations": (
        ("teacher_of", "pupil_of", "parent_of", "child_of", "employer_of", "worker_of", "lives_in"),
        {"teacher_of": "teacher", "pupil_of": "pupil", "parent_of": "parent", "child_of": "child"}
        | {"employer_of": "company", "worker_of": "worker", "lives_in": "neighbour"},
    ),
}


@pytest.mark.parametrize("name", MEANT)
def test_each_label_has_the_words_that_mean_it(name):
    labels, words = MEANT[name]
    assert TASKS[name].labels == labels, "the labels are in another order: saved heads score other classes"
    for label in labels:
        its = " ".join(TASKS[name].label_words[label])
        other = next((its_label for its_label, said in words.items() if said == its), None)
        mixed = f" those words are of {other!r}: they are swapped" if other not in (None, label) else ""
        assert its == words[label], f"{name}: {label!r} is read by {its!r}, and means {words[label]!r};{mixed}"


def test_each_task_with_label_words_is_looked_at_here():
    assert set(MEANT) == {name for name, task in TASKS.items() if task.label_words}


def test_the_words_of_ratings_rise_as_reviewers_use_them():
    """Of the words that a reviewer's verdict holds: a word for 1 or 2 is one for bad things, for 4 or 5 for good."""
    reviews = load_lexicon().reviews
    good, bad = set(reviews.good_verdicts.items), set(reviews.bad_verdicts.items)
    assert not good & bad
    side = {label: (words[0] in good) - (words[0] in bad) for label, words in TASKS["rating"].label_words.items()}
    assert side == {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1}, f"{side}: a word is on the other side of the scale"
    words = TASKS["sentiment"].label_words
    assert set(words["positive"]) <= good and set(words["negative"]) <= bad, "sentiment's words are swapped"


@pytest.mark.parametrize("name", ["sentiment", "topic", "entail", "relations", "tags", "rating"])
def test_the_rows_have_the_label_that_their_text_tells(files, name):
    """By the oracle, which reads the text alone: labels turned round would be learned as happily."""
    oracles, rows = Oracles(load_lexicon()), files[name]["dev"][:80]
    said = [
        oracles.tags(row["tokens"])
        if name == "tags"
        else oracles.relations(row["text"], row["head"], row["tail"])
        if name == "relations"
        else getattr(oracles, name)(row["text"], *([row["text_b"]] if "text_b" in row else []))
        for row in rows
    ]
    right = [row["tags" if name == "tags" else "label"] for row in rows]
    hits = sum(one == other for one, other in zip(said, right, strict=True))
    assert hits >= 0.95 * len(rows), f"{hits} of {len(rows)} rows of {name} say what their label says"


@pytest.mark.parametrize("name", ["sentiment", "topic", "entail", "rating", "relations"])
def test_a_row_that_is_drawn_has_the_label_that_was_asked_for(world, name):
    oracles, hits = Oracles(world.lexicon), Counter()
    for number in range(60):
        label = TASKS[name].labels[number % len(TASKS[name].labels)]
        row = getattr(world, f"_{name}_row")(random.Random(f"{name} {number}"), label)
        texts = (row["text"], row["head"], row["tail"]) if name == "relations" else list(texts_of(row))
        hits[row["label"] == label, getattr(oracles, name)(*texts) == label] += 1
    assert hits[True, True] >= 57, f"{60 - hits[True, True]} of 60 rows of {name} tell another label than was asked for"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("the bed was clean but the bath was not clean . i loved the view and the lobby was ugly .", "3"),
        ("the bed was not clean and the bath was not clean . i hated the view and the lobby was ugly .", "1"),
        ("the bed was clean and the bath was clean . i loved the view and the lobby was not ugly .", "5"),
        ("the bed was clean and the bath was not clean . i hated the view and the lobby was ugly .", "2"),
        ("the bed was clean and the bath was clean . i loved the view and the lobby was ugly .", "4"),
    ],
)
def test_more_praise_is_a_higher_rating(world, text, label):
    """By hand: one, and one more for each good opinion of four."""
    assert Oracles(world.lexicon).rating(text) == label, "the scale is upside down, or an opinion is not counted"


def test_no_template_of_a_task_is_the_template_that_misleads():
    for task in TASKS.values():
        asked = (task.template, *task.unseen_templates, task.irrelevant_template, task.misleading_template)
        if task.label_words:
            assert len(set(asked)) == len(asked), f"two templates of {task.name} are one: a control is no control"
            assert task.misleading_template not in asked[:-1]


def test_a_text_of_one_split_is_drawn_for_no_other():
    def make(rng, label):
        return {"text": str(rng.randrange(40)), "label": label}

    rows = balanced("seed", {"train": 12, "dev": 12, "test": 12}, dict.fromkeys(SPLITS, ("x", "y")), make)
    texts = {split: {row["text"] for row in rows[split]} for split in SPLITS}
    shared = texts["train"] & texts["test"] | texts["train"] & texts["dev"] | texts["dev"] & texts["test"]
    assert not shared, f"{len(shared)} texts stand in two splits: each split forgets what the others have"


def test_every_word_of_templates_is_a_word_of_the_world(files):
    known = set((shared("data") / "sample.txt").read_text(encoding="utf-8").split()) | {":"}
    known |= {word for rows in files["entail"].values() for row in rows for word in row["text_b"].split()}
    for task in TASKS.values():
        for template in (
            task.template,
            *task.unseen_templates,
            task.irrelevant_template,
            task.misleading_template,
        ):
            assert {word for word in template.split() if "{" not in word} <= known, template
        assert {word for words in task.label_words.values() for word in words} <= known


def test_balanced_draws_again_what_it_has_seen():
    def make(rng, label):
        return {"text": str(rng.randrange(6)) + label, "label": label}

    rows = balanced("seed", {"train": 6, "dev": 2, "test": 4}, dict.fromkeys(SPLITS, ("x", "y")), make)
    assert len({row["text"] for split in SPLITS for row in rows[split]}) == 12


def test_an_unknown_task_or_split_is_told_with_those_that_are():
    with pytest.raises(UserError, match=r"sentiment.*instruct"):
        get_task("sentimental")
    with pytest.raises(UserError, match="train, dev and test"):
        load_split("sentiment", "validation")


DAMAGED = {
    "a field too few": ("sentiment", "text\nfine\n", "lacks the field 'label'; a row of sentiment has text, label"),
    "a label of its own": (
        "topic",
        "text,label\na,gossip\n",
        "line 2: the label 'gossip' is none of business",
    ),
    "no rows": ("rating", "text,label\n", "no rows below it"),
    "nothing": ("entail", "", "is empty"),
    "no JSON": ("facts", "{\n", "line 1: no valid JSON"),
    "a number for a text": ("describe", '{"name": 7}\n', "line 1, name is 7; a text was expected"),
    "a text for a number": (
        "facts",
        '{"subject": "a", "relation": "b", "object": "c", "phrasing": "d", "count": "many"}\n',
        "count is 'many'; a whole number was expected",
    ),
    "a text for a list": ("tags", '{"tokens": "a b", "tags": []}\n', "tokens is 'a b'; a list was expected"),
    "a tag too few": ("tags", '{"tokens": ["a", "b"], "tags": ["O"]}\n', "2 tokens and 1 tags"),
    "a tag of its own": ("tags", '{"tokens": ["a"], "tags": ["VERB"]}\n', "the label 'VERB' is none of O, NAME"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_told_with_its_line(tmp_path, name):
    task, content, expected = DAMAGED[name]
    path = tmp_path / "tasks" / task / f"dev.{TASKS[task].format}"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UserError, match=expected) as refusal:
        load_split(task, "dev", tmp_path)
    assert str(path) in str(refusal.value)
