"""Lesson 6: methods by name, fair draws, and the figures of the table."""

import pytest
import torch

from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.experiments.baselines import Row, known_words, majority, median
from minitune.experiments.compare import compare
from minitune.experiments.compare_report import compare_json, compare_table, plot, spaced
from minitune.methods import method as methods
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.several import all_methods, parse_all
from minitune.methods.what import What
from minitune.models.build import KINDS, random_model
from minitune.predictors.tagger import TaggedWords
from minitune.questions.kinds import KINDS as QUESTIONS
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint, fingerprint, random_twin
from minitune.tuning.rates import RATES

pytestmark = pytest.mark.lesson06

GOOD = [
    Example(f"the {part} was {word} .", None, 1) for part in ("plot", "soup", "hero") for word in ("clever", "witty")
]
BAD = [Example(f"the {part} was {word} .", None, 0) for part in ("plot", "soup", "hero") for word in ("dull", "awful")]
DATA = Dataset("toy", ("bad", "good"), tuple(GOOD + BAD), tuple(GOOD[:2] + BAD[:2]))
WORDS = {"good": ("great",), "bad": ("awful",)}


@pytest.fixture(params=["gpt", "bert"])
def checkpoint(request):
    tokenizer = request.getfixturevalue(f"{request.param}_tokenizer")
    config_class = KINDS[request.param][1]
    config = config_class(len(tokenizer), layers=2, width=24, heads=3, inner=44, context=31, spread=0.1)
    return Checkpoint(random_model(config, seed=1), tokenizer)


def question(kind):
    return Question(("bad", "good"), "{text} it was {mask}" + (" ." if kind == "bert" else ""), WORDS)


# names


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("full+head", ("full", "bare", "head")),
        ("full", ("full", "manual", "verbalizer")),
        ("frozen@manual+head", ("frozen", "manual", "head")),
        ("zero-shot", ("frozen", "manual", "verbalizer")),
    ],
)
def test_what_is_left_out_of_a_name_is_filled_in(name, parts):
    method = Method.parse(name)
    assert (method.what, method.asked, method.read) == parts and method.name == name


def test_a_new_method_joins_by_one_line(monkeypatch, checkpoint):
    def only_the_norms(model):
        model.requires_grad_(False)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.requires_grad_(True)
        return model

    monkeypatch.setitem(methods.WHAT, "gains", What(only_the_norms, lambda _, config: 0, 5, "nobody"))
    assert "gains@bare+head" in all_methods()
    classifier = Method.parse("gains+head").build(checkpoint, question(checkpoint.kind), seed=0)
    trained = {n for n, p in classifier.named_parameters() if p.requires_grad}
    assert trained and all("norm" in name or name.startswith("readout") for name in trained)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_default_methods_are_at_most_ten_and_suit_the_question(kind):
    default = QUESTIONS[kind].default
    assert len(default) <= 10
    for name in (*default, *all_methods(kind)):
        Method.parse(name).check(Question(("a", "b"), "{text} {mask}", kind=kind))


# fairness


def trained(method_name, checkpoint, examples):
    method = Method.parse(method_name)
    predictor = method.build(checkpoint, question(checkpoint.kind), seed=0)
    fit(method, predictor, examples, [], seed=0, steps=20)
    return predictor


def test_a_method_leaves_the_checkpoint_as_it_was(checkpoint):
    before = fingerprint(checkpoint.model)
    trained("full+head", checkpoint, GOOD[:2] + BAD[:2])
    assert fingerprint(checkpoint.model) == before, "the next method would start from tuned weights"


def test_zero_shot_trains_nothing_and_full_moves_everything_it_reads(checkpoint):
    still = trained("zero-shot", checkpoint, GOOD[:2] + BAD[:2])
    assert fingerprint(still.model) == fingerprint(checkpoint.model)
    moved = trained("full+verbalizer", checkpoint, GOOD[:2] + BAD[:2])
    assert fingerprint(moved.model) != fingerprint(checkpoint.model)


def test_frozen_head_keeps_the_body_bit_for_bit(checkpoint):
    tuned = trained("frozen+head", checkpoint, GOOD[:2] + BAD[:2])
    assert fingerprint(tuned.model) == fingerprint(checkpoint.model)


def test_random_weights_are_other_weights_of_the_same_shape(checkpoint):
    twin = random_twin(checkpoint, seed=5)
    assert twin.model.config == checkpoint.model.config and fingerprint(twin.model) != fingerprint(checkpoint.model)


