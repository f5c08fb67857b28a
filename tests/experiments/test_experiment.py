"""The experiment: what trains, what chooses and what measures are three sets of examples, and stay apart.

A fake predictor tells the sets apart by the first word of their texts, and notes which of them it is given for what.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.data.examples import Dataset, DevSet, Example, TestSet, TrainSet, draw
from minitune.experiments import experiment
from minitune.experiments.compare import IRRELEVANT, compare
from minitune.experiments.experiment import Readings, judge, learn, shuffled, trial
from minitune.methods.fitting import fit, steps_for
from minitune.methods.method import Method
from minitune.training.checkpoint import fingerprint
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson04
POOL = [Example(f"pool {i}", label=i % 3) for i in range(36)]
TEST = [Example(f"test {i}", label=i % 3) for i in range(6)]
DATA = Dataset("toy", tiny.LABELS, POOL, TEST)
DEV_SCORES = (0.2, 0.9, 0.3, 0.4)  # at the four looks: the second is the best
STEPS = 8


class Fake(nn.Module):
    """Its one weight grows by each step, so that its value says at which step the weights were kept."""

    reads_words = False
    kept_by_loss = False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.model = nn.Identity()
        self.model.kind = "bert"
        self.trained, self.measured, self.kept = [], [], []

    def items(self, examples):
        return list(examples)

    def collate(self, items):
        self.trained.append([item.text for item in items])
        return {"nothing": torch.zeros(())}

    def loss(self, batch):
        return -self.weight

    def measure(self, items):
        self.measured.append(items[0].text.split()[0])
        self.kept.append(self.weight.item())
        if self.measured[-1] == "test":
            return {"accuracy": 0.5, "loss": 1.0}
        return {"accuracy": DEV_SCORES[(len(self.measured) - 1) % 4], "loss": 1.0}

    def answers(self, examples):
        return ["good" for _ in examples]


@pytest.fixture
def fakes(monkeypatch):
    """Every predictor that is built while the test runs, with the checkpoint, the method and the seed."""
    built = []

    def build(self, checkpoint, question, seed, **rest):
        built.append((Fake(), checkpoint, self.name, seed))
        return built[-1][0]

    monkeypatch.setattr(Method, "build", build)
    return built


def method(name="full+head"):
    return Method.parse(name, {"steps": STEPS, "evaluate_every": 2, "warmup": 0})


def run(seed=0, **more):
    learned = learn(method(), tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, seed, **more)
    return trial(learned, DATA.test)


# what is told apart by type


def test_the_test_set_cannot_be_trained_on_or_chosen_by(fakes):
    train, dev = draw(DATA, 2, seed=0)
    with pytest.raises(TypeError, match="a TestSet is given where a TrainSet belongs"):
        fit(method(), Fake(), DATA.test, dev, seed=0)
    with pytest.raises(TypeError, match="a TestSet is given where a DevSet belongs"):
        fit(method(), Fake(), train, DATA.test[:3], seed=0)


def test_what_was_trained_on_or_chosen_by_is_no_test():
    for part in draw(DATA, 2, seed=0):
        with pytest.raises(TypeError, match="Set is given where a TestSet belongs"):
            judge(Fake(), part)


def test_a_dataset_knows_its_parts():
    assert (type(DATA.pool), type(DATA.dev), type(DATA.test)) == (TrainSet, DevSet, TestSet)
    assert type(DATA.test[:2]) is TestSet and DATA.test[:2].labels == tiny.LABELS, "a slice is of the same part"
    with pytest.raises(TypeError, match="the parts are mixed up"):
        Dataset("toy", tiny.LABELS, DATA.pool, DATA.pool)


# what is given to whom


def test_the_test_set_is_measured_once_and_last(fakes):
    run()
    fake = fakes[0][0]
    assert all(text.startswith("pool") for batch in fake.trained for text in batch), "the test set was trained on"
    looks = fake.measured
    assert "test" not in looks[:-1], "the test set was looked at before the end: what it says may have chosen something"
    assert looks[-1] == "test", "the score that is reported as the test's was measured on the examples chosen by"
    assert looks[:-1] == ["pool"] * 4


def test_the_weights_that_stay_are_those_that_did_best_on_dev(fakes):
    run()
    kept = fakes[0][0].kept
    assert kept[-1] == kept[1], "the test measured other weights than those of the best look at dev"
    assert len(set(kept[:4])) == 4


def test_of_numbers_the_weights_with_the_lowest_dev_loss_stay(fakes, monkeypatch):
    monkeypatch.setattr(Fake, "kept_by_loss", True)
    losses = iter((0.5, 0.9, 0.2, 0.4, 1.0))
    monkeypatch.setattr(Fake, "measure", with_loss(Fake.measure, losses))
    run()
    kept = fakes[0][0].kept
    assert kept[-1] == kept[2], "the weights that stay are not those of the look with the lowest loss"


def with_loss(measure, losses):
    return lambda self, items: {**measure(self, items), "loss": next(losses)}


def test_the_score_that_is_reported_is_the_tests(fakes):
    made = run()
    assert made.score == 0.5, f"{made.score} is the score of the examples that were chosen by" * (made.score == 0.9)
    rows = compare(DATA, tiny.checkpoint("bert"), tiny.question("bert"), ["full+head"], [2], seeds=2)
    assert [row.draws for row in rows[2:]] == [[0.5, 0.5]] * 2, "a comparison reports dev scores"


def test_training_and_dev_examples_are_disjoint(fakes):
    learned = learn(method(), tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, seed=0)
    assert (type(learned.train), type(learned.dev)) == (TrainSet, DevSet)
    assert not set(learned.train) & set(learned.dev), "the same example trains and chooses"


def test_what_was_searched_is_asked_and_what_a_teacher_made_is_learned(fakes, monkeypatch):
    seen = {}
    made = TrainSet([Example(f"made {i}", label=i % 3) for i in range(400)], tiny.LABELS)
    found = replace(tiny.question("bert"), found=("words",))

    def searched(method, search):
        seen["search"] = search
        return found

    def taught(method, search):
        seen["lesson"] = search
        return made

    build = Method.build
    monkeypatch.setattr(experiment, "searched", searched)
    monkeypatch.setattr(experiment, "taught", taught)
    monkeypatch.setattr(
        Method, "build", lambda self, base, asked, seed: seen.update(asked=asked) or build(self, base, asked, seed)
    )
    plain = Method.parse("full+head", {"evaluate_every": 0})
    learned = learn(plain, tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, seed=1)
    train, dev = draw(DATA, 2, seed=1)
    assert (seen["search"].train, seen["search"].dev) == (train, dev), "the search sees other examples than the draw's"
    assert seen["search"].seed == 1 and seen["search"].question == tiny.question("bert")
    assert seen["asked"] == learned.question == found, "what was searched is lost: the plain question is built"
    assert seen["lesson"].question == found, "the teacher is asked before the search has found its words"
    texts = {text.split()[0] for batch in fakes[0][0].trained for text in batch}
    expect(texts, {"made"}, {"the draw is trained on, and not what the teacher made of it": {"pool"}})
    expect(len(learned.history.losses), steps_for(6), {
        "as many steps as what is taught would have: methods with a teacher train longer": steps_for(400),
    })  # fmt: skip


@pytest.mark.parametrize("read", ["verbalizer", "head"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_prior_is_that_of_the_trained_model(kind, read):
    """Only once all is trained and chosen is it known what the model says of nothing."""
    its = Method.parse(f"full+{read}+calibrated", {"steps": 6, "lr": 0.01, "warmup": 0, "evaluate_every": 2})
    learned = learn(its, tiny.checkpoint(kind), tiny.question(kind), DATA, 2, seed=0)

    def prior_of(predictor):
        again = copy.deepcopy(predictor)
        again.calibrate()
        return again.readout.log_prior

    untrained = its.build(tiny.checkpoint(kind), tiny.question(kind), seed=0).eval()
    wrong = {
        "it was measured before the training: the prior is the untrained model's": prior_of(untrained),
        "it was never measured": torch.zeros(3),
    }
    expect(learned.predictor.readout.log_prior, prior_of(learned.predictor), wrong, tolerance=1e-5)


# a comparison


def draws_of(monkeypatch, **more):
    """The training and dev examples that each method of a comparison is given, by method and seed."""
    given = {}

    def spy(its_method, predictor, train, dev, seed, steps):
        given[its_method.name, len(given)] = (train, dev, seed)
        return fit(its_method, predictor, train, dev, seed, steps)

    monkeypatch.setattr(experiment, "fit", spy)
    names = ["full+head", "p-tuning-v2+head"]
    compare(DATA, tiny.checkpoint("bert"), tiny.question("bert"), names, [2], seeds=2, **more)
    return [given[key] for key in given]


def test_all_methods_of_a_comparison_see_the_same_draws(fakes, monkeypatch):
    draws = draws_of(monkeypatch)
    first, second = draws[:2]
    assert first[0] != second[0], "two draws of the same examples are one draw"
    for train, dev, seed in draws:
        expected = (first, second)[seed]
        assert (train, dev) == expected[:2], "one method was given other examples than another: no pair to compare"
    assert [seed for *_, seed in draws] == [0, 1] * 3


def test_random_weights_start_from_random_weights(fakes):
    base = tiny.checkpoint("bert")
    compare(DATA, base, tiny.question("bert"), ["lora+head"], [2], seeds=2)
    for _, checkpoint, name, _ in fakes:
        pretrained = fingerprint(checkpoint.model) == fingerprint(base.model)
        assert pretrained == (name == "lora+head"), f"{name} starts from {'pre' * pretrained}trained weights"


def test_the_control_random_weights_starts_no_method_from_pretrained_ones(fakes):
    base = tiny.checkpoint("bert")
    compare(DATA, base, tiny.question("bert"), ["lora+head"], [2], seeds=1, control="random-weights")
    for _, checkpoint, name, _ in fakes:
        assert fingerprint(checkpoint.model) != fingerprint(base.model), f"{name} starts from what was pretrained"


def test_the_control_irrelevant_template_asks_nothing(fakes, monkeypatch):
    asked, build = [], Method.build
    monkeypatch.setattr(
        Method, "build", lambda self, base, its, seed: asked.append(its.template) or build(self, base, its, seed)
    )
    compare(DATA, tiny.checkpoint("bert"), tiny.question("bert"), ["lora"], [2], 1, control="irrelevant-template")
    assert set(asked) == {IRRELEVANT}, "the question is asked as ever"


def test_with_shuffled_labels_nothing_can_be_learned_or_chosen(fakes, monkeypatch):
    plain, dealt = draws_of(monkeypatch), draws_of(monkeypatch, control="shuffled-labels")
    for place, part in enumerate(("training", "dev")):
        before, after = plain[0][place], dealt[0][place]
        assert [e.text for e in before] == [e.text for e in after]
        counts = [sorted(e.label for e in examples) for examples in (before, after)]
        assert counts[0] == counts[1], "labels are drawn anew, not dealt: some classes have more examples than before"
        assert before != after, f"the labels of the {part} set are in order: it still says what is right"


def test_each_draw_deals_the_labels_in_its_own_way():
    train, _ = draw(DATA, 6, seed=0)
    dealt = [[e.label for e in shuffled(train, seed)] for seed in (0, 1, 2, 0)]
    assert dealt[0] == dealt[3]
    assert dealt[0] != dealt[1] != dealt[2], "every draw has the same wrong labels: the draws are no draws"
    counts = [sorted(labels) for labels in dealt]
    right = sorted(e.label for e in train)
    assert counts == [right] * 4, "labels are drawn anew, not dealt: some classes have more examples than before"


def test_shuffling_keeps_the_part(fakes):
    train, dev = draw(DATA, 2, seed=0)
    assert (type(shuffled(train, 0)), type(shuffled(dev, 0))) == (TrainSet, DevSet)


# seeds


def test_another_seed_is_another_order_of_the_batches(fakes):
    few = Dataset("toy", tiny.LABELS, POOL, TEST, dev=POOL[:3])  # all of it: the examples are the same for each seed
    for seed in (0, 1, 0):
        learn(method(), tiny.checkpoint("bert"), tiny.question("bert"), few, None, seed)
    one, two, again = (fake.trained for fake, *_ in fakes)
    assert {text for batch in one for text in batch} == {text for batch in two for text in batch}
    assert one != two, "the order of the batches is the same for every seed"
    assert one == again, "the same seed gives another order"


def test_the_seed_reaches_what_is_built(fakes):
    compare(DATA, tiny.checkpoint("bert"), tiny.question("bert"), ["full+head"], [2], seeds=3)
    assert [seed for *_, seed in fakes] == [0, 1, 2] * 2, "every draw starts from the same new weights"


# the test set as it is read, kept


def built(kind, name, checkpoint, **question):
    return Method.parse(name).build(checkpoint, tiny.question(kind, **question), seed=0)


def alike(one, other):
    return all(
        a.rendered == b.rendered and (a.hidden is b.hidden is None or torch.equal(a.hidden, b.hidden))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_what_was_kept_is_what_a_predictor_would_read_itself(kind):
    """One after the other, so that each meets what those before it have left."""
    base, text = tiny.checkpoint(kind), "{text} that is {mask}"
    other = replace(tiny.checkpoint(kind, seed=2), tokenizer=base.tokenizer)
    soft = "{soft:2} {text} it was {mask}"
    for_tests, readings = TestSet(TEST, tiny.LABELS), Readings(TEST)
    for name, checkpoint, asked in (
        ("frozen+head", base, {}),
        ("zero-shot", base, {}),
        ("frozen+head", other, {}),
        ("full+head", base, {}),
        ("frozen+head", base, {}),
        ("zero-shot", base, {"template": text, "is_own": True}),
        ("frozen@manual+head", base, {}),
        ("full+verbalizer", base, {}),
        ("prompt-tuning", base, {"template": soft, "is_own": True}),
        ("prefix-tuning", base, {}),
    ):
        predictor = built(kind, name, checkpoint, **asked)
        assert alike(readings.of(predictor), predictor.items(for_tests)), (
            f"{name} is measured on what another predictor read: of other weights, another template or another place"
        )


def test_a_frozen_model_reads_the_test_set_once(monkeypatch):
    readings, base = Readings(TEST), tiny.checkpoint("bert")
    first = readings.of(built("bert", "frozen+head", base))
    monkeypatch.setattr("minitune.predictors.classifier.read_once", lambda *_: pytest.fail("it is read again"))
    assert readings.of(built("bert", "frozen+head", base)) is first


def test_few_readings_are_kept():
    readings, base = Readings(TEST), tiny.checkpoint("bert")
    for number in range(Readings.MOST + 2):
        readings.of(built("bert", "zero-shot", base, template=f"{{text}} {'it ' * number}{{mask}}", is_own=True))
    assert len(readings.kept) == Readings.MOST, "a search that finds a template for each draw would fill the memory"


def test_readings_are_of_the_test_set_alone():
    with pytest.raises(TypeError, match="DevSet"):
        Readings(DevSet(TEST))
