"""Lesson 24, a user's file of instructions: what is asked, what is kept for the test, what is said of it, and what is
saved of it.
"""

import json
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from minitune.data.examples import Dataset
from minitune.data.reading import Layout, Reading
from minitune.data.rows import read_table
from minitune.errors import UserError
from minitune.experiments.baselines import commonest_answer, copied_input
from minitune.experiments.compare import compare
from minitune.methods.ask import to_example
from minitune.methods.file_report import describe
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.predictors.writer import ANSWER_ROOM, Writing
from minitune.questions.from_file import file_data, named_fields
from minitune.questions.otherwise import asked_otherwise
from minitune.questions.question import Question
from minitune.training.checkpoint import save_checkpoint
from minitune.tuned.answers import answers_to
from minitune.tuned.explain import explain
from minitune.tuned.queries import ask_rows, ask_texts, check_all, given_texts, rows_of, text_columns
from minitune.tuned.saved import load_tuned, read_tuned, save_tuned
from tests import tiny
from tests.predictors.replies import WHATS, writer
from tests.tuned.shared import lines_of, rows_under

pytestmark = pytest.mark.lesson24
RECORDS = [{"instruction": f"say it {n} times", "input": f"soup {n}", "output": f"it was {n}"} for n in range(11)]


def write(path, records):
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return path


def instruction_data(path, test_path=None, shots=None):
    return file_data(path, test_path, shots, Layout(kind="instructions"))


def outputs(examples):
    return [example.answer for example in examples]


# what is asked


def test_one_record_in_five_is_kept_for_the_test(tmp_path):
    data = instruction_data(write(tmp_path / "mine.json", RECORDS))
    assert data.name == "mine" and len(data.test) == 2 and len(data.train) == 9 and not data.dev
    assert sorted(outputs([*data.train, *data.test])) == sorted(row["output"] for row in RECORDS)
    again = instruction_data(tmp_path / "mine.json")
    assert outputs(again.test) == outputs(data.test), "another test in each run"
    order = [row["output"] for row in RECORDS]
    assert [order.index(o) for o in outputs(data.train)] == sorted(order.index(o) for o in outputs(data.train))
    few = instruction_data(write(tmp_path / "few.json", RECORDS[:2]))
    assert (len(few.train), len(few.test)) == (1, 1), "one at the least is tested, and one trained on"


def test_records_become_examples_with_their_places(tmp_path):
    path = write(tmp_path / "a.json", RECORDS)
    data = instruction_data(path, write(tmp_path / "b.json", [RECORDS[0], RECORDS[1] | {"input": None}]))
    assert len(data.train) == 11 and data.train[3] == Writing(
        "say it 3 times", "it was 3", text_b="soup 3", group="say it 3 times"
    )
    assert data.train[3].where == f"{path}, record 4" and data.test[1].where == f"{tmp_path / 'b.json'}, record 2"
    assert data.test[1].text_b == "", "an input of null is none"


def test_the_input_has_a_place_where_one_record_has_one(tmp_path):
    data = instruction_data(write(tmp_path / "a.json", RECORDS))
    assert data.question == Question((), "Human: {text:whole} {text_b} Assistant:", is_pair=True, kind="reply")
    bare = [row | {"input": ""} for row in RECORDS]
    data = instruction_data(write(tmp_path / "b.json", bare))
    assert data.question == Question((), "Human: {text:whole} Assistant:", kind="reply")
    data = instruction_data(write(tmp_path / "c.json", [*bare, RECORDS[0]]))
    assert data.question.is_pair
    data = file_data(tmp_path / "a.json", layout=named_fields(("instruction", "output")))
    assert not data.question.is_pair and all(example.text_b == "" for example in data.train)


@pytest.mark.parametrize(
    ("many", "shots", "sentence"),
    [
        (1, None, r"has 1 example, and 1 was asked for beside a test set: add some, or lower --shots"),
        (6, 6, r"has 6 examples, and 6 were asked for beside a test set"),
    ],
)
def test_too_few_records_are_refused(tmp_path, many, shots, sentence):
    with pytest.raises(UserError, match=sentence):
        instruction_data(write(tmp_path / "a.json", RECORDS[:many]), shots=shots)
    assert len(
        instruction_data(tmp_path / "a.json", shots=many - 1 or 1, test_path=write(tmp_path / "b.json", RECORDS)).train
    )