def test_majority_is_the_commonest_class_of_the_pool():
    data = Dataset("toy", ("bad", "good"), (*GOOD, *BAD[:2]), tuple(BAD[:3] + GOOD[:1]))
    row = majority(data, 4, seeds=2)
    assert row.score == 0.25 and row.balanced == 0.5, "of uneven classes a constant answer has half of the balanced"


def test_the_median_is_off_by_least_and_ranks_nothing():
    pool = tuple(Example("a", None, number) for number in (1.0, 2.0, 90.0))
    row = median(Dataset("toy", (), pool, (Example("b", None, 5.0), Example("c", None, 0.0)), by_class=False), 2, 3)
    assert row.draws == [0.0] * 3 and row.error == 2.5, "3 and 2 off: the mean of the pool would be off by 28.5"


def test_known_words_have_the_tag_that_they_had_most_often():
    train = TaggedWords(("Rose", "met", "rose", "rose"), (1, 0, 1, 0))
    test = TaggedWords(("rose", "met", "basil"), (1, 0, 1))
    row = known_words(Dataset("toy", ("O", "PER"), (train,), (test,), by_class=False), 1, 2)
    assert row.draws == [pytest.approx(2 * 1 / (1 + 2))] * 2, "one of two names is known"


def test_an_unknown_control_is_refused(checkpoint):
    with pytest.raises(UserError, match="shuffled-labels"):
        compare(DATA, checkpoint, question(checkpoint.kind), ["zero-shot"], [2], 1, control="none")


# uneven classes


def test_a_constant_answer_on_uneven_classes_is_seen_for_what_it_is(checkpoint):
    """80 of 100 right, and nothing learned: the accuracy alone would look like a result."""
    uneven = tuple(Example(f"the plot was clever {i} .", label=1) for i in range(8)) + tuple(BAD[:2])
    predictor = Method.parse("frozen+head").build(checkpoint, question(checkpoint.kind), seed=0)
    with torch.no_grad():
        predictor.readout.linear.weight.zero_()
        predictor.readout.linear.bias.copy_(torch.tensor([-1.0, 1.0]))
    measured = predictor.measure(predictor.items(uneven))
    assert measured["accuracy"] == 0.8 and measured["balanced accuracy"] == 0.5 and measured["largest share"] == 1.0
    assert "balanced accuracy" not in predictor.measure(predictor.items(GOOD + BAD)), "of even classes it is the same"
    rows = compare(
        Dataset("toy", ("bad", "good"), tuple(GOOD + BAD), uneven),
        checkpoint, question(checkpoint.kind), ["zero-shot"], [1], seeds=1, settings={"steps": 2},
    )  # fmt: skip
    assert "balanced accuracy" in compare_table(rows).splitlines()[0]
    assert "100% good" in compare_table(rows), "a method that always says the same must be called so"


# the table


def test_the_difference_is_paired_by_draw():
    first, second = Row("a", 4, [0.5, 0.7]), Row("b", 4, [0.7, 0.7])  # 0.2 and 0 better: half of 0.2 on either side
    low, high = 0.1 - 12.71 * 0.1, 0.1 + 12.71 * 0.1
    assert f"+0.100 [{low:+.3f}, {high:+.3f}]" in compare_table([first, second])


def test_a_single_draw_has_no_interval():
    assert "[" not in compare_table([Row("a", 4, [0.5]), Row("b", 4, [0.7])]).splitlines()[2]


def test_one_draw_claims_no_interval():
    rows = [Row("a", 4, [0.5]), Row("b", 4, [0.7])]
    assert "95%" not in compare_table(rows) and "95%" in compare_table([Row("a", 4, [0.5, 0.6])])
    assert {row["low"] for row in compare_json(rows, "toy", "bert", 1)["rows"]} == {None}


@pytest.mark.parametrize(
    ("draws", "near"),
    [
        ([0.50, 0.50, 0.50], True),
        ([0.40, 0.41, 0.39], True),  # worse is no better
        ([0.51, 0.52, 0.51], True),  # less than two points
        ([0.52, 0.53, 0.525], False),
        ([0.50, 0.90, 0.80], True),  # the interval of the difference holds 0
        ([0.80, 0.90, 0.85], False),
        ([0.53], False),
        ([0.51], True),
    ],
)
def test_what_is_not_clearly_better_than_a_baseline_is_called_so(draws, near):
    table = compare_table([Row("majority", 4, [0.5] * len(draws)), Row("a", 4, draws)])
    assert ("Not clearly better than majority: a\n" in table) is near
    assert ("the mean is less than 0.02 above it" in table) is near, "the rule must be stated"


