"""`minitune compare`: the table, the controls, and one clear sentence for every kind of bad input."""

import json
import os

import pytest

from tests.commands.helpers import REVIEWS, compare_own, run, write


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_compare_prints_a_table_and_writes_json_and_a_figure(capsys, models, here, kind):
    methods = "zero-shot,frozen+head,full+verbalizer"
    status, out, err = compare_own(capsys, models, "--methods", methods, "--json", "rows.json", kind=kind)
    assert (status, err) == (0, "")
    assert "24 rows" in out and "bad 12, good 12" in out, "it must say first what it read"
    result = json.loads((here / "rows.json").read_text())
    assert {"task", "model", "seeds", "metric", "rows", "set"} == set(result)
    assert [row["method"] for row in result["rows"]] == ["majority", *methods.split(","), "random-weights"]
    fields = {"method", "shots", "score", "low", "high", "draws", "trainable", "seconds", "bytes", "balanced", "error"}
    assert all(set(row) == fields and len(row["draws"]) == 1 for row in result["rows"])
    trainable = {row["method"]: row["trainable"] for row in result["rows"]}
    assert trainable["zero-shot"] == 0 and trainable["frozen+head"] == 2 * 16 + 2, "frozen+head trains W and b alone"
    assert (here / "runs" / "compare.png").stat().st_size > 5000


def test_compare_leaves_out_verbalizers_without_words_and_says_why(capsys, models, here):
    write(here / "stars.csv", [(text, {"good": "five stars", "bad": "one star"}[label]) for text, label in REVIEWS])
    status, out, _ = compare_own(capsys, models, "--methods", "zero-shot,frozen+head", data="stars.csv")
    assert status == 0 and "--label-words" in out
    assert "zero-shot" not in out.partition("accuracy")[2] and "frozen+head" in out


def test_the_same_command_gives_the_same_scores(capsys, models, here):
    for name in ("a.json", "b.json"):
        compare_own(capsys, models, "--methods", "full+head", "--json", name)
    first, second = (json.loads((here / name).read_text())["rows"][1]["draws"] for name in ("a.json", "b.json"))
    assert first == second


@pytest.mark.parametrize("control", ["shuffled-labels", "random-weights", "irrelevant-template"])
def test_controls_run(capsys, models, here, control):
    status, out, _ = compare_own(capsys, models, "--methods", "full+verbalizer", "--control", control)
    assert status == 0 and control in out


