"""Searches: an answer may be found on the training examples; what is found is saved, and not searched for again."""

from dataclasses import dataclass, replace

import pytest
import torch

from minitune.data.examples import Dataset, DevSet, Example, TestSet, TrainSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.methods import method as module
from minitune.methods.asked import ASKED, Asked, manual
from minitune.methods.fitting import steps_for
from minitune.methods.method import Method
from minitune.methods.read import READ, Read
from minitune.prompting.template import Template
from minitune.questions.task_data import TaskData
from minitune.readout.head import Head
from minitune.searches.search import UNKNOWN, Search
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from minitune.tuned.tuned import open_tuned, tune
from minitune.tuning.trained import trainable
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson04
POOL = [Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread")
        for label, how in enumerate(("awful", "slow", "great"))]  # fmt: skip
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:3])
FOUND = {"bad": ("dull",), "fair": ("slow",), "good": ("great",)}


@pytest.fixture
def searches(monkeypatch):
    """Two answers that are searched for, and what each search was given."""
    given = []

    def for_words(search):
        given.append(search)
        for _ in search.progress(range(3), "searching label words"):
            pass
        return replace(search.question, label_words=FOUND)

    def for_a_template(search):
        given.append(search)
        return replace(search.question, template="{text} so {mask}", is_own=True)

    monkeypatch.setitem(module.READ, "searched", Read(READ["verbalizer"].readout, at_the_blank=True, search=for_words))
    monkeypatch.setitem(module.ASKED, "found", Asked(manual, search=for_a_template))
    return given


def test_a_search_sees_the_draw_and_never_the_test(searches):
    method = Method.parse("frozen+searched")
    learn(method, tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, seed=7)
    (search,) = searches
    assert (type(search.train), type(search.dev)) == (TrainSet, DevSet) and len(search.train) == 6
    assert not any(isinstance(value, TestSet) for value in vars(search).values()), "a search is given the test set"
    assert search.seed == 7, "the search is not the seed's"
    assert search.template.blanks == 1 and search.checkpoint is tiny.checkpoint("bert")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("frozen@autoprompt+verbalizer", "gpt"),
        ("frozen@autoprompt+head", "bert"),
        ("frozen+petal", "gpt"),
        ("frozen+lm-bff", "bert"),
        ("frozen+autoprompt", "gpt"),
        ("pet", "bert"),
    ],
)
def test_no_search_reads_with_dropout(kind, name):
    """Two models of the same weights, one of which drops out in training: what is found must be the same."""
    settings = {"rounds": 2, "candidates": 4, "batch": 4} if "@autoprompt" in name else {}
    settings |= {"steps": 2} if name == "pet" or "head" in name else {}
    asked = tiny.question(kind, patterns=("{text} is it {mask}",))
    plain, dropped = (
        learn(Method.parse(name, settings), checkpoint, asked, DATA, 1 if name == "pet" else 2, seed=3).question
        for checkpoint in (tiny.checkpoint(kind), tiny.dropping(kind))
    )
    assert dropped == plain, "the model is in training mode while a search reads: what it compares is noise"
    assert tiny.dropping(kind).model.training, "the search changes the mode of a model that is not its own"


def test_label_words_come_first_for_triggers_and_demonstrations_need_them(searches):
    learned = learn(
        Method.parse("frozen@found+searched"), tiny.checkpoint("gpt"), tiny.question("gpt"), DATA, 2, seed=0
    )
    of_words, of_a_template = searches
    assert str(of_words.template) == "{text} it was {mask}" and of_words.question.label_words != FOUND
    assert of_a_template.question.label_words == FOUND, (
        "a template is searched for with other words than it is used with"
    )
    readout = of_a_template.make_readout(of_a_template.question)
    assert readout.ids.tolist() == [[tiny.checkpoint("gpt").tokenizer.word_id(words[0])] for words in FOUND.values()]
    assert str(learned.predictor.template) == "{text} so {mask}" and learned.question.label_words == FOUND