def test_what_is_not_clearly_better_at_several_numbers_of_examples_is_named_once():
    rows = [Row("majority", 4, [0.5]), Row("a", 4, [0.5]), Row("b", 4, [0.9])]
    rows += [Row("majority", 8, [0.5]), Row("a", 8, [0.5]), Row("b", 8, [0.5])]
    assert "majority: a at 4, 8; b at 8\n" in compare_table(rows)


def test_a_correlation_may_lie_below_zero(tmp_path):
    rows = [Row("median", 4, [0.0, 0.0], error=2.0), Row("a", 4, [-0.5, -0.4], error=1234567.8)]
    table = compare_table(rows, "rank correlation", by_class=False)
    assert "-0.450 [-1.000, 0.185]" in table and "1234568" in table
    plot(rows, "a", tmp_path / "one.png", "rank correlation", by_class=False)
    several = [*rows, Row("median", 8, [0.0, 0.0], error=2.0), Row("a", 8, [-0.2, 0.4], error=3.0)]
    lines = compare_table(several, "rank correlation", by_class=False)
    assert "a class" not in lines and "mean absolute error" in lines
    plot(several, "a", tmp_path / "several.png", "rank correlation", by_class=False)


def test_dollars_in_a_title_are_no_mathematics(tmp_path):
    for rows in (SEVERAL, SEVERAL[::2]):
        plot(rows, r"cost_$5_$, 100% \frac{", tmp_path / "dollars.png")


def test_a_setting_goes_to_each_method_that_has_it(checkpoint):
    lora, head = parse_all(["lora+head", "frozen+head"], ["rank=2", "steps=3"])
    assert lora.settings.rank == 2 and lora.changes == head.changes == {"steps": 3}
    with pytest.raises(UserError, match=r"no method here has a setting 'rang'; among them they have .*rank"):
        parse_all(["lora+head", "frozen+head"], ["rang=2"])
    rows = compare(DATA, checkpoint, question(checkpoint.kind), ["lora+head"], [1], 1, settings={"rank": 1, "steps": 2})
    assert rows[1].trainable == 2 * 2 * 2 * 24 + 2 * 24 + 2, "two layers, query and value, A and B of rank 1, a head"


SEVERAL = [
    Row("majority", 1, [0.5, 0.5]),
    Row("majority", 16, [0.5, 0.5]),
    Row("zero-shot", 1, [0.9, 0.9]),
    Row("zero-shot", 16, [0.9, 0.9]),
    Row("full+head", 1, [0.6, 0.7], trainable=9, lopsided="95% good"),
    Row("full+head", 16, [0.8, 0.9], trainable=9),
]


def test_several_numbers_of_examples_stand_side_by_side():
    lines = compare_table(SEVERAL).splitlines()
    assert lines[0].split("  ")[0] == "method" and "1 a class" in lines[0] and "16 a class" in lines[0]
    assert [line.split()[0] for line in lines[2:5]] == ["majority", "zero-shot", "full+head"]
    assert "0.650 [" in lines[4] and "0.850 [" in lines[4] and "full+head at 1: 95% good" in lines[6]
    rows = compare_json(SEVERAL, "toy", "bert", seeds=2)["rows"]
    assert [row["shots"] for row in rows] == [1, 16] * 3 and rows[4]["score"] == pytest.approx(0.65)


def test_rows_come_for_each_number_of_examples(checkpoint):
    asked, settings = question(checkpoint.kind), {"steps": 2}
    rows = compare(DATA, checkpoint, asked, ["frozen+head"], [1, 2], seeds=2, settings=settings)
    assert [(row.method, row.shots) for row in rows] == [
        (name, shots) for name in ("majority", "frozen+head", "random-weights") for shots in (1, 2)
    ]


def test_the_curves_are_drawn_and_their_names_do_not_cover_each_other(tmp_path):
    plot(SEVERAL, "toy", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert spaced([0.5, 0.51, 0.52], least=0.1) == pytest.approx([0.5, 0.6, 0.7])
    assert spaced([0.9, 0.95, 1.0], least=0.1) == pytest.approx([0.8, 0.9, 1.0])


# whether it learns


def test_full_tuning_learns_eight_examples_by_heart(checkpoint, monkeypatch):
    monkeypatch.setitem(RATES, "full", (3e-3,) * 4)  # a tiny model takes larger steps
    few = GOOD[:4] + BAD[:4]
    for name in ("full+head", "full+verbalizer"):
        method = Method.parse(name)
        tuned = method.build(checkpoint, question(checkpoint.kind), seed=0)
        fit(method, tuned, few, [], seed=0, steps=30)
        assert tuned.accuracy(few) == 1.0, name
