"""`minitune compare`: the table, the controls, and one clear sentence for every kind of bad input."""

import json
import os

import pytest

from tests.commands.helpers import REVIEWS, compare_own, run, tune, write


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_compare_prints_a_table_and_writes_json_and_a_figure(capsys, models, here, kind):
    methods = "zero-shot,frozen+head,full+verbalizer"
    status, out, err = compare_own(capsys, models, "--methods", methods, "--json", "rows.json", kind=kind)
    assert (status, err) == (0, "")
    assert "24 rows" in out and "bad 12, good 12" in out, "it must say first what it read"
    result = json.loads((here / "rows.json").read_text())
    assert {"task", "model", "seeds", "metric", "rows", "set"} == set(result) and result["set"] == ["steps=2"]
    assert [row["method"] for row in result["rows"]] == [
        "majority",
        "bag-of-words",
        *methods.split(","),
        "random-weights",
    ]
    fields = {"method", "shots", "score", "low", "high", "draws", "trainable", "seconds", "bytes", "balanced", "error"}
    assert all(set(row) == fields and len(row["draws"]) == 1 for row in result["rows"])
    trainable = {row["method"]: row["trainable"] for row in result["rows"]}
    assert trainable["zero-shot"] == 0 and trainable["frozen+head"] == 2 * 16 + 2, "frozen+head trains W and b alone"
    assert (here / "runs" / "compare.png").stat().st_size > 5000


def test_compare_leaves_out_verbalizers_without_words_and_says_why(capsys, models, here, no_curve):
    write(here / "stars.csv", [(text, {"good": "five stars", "bad": "one star"}[label]) for text, label in REVIEWS])
    status, out, _ = compare_own(capsys, models, "--methods", "zero-shot,frozen+head", data="stars.csv")
    assert status == 0 and "--label-words" in out
    assert "zero-shot" not in out.partition("accuracy")[2] and "frozen+head" in out


def test_where_counting_words_is_better_than_every_method_compare_says_so(capsys, models, here, no_curve, monkeypatch):
    monkeypatch.setattr("minitune.experiments.compare_report.plot", lambda *_: None)
    told = "\nbag-of-words, which knows no language model, is better than every method here\n"
    status, out, err = compare_own(capsys, models, "--methods", "frozen+head", "--set", "lr=1e-9")
    assert (status, err) == (0, "") and told in out and "Not clearly better than bag-of-words: frozen+head" in out
    write(here / "odd.csv", [(text.replace("was", "qwvxz"), label) for text, label in REVIEWS])
    out = compare_own(capsys, models, "--methods", "frozen+head", "--set", "lr=1e-9", data="odd.csv")[1]
    assert told in out and "minitune pretrain bert --text FILE --out runs/my-bert, and then add --model" in out


@pytest.mark.lesson15
def test_labels_that_are_no_words_are_asked_with_words_that_are_searched(capsys, models, here):
    write(here / "stars.csv", [(text, {"good": "five stars", "bad": "one star"}[label]) for text, label in REVIEWS])
    status, out, err = compare_own(capsys, models, "--methods", "zero-shot,frozen+petal,full+probe", data="stars.csv")
    assert (status, err) == (0, "") and "let +petal search for them" in out
    rows = out.partition("to store")[2]
    assert "frozen+petal" in rows and "full+probe" in rows and "zero-shot" not in rows
    status, out, err = tune(capsys, models, "frozen+petal", data="stars.csv")
    assert (status, err) == (0, "") and "label words found on 4 examples: five stars = " in out


def test_without_shots_those_that_the_file_has_rows_for_are_compared(capsys, models, here, no_curve):
    given = ["compare", "--data", "reviews.csv", "--model", models / "bert", "--seeds", 1, "--set", "steps=2"]
    status, out, err = run(capsys, *given, "--methods", "frozen+head", "--json", "rows.json")
    assert (status, err) == (0, "") and "for 16 or 64 examples a class" in out and "1, 4 are compared" in out
    assert "24 rows, 12 of them for the test" in out, "half of the rows must stay for the test"
    assert {row["shots"] for row in json.loads((here / "rows.json").read_text())["rows"]} == {1, 4}
    status, _, err = run(capsys, *given, "--methods", "frozen+head", "--shots", "1,64")
    assert status == 2 and "lower --shots" in err, "numbers that were asked for are refused, not left out"


def test_the_same_command_gives_the_same_scores(capsys, models, here, no_curve):
    for name in ("a.json", "b.json"):
        compare_own(capsys, models, "--methods", "full+head", "--json", name, steps="steps=9")
    first, second = (json.loads((here / name).read_text())["rows"][2]["draws"] for name in ("a.json", "b.json"))
    assert first == second