def test_a_test_file_that_is_the_training_file_is_refused(tmp_path):
    path = write(tmp_path / "a.json", RECORDS)
    (tmp_path / "link.json").symlink_to(path)
    with pytest.raises(UserError, match=r"is the training file itself"):
        instruction_data(path, tmp_path / "link.json")


def test_test_records_that_stand_in_training_are_noted(tmp_path):
    path = write(tmp_path / "a.json", RECORDS)
    test = [RECORDS[0] | {"output": "other"}, RECORDS[1] | {"input": "other"}, RECORDS[2]]
    (note,) = instruction_data(path, write(tmp_path / "b.json", test)).notes
    assert note.startswith("2 of the 3 test examples are in the training rows too, word for word"), (
        "a record is its instruction and its input, whatever the output"
    )
    assert instruction_data(path, write(tmp_path / "c.json", test[1:2])).notes == ()


def test_a_template_of_ones_own_keeps_instruction_and_input(tmp_path):
    base = tiny.checkpoint("gpt")
    question = instruction_data(write(tmp_path / "a.json", RECORDS)).question
    own = asked_otherwise(question, "{text_b} so {text} :", None, base, needs_blank=False)
    assert own.template == "{text_b} so {text} :" and own.is_own
    for template in ("{text} :", "so {text_b} :"):
        with pytest.raises(UserError, match=r"leaves a part out: write \{text:whole\} where the instruction"):
            asked_otherwise(question, template, None, base, needs_blank=False)


def test_in_conversations_each_record_stands_behind_others_and_never_behind_itself(tmp_path):
    data = instruction_data(write(tmp_path / "a.json", RECORDS))
    talked = data.in_conversations(3)
    assert [replace(w, before=()) for w in talked.train] == list(data.train) and talked.test == data.test
    counts = [len(w.before) for w in talked.train]
    assert max(counts) <= 3 and len(set(counts)) > 1 and talked.train == data.in_conversations(3).train
    assert all(turn in data.train for w in talked.train for turn in w.before), "a turn of the test is trained on"
    both = [w.text for w in talked.train if w.text in {turn.text for turn in w.before}]
    assert not both, f"the answer stands before the question: {both}"


# what is said of them


def test_the_report_counts_by_hand(tmp_path):
    base = tiny.checkpoint("gpt")
    t = base.tokenizer
    records = [
        {"instruction": "is it good", "input": "the soup", "output": "it was great ."},
        {"instruction": "is it good", "input": "", "output": "sad"},
        {"instruction": "the plot", "input": "so dull " * 40, "output": "the plot was dull"},
    ]
    path, test = write(tmp_path / "a.json", records), write(tmp_path / "b.json", records[1:2])
    data = instruction_data(path, test)
    lines = describe(data, base)
    assert lines[0].startswith(
        "a: 4 records, 1 of them for the test; 2 different instructions, records without an input: 2"
    )
    assert any("1 of the 1 test examples is in the training rows too" in line for line in lines)
    answers = sum(len(t.encode(row["output"])) + 1 for row in records)
    read = [f"Human: {row['instruction']} {row['input']}".strip() + " Assistant:" for row in records[:2]]
    tokens = [len(t.encode(text)) + len(t.encode(row["output"])) + 1 for text, row in zip(read, records, strict=False)]
    total = sum(tokens) + 61  # the third fills the context
    longest = (
        "with the template 'Human: {text:whole} {text_b} Assistant:': the longest record has 61 tokens, and the "
        "context holds 61; inputs that are cut: 1"
    )
    assert longest in lines
    sentence = f"trained on are the outputs and their ends, {answers} of {total} tokens of the records to draw from"
    assert sentence in lines, f"the test's records are counted, or the ends are not: {lines}"


def test_a_record_that_does_not_fit_is_told_before_anything_is_trained(tmp_path):
    records = [*RECORDS, {"instruction": "great " * 70, "input": "", "output": "so"}]
    path = write(tmp_path / "a.json", records)
    with pytest.raises(UserError, match=r"a\.json, record 12: the answer takes 2 .* a text of 70 tokens may not"):
        describe(instruction_data(path, write(tmp_path / "b.json", RECORDS)), tiny.checkpoint("gpt"))


# baselines


