"""The nine tasks: balanced, clean, and the same in memory as in their files."""

from __future__ import annotations

from collections import Counter

import pytest

from minitune.errors import UserError
from minitune.files import shared
from minitune.world.task_rows import balanced, texts_of
from minitune.world.tasks import SPLITS, TASKS, get_task, load_split
from minitune.world.world import SIZES

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
