"""What Python is given by mistake: one sentence, `UserError`, before any work. And what may be given in many forms."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import minitune
from minitune.data.examples import Dataset, Example
from minitune.errors import UserError
from minitune.given import plain
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import save_checkpoint
from minitune.tuned.shelf import Shelf
from tests import tiny

HOW = ("awful", "slow", "great")
POOL = tuple(Example(f"the {thing} was {how}", label=i) for thing in ("hero", "plot") for i, how in enumerate(HOW))
PAIRS = tuple(Example(e.text, "so it was", e.label % 2) for e in POOL)
TAGGED = (TaggedWords(("the", "hero"), (0, 1)),) * 4
WORDS = {"good": ("great",), "bad": ("awful",), "fair": ("slow",)}
CLASSES = TaskData(Dataset("toy", tiny.LABELS, POOL, POOL[:3]), tiny.question("bert"))


def tuned(method, data, shots):
    return minitune.tune(method, tiny.checkpoint("bert"), data, shots=shots, steps=1, lr=0.01)


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    """A model, a task, and what was tuned for each kind of question."""
    folder = tmp_path_factory.mktemp("face")
    save_checkpoint(folder / "bert", tiny.checkpoint("bert"))
    (folder / "empty").mkdir()
    for name, file in (("adapter", "adapter_config.json"), ("other", "config.json")):
        (folder / name).mkdir()
        (folder / name / file).write_text("{}")
    (folder / "mine.csv").write_text("text,label\n" + "".join(f"{e.text},{HOW[e.label]}\n" for e in POOL))
    (folder / "mine.json").write_text('[{"instruction": "say", "output": "so"}]')
    pair = Question(("a", "b"), "{text} {sep} {text_b}", is_pair=True)
    number = TaskData(Dataset("n", (), POOL, POOL, by_class=False), Question((), "{text}", kind="number"))
    tags = Question(("O", "X"), "{text}", kind="tags")
    return SimpleNamespace(
        folder=folder,
        model=minitune.load(folder / "bert"),
        data=CLASSES,
        one=tuned("frozen+head", CLASSES, 1),
        two=tuned("frozen+head", TaskData(Dataset("p", ("a", "b"), PAIRS, PAIRS), pair), 1),
        number=tuned("frozen+number", number, 4),
        tags=tuned("frozen", TaskData(Dataset("t", tags.labels, TAGGED, TAGGED, by_class=False), tags), 2),
    )


def tune(it, **wrong):
    return minitune.tune(**{"method": "lora+head", "model": it.model, "data": it.data, "shots": 1, "steps": 1} | wrong)


def words(it, wrong):
    return tune(it, method="full", label_words=WORDS | wrong if isinstance(wrong, dict) else wrong)


def compare(it, **wrong):
    given = {"methods": ["frozen+head"], "model": it.model, "data": it.data, "shots": 1, "draws": 1, "steps": 1}
    return minitune.compare(**given | wrong)


def read(it, **wrong):
    return minitune.read(**{"path": it.folder / "mine.csv"} | wrong)


def instructions(it, **wrong):
    return minitune.read_instructions(**{"path": it.folder / "mine.json"} | wrong)


TEXTS = {  # what is tuned is given as `it.one`, `it.two`, `it.number`, `it.tags`
    "no texts": (lambda it: it.one.predict([]), "the list of texts is empty"),
    "an empty generator": (lambda it: it.one.predict(t for t in ()), "the list of texts is empty"),
    "one text for a list": (lambda it: it.one.predict("a plot"), r"'a plot' is one text; write \['a plot'\]"),
    "numpy's one text": (lambda it: it.one.predict(np.str_("a")), r"'a' is one text; write \['a'\]"),
    "bytes": (lambda it: it.one.predict(b"a plot"), "texts is b'a plot'; a list of texts was expected"),
    "a text in bytes": (lambda it: it.one.predict(["a", b"b"]), "text 2: it is b'b'; a text was expected"),
    "None": (lambda it: it.one.predict(None), "texts is None; a list"),
    "None among texts": (lambda it: it.one.predict(["a", None]), "text 2: it is None; a text"),
    "a number": (lambda it: it.one.predict(5), "texts is 5; a list"),
    "numbers": (lambda it: it.one.predict([1.5]), "text 1: it is 1.5; a text"),
    "an array of numbers": (lambda it: it.one.predict(np.ones(2)), "text 1: it is 1.0; a text"),
    "texts by name": (lambda it: it.one.predict({"a plot": 1}), "texts is {'a plot': 1}; a list"),
    "texts in no order": (lambda it: it.one.predict({"a plot"}), "texts is {'a plot'}; a list"),
    "three texts at once": (
        lambda it: it.two.predict([("a", "b", "c")]),
        r"text 1: it is \('a', 'b', 'c'\); a pair of",
    ),
    "a pair of a text and a number": (lambda it: it.two.predict([("a", 1)]), r"text 1: it is \('a', 1\); a pair of"),
    "a list in a list": (lambda it: it.one.predict([["a"]]), r"text 1: it is \['a'\]; a text"),
    "a pair for single texts": (lambda it: it.one.predict([("a", "b")]), "text 1: this was trained on single texts"),
    "one text for pairs": (lambda it: it.two.predict(["a"]), r'pairs of texts; write both, as in \("one text", "an'),
    "half a pair": (lambda it: it.two.predict([("a", None)]), "pairs of texts"),
    "a text that is empty": (lambda it: it.one.predict(["a", " "]), "text 2: there is an empty text"),
    "a text without a token": (lambda it: it.one.predict(["a plot", "\u0301"]), "text 2: the model reads no token"),
    "half a character": (lambda it: it.one.predict(["\ud83c"]), "text 1: a text holds half a character"),
    "what was loaded": (lambda it: it.one.predict(it.model), "texts is a model; a list"),
    "no texts, probabilities": (lambda it: it.one.probabilities([]), "the list of texts is empty"),
    "probabilities of numbers": (lambda it: it.number.probabilities(["a"]), "no classes here"),
    "probabilities of tags": (lambda it: it.tags.probabilities(["a"]), "no classes here"),
    "several texts to explain": (lambda it: it.one.explain(["a", "b"]), "a text was expected|two"),
    "nothing to explain": (lambda it: it.one.explain(None), "text 1: it is None"),
    "a list of words to tag": (lambda it: it.tags.predict([["a", "b", "c"]]), "text 1: it is .* a text was expected"),
}
EXAMPLES = {
    "no examples": (lambda it: it.one.score([]), "the list of examples is empty"),
    "a task": (lambda it: it.one.score(CLASSES), r"score its test part, as in score\(reviews.test\)"),
    "texts": (lambda it: it.one.score(["a"]), "example 1 is 'a'; an Example was expected"),
    "a text": (lambda it: it.one.score("a"), "examples is 'a'; labelled examples"),
    "None": (lambda it: it.one.score(None), "examples is None; labelled examples"),
    "a name for a label": (lambda it: it.one.score([Example("a", label="good")]), "its label is 'good'; a place among"),
    "no such class": (lambda it: it.one.score([Example("a", label=3)]), "its label is 3; a place among the 3 labels"),
    "a class below 0": (lambda it: it.one.score([Example("a", label=-1)]), "its label is -1"),
    "half a class": (lambda it: it.one.score([Example("a", label=0.5)]), "its label is 0.5"),
    "no number": (lambda it: it.number.score([Example("a", label=float("nan"))]), "its label is nan; a number"),
    "a number too large": (lambda it: it.number.score([Example("a", label=10**400)]), "its label is 1.*; a number"),
    "a text that is a number": (lambda it: it.one.score([Example(5)]), "example 1: a text of it is 5"),
    "no text": (lambda it: it.one.score([Example(None)]), "a text of it is None"),
    "words for a class": (lambda it: it.one.score(TAGGED), "example 1 is a TaggedWords; an Example"),
    "a class for words": (lambda it: it.tags.score(POOL), "example 1 is an Example; a TaggedWords"),
    "a written text": (lambda it: it.one.score([Writing("a")]), "example 1 is a Writing; an Example"),
    "fewer tags than words": (lambda it: it.tags.score([TaggedWords(("a", "b"), (0,))]), "2 words and 1 tags"),
    "no such tag": (lambda it: it.tags.score([TaggedWords(("a",), (2,))]), "its label is 2; a place among the 2"),
}
PLACES = {
    "save, None": (lambda it: it.one.save(None), 'folder is None; a folder was expected, as in save\\("runs/mine"'),
    "save, a number": (lambda it: it.one.save(3), "folder is 3; a folder"),
    "save, nothing": (lambda it: it.one.save(""), "folder is ''; a folder"),
    "save, a tensor": (lambda it: it.one.save(torch.ones(1)), "folder is a Tensor; a folder"),
    "save, nobody's home": (lambda it: it.one.save("~nobody at all/x"), "somebody who is not known here"),
    "open, None": (lambda it: minitune.open(None), "folder is None; the folder of a tuned method"),
    "open, nothing there": (lambda it: minitune.open(it.folder / "nowhere"), "there is no .*tuned.pt"),
    "open, an empty folder": (lambda it: minitune.open(it.folder / "empty"), "there is no .*tuned.pt"),
    "open, a model": (lambda it: minitune.open(it.folder / "bert"), "a model as it was pretrained, .* minitune.load"),
    "open, an adapter": (lambda it: minitune.open(it.folder / "adapter"), "an adapter of peft, .* minitune import"),
    "open, a foreign model": (lambda it: minitune.open(it.folder / "other"), "a model of transformers, .* import"),
    "open, the model itself": (lambda it: minitune.open(it.model), "folder is a model; the folder of a tuned method"),
    "open, with the model itself": (
        lambda it: minitune.open("a", it.model),
        "model is a model; the name or the folder",
    ),
    "open, on no device": (lambda it: minitune.open("a", device=5), "device is 5; auto, cpu"),
    "load, None": (lambda it: minitune.load(None), r'model is None; the name of a model or its folder .* load\("bert"'),
    "load, a model": (lambda it: minitune.load(it.model), "model is a model; the name"),
    "load, nothing": (lambda it: minitune.load(""), "model is ''; the name"),
    "load, on a list of devices": (lambda it: minitune.load("bert", ["cpu"]), r"device is \['cpu'\]"),
    "load, a tuned method": (lambda it: minitune.load(it.one), "model is a tuned method"),
    "task, None": (lambda it: minitune.task(None), r'name is None; the name of a task .* task\("sentiment"\)'),
    "task, several": (lambda it: minitune.task(["sentiment"]), r"name is \['sentiment'\]"),
    "read, None": (lambda it: read(it, path=None), r'path is None; a file was expected, as in read\("mine.csv"\)'),
    "read, rows": (lambda it: read(it, path=[("a", "b")]), r"path is \[\('a', 'b'\)\]; a file"),
    "read, a column's number": (lambda it: read(it, text=0), "text is 0; the name of a column"),
    "read, a nameless column": (lambda it: read(it, label=""), "label is ''; the name of a column"),
    "read, columns": (lambda it: read(it, text_b=["a"]), r"text_b is \['a'\]; the name of a column"),
    "read, a header in words": (lambda it: read(it, header="false"), "header is 'false'; True or False"),
    "read, a header in numbers": (lambda it: read(it, header=0), "header is 0; True or False"),
    "read, quoting in words": (lambda it: read(it, quoting="no"), "quoting is 'no'; True or False"),
    "read, a kind": (lambda it: read(it, kind=int), "kind is a type; classes, number, tags or"),
    "read, a separator": (lambda it: read(it, separator=5), 'separator is 5; one was expected, as in ";"'),
    "read, no quote": (lambda it: read(it, quote=None), "quote is None; a character"),
    "read, bad rows": (lambda it: read(it, skip_bad="no"), "skip_bad is 'no'; True or False"),
    "instructions, bad rows": (lambda it: instructions(it, skip_bad=1), "skip_bad is 1; True or False"),
    "read, an encoding": (lambda it: read(it, encoding=8), 'encoding is 8; the name of one .* "latin-1"'),
    "read, a test": (lambda it: read(it, test=True), "test is True; a file to test on"),
    "read, a task to test on": (lambda it: read(it, test=CLASSES), "test is a task or a file that was read; a file"),
    "read, no shots": (lambda it: read(it, shots=0), "shots is 0; a whole number from 1 on .*, or None"),
    "instructions, a number": (lambda it: instructions(it, path=4), "path is 4; a file"),
    "instructions, one field": (
        lambda it: instructions(it, fields="output"),
        "the fields 'output' are not two or three",
    ),
    "instructions, a field twice": (lambda it: instructions(it, fields=("a", "a", "b")), "two or three different"),
    "instructions, fields": (lambda it: instructions(it, fields=[1, 2]), r"fields\[0\] is 1; two or three"),
    "instructions, shots": (lambda it: instructions(it, shots="4"), "shots is '4'; a whole number"),
    "shelf, a name": (lambda it: Shelf("bert"), r"base is 'bert'; a model was expected, as minitune.load\('bert'\)"),
    "shelf, no name": (lambda it: Shelf(it.model).add(None, "a"), "name is None; a name"),
    "shelf, no folder": (lambda it: Shelf(it.model).add("a", None), "folder is None; a folder"),
    "shelf, a number": (lambda it: Shelf(it.model).use(0), "name is 0; the name of one"),
}
TUNE = {
    "a model's name": (lambda it: tune(it, model="bert"), r"model is 'bert'; a model .* minitune.load\('bert'\) gives"),
    "a task's name": (lambda it: tune(it, data="sentiment"), r"data is 'sentiment'; .* minitune.task\('sentiment'\)"),
    "a file's name": (lambda it: tune(it, data="a.csv"), r"data is 'a.csv'; .* minitune.read\('a.csv'\)"),
    "a tuned method for a model": (lambda it: tune(it, model=it.one), "model is a tuned method; a model was expected"),
    "swapped": (lambda it: tune(it, model=it.data, data=it.model), "model is a task or a file that was read; a model"),
    "the bare network": (lambda it: tune(it, model=it.model.model), "model is a BERT; a model was expected"),
    "examples for a task": (lambda it: tune(it, data=POOL), "data is .*; a task or a file was expected"),
    "no method": (lambda it: tune(it, method=None), "method is None; a method is written what@asked"),
    "methods": (lambda it: tune(it, method=["full"]), r"method is \['full'\]; a method is written"),
    "a model for a method": (lambda it: tune(it, method=it.model), "method is a model; a method is written"),
    "no shots": (lambda it: tune(it, shots=0), "shots is 0; a whole number from 1 on was expected, or None for all"),
    "shots below 0": (lambda it: tune(it, shots=-1), "shots is -1; a whole number from 1 on"),
    "shots true": (lambda it: tune(it, shots=True), "shots is True; a whole number"),
    "shots in words": (lambda it: tune(it, shots="all"), "shots is 'all'; a whole number .* or None for all"),
    "half a shot": (lambda it: tune(it, shots=1.5), "shots is 1.5; a whole number"),
    "several shots": (lambda it: tune(it, shots=[1, 2]), r"shots is \[1, 2\]; a whole number"),
    "a seed in words": (lambda it: tune(it, seed="7"), "seed is '7'; a whole number from 0"),
    "half a seed": (lambda it: tune(it, seed=0.5), "seed is 0.5; a whole number from 0"),
    "no seed": (lambda it: tune(it, seed=None), "seed is None; a whole number from 0"),
    "a seed below 0": (lambda it: tune(it, seed=-1), "seed is -1; a whole number from 0 on"),
    "a seed beyond all measure": (lambda it: tune(it, seed=10**5000), "seed is .*; a whole number from 0 to"),
    "a seed's generator": (lambda it: tune(it, seed=torch.Generator()), "seed is a Generator; a whole number"),
    "a template's number": (lambda it: tune(it, template=5), r'template is 5; a text .* "\{text\} it was \{mask\}"'),
    "an empty template": (lambda it: tune(it, template=""), "template is ''; a text"),
    "a setting without a value": (lambda it: tune(it, rank=None), "rank is None; one value was expected, as in rank=4"),
    "a setting that is a list": (lambda it: tune(it, rank=[8]), r"rank is \[8\]; one value"),
    "a setting that is true": (lambda it: tune(it, lr=True), "lr=True cannot be read: a number"),
    "a truth that is a number": (lambda it: tune(it, keep_best=1), "keep_best=1 cannot be read: true or false"),
    "a list of lists": (lambda it: tune(it, targets=[["query"]]), r"targets is \[\['query'\]\]; a list was expected"),
    "a name that is a number": (lambda it: tune(it, method="prompt-tuning+head", start=5), "start is 5; a text"),
    "a setting of many digits": (lambda it: tune(it, steps=10**5000), "steps is a number of very many digits|steps"),
    "an array for one number": (lambda it: tune(it, rank=np.array([8])), "rank is a ndarray|rank is .*; one value"),
}
LABEL_WORDS = {
    "a number": (lambda it: words(it, 5), r'label_words is 5; words by label .* \{"good": \["great"\]\}'),
    "a list": (lambda it: words(it, ["great"]), r"label_words is \['great'\]; words by label"),
    "labels as numbers": (lambda it: words(it, {1: "good"}), "label_words has the key 1; a label is a text"),
    "an unknown label": (lambda it: words(it, {"great": "good"}), r"given for \['great'\], and the labels are"),
    "an empty list": (lambda it: words(it, {"good": []}), "the class 'good' has no label word"),
    "an empty text": (lambda it: words(it, {"good": " , "}), "the class 'good' has no label word"),
    "nothing": (lambda it: words(it, {"good": None}), r"label_words\['good'\] is None; words were expected"),
    "numbers among words": (lambda it: words(it, {"good": ["great", 3]}), r"label_words\['good'\] holds 3; words"),
    "nested lists": (lambda it: words(it, {"good": [["great"]]}), r"label_words\['good'\] holds \['great'\]; words"),
    "a label without words": (lambda it: words(it, "good=great;bad=awful"), "the class 'fair' has no label word"),
    "none at all": (lambda it: tune(it, method="full", label_words={}), "has no label word"),
    "a weight of 0": (lambda it: words(it, {"good": "great:0"}), "has the weight 0; a number above 0"),
    "a weight in words": (lambda it: words(it, {"good": {"great": "2"}}), r"holds 'great': '2'; words"),
    "a weight of true": (lambda it: words(it, {"good": {"great": True}}), r"holds 'great': True; words"),
    "a weight beyond float32": (lambda it: words(it, {"good": "great:1e39"}), "has the weight 1e39; a number above 0"),
    "a weight of many digits": (lambda it: words(it, {"good": {"great": 10**5000}}), "holds 'great': a number of very"),
    "given for tags": (lambda it: minitune.tune("full", it.model, it.data, label_words=7), "label_words is 7"),
}
COMPARE = {
    "no methods": (lambda it: compare(it, methods=[]), r"methods is \[\]; methods were expected, as in"),
    "no methods in a text": (lambda it: compare(it, methods=" , "), "methods is ' , '; methods were expected"),
    "methods None": (lambda it: compare(it, methods=None), "methods is None; methods were expected"),
    "a number for a method": (lambda it: compare(it, methods=["full", 5]), r"methods\[1\] is 5; methods"),
    "an unknown method": (lambda it: compare(it, methods="full+hed"), r"'full\+hed' is no method"),
    "a model's name": (lambda it: compare(it, model="bert"), r"minitune.load\('bert'\)"),
    "a task's name": (lambda it: compare(it, data="sentiment"), r"minitune.task\('sentiment'\)"),
    "swapped": (lambda it: compare(it, model=it.data, data=it.model), "model is a task or a file that was read"),
    "no draws": (lambda it: compare(it, draws=0), "draws is 0; a whole number from 1 on"),
    "several draws": (lambda it: compare(it, draws=[1, 2]), r"draws is \[1, 2\]; a whole number from 1"),
    "draws true": (lambda it: compare(it, draws=True), "draws is True; a whole number"),
    "no shots": (lambda it: compare(it, shots=0), "shots is 0; a whole number"),
    "no shots among several": (lambda it: compare(it, shots=[4, 0]), r"shots\[1\] is 0; a whole number"),
    "shots in words": (lambda it: compare(it, shots="16"), "shots is '16'; a whole number"),
    "an empty list of shots": (lambda it: compare(it, shots=[]), "shots is empty; give a number"),
    "a control's number": (lambda it: compare(it, control=1), "control is 1; the name of one"),
    "an unknown control": (lambda it: compare(it, control="none"), "there is no control 'none'"),
}
TABLES = {"texts": TEXTS, "examples": EXAMPLES, "places": PLACES, "tune": TUNE, "words": LABEL_WORDS, "cmp": COMPARE}


@pytest.mark.parametrize(
    ("call", "said"), [pytest.param(*row, id=f"{t}: {name}") for t, its in TABLES.items() for name, row in its.items()]
)
def test_a_wrong_call_is_one_sentence_before_any_work(it, call, said, monkeypatch):
    monkeypatch.setattr("minitune.methods.fitting.train", lambda *_, **__: pytest.fail("it trained before it looked"))
    with pytest.raises(UserError, match=said) as caught:
        call(it)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


# what may be given in many forms


def test_texts_may_come_in_anything_that_has_an_order(it):
    expected = it.one.predict(["a plot", "a hero"])
    for texts in (("a plot", "a hero"), np.array(["a plot", "a hero"]), iter(["a plot", "a hero"])):
        assert it.one.predict(texts) == expected
    assert it.one.predict(text for text in ("a plot", "a hero")) == expected, "a generator is read once and found empty"
    pairs = [("a plot", "a hero"), ["a hero", "a plot"]]
    assert it.two.predict(pairs) == it.two.predict(np.array(pairs)) == it.two.predict(map(tuple, pairs))
    assert it.one.score(list(POOL)) == it.one.score(e for e in POOL) == it.one.score(POOL)


FORMS = {
    "as on the command line": "good=great:2,witty;bad=awful;fair=slow",
    "texts": {"good": "great:2,witty", "bad": "awful", "fair": "slow"},
    "lists": {"good": ["great:2", "witty"], "bad": ["awful"], "fair": ("slow",)},
    "weights by word": {"good": {"great": 2, "witty": 1}, "bad": "awful", "fair": {"slow": 5}},
    "numpy's": {np.str_("good"): np.array(["great:2", "witty"]), "bad": np.str_("awful"), "fair": ["slow"]},
    "numpy's weights": {
        "good": {np.str_("great"): np.float32(2), "witty": np.int64(1)},
        "bad": "awful",
        "fair": "slow",
    },
    "a generator": {"good": (w for w in ("great:2", "witty")), "bad": "awful", "fair": "slow"},
}


@pytest.mark.parametrize("form", FORMS)
def test_label_words_weigh_the_same_in_every_form(it, form, tmp_path):
    tuned = tune(it, method="full", label_words=FORMS[form])
    weights = tuned.predictor.readout.weights.tolist()
    place = tiny.LABELS.index("good")
    assert weights[place] == [2.0, 1.0], f"great weighs {weights[place][0]}: its weight was dropped"
    tuned.save(tmp_path)
    again = minitune.open(tmp_path)
    assert again.predictor.readout.weights.tolist() == weights
    assert all(type(word) is str for its in again.question.label_words.values() for word in its)


KEPT = {  # what is saved is plain, whatever it came as; else the file is refused, and the work is lost
    "numpy's seed": {"seed": np.int64(3)},
    "torch's seed": {"seed": torch.tensor(3)},
    "numpy's shots": {"shots": np.int32(1)},
    "numpy's template": {"template": np.str_("{text} so {mask}")},
    "numpy's setting": {"rank": np.int64(2)},
    "an array of settings": {"targets": np.array(["query", "up"])},
    "torch's setting": {"lr": torch.tensor(0.25), "rank": torch.tensor(2)},
    "an array of numbers": {"betas": np.array([0.5, 0.75])},
    "numpy's truth": {"rank_stabilized": np.bool_(True)},
    "a text for a setting": {"targets": np.str_("query,up"), "lr": "0.25"},
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_given_by_numpy_or_torch_is_saved_plain_and_opened(it, name, tmp_path):
    tuned = tune(it, method="lora", **KEPT[name])
    tuned.save(tmp_path)
    again = minitune.open(tmp_path)
    assert again.made == tuned.made and again.method.configs == tuned.method.configs
    assert str(again.predictor.template) == str(tuned.predictor.template)
    texts = ["the plot was slow", "a hero"]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts))
    same = tune(it, method="lora", **plain(KEPT[name]))
    assert torch.equal(same.probabilities(texts), tuned.probabilities(texts)), "it was taken for something else"


def test_labels_that_numpy_made_are_opened(it, tmp_path):
    labels = tuple(map(np.str_, tiny.LABELS))
    data = TaskData(Dataset("toy", labels, POOL, POOL), tiny.question("bert", labels=labels))
    tune(it, data=data).save(tmp_path)
    assert [type(label) for label in minitune.open(tmp_path).labels] == [str] * 3


def test_what_was_noted_beside_it_is_plain_or_refused_before_the_file_is_written(it, tmp_path):
    tuned = tune(it)
    tuned.made["note"] = {"score": np.float64(0.5), "each": np.array([1, 2])}
    tuned.save(tmp_path)
    assert minitune.open(tmp_path).made["note"] == {"score": 0.5, "each": [1, 2]}
    tuned.made["note"] = [1, object()]
    with pytest.raises(UserError, match=r"made\['note'\]\[1\] is an object, which is not saved"):
        tuned.save(tmp_path)
    assert minitune.open(tmp_path).made["note"] == {"score": 0.5, "each": [1, 2]}, "the old file is gone"


@pytest.fixture
def asked(monkeypatch):
    """What `compare` asks for: (methods, shots, draws)."""
    seen = []
    monkeypatch.setattr("minitune.experiments.compare.compare", lambda *given, **_: seen.append(given[3:6]))
    return seen


def test_one_method_is_a_list_of_one_and_a_comma_parts_two(it, asked):
    for methods in ("full+head", ["full+head"], ("full+head",), np.array(["full+head"]), iter(["full+head"])):
        compare(it, methods=methods)
        assert list(asked[-1][0]) == ["full+head"]
    compare(it, methods="full+head, zero-shot,full+head", draws=np.int64(2))
    assert list(asked[-1][0]) == ["full+head", "zero-shot"] and type(asked[-1][2]) is int


def test_shots_may_be_any_list_of_whole_numbers(it, asked):
    for shots in ([1, 2], (1, 2), range(1, 3), np.array([1, 2]), (n for n in (1, 2)), [1, 2, 1]):
        compare(it, shots=shots)
        assert list(asked[-1][1]) == [1, 2] and all(type(n) is int for n in asked[-1][1])
    compare(it, shots=None)
    assert list(asked[-1][1]) == [None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (torch.tensor(2.5), 2.5),
        (torch.tensor([1, 2]), [1, 2]),
        (np.array([["a", "b"]]), [["a", "b"]]),
        ({np.str_("a"): (np.int8(1), [np.float32(0.5)])}, {"a": (1, [0.5])}),
        (None, None),
        (torch.zeros(2, device="meta"), None),
    ],
)
def test_plain_by_hand(value, expected):
    found = plain(value)
    if getattr(value, "is_meta", False):
        assert found is value, "a tensor without numbers stays what it is, and is refused by whoever needs a number"
        return
    assert found == expected and type(found) is type(expected)