def test_the_baselines_by_hand():
    pool = [
        Writing("last", "kite", text_b="red kite", group="last"),
        Writing("last", "soup", text_b="hot soup", group="last"),
        Writing("end", "soup", text_b="cold soup", group="last"),
        *(Writing("say", "bed", text_b="bed", group="say") for _ in range(3)),
    ]
    test = [
        Writing("the last", "soup", text_b="a soup", group="last"),
        Writing("the last", "kite", text_b="kite", group="last"),
        Writing("repeat", "so  sad", text_b="so sad", group="say"),
        Writing("new", "bed", group="new"),
        Writing("new", "soup", text_b="x", group="new"),
    ]
    data = Dataset("toy", (), tuple(pool), tuple(test), by_class=False)
    copied, commonest = copied_input(data, 3, 2), commonest_answer(data, 3, 2)
    assert (copied.method, copied.draws) == ("copied-input", [2 / 5] * 2), "kite, and so sad whatever its spaces"
    message = "soup is commonest of the kind last; of a kind that is new, bed is commonest of all"
    assert (commonest.method, commonest.draws) == ("commonest-answer", [2 / 5] * 2), message


def test_replies_are_compared_with_their_baselines():
    examples = tuple(Writing(f"say {n}", "so sad", text_b="so sad" if n % 2 else "bed", group="g") for n in range(4))
    data = Dataset("toy", (), examples, examples, by_class=False)
    question = Question((), "so {text:whole} {text_b} :", is_pair=True, kind="reply", room=5)
    rows = compare(data, tiny.checkpoint("gpt"), question, ["frozen", "lora"], [2], 1, settings=["steps=2"])
    assert [row.method for row in rows][:4] == ["copied-input", "commonest-answer", "frozen", "lora"]
    assert [row.score for row in rows[:2]] == [0.5, 1.0] and rows[2].trainable == 0 < rows[3].trainable
    for control in ("shuffled-labels", "irrelevant-template"):
        with pytest.raises(UserError, match=f"the control {control} belongs to tasks of classes"):
            compare(data, tiny.checkpoint("gpt"), question, ["frozen"], [2], 1, control=control)


# what is saved


@pytest.mark.parametrize("what", [what for what in WHATS if what != "frozen"])
def test_saved_and_opened_it_writes_the_same_in_the_same_room(what, tmp_path):
    base = tiny.checkpoint("gpt")
    asked = Question((), "so {text:whole} {text_b} :", is_pair=True, kind="reply", room=7)
    method = Method.parse(what, ["steps=2", "lr=0.05", *WHATS[what]])
    predictor = method.build(base, asked, seed=7)
    examples = [Writing(f"is it {word}", "so sad", text_b=word) for word in ("great", "dull")]
    fit(method, predictor, examples, [], seed=7)
    save_checkpoint(tmp_path / "gpt", base)
    save_tuned(tmp_path / "it", method, predictor, asked, replace(base, name=str(tmp_path / "gpt")), {"task": "toy"})
    _, opened, question, _ = load_tuned(tmp_path / "it")
    assert question.room == opened.room == 7 == read_tuned(tmp_path / "it").question.room, (
        "it writes as far as any model"
    )
    assert question.kind == "reply" and question.is_pair and opened.metric == "exact match"
    assert opened.tokens(examples) == predictor.tokens(examples)
    with torch.no_grad():
        ours, its = (made.loss(made.collate(made.items(examples))) for made in (predictor, opened))
    assert torch.equal(ours, its)


def test_the_room_of_the_longest_answer_is_measured_and_not_of_the_test(tmp_path):
    base = tiny.checkpoint("gpt")
    test = write(tmp_path / "b.json", [RECORDS[0] | {"output": "great soup " * 12}])
    data, question = instruction_data(write(tmp_path / "a.json", RECORDS), test).for_model(base)
    assert question.room == max(len(base.tokenizer.encode(e.answer)) for e in data.pool) + 1 < ANSWER_ROOM


# what is asked of it: texts, rows, records


def test_an_instruction_may_come_with_its_input_or_without():
    asked = Question((), "{text:whole} {text_b} :", is_pair=True, kind="reply")
    for text, expected in (
        ("say it || so || sad", Writing("say it", text_b="so || sad")),
        ("say it ||", Writing("say it", text_b="")),
        ("say it", Writing("say it", text_b="")),
    ):
        assert to_example(text, asked) == expected
    (query,) = ask_texts(given_texts(["say it || so"]), asked)
    assert query.fields == {"text": "say it", "text_b": "so"}
    with pytest.raises(UserError, match="an empty text"):
        to_example(" || so", asked)


