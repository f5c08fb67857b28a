"""Lesson 24, a file of instructions in every command that reads one: tune, compare, sweep, predict and explain."""

import json
import re

import pytest

from minitune.data.reading import Reading
from minitune.data.rows import read_table
from minitune.training.checkpoint import load_checkpoint
from tests.commands.helpers import RECORDS, run, write_records

pytestmark = pytest.mark.lesson24
TEST = [
    {"instruction": "name the plot .", "input": "dull .", "output": "dull ."},
    {"instruction": "say it .", "input": "the soup was witty .", "output": "the soup was witty ."},
    {"instruction": "say witty .", "input": "", "output": "witty ."},
    {"instruction": "say it .", "input": "the plot was dull .", "output": "the soup ."},
]


@pytest.fixture
def records(here):
    """Files of records in the working folder."""
    write_records(here / "records.json", RECORDS)
    write_records(here / "test.json", TEST)
    return here


def taught(capsys, writers, *more, method="lora", file="records.json"):
    given = ["--instructions", file, "--model", writers / "gpt", "--set", "steps=2", "--out", "t", "--force"]
    return run(capsys, "tune", method, *given, *more)


def test_what_is_said_of_the_records(capsys, writers, records, no_curve):
    status, out, err = taught(capsys, writers, "--test-data", "test.json")
    assert (status, err) == (0, "")
    first, note, _, of_the_template, of_the_tokens, *_ = out.splitlines()
    assert first == "records: 16 records, 4 of them for the test; 7 different instructions, records without an input: 4"
    assert note.startswith("1 of the 4 test examples is in the training rows too"), "say witty ."
    tokenizer = load_checkpoint(writers / "gpt").tokenizer

    def count(*texts):
        return sum(len(tokenizer.encode(text)) for text in texts)

    answers = [count(record["output"]) + 1 for record in RECORDS]  # and the end
    asked = [count("Human:", r["instruction"], r["input"], "Assistant:") for r in RECORDS + TEST]
    whole = [a + b for a, b in zip(asked, answers + [count(r["output"]) + 1 for r in TEST], strict=True)]
    assert (
        f"longest record has {max(whole)} tokens, and the context holds 70; inputs that are cut: 0" in of_the_template
    )
    assert f"{sum(answers)} of {sum(whole[:12])} tokens" in of_the_tokens, "the test records are none to train on"
    assert re.search(r"training examples / dev / test +\d+ / \d+ / 4\n", out)
    assert 'minitune predict t "an instruction || its input"' in out and "minitune chat t" in out


def test_inputs_that_are_cut_are_counted(capsys, writers, records, no_curve):
    long = [RECORDS[0] | {"input": "the plot was dull . " * count} for count in (1, 11, 30)]
    write_records(records / "long.json", [*RECORDS, *long])
    status, out, err = taught(capsys, writers, file="long.json")
    assert (status, err) == (0, "") and "the context holds 70; inputs that are cut: 2" in out
    assert "longest record has 70 tokens" in out, "what is cut fills the context to its last place"


def test_one_in_five_is_kept_for_the_test_and_all_others_are_trained_on(capsys, writers, records, no_curve):
    status, out, _ = taught(capsys, writers)
    assert status == 0 and "12 records, 2 of them for the test" in out
    learned, dev, test = map(int, re.search(r"training examples / dev / test +(\d+) / (\d+) / (\d+)", out).groups())
    assert (learned + dev, test) == (10, 2) and learned >= 8, "of instructions all are trained on, unless --shots says"
    assert re.search(r"training examples / dev / test +3 / ", taught(capsys, writers, "--shots", 3)[1])


