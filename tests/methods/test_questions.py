"""From what a user asked for to data and a question."""

import csv

import pytest
import torch

from minitune.errors import UserError
from minitune.methods.method import Method
from minitune.methods.questions import SlotScore, asked_otherwise, describe, file_data, task_data
from minitune.models import BERTConfig
from minitune.models.build import random_model
from minitune.predictors.writer import Writing
from minitune.training.checkpoint import Checkpoint, load_checkpoint
from minitune.world.tasks import load_split
from tests.conftest import LINES

pytestmark = pytest.mark.lesson06


@pytest.fixture
def checkpoint(bert_tokenizer):
    config = BERTConfig(len(bert_tokenizer), layers=1, width=12, heads=2, inner=20, context=16)
    return Checkpoint(random_model(config, seed=0), bert_tokenizer)


def write(path, rows, header=("text", "label")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def test_labels_that_are_single_tokens_are_their_own_words(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(f"{line} {i}", ("great", "awful")[i % 2]) for i, line in enumerate(LINES)])
    data, question = file_data(tmp_path / "a.csv", None, 2, checkpoint)
    assert data.labels == ("awful", "great") and question.label_words == {"awful": ("awful",), "great": ("great",)}
    assert question.template.endswith("{mask} .") and not question.is_pair
    assert len(data.test) == 4 and len(data.pool) == 4, "half is kept for the test, but never a training shot"


def test_a_class_without_a_word_is_said_with_the_way_out(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(line, ("5 stars", "1 star")[i % 2]) for i, line in enumerate(LINES)])
    data, question = file_data(tmp_path / "a.csv", None, 2, checkpoint)
    assert not question.label_words
    assert any("--label-words" in line for line in describe(data, question, checkpoint))


def test_what_was_read_is_counted(tmp_path, checkpoint):
    long = "the plot was clever and gripping . " * 5
    write(tmp_path / "a.csv", [(long, "great"), ("the plot \u4f60\u597d", "awful")] * 2)
    data, question = file_data(tmp_path / "a.csv", None, 1, checkpoint)
    text = "\n".join(describe(data, question, checkpoint))
    assert "4 rows" in text and "awful 2, great 2" in text
    assert "2 texts are longer than the context" in text, "a text that is cut must be counted"
    assert "4 unknown tokens" in text, "two characters that BERT's tokenizer has never seen, twice"


def test_foreign_text_points_to_pretraining(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("quarterly revenue exceeded expectations", "great"), ("shares tumbled", "awful")] * 3)
    data, question = file_data(tmp_path / "a.csv", None, 1, checkpoint)
    assert any("minitune pretrain bert --text" in line for line in describe(data, question, checkpoint))


def test_pairs_are_read_with_both_texts(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("a", "b", "great"), ("c", "d", "awful")] * 2, header=("text", "text_b", "label"))
    data, question = file_data(tmp_path / "a.csv", None, 1, checkpoint)
    assert question.is_pair and {e.text_b for e in data.test} <= {"b", "d"} and "{text_b}" in question.template


def test_a_users_own_words_and_template_replace_the_tasks(checkpoint):
    _, question = task_data("sentiment", checkpoint)
    own = asked_otherwise(question, "{text} so {mask} !", "positive=great,good;negative=awful", checkpoint)
    assert own.template == "{text} so {mask} !" and own.label_words["positive"] == ("great", "good")
    with pytest.raises(UserError, match="no blank"):
        asked_otherwise(question, "{text}", None, checkpoint)
    with pytest.raises(UserError, match="not one token"):
        asked_otherwise(question, None, "positive=unheard;negative=awful", checkpoint)


@pytest.mark.parametrize("name", ["sentiment", "topic", "entail", "relations", "rating"])
def test_every_classification_task_can_be_asked(name, checkpoint):
    data, question = task_data(name, checkpoint)
    assert len(data.labels) >= 2 and set(question.label_words) == set(data.labels)
    counts = [sum(e.label == i for e in data.test) for i in range(len(data.labels))]
    assert len(set(counts)) == 1, "test sets are balanced"
    assert question.is_pair == (name in ("entail", "relations"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("instruct", r"not one to train on here; choose one of sentiment, .*rating, tags, describe, facts"),
        ("facts", r"one relation at a time; write facts:RELATION with one of born_in, lives_in"),
        ("facts:", "one relation at a time"),
        ("facts:bornin", "one relation at a time"),
        ("tags:x", "'tags' has no parts; only facts has"),
        ("sentimint", "no task 'sentimint'; the tasks are sentiment"),
        ("", "no task ''"),
    ],
)
def test_what_is_no_task_to_train_on_is_refused(name, expected, checkpoint):
    with pytest.raises(UserError, match=expected):
        task_data(name, checkpoint)


# facts, tags, descriptions, ratings