def test_records_of_a_json_file_are_asked_with_their_number(tmp_path):
    records = [{"instruction": "is it good ?", "input": "soup", "id": 4}, {"instruction": "say it", "input": None}]
    path = write(tmp_path / "in.json", [*records, {"instruction": "the plot"}])
    made = writer(room=5)
    asked = Question((), str(made.template), is_pair=True, kind="reply", room=5)
    reading = Reading(path)
    table = read_table(reading)
    assert table.columns == ["instruction", "input", "id"]
    columns = text_columns(table, reading, asked, {"text": "instruction", "text_b": "input"})
    queries = ask_rows(rows_of(table), asked, *columns)
    assert [query.where for query in queries] == [f"{path}, record {n}" for n in (1, 2, 3)]
    assert [(q.example.text, q.example.text_b) for q in queries] == [
        ("is it good ?", "soup"),
        ("say it", ""),
        ("the plot", ""),
    ]
    assert queries[0].fields == records[0], "what else a record holds comes back beside its answer"
    answers = answers_to(made, asked, queries)
    assert answers.values == made.write([query.example for query in queries])
    assert answers.unended == sum(len(row) == 5 for row in made.tokens([q.example for q in queries])) > 0
    assert any("answers that came to no end" in note for note in answers.notes())
    with pytest.raises(UserError, match="answers with a text, not with one of a few classes"):
        answers_to(made, asked, queries, with_chances=True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([{"text": "a"}, "b"], r"in\.json, record 2: a text where an object like"),
        ({"text": "a"}, r"in\.json holds an object; a list of records"),
        ([], r"in\.json holds an empty list"),
    ],
)
def test_a_json_file_that_holds_no_records_to_ask(tmp_path, content, sentence):
    with pytest.raises(UserError, match=sentence):
        read_table(Reading(write(tmp_path / "in.json", content)))


def test_a_record_without_a_text_is_told_with_its_number(tmp_path):
    table = read_table(Reading(write(tmp_path / "in.json", [{"text": "a"}, {"text": "", "id": 1}])))
    asked = Question((), "{text:whole} {text_b} :", is_pair=True, kind="reply")
    with pytest.raises(UserError, match=r"in\.json, record 2: no text in the column 'text'; the columns are text, id"):
        check_all(ask_rows(rows_of(table), asked, "text", "text_b"))


# what is explained


@pytest.mark.parametrize("what", ["lora", "prompt-tuning", "prefix-tuning"])
def test_an_explanation_tells_both_texts_and_the_end(what):
    made = writer(what, room=9)
    examples = [Writing(text, text_b=b) for text in ("is it good ?", "say it", "the hero") for b in ("great soup", "")]
    ends = []
    for example in examples:
        text = explain(made, example)
        said, written = rows_under(text, "written"), made.tokens([example])[0]
        end = [made.tokenizer.end_id] if made.has_ended(example, written) else []
        assert [row[0] for row in said] == made.tokenizer.tokens([*written, *end]), "the end is told where it came"
        ends.append(bool(end))
        told = [rest.split("  ")[0].strip() for _, rest in lines_of(text)]
        t = made.tokenizer
        assert told.count("text") == len(t.encode(example.text)) and told.count("text_b") == len(
            t.encode(example.text_b)
        )
    assert fmean(ends) > 0, "none comes to its end: this test shows nothing"


@pytest.mark.parametrize("beds", [22, 26, 50])
def test_what_is_cut_of_an_input_is_told_as_it_is_cut_for_writing(beds):
    """Shortened for the answer's room, and not only where the context is full."""
    made = writer("lora", room=9)
    example = Writing("great " * 10, text_b="bed " * beds + "so sad")
    text, question = explain(made, example), made.question(example)
    t = made.tokenizer
    gone = t.decode(t.encode(example.text_b)[len(t.encode(example.text_b)) - question.cut :])
    assert (
        question.cut > 0
        and f"{question.cut} tokens of the text are cut, for it passes the context: '{gone[:20]}" in text
    )
    rows = lines_of(text)
    assert len(rows) == len(question.ids) + 1 and rows[-1][1].endswith("written from here on"), (
        "it is shown as trained on"
    )