def test_a_writer_is_made_of_the_gpt_where_nobody_names_a_model(capsys, records, no_curve, monkeypatch):
    from minitune.world.tasks import load_split

    monkeypatch.setattr("minitune.questions.from_task.load_split", lambda *which: load_split(*which)[::60])
    for source, name in (
        (["--instructions", "records.json"], "records"),
        (["--task", "instruct"], "instruct"),
        (["--task", "instruct:together"], "instruct-together"),
        (["--task", "describe", "--shots", "all"], "describe"),
    ):
        status, out, err = run(capsys, "tune", "lora", *source, "--set", "steps=1")
        assert (status, err) == (0, ""), "a BERT writes nothing, and nobody asked for one"
        assert (records / "runs" / f"lora-{name}-gpt-all-0" / "tuned.pt").exists()
        assert "exact match on test" in out or name == "describe"


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_fields_of_other_names_are_trained_on_and_predicted(capsys, writers, records, no_curve, ending):
    theirs = [{"task": r["instruction"], "context": r["input"], "response": r["output"], "id": 7} for r in RECORDS]
    lines = "\n".join(json.dumps(record) for record in theirs)
    (records / f"theirs.{ending}").write_text(lines if ending == "jsonl" else json.dumps(theirs), encoding="utf-8")
    fields = ["--fields", " task,context , response"]
    status, _, err = taught(capsys, writers, *fields, file=f"theirs.{ending}")
    assert (status, err) == (0, "")
    same = taught(capsys, writers, "--out", "same")
    assert same[0] == 0
    status, out, _ = run(capsys, "predict", "t", "--data", f"theirs.{ending}", "--out", "answers.jsonl")
    assert status == 0 and "12 rows" in out, "the columns are the fields that were trained on"
    rows = [row for _, row in read_table(Reading(records / "answers.jsonl")).rows]
    assert [{name: row[name] for name in theirs[0]} for row in rows] == theirs
    assert run(capsys, "predict", "same", "--data", "records.json", "--out", "same.jsonl")[0] == 0
    others = [row["answer"] for _, row in read_table(Reading(records / "same.jsonl")).rows]
    assert [row["answer"] for row in rows] == others and len(set(others)) > 2, (
        "names make no difference to what is read"
    )
    texts = [f"{r['instruction']} || {r['input']}" if r["input"] else r["instruction"] for r in RECORDS]
    printed = run(capsys, "predict", "t", "--json", *texts)[1]
    assert [json.loads(line)["answer"] for line in printed.splitlines()] == others


def test_records_without_an_input(capsys, writers, records, no_curve):
    write_records(records / "pairs.json", [{"q": r["instruction"], "a": r["output"]} for r in RECORDS])
    status, out, err = taught(capsys, writers, "--fields", "q,a", file="pairs.json")
    assert (status, err) == (0, "") and 'minitune predict t "a text"' in out and "Human: {text:whole} Assistant:" in out
    status, out, _ = run(capsys, "predict", "t", "--data", "pairs.json", "--out", "answers.csv")
    assert (
        status == 0
        and [row["q"] for _, row in read_table(Reading(records / "answers.csv")).rows][:2] == ["name the plot ."] * 2
    )
    status, _, err = run(capsys, "predict", "t", "--data", "records.json")
    assert status == 2 and "'text'" in err and "'instruction'" in err, "other columns are told"


def test_a_record_that_is_none_is_told_with_its_place(capsys, writers, records):
    write_records(records / "odd.json", [RECORDS[0], RECORDS[1] | {"instruction": " "}])
    status, out, err = run(capsys, "predict", writers / "lora", "--data", "odd.json")
    assert status == 0 and len(out.splitlines()) == 4, "a record that cannot be asked costs the others their answers"
    assert "without an answer: 1 of 2 (odd.json, record 2: no text in the column 'instruction'" in err
    write_records(records / "odd.json", [RECORDS[0], "a text"])
    status, out, err = run(capsys, "predict", writers / "lora", "--data", "odd.json")
    assert (status, out) == (2, "") and "odd.json, record 2: a text where an object" in err


def test_a_template_of_ones_own_and_explain(capsys, writers, records, no_curve):
    own = ["--template", "do {text:whole} with {text_b} so :"]
    status, out, err = taught(capsys, writers, *own)
    assert (status, err) == (0, "") and f"with the template {own[1]!r}" in out
    status, out, err = run(capsys, "explain", "t", "name the plot . || the plot was dull .")
    assert (status, err) == (0, "")
    read = out.partition("written from here on")[0]
    assert [read.count(part) for part in (" template", "instruction")] != [0, 0] and "answer: " in out
    answer = json.loads(run(capsys, "predict", "t", "--json", "name the plot . || the plot was dull .")[1])["answer"]
    assert answer and len(out.partition("written ")[2].split()) > 3


def test_compare_beside_what_needs_no_model(capsys, writers, records, no_curve):
    given = ["--instructions", "records.json", "--test-data", "test.json", "--model", writers / "gpt", "--seeds", 1]
    status, out, err = run(
        capsys, "compare", *given, "--methods", "lora,frozen", "--set", "steps=2", "--json", "c.json"
    )
    assert status == 0 and "Traceback" not in err
    scores = {line.split()[0]: line.split()[1] for line in out.splitlines() if len(line.split()) > 3}
    assert scores["copied-input"] == "0.500", "two of the four outputs are their inputs"
    assert scores["commonest-answer"] == "0.250", "the one that is worded as in training"
    assert {"lora", "frozen", "random-weights"} <= set(scores)
    assert json.loads((records / "c.json").read_text())["task"] == "records"


def test_sweep_looks_at_dev_alone(capsys, writers, records):
    given = ["--instructions", "records.json", "--model", writers / "gpt", "--seeds", 1, "--rates", "1e-2,1e-3"]
    status, out, err = run(capsys, "sweep", "lora", *given, "--set", "steps=2")
    assert (status, err) == (0, "") and "records, gpt " in out and "all examples" in out and "on dev" in out
