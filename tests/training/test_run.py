"""What a pretraining run is, and what of its file is refused."""

import json
import math
from dataclasses import asdict

import pytest

from minitune.errors import UserError
from minitune.training.run import RECIPES, Asked, Recipe, Run, check_same, read_run
from minitune.writing import write_json

pytestmark = [pytest.mark.lesson02, pytest.mark.lesson03]
RUN = Run("bert", "nano", 7, 40, 2, "mine.txt (3 texts, ab)", Recipe(lr=0.01, batch_size=5, spread=0.1), Asked(world=3))


def test_a_run_comes_back_from_its_file(tmp_path):
    write_json(tmp_path / "run.json", asdict(RUN))
    assert read_run(tmp_path) == RUN
    old = {name: value for name, value in asdict(RUN).items() if name != "asked"}
    write_json(tmp_path / "run.json", old)
    assert read_run(tmp_path).identity == RUN.identity == old, "the weights do not follow from what was asked for"


def test_there_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"there is nothing to resume in .*: it has no run.json"):
        read_run(tmp_path)


GOOD = (("text", ""), ("text", "nonsense"))
OPTIONAL = ("asked",)  # as of a run that an older minitune began


@pytest.mark.parametrize("name", [*asdict(RUN), "recipe.lr", "recipe.batch_size", "recipe.warmup", "asked.world"])
@pytest.mark.parametrize("value", [None, "", -1, 10**30, math.nan, [], {}, "nonsense"])
def test_a_damaged_field_is_one_sentence_about_the_file(tmp_path, name, value):
    values = asdict(RUN)
    *inside, field = name.split(".")
    (values[inside[0]] if inside else values)[field] = value
    (tmp_path / "run.json").write_text(json.dumps(values))
    if (name, value) in GOOD:
        read_run(tmp_path)
        return
    with pytest.raises(UserError, match=r"run\.json") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in (*asdict(RUN), "recipe.lr", "asked.world") if name not in OPTIONAL])
def test_a_missing_field_is_named(tmp_path, name):
    values = asdict(RUN)
    *inside, field = name.split(".")
    del (values[inside[0]] if inside else values)[field]
    write_json(tmp_path / "run.json", values)
    with pytest.raises(UserError, match=rf"run\.json.* lacks the field '{field}'"):
        read_run(tmp_path)


def test_an_unknown_field_is_refused(tmp_path):
    write_json(tmp_path / "run.json", {**asdict(RUN), "sise": "nano"})
    with pytest.raises(UserError, match=r"run\.json has the unknown field 'sise'"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, None),
        ({"seed": None, "world": None, "kind": "bert"}, None),
        ({"seed": 7, "world": 3, "steps": 40}, None),
        ({"seed": 0}, "the run in here was started with seed 7, not with 0"),
        ({"world": 0}, "with world 3, not with 0"),
        ({"unjoined": True}, "with unjoined off, not with on"),
        ({"text_file": "a.txt"}, "without text, not with 'a.txt'"),
        ({"minutes": 5.0}, "without minutes, not with 5.0"),
        ({"recipe": RECIPES["bert"]}, "with recipe"),
    ],
)
def test_what_is_asked_for_now_must_be_what_was_asked_for(tmp_path, given, message):
    if message is None:
        check_same("here", RUN, given)
        return
    with pytest.raises(UserError, match=message):
        check_same("here", RUN, given)
