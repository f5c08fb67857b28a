"""`minitune import`: a folder of another library becomes a model that every command takes."""

import json

import pytest
import torch

import minitune
from minitune.commands import import_model
from minitune.models.convert import PARTS
from minitune.training.checkpoint import load_checkpoint
from tests.commands.helpers import REVIEWS, compare_own, run, tune, write
from tests.foreign import write_folder

LEAVES_OUT = {"no head": ("cls.",), "no pooler": ("bert.pooler", "cls.seq"), "bare": ("bert.pooler", "cls.")}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """The folders of a GPT-2, a BERT, and BERTs that lack something, imported; to look at, not to change."""
    folder = tmp_path_factory.mktemp("foreign")
    kinds = {"gpt": ("gpt", ()), "bert": ("bert", ()), **{name: ("bert", out) for name, out in LEAVES_OUT.items()}}
    for name, (kind, without) in kinds.items():
        tokenizer = "word level" if name == "bert" else None
        source = write_folder(folder / "source" / name, kind, tokenizer, spare=2, without=without)
        assert minitune_import(source, "--out", folder / name) == 0
    return folder


def minitune_import(*arguments):
    from minitune.commands.cli import main

    return main(["import", *map(str, arguments)])


# what it says and writes


def test_what_is_printed_and_written(capsys, here):
    source = write_folder(here / "source", "bert", spare=2, without=("cls.predictions", "bert.pooler"))
    status, out, err = run(capsys, "import", source, "--out", "out", "--seed", 4)
    assert (status, err) == (0, "")
    assert sorted(path.name for path in (here / "out").iterdir()) == ["model.pt", "tokenizer.json"]
    parameters = sum(p.numel() for p in load_checkpoint("out").model.parameters())
    for told in (f"{parameters:,}", "5 new ones", "[SOFT] [TRIGGER] [X] [Y] [Z]", "times that of the shipped bert"):
        assert told in out
    assert "has no MLM head: zero-shot and verbalizers are refused" in out and "has no pooler: " in out
    assert "minitune compare --data FILE --model out" in out and "next-sentence" not in out
    run(capsys, "import", source, "--out", "again", "--seed", 4)
    for name in ("model.pt", "tokenizer.json"):
        assert (here / "out" / name).read_bytes() == (here / "again" / name).read_bytes()


def test_a_pooler_that_was_never_trained_is_told(capsys, here):
    new = {"bert.pooler.dense.bias": torch.zeros(24)}
    source = write_folder(here / "source", "bert", tensors=new)
    assert "pooler was never trained" in run(capsys, "import", source, "--out", "out")[1]


