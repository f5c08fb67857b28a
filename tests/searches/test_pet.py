"""Lesson 08, PET as a method: who labels what, who learns from it, and what is saved of it."""

from dataclasses import replace

import pytest
import torch

from minitune.data.examples import Dataset, Example, TrainSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.methods import fitting, searching
from minitune.methods.method import Method
from minitune.methods.several import all_methods
from minitune.prompting.pet import distillation
from minitune.questions.from_file import file_data
from minitune.questions.from_task import task_data
from minitune.questions.task_data import TaskData
from minitune.readout.losses import cross_entropy
from minitune.searches.pet import PetConfig, as_taught, patterns_of, soft_labelled, weigh_patterns, weights_of
from minitune.searches.search import Search
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from minitune.tuned.tuned import open_tuned, tune
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson08
POOL = [Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread", "bed", "room")
        for label, how in enumerate(("awful", "slow", "great"))]  # fmt: skip
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:3])
PATTERNS = ("{text} the film was {mask}", "{text} is it {mask}")


def question(kind):
    return tiny.question(kind, template="{text} it was {mask}", patterns=PATTERNS)


class Says:
    """A teacher who gives every text the same scores, and is right about so many of the draw."""

    def __init__(self, scores, accuracy):
        self.given, self.right = torch.tensor(scores), accuracy

    def scores(self, examples):
        return self.given.expand(len(examples), -1)

    def accuracy(self, examples):
        assert type(examples) is TrainSet, "the weights are measured on something else than the draw's training set"
        return self.right


@pytest.fixture
def search():
    """Three patterns, with accuracies of 1/4, 3/4 and 0 before training, and what each says after it."""
    said = {
        "{text} it was {mask}": ([4.0, 0.0, 0.0], 0.25),
        PATTERNS[0]: ([0.0, 4.0, 0.0], 0.75),
        PATTERNS[1]: ([0.0, 0.0, 99.0], 0.0),
    }
    asked = []

    def other(name, its):
        asked.append((name, its.template))
        scores, accuracy = said[its.template]
        return Says(scores, accuracy if name == "zero-shot" else 1.0)

    train = TrainSet(POOL[:3], tiny.LABELS)
    made = Search(tiny.checkpoint("bert"), question("bert"), train, POOL[3:6], 0, TrainSet(POOL), settings=PetConfig())
    made = replace(made, tune=other)
    object.__setattr__(made, "asked", asked)
    return made


# who labels what


def test_weights_are_the_accuracies_before_training(search):
    assert weights_of(search).tolist() == [0.25, 0.75, 0.0], "accuracies of trained models: all are 1 on their draw"
    assert {name for name, _ in search.asked} == {"zero-shot"}


def test_the_patterns_label_the_texts_that_were_not_drawn(search):
    labelled = soft_labelled(search)
    wrong = {
        "the draw is labelled as well": [example.text for example in POOL],
        "the dev set is labelled as well": [example.text for example in POOL[3:]],
    }
    expect([example.text for example in labelled], [example.text for example in POOL[6:]], wrong)
    assert type(labelled) is TrainSet and labelled.labels == tiny.LABELS
    tuned = [template for name, template in search.asked if name == "full+verbalizer"]
    assert tuned == ["{text} it was {mask}", *PATTERNS], "not every pattern has a teacher"


def test_the_labels_are_the_weighted_scores_at_two_degrees(search):
    said = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 99.0]])
    together = 0.25 * said[0] + 0.75 * said[1]
    wrong = {
        "the patterns are not weighted, or by accuracies after training": (said.mean(dim=0) / 2).softmax(dim=0),
        "the first pattern alone is heard": (said[0] / 2).softmax(dim=0),
        "the labels are not softened": together.softmax(dim=0),
        "probabilities are averaged, not scores": 0.25 * said[0].softmax(dim=0) + 0.75 * said[1].softmax(dim=0),
    }
    for example in soft_labelled(search):
        expect(example.label, (together / 2).softmax(dim=0), wrong, tolerance=1e-6)


def test_no_more_texts_than_were_asked_for_and_by_seed(search):
    few = [soft_labelled(replace(search, settings=PetConfig(5), seed=seed)) for seed in (0, 0, 1)]
    expect(
        [len(labelled) for labelled in few], [5] * 3, {"every text is labelled, however many were asked for": [12] * 3}
    )
    assert few[0] == few[1]
    assert few[0] != few[2], "another seed labels the same texts"
    with pytest.raises(UserError, match="unlabelled is 0"):
        PetConfig(0)


def test_what_was_weighed_is_told(search):
    assert weigh_patterns(search).found == (
        "PET, weight 0.25: {text} it was {mask}",
        "PET, weight 0.75: {text} the film was {mask}",
        "PET, weight 0.00: {text} is it {mask}",
    )


def test_a_pattern_that_is_the_template_itself_counts_once():
    asked = patterns_of(replace(question("bert"), patterns=("{text} it was {mask}", PATTERNS[0]), is_own=True))
    twice = {"the template itself counts twice": ["{text} it was {mask}", "{text} it was {mask}", PATTERNS[0]]}
    expect([its.template for its in asked], ["{text} it was {mask}", PATTERNS[0]], twice)
    assert [its.is_own for its in asked] == [True, False], "a pattern of the task is taken for the user's own template"


# what is learned of it


