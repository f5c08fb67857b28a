"""The commands: what they print and write, and one clear sentence for every kind of bad input."""

import json
import os

import pytest

from minitune.commands.cli import main
from minitune.data.tokenizers import train_tokenizer
from minitune.models import BERTConfig, GPTConfig
from minitune.models.build import random_model
from minitune.training.checkpoint import Checkpoint, save_checkpoint

CONFIGS = {"bert": BERTConfig, "gpt": GPTConfig}
REVIEWS = [
    (f"the {part} was {word} .", label)
    for part in ("plot", "soup", "hero", "room", "bread", "cast")
    for word, label in (("clever", "good"), ("dull", "bad"), ("witty", "good"), ("awful", "bad"))
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The folders of a tiny BERT and a tiny GPT that know the words of the reviews."""
    folder = tmp_path_factory.mktemp("models")
    texts = [text for text, _ in REVIEWS] + ["it was good", "it was bad", "great", "the capital of the country is"]
    for kind, config_class in CONFIGS.items():
        tokenizer = train_tokenizer(kind, texts * 2)
        config = config_class(len(tokenizer), layers=1, width=16, heads=2, inner=24, context=40)
        save_checkpoint(folder / kind, Checkpoint(random_model(config, seed=0), tokenizer))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with a good file of reviews."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reviews.csv", REVIEWS)
    return tmp_path


def write(path, rows, header="text,label"):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def compare_own(capsys, models, *more, kind="bert", data="reviews.csv"):
    return run(capsys, "compare", "--data", data, "--model", models / kind, "--shots", 2, "--seeds", 1, *more)


# what a good command does


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_compare_prints_a_table_and_writes_json_and_a_figure(capsys, models, here, kind):
    methods = "zero-shot,frozen+head,full+verbalizer"
    status, out, err = compare_own(capsys, models, "--methods", methods, "--json", "rows.json", kind=kind)
    assert (status, err) == (0, "")
    assert "24 rows" in out and "bad 12, good 12" in out, "it must say first what it read"
    result = json.loads((here / "rows.json").read_text())
    assert {"task", "model", "seeds", "metric", "rows"} == set(result)
    assert [row["method"] for row in result["rows"]] == ["majority", *methods.split(","), "random-weights"]
    fields = {"method", "shots", "score", "low", "high", "draws", "trainable", "seconds", "bytes", "balanced"}
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


def test_pretrain_on_a_users_text_then_compare_with_it(capsys, here):
    text = "\n".join(text for text, _ in REVIEWS) + "\nit was good .\nit was bad .\n"
    (here / "mine.txt").write_text(text)
    status, out, _ = run(capsys, "pretrain", "bert", "--text", "mine.txt", "--size", "nano", "--steps", 3, "--out", "m")
    assert status == 0 and "held-out loss" in out
    assert {path.name for path in (here / "m").iterdir()} >= {"model.pt", "tokenizer.json", "run.json", "report.png"}
    status, out, _ = compare_own(capsys, here, "--methods", "frozen+head", kind="m")
    assert status == 0
    again = run(capsys, "pretrain", "bert", "--text", "mine.txt", "--steps", 3, "--out", "m")
    assert again[0] == 2 and "finished" in again[2], "a finished model must not be overwritten"


def test_lessons_are_listed_and_converted(capsys, here):
    status, out, _ = run(capsys, "lesson")
    assert status == 0 and "a GPT by hand" in out
    status, out, _ = run(capsys, "notebook", 1)
    notebook = json.loads((here / out.strip()).read_text())
    assert notebook["nbformat"] == 4 and {"code", "markdown"} == {cell["cell_type"] for cell in notebook["cells"]}


# tune, predict, explain, sweep, methods


def tune(capsys, models, method, *more, kind="bert", data="reviews.csv", steps="steps=2"):
    given = ["--data", data] if data else []
    given += ["--model", models / kind, "--shots", 2, "--set", steps]
    return run(capsys, "tune", method, *given, "--out", "t", *more)


@pytest.fixture
def no_curve(monkeypatch):
    """A figure takes longer than all the rest of a small run."""
    monkeypatch.setattr("minitune.methods.curve.plot_curve", lambda *_: None)


@pytest.fixture(scope="module")
def tuned(models, tmp_path_factory):
    """A folder with a tuned BERT in it; to look at, not to change."""
    folder = tmp_path_factory.mktemp("tuned")
    write(folder / "reviews.csv", REVIEWS)
    arguments = ["tune", "frozen+head", "--data", folder / "reviews.csv", "--model", models / "bert", "--shots", 2]
    assert main([str(part) for part in (*arguments, "--set", "steps=2", "--out", folder / "t")]) == 0
    return folder / "t"


def few_rows(monkeypatch, count=12):
    """The toy world's tasks, but of a few rows."""
    from minitune.world.tasks import load_split

    monkeypatch.setattr("minitune.methods.from_task.load_split", lambda *which: load_split(*which)[:count])


@pytest.mark.parametrize(("method", "kind"), [("lora+head", "bert"), ("prompt-tuning", "gpt")])
def test_tune_then_predict_then_explain(capsys, models, here, method, kind):
    status, out, err = tune(capsys, models, method, "--seed", 3, kind=kind)
    assert (status, err) == (0, "")
    assert "24 rows" in out and "trainable" in out and "accuracy on test" in out and "steps, learning rate" in out
    assert sorted(os.listdir(here / "t")) == ["curve.png", "tuned.pt"]
    assert (here / "t" / "curve.png").stat().st_size > 5000
    assert 'minitune predict t "a text"' in out, "what to do next is said"
    status, first, err = run(capsys, "predict", "t", "the plot was dull .", "the soup was clever , ünï 猫 .")
    assert (status, err) == (0, "") and len(first.splitlines()) == 4
    assert {line.split()[-1] for line in first.splitlines()[2:]} <= {"good", "bad"}
    assert run(capsys, "predict", "t", "the plot was dull .", "the soup was clever , ünï 猫 .")[1] == first
    status, out, err = run(capsys, "explain", "t", "the plot was dull .")
    assert (status, err) == (0, "") and "softmax" in out
    assert ("soft prompt: a learned vector" in out) == (method == "prompt-tuning")
    assert ("likeliest words at the blank" in out) == (method != "lora+head")


@pytest.mark.parametrize("written", ["answers.csv", "answers.tsv", "answers.jsonl"])
def test_predict_on_a_file(capsys, tuned, here, written):
    from minitune.data.rows import read_rows

    write(here / "new.csv", [("1", '"the plot was ""dull"" , so"'), ("2", "猫 ünï great")], header="id,review")
    arguments = ["predict", tuned, "--data", "new.csv", "--text-column", "review", "--out", written]
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "") and "2 rows" in out
    rows = [row for _, row in read_rows(here / written)]
    assert [(row["id"], row["review"]) for row in rows] == [("1", 'the plot was "dull" , so'), ("2", "猫 ünï great")]
    assert {row["answer"] for row in rows} <= {"good", "bad"}