def test_a_tokenizer_that_knows_no_plain_text_is_told(capsys, here):
    source = write_folder(here / "source", "bert", "word level")
    path = source / "tokenizer.json"
    assert "warning" not in run(capsys, "import", source, "--out", "out")[1]
    pairs = {"type": "Replace", "pattern": {"Regex": "[a-z]+ [a-z]+"}, "content": "?"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": pairs}))
    status, out, _ = run(capsys, "import", source, "--out", "out", "--force")
    assert status == 0 and "plain English texts the tokenizer knows no token" in out


def test_every_part_that_may_be_lacking_has_its_sentence():
    assert set(import_model.WITHOUT) == set(PARTS)


def test_a_model_that_is_there_stays_unless_told_otherwise(capsys, here):
    source = write_folder(here / "source", "gpt")
    assert run(capsys, "import", source, "--out", "out")[0] == 0
    before = (here / "out" / "model.pt").read_bytes()
    other = write_folder(here / "other", "bert")
    status, _, err = run(capsys, "import", other, "--out", "out")
    assert status == 2 and "out holds a model.pt already" in err and "--force" in err
    assert (here / "out" / "model.pt").read_bytes() == before
    assert run(capsys, "import", other, "--out", "out", "--force")[0] == 0
    assert load_checkpoint("out").kind == "bert"
    status, _, err = run(capsys, "import", other, "--out", here / "other" / ".." / "other", "--force")
    assert status == 2 and "is used by the same command" in err


def damaged(folder, name="pytorch_model.bin"):
    path = folder / name
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "save a fast tokenizer"),
        (lambda folder: (folder / "pytorch_model.bin").unlink(), "has no weights"),
        (damaged, "is damaged"),
        (lambda folder: damaged(folder, "tokenizer.json"), "is no valid JSON"),
        (lambda folder: damaged(folder, "config.json"), "is no valid JSON"),
        (lambda folder: write_folder(folder, "bert", config={"intermediate_size": 45}), "do not fit its config.json"),
        (lambda folder: write_folder(folder, "bert", config={"vocab_size": 9}), "belongs to another model"),
        (lambda folder: write_folder(folder, "bert", config={"model_type": "roberta"}), "'roberta'"),
        (lambda folder: write_folder(folder, "bert", config={"hidden_act": "relu"}), "hidden_act"),
        (
            lambda folder: write_folder(folder, "bert", tensors={"cls.predictions.bias": torch.tensor([torch.nan])}),
            "not finite",
        ),
    ],
)
def test_what_cannot_be_brought_in_is_one_sentence_and_leaves_nothing(capsys, here, break_it, message):
    source = write_folder(here / "source", "bert")
    break_it(source)
    status, _, err = run(capsys, "import", source, "--out", "out")
    assert status == 2 and len(err.splitlines()) == 1 and message in err, err
    assert not (here / "out").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(capsys, here):
    source = write_folder(here / "source", "bert")
    status, out, err = run(capsys, "import", source, "--out", "reviews.csv/out")
    assert status == 2 and "cannot write" in err and out == ""
    status, _, err = run(capsys, "import", "nowhere", "--out", "out")
    assert status == 2 and "there is no folder nowhere" in err
    status, _, err = run(capsys, "import", source)
    assert status == 2 and "--out" in err


# every command takes it


@pytest.mark.parametrize(
    ("what", "kind", "read"),
    [
        *[("full", "gpt", "verbalizer"), ("frozen", "gpt", "verbalizer"), ("frozen", "bert", "head")],
        *[("lora", "bert", "head"), ("prompt-tuning", "gpt", "verbalizer"), ("p-tuning", "bert", "head")],
        *[("prefix-tuning", "gpt", "verbalizer"), ("p-tuning-v2", "bert", "head")],
    ],
)
def test_tune_predict_and_explain(capsys, foreign, here, no_curve, kind, read, what):
    words = ["--label-words", "good=good,great;bad=bad"]
    if (what, read) == ("frozen", "verbalizer"):
        status, _, err = tune(capsys, foreign, "frozen", *words, kind=kind)
        assert status == 2 and "nothing to train" in err
        return
    status, out, err = tune(capsys, foreign, f"{what}+{read}", *words, kind=kind)
    assert (status, err) == (0, "") and "accuracy on test" in out
    status, out, _ = run(capsys, "predict", "t", "the plot was dull .", "a <mask> [MASK] <|endoftext|> <pad>")
    assert status == 0 and out.count("good") + out.count("bad") >= 2
    status, out, _ = run(capsys, "explain", "t", "a <mask> and <|endoftext|> .")
    assert status == 0 and ("likeliest words" in out) == (read == "verbalizer")
    tokens = out.partition("likeliest words")[0]
    assert "<mask>" not in tokens, "a text became the blank"
    tuned = minitune.open("t")
    assert tuned.predict(["the plot was dull ."])[0] in ("good", "bad")


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_compare_takes_it_with_its_default_methods(capsys, foreign, here, no_curve, kind):
    status, out, _ = compare_own(capsys, foreign, "--label-words", "good=good;bad=bad", kind=kind)
    assert status == 0 and "left out" not in out
    assert all(name in out for name in ("zero-shot", "frozen+head", "full+verbalizer", "random-weights"))


