"""Searches: an answer may be found on the training examples; what is found is saved, and not searched for again."""

from dataclasses import replace

import pytest
import torch

from minitune.data.examples import Dataset, DevSet, Example, TestSet, TrainSet
from minitune.methods import method as module
from minitune.methods.asked import Asked, manual
from minitune.methods.experiment import learn
from minitune.methods.method import Method
from minitune.methods.read import READ, Read
from minitune.methods.task_data import TaskData
from minitune.methods.tuned import open_tuned, tune
from minitune.readout.head import Head
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from tests import tiny

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