def test_pairs_all_examples_and_labels_that_are_no_words(capsys, models, here, no_curve):
    labels = {"good": "5 stars", "bad": "1 star"}
    pairs = [
        (text, f"it was {word}", labels[label])
        for (text, label), word in zip(REVIEWS, "abcdefghijklmnopqrstuvwx", strict=True)
    ]
    write(here / "pairs.csv", pairs, header="text,text_b,label")
    status, out, err = tune(capsys, models, "p-tuning-v2+head", "--shots", "all", data="pairs.csv")
    assert (status, err) == (0, "") and "--label-words" in out, "labels that are no words still serve a head"
    assert "9 / 3 / 12" in out, "half of the rows for the test, a fifth of the rest for dev"
    status, out, _ = run(capsys, "predict", "t", "the plot was dull || it was a")
    assert status == 0 and ("5 stars" in out or "1 star" in out)
    status, _, err = run(capsys, "predict", "t", "the plot was dull")
    assert status == 2 and "pairs of texts" in err
    status, _, err = tune(capsys, models, "lora", data="pairs.csv")
    assert status == 2 and "no label word" in err
    words = ["--label-words", "1 star=dull,awful;5 stars=witty"]
    assert tune(capsys, models, "lora", *words, data="pairs.csv")[0] == 0


def test_a_template_of_ones_own_is_kept(capsys, models, here, no_curve):
    own = "{soft:3} it {text} : {soft:2} {mask}"
    assert tune(capsys, models, "p-tuning", "--template", own)[0] == 0
    out = run(capsys, "explain", "t", "the plot was dull .")[1]
    assert out.count("soft prompt: a learned vector") == 5 and out.count(" template\n") == 2
    assert tune(capsys, models, "prompt-tuning+head", "--template", "{soft:3} {text}")[0] == 0, "a head needs no blank"


