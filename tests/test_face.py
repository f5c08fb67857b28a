"""The Python face, as its docstrings and the README promise it: what scikit-learn and peft users expect."""

import ast
import importlib
import re
import shlex
import subprocess
import sys

import pytest
import torch

import minitune
from minitune.commands.cli import parser
from minitune.data.examples import Example, TestSet
from minitune.errors import UserError
from minitune.files import PACKAGE, shared
from minitune.methods.method import Method
from minitune.training.checkpoint import load_checkpoint, save_checkpoint
from tests import tiny
from tests.commands.helpers import few_rows

FAST = {"steps": 2}


@pytest.fixture
def base(tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("bert"))
    return minitune.load(tmp_path / "base", device="cpu")


@pytest.fixture
def reviews(tmp_path):
    rows = [f"the {thing} was {how},{label}" for thing in ("hero", "plot", "soup", "bread", "room", "bed")
            for how, label in (("great", "great"), ("awful", "awful"))]  # fmt: skip
    (tmp_path / "mine.csv").write_text("\n".join(["review,stars", *rows]) + "\n")
    return minitune.read(tmp_path / "mine.csv", text="review", label="stars")


def test_a_file_is_tuned_on_predicted_scored_saved_and_opened(base, reviews, tmp_path):
    tuned = minitune.tune("lora+verbalizer", base, reviews, shots=2, seed=0, rank=2, lr=3e-3, **FAST)
    texts = ["the plot was awful", "the soup was great", "the bed was great"]
    chances = tuned.probabilities(texts)
    assert chances.shape == (3, 2) and torch.allclose(chances.sum(dim=1), torch.ones(3))
    assert tuned.predict(texts) == [tuned.labels[i] for i in chances.argmax(dim=1)]
    assert set(tuned.predict(texts)) <= {"great", "awful"} and type(reviews.test) is TestSet
    assert 0 <= tuned.score(reviews.test) <= 1
    tuned.save(tmp_path / "kept")
    again = minitune.open(tmp_path / "kept", device="cpu")
    assert torch.equal(again.probabilities(texts), chances) and again.score(reviews.test) == tuned.score(reviews.test)
    assert "[MASK]" in again.explain("the plot was awful")


def test_settings_are_keywords_and_an_unknown_one_is_refused(base, reviews):
    tuned = minitune.tune("lora+head", base, reviews, shots=1, rank=3, targets=["query"], rank_stabilized=True, **FAST)
    assert tuned.method.settings.rank == 3 and tuned.method.settings.targets == ("query",)
    for wrong, said in (
        ({"rang": 8}, "no setting 'rang'; it has rank, alpha"),
        ({"rank": "high"}, "whole number"),
        ({"rank": 2.5}, "whole number"),
        ({"rank": 0}, "rank is 0"),
        ({"lr": float("nan")}, "finite"),
        ({"dropout": True}, "number"),
    ):
        with pytest.raises(UserError, match=said):
            minitune.tune("lora+head", base, reviews, **wrong)


def test_a_template_and_label_words_of_ones_own(base, reviews):
    tuned = minitune.tune(
        "full", base, reviews, shots=1, template="{text} so {mask} !",
        label_words={"great": ["great", "good"], "awful": "dull"}, **FAST,
    )  # fmt: skip
    assert str(tuned.predictor.template) == "{text} so {mask} !"
    assert tuned.question.label_words == {"great": ("great", "good"), "awful": ("dull",)}
    with pytest.raises(UserError, match="no blank"):
        minitune.tune("full", base, reviews, template="{text}", **FAST)


def test_labels_are_matched_by_name_not_by_place(base, reviews):
    """Another file's labels are numbered in that file's own order."""
    tuned = minitune.tune("frozen+head", base, reviews, shots=2, **FAST)
    assert tuned.labels == ("awful", "great")
    as_tuned = TestSet([Example("the plot was great", label=1), Example("so dull", label=0)], ("awful", "great"))
    turned = TestSet([Example("the plot was great", label=0), Example("so dull", label=1)], ("great", "awful"))
    assert tuned.score(as_tuned) == tuned.score(turned), (
        "the first label of a file is taken for the first that was tuned"
    )
    with pytest.raises(UserError, match=r"labels that this was not tuned for: \['good'\]"):
        tuned.score(TestSet([Example("so", label=0)], ("good", "great")))


