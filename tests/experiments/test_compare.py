"""Lesson 7: methods by name, fair draws, and the figures of the table."""

import pickle
from collections import Counter

import pytest
import torch

from minitune.data.examples import Dataset, Example, draw
from minitune.errors import UserError
from minitune.experiments.baselines import Row, commonest_answer, copied_input, known_words, majority, median
from minitune.experiments.compare import Cell, Comparison, Measured, compare, row_of
from minitune.experiments.compare_report import compare_json, compare_table, plot, spaced
from minitune.experiments.experiment import Readings
from minitune.experiments.jobs import processes_for
from minitune.methods import method as methods
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.several import all_methods, parse_all
from minitune.methods.what import What
from minitune.models.build import KINDS, random_model
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.kinds import KINDS as QUESTIONS
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint, fingerprint, random_twin
from minitune.tuning.rates import RATES
from minitune.tuning.trained import count, trainable
from tests.naming import expect

pytestmark = pytest.mark.lesson07

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
    expect(row.score, 0.25, {"the commonest class of the test: it was looked at": 0.75})
    assert row.balanced == 0.5, "of uneven classes a constant answer has half of the balanced"


def test_majority_looks_at_no_test():
    uneven = Dataset("toy", ("bad", "fair", "good"), (*GOOD, *BAD), (*BAD[:2], Example("so", None, 2)))
    row = majority(uneven, 4, seeds=1)  # "fair" is the commonest of the pool, and no test example is
    expect(row.score, 0.0, {"the commonest class of the test: it was looked at": 2 / 3})
    expect(row.balanced, 0.0, {"a constant answer has no share of a class that it never gives": 1 / 2, "1 / C": 1 / 3})


def test_the_median_is_off_by_least_and_ranks_nothing():
    pool = tuple(Example("a", None, number) for number in (1.0, 2.0, 90.0))
    row = median(Dataset("toy", (), pool, (Example("b", None, 5.0), Example("c", None, 0.0)), by_class=False), 2, 3)
    assert row.draws == [0.0] * 3 and row.error == 2.5, "3 and 2 off: the mean of the pool would be off by 28.5"


def test_known_words_have_the_tag_that_they_had_most_often():
    train = TaggedWords(("Rose", "met", "rose", "rose"), (1, 0, 1, 0))
    test = TaggedWords(("rose", "met", "basil"), (1, 0, 1))
    row = known_words(Dataset("toy", ("O", "PER"), (train,), (test,), by_class=False), 1, 2)
    assert row.draws == [pytest.approx(2 * 1 / (1 + 2))] * 2, "one of two names is known"


def one_draw(dataset, seed):
    """The words of the one training example."""
    return draw(dataset, 1, seed)[0][0].words


def test_known_words_are_those_of_each_draw():
    pool = tuple(TaggedWords(("rose", word), (1, 0)) for word in ("met", "saw", "has", "is"))
    pool = (*pool, *(TaggedWords(("Basil", word), (1, 0)) for word in ("met", "saw", "has", "is")))
    test = (TaggedWords(("basil", "met", "rose"), (1, 0, 1)),)
    data = Dataset("toy", ("O", "PER"), pool, test, by_class=False)
    row = known_words(data, 1, 6)
    expect(row.draws, [2 / 3] * 6, {
        "the words of the whole pool are known, and not those of the draw": [1.0] * 6,
        "a word in capitals is another word": [2 / 3 if "rose" in one_draw(data, seed) else 0.0 for seed in range(6)],
    })  # fmt: skip


def test_answers_without_a_model_by_hand():
    def written(answer, group, text_b=""):
        return Writing("so", answer, text_b=text_b, group=group)

    pool = (written("a", "one"), written("b", "two"), written("b", "two"), written("b", "two"), written("a", "one"))
    test = (written("a", "one", "a"), written("b", "two", "so"), written("b", "three", "b"), written("c", "two"))
    data = Dataset("toy", (), pool, test, by_class=False)
    expect(commonest_answer(data, 2, 2).draws, [3 / 4] * 2, {
        "the commonest answer of all is given to every kind of instruction": [1 / 2] * 2,
    })  # fmt: skip
    assert copied_input(data, 2, 1).draws == [2 / 4], "two of the inputs are the answer"


# a row, from the trials of all draws


