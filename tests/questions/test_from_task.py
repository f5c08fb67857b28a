"""From a task of the toy world to examples and a question."""

import pytest
import torch

from minitune.errors import UserError
from minitune.methods.method import Method
from minitune.predictors.writer import Writing
from minitune.questions.from_task import SlotScore, task_data
from minitune.training.checkpoint import load_checkpoint
from minitune.world.tasks import load_split
from tests.questions.shared import write

pytestmark = pytest.mark.lesson07


def task_of(name, checkpoint, folder=None):
    return task_data(name, folder).for_model(checkpoint)


@pytest.mark.parametrize("name", ["sentiment", "topic", "entail", "relations", "rating"])
def test_every_classification_task_can_be_asked(name, checkpoint):
    data, question = task_of(name, checkpoint)
    assert len(data.labels) >= 2 and set(question.label_words) == set(data.labels)
    counts = [sum(e.label == i for e in data.test) for i in range(len(data.labels))]
    assert len(set(counts)) == 1, "test sets are balanced"
    assert question.is_pair == (name in ("entail", "relations"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("instruct:apart", "instruct has no part 'apart'; write instruct, or instruct:together for two at once"),
        ("sentiment:together", "the task 'sentiment' has no parts; facts has, one for each relation, and instruct has"),
        ("facts", r"one relation at a time; write facts:RELATION with one of born_in, lives_in"),
        ("facts:", "one relation at a time"),
        ("facts:bornin", "one relation at a time"),
        ("tags:x", "'tags' has no parts; facts has"),
        ("sentimint", "no task 'sentimint'; the tasks are sentiment"),
        ("", "no task ''"),
    ],
)
def test_what_is_no_task_to_train_on_is_refused(name, expected, checkpoint):
    with pytest.raises(UserError, match=expected):
        task_of(name, checkpoint)


# facts, tags, descriptions, ratings


@pytest.fixture(scope="module")
def shipped():
    return {kind: load_checkpoint(kind) for kind in ("gpt", "bert")}


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_facts_are_asked_among_all_words_one_relation_at_a_time(shipped, kind):
    seen = {}
    for relation in ("born_in", "works_as", "lies_in"):
        data, question = task_of(f"facts:{relation}", shipped[kind])
        assert set(question.labels) == set(shipped[kind].tokenizer.words()), "all words, not the answers"
        assert question.labels[: len(data.labels)] == data.labels, "an example's label counts the task's own answers"
        assert all(question.label_words[label] == (label,) for label in question.labels)
        rows = [row for split in ("train", "dev", "test") for row in load_split("facts", split)]
        truth = {row["subject"]: row["object"] for row in rows if row["relation"] == relation}
        examples = [*data.pool, *data.dev, *data.test]
        assert {e.text: data.labels[e.label] for e in examples} == truth
        assert len({e.text for e in examples}) == len(examples), "a fact is trained on and tested, or stands twice"
        assert not data.by_class and question.kind == "words"
        seen[relation] = str(Method.parse("full").template(question, kind))
    stop = " ." if kind == "bert" else ""
    assert seen == {
        "born_in": "{text} was born in {mask}" + stop,
        "works_as": "{text} works as a {mask}" + stop,
        "lies_in": "{text} lies in {mask}" + stop,
    }


def test_facts_of_a_model_that_does_not_know_their_words_are_refused(checkpoint):
    with pytest.raises(UserError, match=r"does not know all answers of facts:born_in.*pretrained on this world"):
        task_of("facts:born_in", checkpoint)


def test_tags_stand_beside_their_words(checkpoint):
    data, question = task_of("tags", checkpoint)
    assert question.kind == "tags" and question.labels == ("O", "NAME", "PLACE", "THING") and not data.by_class
    row = load_split("tags", "test")[0]
    assert data.test[0].words == tuple(row["tokens"])
    assert [question.labels[tag] for tag in data.test[0].tags] == row["tags"]
    tags = {tag for example in data.pool for tag in example.tags}
    assert tags == {0, 1, 2, 3}


def test_a_description_is_asked_by_its_values_and_scored_by_them(checkpoint):
    data, question = task_of("describe", checkpoint)
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


@pytest.mark.parametrize(
    ("name", "part", "tested"),
    [("instruct", "alone", 504), ("instruct:alone", "alone", 504), ("instruct:together", "together", 120)],
)
def test_instructions_are_asked_with_their_inputs_and_tested_alone_or_together(name, part, tested):
    data = task_data(name)
    assert data.name == name.removesuffix(":alone") and data.labels == () and not data.dataset.by_class
    assert len(data.test) == tested and len(data.dev) == 300
    for split, examples in (("train", data.train), ("dev", data.dev), ("test", data.test)):
        rows = [row for row in load_split("instruct", split) if row.get("part", part) == part]
        told = [(e.text, e.text_b, e.answer, e.group) for e in examples]
        assert told == [(row["instruction"], row["input"], row["output"], row["kind"]) for row in rows], split
    question = data.question
    assert question.kind == "reply" and question.is_pair and question.labels == ()
    assert question.template == "human : {text:whole} {text_b} assistant :", "the instruction is cut"


def test_a_reply_has_the_room_of_the_longest_one_to_train_on(shipped):
    data, question = task_of("instruct", shipped["gpt"])
    t = shipped["gpt"].tokenizer
    assert question.room == max(len(t.encode(e.answer)) for e in data.pool) + 1, "its end takes a place too"
    assert task_of("describe", shipped["gpt"])[1].room == 32, "where the kind is another, nothing is measured"


def test_a_rating_may_be_read_as_a_number(checkpoint):
    data, question = task_of("rating", checkpoint)
    predictor = Method.parse("frozen+number").build(checkpoint, question, seed=0)
    assert predictor.readout.numbers.tolist() == [1, 2, 3, 4, 5] and predictor.readout.linear.bias.item() == 3.0
    with torch.no_grad():
        predictor.readout.linear.weight.zero_()
        predictor.readout.linear.bias.fill_(3.8)
    few = data.test[:5]
    assert predictor.answers(few) == ["4"] * 5, "the nearest class is the answer"
    expected = [(float(question.labels[e.label]) - 3.8) ** 2 for e in few]
    assert predictor.measure(predictor.items(few))["loss"] == pytest.approx(sum(expected) / 5, rel=1e-5)


def test_the_tasks_of_another_world_come_from_its_folder(checkpoint, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / "tasks" / "sentiment").mkdir(parents=True, exist_ok=True)
        write(tmp_path / "tasks" / "sentiment" / f"{split}.csv", [(split, "negative"), ("great", "positive")])
    data, question = task_of("sentiment", checkpoint, tmp_path)
    assert [len(part) for part in (data.pool, data.dev, data.test)] == [2, 2, 2]
    assert [part[0].text for part in (data.pool, data.dev, data.test)] == ["train", "dev", "test"]
    assert question == task_of("sentiment", checkpoint)[1]
    with pytest.raises(UserError, match="there is no file"):
        task_of("topic", checkpoint, tmp_path)