def test_soft_labels_are_distilled_and_classes_are_told_apart():
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    soft, hard = scores.flip(0).softmax(1), torch.tensor([0, 2, 1, 1])
    hot = torch.nn.functional.one_hot(hard, 3).float()
    wrong = {"soft labels are learned by cross-entropy, at T = 1": cross_entropy(scores, soft)}
    expect(as_taught(scores, soft), distillation(scores, soft), wrong, tolerance=1e-6)
    wrong = {"a dev set's classes are judged as soft labels, at T = 2": distillation(scores, hot)}
    expect(as_taught(scores, hard), cross_entropy(scores, hard), wrong, tolerance=1e-6)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_classifier_learns_from_nothing_but_its_teachers(kind, monkeypatch):
    """The draw is for the teachers; the classifier is given soft labels of other texts, and the draw's dev set."""
    seen = []

    def spy(method, predictor, train, dev, seed, steps=None):
        seen.append((method.name, str(predictor.template), train, dev))
        return fitting.fit(method, predictor, train, dev, seed, steps)

    monkeypatch.setattr(searching, "fit", spy)
    monkeypatch.setattr("minitune.experiments.experiment.fit", spy)
    base = tiny.checkpoint(kind)
    before = fingerprint(base.model)
    learned = learn(Method.parse("pet", ["steps=3", "unlabelled=7"]), base, question(kind), DATA, 1, seed=2)
    stop = " ." if kind == "bert" else ""
    templates = [template + stop for template in ("{text} it was {mask}", *PATTERNS)]
    assert [name for name, *_ in seen] == ["zero-shot"] * 3 + ["full+verbalizer"] * 3 + ["zero-shot"] * 3 + ["pet"]
    assert [template for _, template, *_ in seen[3:6]] == templates
    assert all(train == learned.train for _, _, train, _ in seen[:-1])
    _, template, train, dev = seen[-1]
    assert template == "{text}" and len(train) == 7 and dev == learned.dev
    assert not {e.text for e in train} & {e.text for e in (*learned.train, *learned.dev)}
    assert all(len(e.label) == 3 and sum(e.label) == pytest.approx(1) for e in train), "a label that was not given"
    assert len(learned.history.losses) == 3 and fingerprint(base.model) == before


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_it_comes_to_say_what_its_teachers_say(kind, monkeypatch):
    """Teachers who are sure of one class each time teach it, whatever the draw's labels are."""
    sure = Says([[0.0, 5.0, 0.0]], 0.5)
    monkeypatch.setattr(searching, "tuned_beside", lambda *arguments: sure)
    method = Method.parse("pet", ["steps=100", "lr=0.01", "keep_best=false"])
    learned = learn(method, tiny.checkpoint(kind), question(kind), DATA, 1, seed=0)
    said = (learned.predictor.scores(POOL) / 2).softmax(dim=1)
    expected = torch.tensor([0.0, 2.5, 0.0]).softmax(0)
    torch.testing.assert_close(said, expected.expand_as(said), rtol=0, atol=0.1)


# as any method


def test_its_name_and_its_place_among_the_methods():
    method = Method.parse("pet")
    assert (method.what, method.asked, method.read, method.asking) == ("full", "pet", "distilled", PetConfig(1000))
    named = all_methods("classes")
    assert "pet" in named and "full@pet+distilled" not in named, "one method stands there twice"
    assert "frozen@pet+distilled" in named
    assert not [name for name in named if "@pet+" in name and "distilled" not in name]
    assert "pet" not in all_methods("words") + all_methods("tags")


def test_saved_and_opened_without_teachers(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("bert"))
    base, data = load_checkpoint(tmp_path / "base"), TaskData(DATA, question("bert"))
    tuned = tune(Method.parse("lora@pet+distilled", ["steps=2", "rank=3"]), base, data, shots=2)
    tuned.save(tmp_path / "t")
    monkeypatch.setattr(searching, "tuned_beside", None)
    again = open_tuned(tmp_path / "t")
    texts = [example.text for example in POOL]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts))
    assert again.question.found == tuned.question.found and "it was {mask}" in again.question.found[0]


def test_what_it_is_not_for_is_said():
    base = tiny.checkpoint("bert")
    everything = Dataset("toy", tiny.LABELS, POOL, POOL[:3], POOL[:3])
    with pytest.raises(UserError, match="all 18 are drawn; give fewer with --shots"):
        learn(Method.parse("pet"), base, question("bert"), everything, None, 0)
    with pytest.raises(UserError, match="pet reads words at a blank, and this task has none"):
        learn(Method.parse("pet"), base, replace(question("bert"), kind="number"), DATA, 1, 0)
    with pytest.raises(UserError, match="has no label word"):
        learn(Method.parse("pet"), base, replace(question("bert"), label_words={}), DATA, 1, 0)


def test_tasks_and_files_bring_patterns(tmp_path):
    assert len(patterns_of(task_data("sentiment").question)) == 3
    file = tmp_path / "mine.csv"
    rows = [f"a text {i},{label}" for i in range(9) for label in ("good", "bad")]
    file.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    templates = [asked.template for asked in patterns_of(file_data(file).question)]
    assert templates == ["{text} it was {mask}", "{text} this is {mask}", "{text} in short , {mask}"]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("\n".join(["text,text_b,label", *(f"a,{row}" for row in rows)]), encoding="utf-8")
    assert patterns_of(file_data(pairs).question)[1].template == "{text} {text_b} this is {mask}"
