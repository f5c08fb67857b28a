"""Settings as a user writes them behind --set: every type, and one sentence for what cannot be read."""

from dataclasses import dataclass, fields, replace

import pytest

from minitune.errors import UserError
from minitune.methods.method import Method
from minitune.methods.what import WHAT
from minitune.settings import apply_settings, read_value, settings_of, show
from minitune.training.loop import TrainConfig


@dataclass(frozen=True)
class Config:
    rank: int = 4
    alpha: float = 8.0
    names: tuple[str, ...] = ("query", "value")
    on: bool = False
    text: str = ""
    pair: tuple[float, float] = (0.9, 0.98)
    lr: float = 7.0  # a name that the training has too


def apply(*written):
    own, training = apply_settings("lora+head", written, (None, Config()), TrainConfig(lr=0.5))
    assert own[0] is None
    return own[1], training


# by hand


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("rank=8", "rank", 8),
        (" rank = 8 ", "rank", 8),
        ("rank=-3", "rank", -3),
        ("alpha=0.25", "alpha", 0.25),
        ("alpha=3", "alpha", 3.0),
        ("alpha=1e-3", "alpha", 0.001),
        ("names=key", "names", ("key",)),
        ("names=key, up ,down", "names", ("key", "up", "down")),
        ("names=", "names", ()),
        ("on=true", "on", True),
        ("on=False", "on", False),
        ("text=it was = {mask}, ünï", "text", "it was = {mask}, ünï"),
        ("text=", "text", ""),
        ("pair=0.5,0.75", "pair", (0.5, 0.75)),
    ],
)
def test_every_type_is_read(written, name, value):
    own, training = apply(written)
    assert getattr(own, name) == value and type(getattr(own, name)) is type(value) and training == {}
    assert own == replace(Config(), **{name: value}), "another setting changed with it"


def test_the_last_of_two_counts_and_nothing_written_changes_nothing():
    assert apply("rank=8", "rank=2")[0].rank == 2
    assert apply() == (Config(), {})


def test_a_name_that_both_have_is_the_methods_and_the_rest_the_trainings():
    own, training = apply("lr=0.25", "steps=5", "clip=2", "keep_best=false", "betas=0.5,0.6")
    assert own.lr == 0.25 and training == {"steps": 5, "clip": 2.0, "keep_best": False, "betas": (0.5, 0.6)}


# invariants


def test_of_several_configs_the_first_that_has_a_name_takes_it():
    @dataclass(frozen=True)
    class Other:
        rank: int = 1
        width: int = 2

    own, training = apply_settings("lora+head", ("rank=3", "width=5"), (Config(), None, Other()), TrainConfig())
    assert own == [Config(rank=3), None, Other(width=5)] and training == {}
    with pytest.raises(UserError, match="it has rank, alpha, names, on, text, pair, lr, width; its training"):
        apply_settings("lora+head", ("depth=3",), (Config(), None, Other()), TrainConfig())


def test_what_is_shown_is_read_back():
    changed = Config(rank=3, alpha=0.1 + 0.2, names=("a", "b"), on=True, text="so , it = was", pair=(1e-9, 0.5))
    for config in (Config(), changed):
        assert apply(*settings_of(config))[0] == config
    for value in (3, 1e-7, True, ("a", "b"), "a b"):
        assert read_value("name", show(value), value) == value


@pytest.mark.parametrize("what", WHAT)
def test_every_methods_settings_can_be_written_and_read(what):
    method = Method.parse(what)
    written = settings_of(method.settings)
    assert Method.parse(what, written).settings == method.settings
    if WHAT[what].settings:
        assert [line.partition("=")[0] for line in written] == [f.name for f in fields(WHAT[what].settings)]
    else:
        assert written == []


# what cannot be read


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("rank", r"cannot read the setting 'rank'; write name=value"),
        ("", r"cannot read the setting ''"),
        ("rank=", r"rank= cannot be read: a whole number was expected, as in rank=4"),
        ("rank=eight", r"rank=eight cannot be read: a whole number"),
        ("rank=8.0", r"rank=8.0 cannot be read: a whole number"),
        ("alpha=much", r"alpha=much cannot be read: a number was expected, as in alpha=8.0"),
        ("alpha=nan", r"alpha=nan is out of range: a finite number"),
        ("alpha=inf", r"alpha=inf is out of range"),
        ("on=yes", r"on=yes cannot be read: true or false was expected, as in on=false"),
        ("on=1", r"on=1 cannot be read: true or false"),
        ("pair=a,b", r"pair=a,b cannot be read: a list a,b,c was expected, as in pair=0.9,0.98"),
        ("steps=0", r"steps is 0, which is out of range"),
        ("lrate=3", r"lora\+head has no setting 'lrate'; it has rank, alpha, .*; its training has steps, lr, warmup"),
        ("Rank=3", r"no setting 'Rank'"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(written, expected):
    with pytest.raises(UserError, match=expected) as caught:
        apply(written)
    assert "\n" not in str(caught.value)


def test_a_method_without_settings_says_so():
    with pytest.raises(UserError, match=r"full has no setting 'rank'; it has none of its own; its training has steps"):
        Method.parse("full", ["rank=8"])


@pytest.mark.parametrize(
    "written",
    [
        *("lr=0", "lr=-1", "steps=-3", "clip=0", "warmup=-1", "weight_decay=-0.1", "accumulate=0"),
        *("evaluate_every=-1", "betas=0.9", "betas=0.9,0.9,0.9", "betas=0.9,1", "betas=-0.1,0.9", "betas=nan,0.9"),
        *(f"seed={10**30}", "seed=-1"),
    ],
)
def test_a_training_out_of_range_is_refused_before_anything_is_read(written):
    with pytest.raises(UserError, match=written.partition("=")[0]):
        Method.parse("full+head", [written])