def test_what_is_found_is_used_saved_and_opened_without_another_search(searches, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("gpt"))
    base = load_checkpoint(tmp_path / "base")
    method = Method.parse("lora@found+searched", {"steps": 2})
    tuned = tune(method, base, TaskData(DATA, tiny.question("gpt")), shots=2)
    tuned.save(tmp_path / "t")
    count = len(searches)
    again = open_tuned(tmp_path / "t")
    assert len(searches) == count, "a saved method searches again when it is opened: it has no examples to search on"
    assert again.question.label_words == FOUND and again.question.template == "{text} so {mask}"
    texts = [example.text for example in POOL]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts))


def test_what_a_readout_measures_is_saved_with_what_is_trained(monkeypatch, tmp_path):
    """Prototypes or a calibration are numbers that no optimizer touches: persistent buffers of the read-out."""

    class Measured(Head):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings)
            self.register_buffer("centre", torch.zeros(3))

        def forward(self, hidden, model):
            return super().forward(hidden, model) - self.centre

    measured = Read(lambda question, checkpoint, seed: Measured(24, 3, seed=seed))
    monkeypatch.setitem(module.READ, "measured", measured)
    save_checkpoint(tmp_path / "base", tiny.checkpoint("bert"))
    method = Method.parse("frozen+measured", {"steps": 2})
    tuned = tune(method, load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("bert")), shots=2)
    tuned.predictor.readout.centre.copy_(torch.tensor([0.5, -2.0, 1.0]))
    tuned.save(tmp_path / "t")
    texts = [example.text for example in POOL]
    same = torch.equal(open_tuned(tmp_path / "t").probabilities(texts), tuned.probabilities(texts))
    assert same, "what the read-out has measured of the examples is not in the file"


def test_a_search_that_changes_the_base_would_be_seen(searches):
    before = fingerprint(tiny.checkpoint("bert").model)
    learn(Method.parse("full+searched", {"steps": 2}), tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, 0)
    assert fingerprint(tiny.checkpoint("bert").model) == before


# ---- what the three answers share: settings, a prompt before what was found, a rate of its own, a teacher ----


@dataclass(frozen=True)
class Count:
    words: int = 2


def test_a_search_has_its_settings_and_they_are_saved(searches, monkeypatch, tmp_path):
    def template(question, model_kind, settings):
        return Template.parse(f"{{text}} {'so ' * settings.words}{{mask}}")

    def find(search):
        return replace(search.question, found=(f"{search.settings.words}",))

    monkeypatch.setitem(module.ASKED, "counted", Asked(template, search=find, settings=Count))
    save_checkpoint(tmp_path / "base", tiny.checkpoint("gpt"))
    method = Method.parse("lora@counted", ["words=3", "rank=2", "steps=1"])
    assert method.configs[1] == Count(3) and method.settings.rank == 2
    tuned = tune(method, load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("gpt")), shots=2)
    tuned.save(tmp_path / "t")
    again = open_tuned(tmp_path / "t")
    assert again.method.configs == method.configs and again.question.found == ("3",)
    assert str(again.predictor.template) == "{text} so so so {mask}"
    with pytest.raises(UserError, match="'rank'; it has words; its training"):
        Method.parse("frozen@counted", ["rank=2"])


def test_a_soft_prompt_is_put_before_a_template_that_was_found(searches):
    learned = learn(
        Method.parse("prompt-tuning@found", ["length=3", "steps=1"]), tiny.checkpoint("gpt"), tiny.question("gpt"),
        DATA, 2, seed=0,
    )  # fmt: skip
    assert str(searches[0].template) == "{text} it was {mask}", "a search is given a prompt that is not trained yet"
    assert str(learned.predictor.template) == "{soft:3} {text} so {mask}"