def test_tags_and_descriptions_from_end_to_end(capsys, models, here, no_curve, monkeypatch):
    few_rows(monkeypatch)
    arguments = ["--task", "tags", "--model", "bert", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "lora", *arguments)
    assert (status, err) == (0, "") and "f1 on test" in out and (here / "runs" / "lora-tags" / "tuned.pt").exists()
    status, out, _ = run(capsys, "predict", "runs/lora-tags", "rose gave the pearl to basil .")
    assert status == 0 and len(out.splitlines()[2].split()) == 14, "a tag for each word"
    status, out, _ = run(capsys, "explain", "runs/lora-tags", "rose gave")
    assert status == 0 and out.count("the answer is read here") == 2
    arguments = ["--task", "describe", "--model", "gpt", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "prompt-tuning", *arguments, "--template", "{text} {soft:2}", "--out", "d")
    assert (status, err) == (0, "") and "score on test" in out, "a text that is written needs no blank"
    status, out, _ = run(capsys, "explain", "d", "the elm , pub , soup , cheap , river .")
    assert status == 0 and "written from here on" in out
    status, out, _ = run(capsys, "predict", "d", "the elm , pub , soup , cheap , river .")
    assert status == 0


def test_facts_from_end_to_end(capsys, here, no_curve):
    arguments = ["--task", "facts:born_in", "--model", "gpt", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "prompt-tuning", *arguments)
    assert (status, err) == (0, "") and (here / "runs" / "prompt-tuning-facts-born_in" / "tuned.pt").exists()
    status, out, _ = run(capsys, "explain", "runs/prompt-tuning-facts-born_in", "stella")
    assert status == 0 and len(out.partition("softmax")[2].strip().splitlines()) == 11, "the likeliest, not all words"


def test_sweep_prints_a_table_and_writes_json(capsys, here, monkeypatch):
    few_rows(monkeypatch, 40)
    arguments = ["--rates", "0.01,1e-3", "--shots", "2", "--seeds", "2", "--set", "steps=2", "--json", "s.json"]
    status, out, err = run(capsys, "sweep", "frozen+head, lora", *arguments)
    assert (status, err) == (0, "") and out.count("*") == 2
    result = json.loads((here / "s.json").read_text())
    assert [(row["method"], row["rate"], len(row["scores"])) for row in result["rows"]] == [
        ("frozen+head", 0.001, 2),
        ("frozen+head", 0.01, 2),
        ("lora", 0.001, 2),
        ("lora", 0.01, 2),
    ]
    assert set(result["best"]) == {"frozen+head", "lora"} and result["set"] == ["steps=2"]
    assert (result["task"], result["model"], result["world"], result["shots"]) == ("sentiment", "bert", 0, 2)


def test_sweep_takes_the_tasks_of_another_world(capsys, here, monkeypatch):
    for split in ("train", "dev", "test"):
        (here / "w" / "tasks" / "sentiment").mkdir(parents=True, exist_ok=True)
        rows = [(f"{text} {split}", {"good": "positive", "bad": "negative"}[label]) for text, label in REVIEWS]
        write(here / "w" / "tasks" / "sentiment" / f"{split}.csv", rows)
    asked = []
    monkeypatch.setattr("minitune.world.folder.world_folder", lambda seed: asked.append(seed) or here / "w")
    arguments = ["--world", "7", "--rates", "0.01", "--shots", "all", "--seeds", "1", "--set", "steps=2"]
    status, out, err = run(capsys, "sweep", "frozen+head", *arguments, "--json", "s.json")
    assert (status, err, asked) == (0, "", [7]) and "world 7" in out
    assert json.loads((here / "s.json").read_text())["world"] == 7


def test_methods_lists_them_all_and_help_lists_a_methods_settings(capsys, here):
    from minitune.methods.what import WHAT

    status, out, _ = run(capsys, "methods")
    assert status == 0 and all(any(line.startswith(f"{what} ") for line in out.splitlines()) for what in WHAT)
    status, out, _ = run(capsys, "tune", "lora+head", "--help")
    assert status == 0 and "rank=4" in out and "targets=query,value" in out and "GPT, words" in out and "--shots" in out
    status, out, _ = run(capsys, "tune", "-h")
    assert status == 0 and "rank=" not in out
    status, _, err = run(capsys, "tune", "lorra", "--help")
    assert status == 2 and "'lorra' is unknown" in err
    for command in ("predict", "explain", "sweep"):
        assert run(capsys, command, "--help")[0] == 0