def test_python_loads_it(foreign, here):
    for kind in ("gpt", "bert"):
        model = minitune.load(foreign / kind)
        assert model.kind == kind and model.lacks == ()
        tuned = minitune.tune("full", model, minitune.read(here / "reviews.csv"), shots=2, steps=2)
        assert len(tuned.predict(["the plot was dull .", "it was good"])) == 2


def test_a_gpt_writes(capsys, foreign, here, no_curve):
    records = [{"instruction": f"name {n}", "output": str(n)} for n in range(5)]
    (here / "records.json").write_text(json.dumps(records), encoding="utf-8")
    arguments = ["--instructions", "records.json", "--fields", "instruction,output", "--model", foreign / "gpt"]
    assert run(capsys, "tune", "lora", *arguments, "--set", "steps=2", "--out", "d")[0] == 0
    assert run(capsys, "predict", "d", "name 3")[0] == 0


# what a model lacks


def test_compare_leaves_out_what_a_model_cannot_and_says_so(capsys, foreign, here, no_curve):
    status, out, _ = compare_own(capsys, foreign, kind="no head")
    assert status == 0
    assert "left out: zero-shot, full+verbalizer, lora+verbalizer (each reads words at the blank" in out
    table = out[out.index("difference to") :]
    assert "frozen+head" in table and "full+head" in table and "verbalizer" not in table
    status, out, _ = compare_own(capsys, foreign, kind="bare")
    assert status == 0 and "left out: frozen+head (each reads the text through BERT's pooler" in out
    table = out[out.index("difference to") :]
    assert "full+head" in table and "frozen" not in table
    status, _, err = compare_own(capsys, foreign, "--methods", "full+head,zero-shot", kind="no head")
    assert status == 2 and "zero-shot reads words at the blank, and the model" in err and "MLM head" in err


@pytest.mark.parametrize(
    ("kind", "method", "message"),
    [
        ("no head", "full", "full reads words at the blank, and the model .*no head came without its MLM head"),
        ("no head", "zero-shot", "came without its MLM head; take a method with \\+head"),
        ("bare", "lora", "came without its MLM head"),
        (
            "no pooler",
            "lora+head",
            "through BERT's pooler, and the model .* came without one: take .* full\\+head, top",
        ),
        ("no pooler", "frozen+focal", "full\\+focal, top\\+focal, layerwise\\+focal, gradual\\+focal"),
    ],
)
def test_tune_refuses_what_a_model_cannot(capsys, foreign, here, kind, method, message):
    import re

    status, _, err = tune(capsys, foreign, method, kind=kind)
    assert status == 2 and len(err.splitlines()) == 1 and re.search(message, err), err
    assert not (here / "t").exists()


@pytest.mark.parametrize(
    ("kind", "method", "words"),
    [("no head", "lora@manual+head", False), ("bare", "full@manual+head", False), ("no pooler", "lora", True)],
)
def test_what_is_tuned_on_such_a_model_is_opened_again(capsys, foreign, here, no_curve, kind, method, words):
    assert tune(capsys, foreign, method, kind=kind)[0] == 0
    status, out, _ = run(capsys, "explain", "t", "the plot was dull .")
    assert status == 0 and ("likeliest words at the blank" in out) == words, "an MLM head that nobody trained speaks"
    assert "the blank" in out and minitune.open("t").predict(["it was good"])[0] in ("good", "bad")


def test_labels_that_are_no_words_serve_a_head(capsys, foreign, here, no_curve):
    write(here / "stars.csv", [(text, "5 stars" if label == "good" else "1 star") for text, label in REVIEWS])
    assert tune(capsys, foreign, "frozen+head", data="stars.csv", kind="no head")[0] == 0
    assert run(capsys, "predict", "t", "the plot was dull .")[1].splitlines()[-1].endswith(("star", "stars"))


def test_the_file_of_the_tokenizer_says_which_of_its_tokens_are_special(foreign):
    assert json.loads((foreign / "no head" / "tokenizer.json").read_text())["post_processor"]["special_tokens"]["soft"]