@pytest.mark.parametrize("control", ["shuffled-labels", "random-weights", "irrelevant-template"])
def test_controls_run(capsys, models, here, no_curve, control):
    status, out, _ = compare_own(capsys, models, "--methods", "full+verbalizer", "--control", control)
    assert status == 0 and control in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(capsys, models, here):
    (here / "locked").mkdir(mode=0o500)
    status, _, err = compare_own(capsys, models, "--methods", "zero-shot", "--plot", "locked/figure.png")
    assert status == 2 and "cannot write" in err


KINDS = {
    "numbers.csv": "text;price\n" + "".join(f"{text};{i},5\n" for i, (text, _) in enumerate(REVIEWS)),
    "tags.conll": "".join(f"the O\n{text.split()[1]} B-X\nwas O\n\n" for text, _ in REVIEWS),
    "pairs.csv": "first,text_b,label\n" + "".join(f"{text},it was,{label}\n" for text, label in REVIEWS),
    "cost_$5_$.csv": "text,label\n" + "".join(f"{text},{label}\n" for text, label in REVIEWS),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_compared_tuned_swept_and_opened(capsys, models, here, name, monkeypatch):
    if name in ("tags.conll", "pairs.csv"):  # the others: a range below 0, and dollars in the title
        monkeypatch.setattr("minitune.experiments.compare_report.plot", lambda *_: None)
    if name != "cost_$5_$.csv":
        monkeypatch.setattr("minitune.experiments.curve.plot_curve", lambda *_: None)
    (here / name).write_text(KINDS[name])
    given = ["--data", name, "--model", models / "bert", "--set", "steps=2", "--shots", 2]
    given += ["--label-column", "price"] if name == "numbers.csv" else []
    given += ["--text-column", "first"] if name == "pairs.csv" else []
    status, out, err = run(capsys, "compare", *given, "--seeds", 1, "--json", "rows.json")
    assert (status, err) == (0, "") and "1 draw: no interval" in out
    rows = json.loads((here / "rows.json").read_text())
    expected = {"numbers.csv": ("median", "rank correlation"), "tags.conll": ("known-words", "span f1")}
    assert (rows["rows"][0]["method"], rows["metric"]) == expected.get(name, ("majority", "accuracy"))
    assert rows["rows"][-1]["method"] == "random-weights" and len(rows["rows"]) >= 5 and rows["set"] == ["steps=2"]
    method = {"numbers.csv": "lora+number", "tags.conll": "lora"}.get(name, "lora+head")
    status, out, err = run(capsys, "sweep", method, *given, "--rates", "0.01", "--seeds", 1)
    assert (status, err) == (0, "") and "on dev, the test rows untouched" in out
    status, out, err = run(capsys, "tune", method, *given, "--out", "t")
    assert (status, err) == (0, "") and (here / "t" / "curve.png").exists() == (name == "cost_$5_$.csv")
    text = "the plot || it was" if name == "pairs.csv" else "the plot was"
    status, out, err = run(capsys, "predict", "t", text)
    answer = out.splitlines()[2].removeprefix(text).split()
    assert (status, err) == (0, "") and len(answer) == (3 if name == "tags.conll" else 1), out
    if name == "numbers.csv":
        assert 3 < abs(float(answer[0])) < 75, "the mean and the spread were not saved"
    assert run(capsys, "explain", "t", text)[0] == 0


def test_a_sweep_never_sees_the_rows_that_compare_tests_on(capsys, models, here, monkeypatch):
    from minitune.experiments import sweep
    from minitune.questions.from_file import file_data

    seen, learn = [], sweep.learn
    monkeypatch.setattr(sweep, "learn", lambda *given: seen.append(given[3]) or learn(*given))
    given = ["--data", "reviews.csv", "--model", models / "bert", "--shots", 2, "--set", "steps=2"]
    assert run(capsys, "sweep", "frozen+head", *given, "--rates", "0.01", "--seeds", 1)[0] == 0
    test = set(file_data(here / "reviews.csv", None, 2).test)
    assert seen and test and not test & {*seen[0].pool, *seen[0].dev}


def test_a_rerun_replaces_its_own_table_and_figure(capsys, models, here):
    for _ in range(2):
        arguments = ["--methods", "zero-shot,frozen+head", "--json", "a.json", "--plot", "A.SVG"]
        status, _, err = compare_own(capsys, models, *arguments, "--label-words", "good=clever;bad=dull")
        assert (status, err) == (0, "")
    assert (here / "A.SVG").read_text().startswith("<?xml")


def test_bytes_that_were_replaced_are_said(capsys, models, here, no_curve):
    content = (here / "reviews.csv").read_bytes()
    (here / "reviews.csv").write_bytes(content.replace(b"clever", b"cl\xffver", 2))
    status, out, err = compare_own(capsys, models, "--methods", "frozen+head", "--encoding", "utf-8-replace")
    assert (status, err) == (0, "") and out.count("2 bytes are not UTF-8: 0xff in line 2, column 16; ") == 1
    assert "read as U+FFFD" in out
