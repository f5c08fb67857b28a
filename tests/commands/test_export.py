"""`minitune export` and `minitune import`: there and back, and one sentence for all that is wrong."""

import os
import shutil
import sys

import pytest

from tests.commands.helpers import run, tune

pytest.importorskip("safetensors", reason="needs the extra `real`")


@pytest.fixture
def lora(capsys, models, here, no_curve):
    """A folder `t` with a tuned LoRA under a head."""
    assert tune(capsys, models, "lora+head", "--seed", 3)[0] == 0
    return here / "t"


def test_a_method_goes_to_peft_and_comes_back(capsys, models, lora, here):
    expected = run(capsys, "predict", "t", "the plot was dull .")[1]
    status, out, err = run(capsys, "export", "t", "--peft", "deep/out")
    assert (status, err) == (0, "")
    assert out.startswith("saved: deep/out: README.md, adapter_config.json, adapter_model.safetensors\n")
    assert "BertForSequenceClassification" in out and '"[CLS] {text} [SEP]"' in out and "bad, good" in out
    assert out.partition("\n")[2].strip() in (here / "deep" / "out" / "README.md").read_text()
    assert sorted(os.listdir(here / "deep")) == ["out"]
    arguments = ["import", "deep/out", "--model", models / "bert", "--labels", "bad,good", "--out", "back"]
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "") and "lora+head of rank 4 on query, value" in out and "classes: bad, good" in out
    assert run(capsys, "predict", "back", "the plot was dull .")[1] == expected
    assert run(capsys, "explain", "back", "the plot was dull .")[0] == 0


def test_words_go_there_and_back(capsys, models, here, no_curve):
    given = ["--template", "{text} it was {mask} .", "--label-words", "good=good;bad=bad"]
    assert tune(capsys, models, "lora", *given)[0] == 0
    expected = run(capsys, "predict", "t", "the plot was dull .")[1]
    status, out, _ = run(capsys, "export", "t", "--peft", "out")
    assert status == 0 and "BertForMaskedLM" in out and "good = good" in out
    status, _, err = run(capsys, "import", "out", "--model", models / "bert", "--out", "back")
    assert status == 2 and "--template" in err and not (here / "back").exists()
    # "bad" first, as the labels of the reviews are sorted
    words = [*given[:2], "--label-words", "bad=bad;good=good"]
    assert run(capsys, "import", "out", "--model", models / "bert", "--out", "back", *words)[0] == 0
    assert run(capsys, "predict", "back", "the plot was dull .")[1] == expected


def test_a_head_of_a_gpt_lies_beside(capsys, models, here, no_curve):
    tune(capsys, models, "lora+head", kind="gpt")
    status, out, _ = run(capsys, "export", "t", "--peft", "out")
    assert status == 0 and "head.safetensors" in out.partition("\n")[0] and "has weight and bias of the head" in out
    expected = run(capsys, "predict", "t", "the plot was dull .")[1]
    run(capsys, "import", "out", "--model", models / "gpt", "--labels", "bad,good", "--out", "back")
    assert run(capsys, "predict", "back", "the plot was dull .")[1] == expected
    run(capsys, "export", "t", "--peft", "out", "--force")
    tune(capsys, models, "lora", "--label-words", "good=clever;bad=dull", "--template", "{text} so {mask}", kind="gpt")
    assert run(capsys, "export", "t", "--peft", "out", "--force")[0] == 0
    assert not (here / "out" / "head.safetensors").exists(), "the head of another method lies beside this one's"


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_model_goes_to_transformers(capsys, models, here, kind):
    status, out, err = run(capsys, "export", models / kind, "--transformers", "out")
    assert (status, err) == (0, "") and "from_pretrained" in out and "split_special_tokens=True" in out
    expected = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(os.listdir(here / "out")) == expected


def test_a_folder_that_holds_something_is_not_written_to(capsys, models, lora, here):
    (here / "full").mkdir()
    (here / "full" / "mine").write_text("mine")
    run(capsys, "export", "t", "--peft", "peft")
    commands = {
        "peft": ["export", "t", "--peft", "full"],
        "transformers": ["export", models / "bert", "--transformers", "full"],
        "import": ["import", "peft", "--model", models / "bert", "--out", "full"],
    }
    for arguments in commands.values():
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "") and "full holds mine already" in err and "--force" in err
        assert os.listdir(here / "full") == ["mine"]
    for arguments in commands.values():
        assert run(capsys, *arguments, "--force")[0] == 0
    assert (here / "full" / "mine").read_text() == "mine"
    assert run(capsys, "predict", "full", "the plot was dull .")[0] == 0


def test_it_is_refused_before_the_work(capsys, models, lora, monkeypatch):
    """The folder first, the library next: neither a model nor an adapter is read for nothing."""
    monkeypatch.setattr("minitune.tuned.tuned.read_tuned", lambda *_: pytest.fail("the method was read"))
    assert run(capsys, "export", "t", "--peft", "t")[0] == 2
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    status, _, err = run(capsys, "export", "t", "--peft", "out")
    assert status == 2 and 'pip install "minitune[real]"' in err and len(err.splitlines()) == 1


def test_what_cannot_be_exported_or_imported(capsys, models, lora, tuned, here):
    (here / "file").write_text("no folder")
    shutil.copytree(models / "bert", here / "empty-import")
    cases = [
        (["export", "t"], "one of the arguments --peft --transformers is required"),
        (["export", "t", "--peft", "out", "--transformers", "out"], "not allowed with argument"),
        (["export", "gone", "--peft", "out"], "there is no gone/tuned.pt"),
        (["export", models / "bert", "--peft", "out"], "holds a model as it was pretrained, and no tuned.pt"),
        (["export", "t", "--transformers", "out"], "t holds a tuned method"),
        (["export", "llama", "--transformers", "out"], "there is no model 'llama'"),
        (["export", models / "bert", "--transformers", "out", "--model", "gpt"], "--model belongs to --peft"),
        (["export", "t", "--peft", "out", "--model", models / "gpt"], "fingerprint"),
        (["export", tuned, "--peft", "out"], "peft has no file for what frozen+head trains"),
        (["export", "t", "--peft", "file"], "file is a file, and a folder was expected"),
        (["export", "t", "--peft", "file/out"], "file is a file, and a folder was expected"),
        (["import", "empty-import", "--model", models / "bert", "--out", "out"], "adapter_config.json"),
        (["import", "gone", "--model", models / "bert", "--out", "out"], "adapter_config.json"),
    ]
    for arguments, expected in cases:
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "") and expected in err and len(err.splitlines()) == 1, (arguments, err)
    assert not (here / "out").exists()