def test_one_text_is_not_a_list_of_letters(base, reviews):
    tuned = minitune.tune("frozen+head", base, reviews, shots=1, **FAST)
    with pytest.raises(UserError, match="a list of texts was expected"):
        tuned.predict("the plot was dull")
    with pytest.raises(UserError, match="empty text"):
        tuned.predict(["a plot", " "])


def test_pairs_are_pairs_of_strings(base, tmp_path):
    rows = [f"the plot was great,{second},{label}" for second, label in (("so it was", "yes"), ("it was dull", "no"))]
    (tmp_path / "pairs.csv").write_text("\n".join(["text,text_b,label", *rows * 3]) + "\n")
    tuned = minitune.tune("frozen+head", base, minitune.read(tmp_path / "pairs.csv"), shots=1, **FAST)
    assert tuned.predict([("the plot was great", "so it was")])[0] in ("yes", "no")
    with pytest.raises(UserError, match="pairs of texts"):
        tuned.predict(["the plot was great"])


def test_methods_are_compared_at_one_or_several_numbers_of_examples(base, reviews):
    rows = minitune.compare(["zero-shot", "frozen+head"], base, reviews, shots=(1, 2), draws=2, **FAST)
    assert {(row.method, row.shots) for row in rows} >= {("zero-shot", 1), ("frozen+head", 2), ("random-weights", 1)}
    assert all(len(row.draws) == 2 for row in rows)


def test_the_model_that_is_given_is_not_changed(base, reviews):
    before = {name: p.clone() for name, p in base.model.named_parameters()}
    minitune.tune("full+head", base, reviews, shots=2, **FAST)
    for name, parameter in base.model.named_parameters():
        assert torch.equal(parameter, before[name]), (
            f"{name} of the loaded model has changed: the next method is unfair"
        )


def test_importing_minitune_waits_for_no_pytorch():
    code = "import sys, minitune; print('torch' in sys.modules, sorted(minitune.__all__))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("False"), "a mistyped option would wait seconds for PyTorch"
    assert "['compare', 'load', 'open', 'read', 'read_instructions', 'task', 'tune']" in out


README = PACKAGE.parent / "README.md"


def snippets(language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [text for its, text in fenced if its == language]


@pytest.mark.skipif(not README.exists(), reason="the README is beside the package in a clone alone")
def test_every_python_snippet_of_the_readme_is_python_and_names_what_there_is():
    for snippet in snippets("python"):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "minitune":
                assert hasattr(minitune, node.attr), f"the README says minitune.{node.attr}, and there is none"
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    assert hasattr(importlib.import_module(node.module), name.name), f"{node.module}.{name.name}"


@pytest.mark.thorough
@pytest.mark.skipif(not README.exists(), reason="the README is beside the package in a clone alone")
def test_every_python_snippet_of_the_readme_runs(tmp_path, monkeypatch):
    """One after the other, as a reader would type them, in an empty folder; here on few rows, and in few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("minitune.methods.fitting.steps_for", lambda *_: 3)
    few_rows(monkeypatch, 80)
    assert load_checkpoint("bert")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "my_reviews.csv").write_bytes((shared("data") / "my_reviews.csv").read_bytes())
    found, names = snippets("python"), {}
    assert found, "the README shows no Python at all"
    for snippet in found:
        for line in re.findall(r"^.*$", snippet, flags=re.MULTILINE):
            assert "pip " not in line
        exec(compile(snippet, "README.md", "exec"), names)


@pytest.mark.skipif(not README.exists(), reason="the README is beside the package in a clone alone")
def test_every_command_of_the_readme_is_one_that_exists():
    lines = [line.split("#")[0].split("&& ")[-1] for block in snippets("") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("minitune ")]
    assert len(commands) > 10
    for arguments in commands:
        options, unknown = parser().parse_known_args(arguments)
        assert not unknown, f"the README writes minitune {' '.join(arguments)}, and {unknown} is no option of it"
        if options.command == "tune":
            Method.parse(options.method, options.set)