def test_a_row_is_made_of_all_its_draws():
    cells = []
    for seed, (seconds, balanced, share) in enumerate(((1.0, 0.2, 1.0), (2.0, 0.4, 1.0), (6.0, 0.9, 0.8))):
        test = {"accuracy": 0.1 * seed, "balanced accuracy": balanced, "largest share": share}
        answered = Counter(good=round(20 * share), bad=round(20 - 20 * share))
        cells.append(Measured(test | {"mean absolute error": seconds}, answered, 700, 288, seconds))
    row = row_of("p-tuning", 4, cells)
    assert (row.method, row.shots, row.trainable, row.bytes) == ("p-tuning", 4, 700, 288)
    expect(row.draws, [0.0, 0.1, 0.2])
    expect(row.seconds, 3.0, {"of all draws together": 9.0, "of the last draw": 6.0})
    expect(row.balanced, 0.5, {"of the last draw": 0.9, "the accuracy": 0.1})
    expect(row.error, 3.0, {"of the last draw": 6.0})
    expect(row.lopsided, "93% good", {"of the last draw alone, where it is 80%": "", "of the first": "100% good"})
    assert row_of("p-tuning", 4, cells[2:]).lopsided == "", "80% is not nearly all"


def test_what_is_trained_and_what_is_stored_of_a_prompt_that_a_network_wrote(checkpoint):
    method, asked = Method.parse("p-tuning", ["length=3", "steps=1"]), question(checkpoint.kind)
    whole = count(trainable(method.build(checkpoint, asked, 0)))
    work = Comparison(DATA, asked, {"p-tuning": (method, checkpoint)}, Readings(DATA.test))
    cell = work(Cell("p-tuning", 2, 0))
    expect(cell.trainable, whole, {"counted after the network that wrote the prompt was folded into it": 3 * 24})
    expect(cell.bytes, 4 * 3 * 24, {
        "the network that wrote the prompt is not stored": 4 * whole, "numbers, and not bytes": 3 * 24,
    })  # fmt: skip


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
    table = compare_table([first, second])
    assert "-0.100 [" not in table, "the sign is turned: better than the first is above 0"
    assert f"+0.100 [{low:+.3f}, {high:+.3f}]" in table, "the interval is not that of the differences, draw by draw"


def test_a_small_gain_on_every_draw_is_clear():
    """The draws differ by much, and one method from the other always by the same: only pairs show it."""
    draws = [0.3, 0.5, 0.7]
    table = compare_table([Row("majority", 4, draws), Row("a", 4, [score + 0.05 for score in draws])])
    assert "Not clearly better" not in table, "intervals of two means are compared, and not the pairs of each draw"


def test_a_baseline_is_that_of_the_same_number_of_examples():
    rows = [Row("known-words", 4, [0.5]), Row("known-words", 8, [0.8]), Row("a", 4, [0.7]), Row("a", 8, [0.7])]
    assert "known-words: a at 8\n" in compare_table(rows), "compared with the baseline at another number of examples"


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
    assert rows[2].trainable == 2 * 2 * 2 * 24 + 2 * 24 + 2, "two layers, query and value, A and B of rank 1, a head"


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
        (name, shots) for name in ("majority", "bag-of-words", "frozen+head", "random-weights") for shots in (1, 2)
    ]


def through_pickle(work, cells, jobs, bar):
    """What several processes come to: each has its own copy of the work, and gives a copy of each result."""
    copies = [pickle.loads(pickle.dumps(work)) for _ in range(jobs)]
    return [pickle.loads(pickle.dumps(copies[i % jobs](cell))) for i, cell in enumerate(cells)]


def plain(rows):
    return [(row.method, row.shots, row.draws, row.trainable, row.bytes, row.balanced, row.lopsided) for row in rows]


def test_the_rows_are_the_same_however_many_processes_compute_them(checkpoint, monkeypatch):
    methods = ["zero-shot", "frozen+head", "full+head", "prefix-tuning"]
    given = (DATA, checkpoint, question(checkpoint.kind), methods, [2], 2, "shuffled-labels", {"steps": 2})
    alone = compare(*given)
    monkeypatch.setattr("minitune.experiments.jobs.in_processes", through_pickle)
    assert plain(compare(*given, jobs=3)) == plain(alone)


def test_a_gpu_is_used_by_one_process(checkpoint):
    assert processes_for(checkpoint, 4) == 4
    checkpoint.model.to("meta")
    assert processes_for(checkpoint, 4) == 1


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
        fit(method, tuned, few, [], seed=0, steps=22)
        assert tuned.accuracy(few) == 1.0, name