def test_unlabelled_texts_are_those_that_were_not_drawn(searches):
    """Pairs are told apart by both of their texts."""
    pairs = [Example("one premise", f"{e.text} {i}", label=e.label) for i, e in enumerate(POOL)]
    train, dev = TrainSet(pairs[:2], tiny.LABELS), DevSet(pairs[2:5], tiny.LABELS)
    unlabelled = Search(tiny.checkpoint("bert"), tiny.question("bert"), train, dev, 0, TrainSet(pairs)).unlabelled
    wrong = {
        "the dev set's texts are handed out": [e.text_b for e in pairs[2:]],
        "a pair is left out for its first text alone": [],
        "what was drawn is handed out": [e.text_b for e in pairs],
    }
    expect([example.text_b for example in unlabelled], [e.text_b for e in pairs[5:]], wrong)
    assert {example.label for example in unlabelled} == {UNKNOWN}, "a label that is not to be known is handed out"


def test_a_search_has_a_frozen_classifier_of_its_own(searches):
    learn(Method.parse("full@found", {"steps": 1}), tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, seed=0)
    classifier = searches[0].classifier()
    assert not searches[0].model.training, "the search's model is in training mode: whoever reads it drops out"
    assert not trainable(classifier), "the search's model is not frozen"
    assert classifier.scores(POOL).shape == (len(POOL), 3)
    assert all(p.requires_grad for p in tiny.checkpoint("bert").model.parameters()), "the base was frozen with it"


def test_a_readout_may_have_a_rate_of_its_own(monkeypatch):
    """New weights at the rate of a pretrained model would hardly leave their start."""
    steps = {}
    for name, rate in (("head", None), ("quick", {"bert": 1.0})):
        monkeypatch.setitem(module.READ, name, Read(READ["head"].readout, rate=rate))
        method = Method.parse(f"full+{name}", {"steps": 1, "warmup": 0, "evaluate_every": 0})
        before = method.build(tiny.checkpoint("bert"), tiny.question("bert"), 0)
        after = learn(method, tiny.checkpoint("bert"), tiny.question("bert"), DATA, 2, 0).predictor
        steps[name] = [
            (dict(after.named_parameters())[at] - dict(before.named_parameters())[at]).abs().max().item()
            for at in ("readout.linear.bias", "model.pooler.bias")
        ]
    assert steps["quick"][1] == pytest.approx(steps["head"][1], rel=1e-3), "the model's rate changed too"
    assert steps["quick"][0] == pytest.approx(1.0, rel=1e-2), "the read-out was trained at the model's rate"


def test_a_teacher_makes_the_training_examples_and_the_steps_stay(monkeypatch):
    def teach(search):
        return TrainSet([Example(e.text, label=(0.0, 0.25, 0.75)) for e in search.unlabelled], search.train.labels)

    monkeypatch.setitem(module.ASKED, "taught", Asked(ASKED["bare"].template, teach=teach))
    learned = learn(Method.parse("full@taught+head"), tiny.checkpoint("bert"), tiny.question("bert"), DATA, 1, seed=0)
    assert len(learned.history.losses) == steps_for(3) and len(learned.train) == 3
    chances = learned.predictor.scores(POOL).softmax(dim=-1).mean(dim=0)
    assert chances.argmax() == 2 and chances[1] > 0.1, "the teacher's probabilities were not learned"


def test_a_calibrated_method_is_saved_with_its_prior(tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("gpt"))
    base, data = load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("gpt"))
    texts = [example.text for example in POOL]
    plain = learn(Method.parse("zero-shot"), base, data.question, DATA, 2, 0).predictor
    for name in ("frozen+calibrated", "frozen@manual+verbalizer+calibrated"):
        tuned = tune(Method.parse(name), base, data, shots=2)
        tuned.save(tmp_path / name)
        assert torch.equal(open_tuned(tmp_path / name).probabilities(texts), tuned.probabilities(texts))
        difference = plain.scores(POOL) - tuned.predictor.scores(POOL)
        assert difference.std(dim=0).max() < 1e-5 and difference.exp()[0].sum().item() == pytest.approx(1, abs=1e-5)
    assert Method.parse("frozen@bare+head+calibrated").read == "head"
    with pytest.raises(UserError, match="'full\\+calibrated\\+head' is no method"):
        Method.parse("full+calibrated+head")