@pytest.fixture(scope="module")
def shipped():
    return {kind: load_checkpoint(kind) for kind in ("gpt", "bert")}


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_facts_are_asked_among_all_words_one_relation_at_a_time(shipped, kind):
    seen = {}
    for relation in ("born_in", "works_as", "lies_in"):
        data, question = task_data(f"facts:{relation}", shipped[kind])
        assert question.labels == data.labels == tuple(shipped[kind].tokenizer.words()), "all words, not the answers"
        assert all(question.label_words[label] == (label,) for label in question.labels)
        rows = [row for split in ("train", "dev", "test") for row in load_split("facts", split)]
        truth = {row["subject"]: row["object"] for row in rows if row["relation"] == relation}
        examples = [*data.pool, *data.dev, *data.test]
        assert {e.text: data.labels[e.label] for e in examples} == truth
        assert len({e.text for e in examples}) == len(examples), "a fact is trained on and tested, or stands twice"
        assert not data.by_class and question.kind == "words"
        seen[relation] = question.template
    stop = " ." if kind == "bert" else ""
    assert seen == {
        "born_in": "{text} was born in {mask}" + stop,
        "works_as": "{text} works as a {mask}" + stop,
        "lies_in": "{text} lies in {mask}" + stop,
    }


def test_facts_of_a_model_that_does_not_know_their_words_are_refused(checkpoint):
    with pytest.raises(UserError, match=r"does not know all answers of born_in.*pretrained on this world"):
        task_data("facts:born_in", checkpoint)


def test_tags_stand_beside_their_words(checkpoint):
    data, question = task_data("tags", checkpoint)
    assert question.kind == "tags" and question.labels == ("O", "NAME", "PLACE", "THING") and not data.by_class
    row = load_split("tags", "test")[0]
    assert data.test[0].words == tuple(row["tokens"])
    assert [question.labels[tag] for tag in data.test[0].tags] == row["tags"]
    tags = {tag for example in data.pool for tag in example.tags}
    assert tags == {0, 1, 2, 3}


def test_a_description_is_asked_by_its_values_and_scored_by_them(checkpoint):
    data, question = task_data("describe", checkpoint)
    row, example = load_split("describe", "test")[0], data.test[0]
    slots = [row[slot] for slot in ("name", "kind", "food", "price", "area")]
    assert example.text == " , ".join(slots) + " ." and example.answer == row["text"]
    assert question.kind == "text" and question.labels == ()
    assert all(question.score(e.answer, e) == 1.0 for e in data.test), "the right sentence tells every slot"
    assert question.score("", example) == 0.0


@pytest.mark.parametrize(
    ("written", "score"),
    [
        ("the black olive is a cheap pub near the river with soup .", 1.0),
        ("soup cheap river pub the black olive", 1.0),
        ("the black olive is a cheap inn near the river with soup .", 0.8),
        ("the black olive is a cheap pub , an inn near the river with soup .", 0.8),
        ("a cheap pub near the river with soup .", 0.8),
        ("the black plum is a cheap pub near the river with soup .", 0.8),
        ("the black olive with soups is cheaper near the rivers .", 0.2),
        ("the black olive has olive and soup", 0.2),
        ("", 0.0),
    ],
)
def test_the_score_of_a_description_by_hand(written, score):
    """Each slot: its value and no other value of the slot. The name may hold a word that is a value elsewhere."""
    names = ("name", "kind", "food", "price", "area")
    values = [("the black olive", "pub", "soup", "cheap", "river"), ("the elm", "inn", "olive", "dear", "bridge")]
    one, two = (Writing("", "", tuple(zip(names, row, strict=True))) for row in values)
    assert SlotScore.of([one, two])(written, one) == pytest.approx(score)


def test_a_rating_may_be_read_as_a_number(checkpoint):
    data, question = task_data("rating", checkpoint)
    joined = Method.parse("frozen+number").build(checkpoint, question, seed=0)
    assert joined.readout.numbers.tolist() == [1, 2, 3, 4, 5] and joined.readout.linear.bias.item() == 3.0
    with torch.no_grad():
        joined.readout.linear.weight.zero_()
        joined.readout.linear.bias.fill_(3.8)
    few = data.test[:5]
    assert joined.answers(few) == ["4"] * 5, "the nearest class is the answer"
    expected = [(float(question.labels[e.label]) - 3.8) ** 2 for e in few]
    assert joined.measure(joined.items(few))["loss"] == pytest.approx(sum(expected) / 5, rel=1e-5)


def test_the_tasks_of_another_world_come_from_its_folder(checkpoint, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / "tasks" / "sentiment").mkdir(parents=True, exist_ok=True)
        write(tmp_path / "tasks" / "sentiment" / f"{split}.csv", [(split, "negative"), ("great", "positive")])
    data, question = task_data("sentiment", checkpoint, tmp_path)
    assert [len(part) for part in (data.pool, data.dev, data.test)] == [2, 2, 2]
    assert [part[0].text for part in (data.pool, data.dev, data.test)] == ["train", "dev", "test"]
    assert question == task_data("sentiment", checkpoint)[1]
    with pytest.raises(UserError, match="there is no file"):
        task_data("topic", checkpoint, tmp_path)


# a user's own way of asking


def test_a_template_of_ones_own_needs_a_blank_where_one_is_read(checkpoint):
    _, question = task_data("sentiment", checkpoint)
    own = asked_otherwise(question, "{soft:4} {text}", None, checkpoint, needs_blank=False)
    assert own.template == "{soft:4} {text}" and own.is_own and not question.is_own
    assert asked_otherwise(question, None, None, checkpoint) == question
    with pytest.raises(UserError, match="no label word"):
        asked_otherwise(question, None, "positive=great", checkpoint)