def test_a_folder_that_moved_and_a_model_that_moved(capsys, models, here, no_curve):
    import shutil

    shutil.copytree(models / "bert", here / "base")
    run(
        capsys,
        "tune",
        "lora+head",
        "--data",
        "reviews.csv",
        "--model",
        "base",
        "--shots",
        2,
        "--set",
        "steps=2",
        "--out",
        "t",
    )
    expected = run(capsys, "predict", "t", "the plot was dull .")[1]
    (here / "t").rename(here / "u")
    (here / "base").rename(here / "moved")
    status, _, err = run(capsys, "predict", "u", "the plot was dull .")
    assert status == 2 and "'base'" in err
    assert run(capsys, "predict", "u", "the plot was dull .", "--model", "moved")[1] == expected
    assert run(capsys, "explain", "u", "the plot was dull .", "--model", "moved")[0] == 0
    status, _, err = run(capsys, "predict", "u", "the plot was dull .", "--model", models / "gpt")
    assert status == 2 and "fingerprint" in err and "--model" in err


BAD_TUNES = {
    "no method": ("lorra+head", [], "'lorra' is unknown"),
    "nothing to train": ("zero-shot", [], "nothing to train"),
    "unknown setting": ("lora+head", ["--set", "rang=8"], "no setting 'rang'; it has rank, alpha"),
    "setting without value": ("lora+head", ["--set", "rank"], "write name=value"),
    "value of another kind": ("lora+head", ["--set", "rank=high"], "whole number"),
    "setting of another method": ("full+head", ["--set", "rank=8"], "none of its own"),
    "rank of nothing": ("lora+head", ["--set", "rank=0"], "rank is 0"),
    "rank beyond the width": ("lora+head", ["--set", "rank=17"], "16 wide"),
    "no linear layer": ("lora+head", ["--set", "targets=querry"], "no linear layer is named 'querry'"),
    "a tied weight": ("lora+head", ["--set", "targets=token_embedding"], "tied to the output"),
    "a prompt beyond the context": ("prompt-tuning", ["--set", "length=40"], "no room for a text"),
    "a prompt and a template beyond it": ("prompt-tuning", ["--set", "length=38"], "context holds 40"),
    "a prefix beyond the context": ("prefix-tuning", ["--set", "length=99"], "no room for a text"),
    "template without placeholders": ("prompt-tuning", ["--template", "{text} it was {mask} ."], "no placeholder"),
    "template without a blank": ("lora", ["--template", "{text}"], "no blank"),
    "template without a slot": ("lora+head", ["--template", "so it was"], "no slot"),
    "two texts asked of one": ("lora+head", ["--template", "{text} {text_b}"], "no such text"),
    "betas of nothing": ("lora+head", ["--set", "betas=0.9"], "betas"),
    "a rate that blows up": (
        "full+head",
        ["--set", "lr=1e30", "--set", "warmup=0", "--set", "clip=1e30", "--set", "steps=9"],
        "lower the learning rate",
    ),
    "labels that are no numbers": ("lora+number", [], "no numbers"),
    "too many shots": ("lora+head", ["--shots", "13"], "lower --shots"),
    "shots no number": ("lora+head", ["--shots", "every"], "from 1 on"),
    "unknown device": ("lora+head", ["--device", "tpu"], "cpu"),
    "a file for a folder": ("lora+head", ["--out", "reviews.csv"], "cannot write"),
    "unknown column": ("lora+head", ["--text-column", "review"], "no column 'review'"),
}


@pytest.mark.parametrize("name", BAD_TUNES)
def test_a_bad_tune_is_one_sentence_and_writes_nothing(capsys, models, here, name):
    method, more, expected = BAD_TUNES[name]
    status, _, err = tune(capsys, models, method, *more)
    assert status == 2 and "Traceback" not in err, err
    assert expected in err.splitlines()[-1], f"{err!r} does not say {expected!r}"
    assert not (here / "t").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tune", "lora", "--task", "describe", "--model", "bert"], "take a GPT"),
        (["tune", "lora+focal", "--task", "tags"], "read by head"),
        (["tune", "lora+head", "--task", "facts:born_in"], "read by verbalizer"),
        (["tune", "output", "--task", "tags"], "scores of words"),
        (["tune", "output+head"], "scores of words"),
        (["tune", "lora", "--task", "facts"], "one relation at a time"),
        (["tune", "lora", "--task", "instruct"], "not one to train on"),
        (["tune", "lora", "--task", "sentiment", "--test-data", "reviews.csv"], "belongs to --data"),
        (["tune", "lora", "--model", "nowhere"], "no model 'nowhere'"),
        (["tune"], "METHOD"),
        (["sweep", "zero-shot", "--seeds", "1"], "nothing to train"),
        (["sweep", "lora", "--rates", "fast"], "above 0"),
        (["sweep", "lora", "--rates", "0"], "above 0"),
        (["sweep", "lora", "--rates", ","], "the list is empty; numbers above 0"),
        (["sweep", ","], "empty"),
        (["sweep", "full+head,lora", "--set", "rank=8"], "full+head has no setting 'rank'"),
        (["sweep", "lora", "--task", "nothing"], "no task 'nothing'"),
        (["predict", "nowhere", "a text"], "no nowhere/tuned.pt"),
        (["predict", "nowhere"], "give either texts"),
        (["predict", "nowhere", "a text", "--data", "reviews.csv"], "give either texts"),
        (["predict", "nowhere", "--data", "reviews.csv"], "belong together"),
        (["predict", "nowhere", "a text", "--out", "o.csv"], "belong together"),
        (["explain", "nowhere", "a text"], "no nowhere/tuned.pt"),
        (["explain", "nowhere"], "TEXT"),
    ],
)
def test_a_bad_tune_sweep_predict_or_explain_of_other_kinds(capsys, here, arguments, expected):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "Traceback" not in err, err
    assert expected in err.splitlines()[-1], f"{err!r} does not say {expected!r}"