BAD_FILES = {
    "empty.csv": ("", "is empty"),
    "latin.csv": (b"text,label\ncaf\xe9,good\n", "not UTF-8"),
    "headless.csv": ("the plot was dull .,bad\nthe plot was clever .,good\n", "first line"),
    "column.csv": ("review,label\na plot,good\n", "'text'.*'review'"),
    "one_class.csv": ("text,label\na,good\nb,good\n", "two classes"),
    "few_fields.csv": ("text,label\na,good\nb\n", "line 3.*1 field"),
    "many_fields.csv": ("text,label\na,b,good\n", "line 2.*3 fields"),
    "quote.csv": ('text,label\n"a,good\n', "line"),
    "broken.jsonl": ('{"text": "a", "label": "good"}\n{"text": \n', "line 2.*JSON"),
    "list.jsonl": ("[1, 2]\n", "line 1.*object"),
    "gap.csv": ("text,label\na,good\n ,bad\n", "line 3.*empty"),
    "reviews.xls": ("text,label\na,good\n", "xls.*csv"),
    "many.csv": ("text,label\n" + "".join(f"a {i},b{i}\n" for i in range(30)), "30 different labels.*--label-column"),
    "small.csv": ("text,label\na,good\nb,bad\nc,bad\nd,bad\n", "'good' has 1.*--shots"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_sentence(capsys, models, here, name):
    import re

    content, expected = BAD_FILES[name]
    (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    status, _, err = compare_own(capsys, models, data=name)
    assert status == 2 and len(err.strip().splitlines()) == 1, err
    assert re.search(expected, err), f"{err!r} does not say {expected!r}"


BAD_COMMANDS = {
    "missing file": (["--data", "nowhere.csv"], "no file nowhere.csv"),
    "unknown method": (["--methods", "lorra+head"], "'lorra' is unknown"),
    "method of another form": (["--methods", "full+head+head"], "what@asked"),
    "empty list": (["--methods", ","], "empty"),
    "unknown task": (["--task", "sentimint"], "sentiment"),
    "task of another kind": (["--task", "facts"], "one relation at a time"),
    "unknown model": (["--model", "gtp"], "'gtp'"),
    "unknown control": (["--control", "none"], "shuffled-labels"),
    "unknown device": (["--device", "tpu"], "cpu"),
    "figure of no format": (["--plot", "figure.doc"], ".png"),
    "no blank": (["--template", "{text} it was"], "{mask}"),
    "unknown slot": (["--template", "{text} {maks}"], "{maks}"),
    "brace": (["--template", "{text} {mask"], "brace"),
    "code": (["--template", "{text} {mask.__class__}"], "unknown slot"),
    "split word": (["--label-words", "good=magnificentissimo;bad=dull"], r"'magnificentissimo'.*becomes"),
    "shared word": (["--label-words", "good=dull;bad=dull"], "one of them"),
    "unknown class": (["--label-words", "fine=clever;bad=dull"], "'fine'"),
    "class without words": (["--label-words", "good=clever"], "'bad'"),
    "not label words": (["--label-words", "clever"], "label=word"),
    "shots out of range": (["--shots", "0"], "from 1 on"),
    "shots no number": (["--shots", "few"], "from 1 on"),
    "too many shots": (["--shots", "13"], "lower --shots"),
    "test data without data": (["--task", "topic", "--test-data", "reviews.csv"], "belongs to --data"),
    "task and data": (["--data", "reviews.csv", "--task", "topic"], "--task topic and --data reviews.csv"),
    "kind of a task": (["--task", "topic", "--kind", "number"], "--kind belongs to --data"),
    "no such kind": (["--kind", "stars"], "classes, number, tags"),
    "labels that are no numbers": (["--kind", "number"], "line 2: the label 'good' is no number"),
    "a draw's seed": (["--seed", "3"], "did you mean --seeds"),
    "half an option": (["--text", "a"], "did you mean --text-column or --text-b-column"),
    "training file as test file": (["--test-data", "./reviews.csv"], "training file itself"),
    "text and label in one": (["--text-column", "label"], "--text-column and by --label-column"),
    "setting that none has": (["--set", "rang=3"], "no method here has a setting 'rang'"),
    "template without the text": (["--template", "{mask}"], "would not depend on the text"),
    "bytes in a template": (["--template", "{text} \udcff {mask}"], "half a character"),
    "bytes in label words": (["--label-words", "good=\udcff;bad=dull"], "half a character"),
    "bytes in a name": (["--data", "\udcff.csv"], "no file"),
    "home of nobody": (["--data", "~nobody_of_that_name/a.csv"], "not known here"),
    "word twice": (["--label-words", "good=clever,clever;bad=dull"], "given twice for 'good'"),
    "unwritable folder": (["--methods", "zero-shot", "--json", "reviews.csv/rows.json"], "cannot write"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_a_bad_command_is_one_sentence(capsys, models, here, name):
    import re

    arguments, expected = BAD_COMMANDS[name]
    given = {"--data": "reviews.csv", "--model": models / "bert", "--shots": 2, "--seeds": 1, "--methods": "zero-shot"}
    if "--task" in arguments and "--data" not in arguments:
        del given["--data"]
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    status, _, err = run(capsys, "compare", *(part for pair in given.items() for part in pair))
    assert status == 2 and "Traceback" not in err, err
    assert re.search(expected, err.splitlines()[-1]), f"{err!r} does not say {expected!r}"


def test_gpt_refuses_a_template_with_something_after_the_blank(capsys, models, here):
    status, _, err = compare_own(capsys, models, "--template", "{text} it was {mask} .", kind="gpt")
    assert status == 2 and "end the template with {mask}" in err


def test_a_label_of_the_test_file_that_training_lacks(capsys, models, here):
    write(here / "test.csv", [("the plot was odd .", "strange")])
    status, _, err = compare_own(capsys, models, "--test-data", "test.csv")
    assert status == 2 and "'strange'" in err


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
def test_every_kind_of_file_is_compared_tuned_swept_and_opened(capsys, models, here, name):
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
    assert (status, err) == (0, "") and (here / "t" / "curve.png").exists()
    text = "the plot || it was" if name == "pairs.csv" else "the plot was"
    status, out, err = run(capsys, "predict", "t", text)
    answer = out.splitlines()[2].removeprefix(text).split()
    assert (status, err) == (0, "") and len(answer) == (3 if name == "tags.conll" else 1), out
    if name == "numbers.csv":
        assert 3 < abs(float(answer[0])) < 75, "the mean and the spread were not saved"
    assert run(capsys, "explain", "t", text)[0] == 0


def test_a_sweep_never_sees_the_rows_that_compare_tests_on(capsys, models, here, monkeypatch):
    from minitune.methods import sweep
    from minitune.methods.from_file import file_data

    seen, learn = [], sweep.learn
    monkeypatch.setattr(sweep, "learn", lambda *given: seen.append(given[3]) or learn(*given))
    given = ["--data", "reviews.csv", "--model", models / "bert", "--shots", 2, "--set", "steps=2"]
    assert run(capsys, "sweep", "frozen+head", *given, "--rates", "0.01", "--seeds", 1)[0] == 0
    test = set(file_data(here / "reviews.csv", None, 2).test)
    assert seen and test and not test & {*seen[0].pool, *seen[0].dev}