def test_texts_and_files_that_cannot_be_predicted(capsys, tuned, here):
    write(here / "gap.csv", [("a",), (" ",)], header="text")
    bad = {
        "a || b": "single texts",
        " ": "empty text",
        "a \udce9": "half a character",
    }
    for text, expected in bad.items():
        for command in ("predict", "explain"):
            status, _, err = run(capsys, command, tuned, text)
            assert status == 2 and expected in err and len(err.splitlines()) == 1, err
    files = {"nowhere.csv": "no file nowhere.csv", "reviews.xls": ".xls", "reviews.csv": "'review'"}
    for name, expected in files.items():
        status, _, err = run(capsys, "predict", tuned, "--data", name, "--out", "o.csv", "--text-column", "review")
        assert status == 2 and expected in err and not (here / "o.csv").exists(), err
    status, _, err = run(capsys, "predict", tuned, "--data", "reviews.csv", "--out", "o.doc")
    assert status == 2 and ".csv, .tsv or .jsonl" in err
    (here / "t").mkdir()
    (here / "t" / "tuned.pt").write_bytes(b"no file of this kind")
    status, _, err = run(capsys, "predict", "t", "a text")
    assert status == 2 and "damaged" in err and len(err.splitlines()) == 1


def test_a_tune_that_fails_leaves_the_last_one_whole(capsys, models, here, no_curve):
    tune(capsys, models, "frozen+head")
    before = (here / "t" / "tuned.pt").read_bytes()
    assert tune(capsys, models, "lora+head", "--set", "rank=99")[0] == 2
    assert (here / "t" / "tuned.pt").read_bytes() == before


# bad input: exit status 2, one sentence, no traceback


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
    "unwritable folder": (["--methods", "zero-shot", "--json", "reviews.csv/rows.json"], "cannot write"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_a_bad_command_is_one_sentence(capsys, models, here, name):
    import re

    arguments, expected = BAD_COMMANDS[name]
    given = {"--data": "reviews.csv", "--model": models / "bert", "--shots": 2, "--seeds": 1, "--methods": "zero-shot"}
    if "--task" in arguments:
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["pretrain", "elmo", "--text", "reviews.csv", "--steps", "1"], "gpt or bert"),
        (["pretrain", "gpt", "--text", "reviews.csv", "--size", "huge", "--steps", "1"], "nano, micro, mini"),
        (["pretrain", "gpt", "--text", "nowhere.txt", "--steps", "1"], "no file"),
        (["pretrain", "gpt", "--text", "reviews.csv", "--resume", "--out", "nothing"], "nothing to resume"),
        (["pretrain", "gpt", "--minutes", "0"], "above 0"),
        (["pretrain", "gpt", "--minutes", "1", "--steps", "1"], "not allowed"),
        (["lesson", "99"], "no lesson 99"),
        (["notebook", "99"], "no lesson 99"),
        (["compose"], "invalid choice"),
    ],
)
def test_other_bad_commands(capsys, here, arguments, expected):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and expected in err and "Traceback" not in err


def test_ctrl_c_is_130(capsys, here, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minitune.course.lessons.lessons", interrupted)
    status, _, err = run(capsys, "lesson")
    assert status == 130 and "stopped" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(capsys, models, here):
    (here / "locked").mkdir(mode=0o500)
    status, _, err = compare_own(capsys, models, "--methods", "zero-shot", "--plot", "locked/figure.png")
    assert status == 2 and "cannot write" in err
