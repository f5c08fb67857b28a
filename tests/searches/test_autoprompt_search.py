"""Lesson 11: triggers are searched on a draw, told, used and saved; the log is kept, checked, and gone on with."""

import json
import re
from dataclasses import replace

import pytest
import torch

from minitune.commands.cli import main
from minitune.data.examples import Dataset, DevSet, Example, TrainSet
from minitune.errors import UserError
from minitune.experiments.experiment import learn
from minitune.methods.asked import ASKED
from minitune.methods.method import Method
from minitune.methods.searching import prepared
from minitune.predictors.classifier import Classifier
from minitune.prompting.autoprompt import by_chance
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.searches import autoprompt_search as module
from minitune.searches.autoprompt_search import FILE, find_triggers, label_tokens
from minitune.searches.search import Search
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from minitune.tuned.tuned import open_tuned, tune
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson11
POOL = [Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread", "film", "room")
        for label, how in enumerate(("awful", "slow and so sad", "great"))]  # fmt: skip
DATA = Dataset("toy", tiny.LABELS, POOL, POOL[:3])
SMALL = {"rounds": 6, "candidates": 5, "batch": 4}


def search_of(kind="bert", folder=None, settings=SMALL, name="frozen@autoprompt+verbalizer", question=None, **changes):
    """What the search is given, as `searched` makes it."""
    method = Method.parse(name, settings)
    given = {"train": TrainSet(POOL[:9], tiny.LABELS), "dev": DevSet(POOL[9:], tiny.LABELS), "seed": 3} | changes
    search = Search(tiny.checkpoint(kind), question or tiny.question(kind), folder=folder, **given)
    return prepared(method, ASKED["autoprompt"], search, search.question)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """What a whole search has written down."""
    folder = tmp_path_factory.mktemp("searched")
    find_triggers(search_of(folder=folder))
    return (folder / FILE).read_text()


def trigger_of(question):
    return next(part.ids for part in Template.parse(question.template).parts if part.kind == "tokens")


# what is asked


@pytest.mark.parametrize(
    ("kind", "is_pair", "expected"),
    [
        ("gpt", False, "{text} {trigger:2} {mask}"),
        ("bert", False, "{text} {trigger:2} {mask} ."),
        ("bert", True, "{text} {text_b} {trigger:2} {mask} ."),
    ],
)
def test_the_template(kind, is_pair, expected):
    method = Method.parse("frozen@autoprompt", ["triggers=2"])
    assert str(method.template(tiny.question(kind, is_pair=is_pair), kind)) == expected


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_triggers_are_put_where_a_users_template_has_them(kind):
    own = "so {trigger:1} {text} it {trigger:2} was {mask}"
    found = find_triggers(search_of(kind, question=tiny.question(kind, template=own, is_own=True)))
    parts = [part.kind for part in Template.parse(found.template).parts]
    assert parts == ["words", "tokens", "text", "words", "tokens", "words", "mask"]


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        *[("verbalizer", "gpt"), ("verbalizer", "bert"), ("head", "gpt"), ("head", "bert"), ("number", "gpt")],
        *[("focal", "bert"), ("soft", "gpt"), ("probe", "bert"), ("prototypes", "gpt"), ("petal", "bert")],
        ("autoprompt", "gpt"),
    ],
)
def test_any_read_out_can_be_searched_for(kind, read):
    labels = ("1", "2", "3")
    words = dict(zip(labels, (("awful",), ("sad", "slow"), ("great:2", "good")), strict=True))
    question = tiny.question(kind, labels=labels, label_words=words)
    data = Dataset("toy", labels, POOL, POOL[:3])
    settings = SMALL | {"rounds": 2, "steps": 3}
    learned = learn(
        Method.parse(f"frozen@autoprompt+{read}", settings), tiny.checkpoint(kind), question, data, 2, seed=0
    )
    assert len(trigger_of(learned.question)) == 3 and len(learned.predictor.answers(POOL)) == len(POOL)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_words_of_several_tokens_can_be_searched_for(kind):
    words = {"bad": ("awful",), "fair": ("sadgreat", "slow"), "good": ("great",)}
    own = "{text} {trigger:2} {mask}"
    search = search_of(kind, question=tiny.question(kind, label_words=words, template=own, is_own=True))
    assert search.make_readout(search.question).reads == "blanks"
    found = find_triggers(search)
    template = search.template
    loss = module.trigger_loss(search.classifier(), template, search.dev)
    each = [
        search.classifier(template.with_triggers(trigger)).measure(
            search.classifier(template.with_triggers(trigger)).items(search.dev)
        )["loss"]
        for trigger in ((20, 21), trigger_of(found))
    ]
    ours = loss.loss_of(torch.tensor([(20, 21), trigger_of(found)]), torch.arange(len(search.dev)))
    assert ours.tolist() == pytest.approx(each, rel=1e-4)


def test_a_head_that_has_yet_to_learn_does_so_before_the_search():
    search = search_of("gpt", name="frozen@autoprompt+head")
    template = search.template.with_triggers((20, 21, 22))
    fresh, taught = search.classifier(template), module.at_start(search, (20, 21, 22))
    before, after = (its.measure(its.items(search.train))["loss"] for its in (fresh, taught))
    assert after < before - 0.1, "the search would please a head of random numbers"


# invariants


def loss_with(classifier, template, trigger, examples):
    """As a classifier measures it that is asked with this trigger."""
    asked = Classifier(classifier.model, classifier.tokenizer, template.with_triggers(trigger), classifier.readout)
    return asked.measure(asked.items(examples))["loss"]


@pytest.mark.parametrize("read", ["verbalizer", "head"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_loss_of_a_trigger_is_that_of_a_classifier_with_it(kind, read):
    search = search_of(kind, name=f"frozen@autoprompt+{read}")
    classifier, template = module.at_start(search, (20, 21, 22)), search.template
    loss = module.trigger_loss(classifier, template, search.dev)
    triggers = [(20, 21, 22), (30, 21, 25)]
    right = [loss_with(classifier, template, trigger, search.dev) for trigger in triggers]
    wrong = {"the words of a trigger are written backwards": (
        lambda: [loss_with(classifier, template, trigger[::-1], search.dev) for trigger in triggers])}  # fmt: skip
    if (kind, read) == ("bert", "head"):
        elsewhere = module.trigger_loss(classifier, template, search.dev)
        elsewhere.place = elsewhere.place + elsewhere.lengths[:, None] - 3  # [MASK] . [SEP]
        at_the_blank = elsewhere.loss_of(torch.tensor(triggers), torch.arange(len(search.dev)))
        wrong["a head is read at the blank, and not at [CLS]"] = at_the_blank
    found = loss.loss_of(torch.tensor(triggers), torch.arange(len(search.dev)))
    expect(found, right, wrong, tolerance=1e-5)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_score_on_dev_is_minus_the_loss_there(kind, tmp_path):
    search = search_of(kind, tmp_path)
    found = find_triggers(search)
    log = json.loads((tmp_path / FILE).read_text())["log"]
    classifier, template = module.at_start(search, log["start"]), search.template
    on_dev, on_train = (loss_with(classifier, template, log["start"], part) for part in (search.dev, search.train))
    wrong = {"the sign: a high loss is taken for good": on_dev, "the dev set is not looked at": -on_train}
    expect(log["dev"], -on_dev, wrong, tolerance=1e-5)
    best = max([log["dev"], *(its["dev"] for its in log["rounds"] if its["accepted"])])
    loss = loss_with(classifier, template, trigger_of(found), search.dev)
    assert loss == pytest.approx(-best, rel=1e-4), "the trigger that is returned is not the best on dev that was logged"
    assert len(log["rounds"]) == 6 and f"loss on dev {loss:.3f}" in found.found[0]


def test_the_best_on_dev_is_returned_and_not_the_last(tmp_path):
    """A log whose start has the best score by far, and whose search went elsewhere."""
    find_triggers(search_of(folder=tmp_path))
    told = json.loads((tmp_path / FILE).read_text())
    log, trigger = told["log"], list(told["log"]["start"])
    for its in log["rounds"]:
        if its["accepted"]:
            trigger[its["position"]] = its["token"]
    log["dev"] = 99.0
    (tmp_path / FILE).write_text(json.dumps(told))
    wrong = {"the last trigger is returned, not the best on dev": tuple(trigger)}
    expect(trigger_of(find_triggers(search_of(folder=tmp_path))), tuple(log["start"]), wrong)


def test_the_search_itself_looks_at_the_training_examples_alone(tmp_path):
    """With another dev set every round is the same, but for its score on dev."""
    told = []
    for name, part in (("one", POOL[9:]), ("other", POOL[6:9])):
        find_triggers(search_of(folder=tmp_path / name, dev=DevSet(part, tiny.LABELS)))
        rounds = json.loads((tmp_path / name / FILE).read_text())["log"]["rounds"]
        told.append([(its["position"], its["token"], its["true"], its["accepted"]) for its in rounds])
    assert told[0] == told[1], "candidates are scored on the dev set, which then cannot judge them"


def test_the_seed_decides_where_a_search_starts_and_what_its_rounds_draw(tmp_path):
    logs = []
    for seed in (3, 4, 5):
        find_triggers(search_of(folder=tmp_path / str(seed), seed=seed))
        logs.append(json.loads((tmp_path / str(seed) / FILE).read_text())["log"])
    assert len({tuple(log["start"]) for log in logs}) == 3, "every seed starts from the same words"
    places = {tuple(its["position"] for its in log["rounds"]) for log in logs}
    assert len(places) > 1, "every seed tries the same places: the rounds do not know the seed"


def test_what_was_found_before_is_told_too():
    asked = tiny.question("bert", found=("label words found: great",))
    assert find_triggers(search_of(question=asked)).found[0] == asked.found[0], "what another search found is forgotten"


def test_a_read_out_learns_with_the_words_that_the_search_starts_from():
    search = search_of("bert", name="frozen@autoprompt+head")
    asked = module.at_start(search, (20, 21, 22)).template
    assert asked == search.template.with_triggers((20, 21, 22)), (
        "it learned with placeholders, which nobody reads later"
    )


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_no_label_word_is_in_the_trigger(kind):
    """Whatever it weighs, and not one of its tokens."""
    tokenizer = tiny.checkpoint(kind).tokenizer
    asked = tiny.question(
        kind, label_words={"bad": ("awful:3",), "fair": ("sad:0.5", "slow"), "good": ("great soup:2",)}
    )
    bare = ("awful", "sad", "slow", "great soup")
    pieces = [tokenizer.encode(word) for word in bare]
    weighed = [tokenizer.encode(word) for word in ("awful:3", "sad:0.5", "slow", "great soup:2")]
    wrong = {
        "the weight is taken for a part of the word": sorted({i for its in weighed for i in its}),
        "the first token alone of a word stays out": sorted({its[0] for its in pieces}),
    }
    labels = {i for its in pieces for i in its}
    expect(sorted(set(label_tokens(search_of(kind, question=asked)))), sorted(labels), wrong)
    for seed in range(3):
        search = search_of(kind, seed=seed, settings=SMALL | {"candidates": 50}, question=asked)
        assert not labels & set(trigger_of(find_triggers(search))), "a label word in the trigger answers by itself"


def test_where_any_word_is_an_answer_only_those_of_the_task_stay_out():
    words = tuple(tiny.checkpoint("bert").tokenizer.words())
    question = Question(("great", "awful", *words), "{text} {mask}", {word: (word,) for word in words}, kind="words")
    train = TrainSet([Example("the soup", label=0), Example("the hero", label=1)], ("great", "awful"))
    search = search_of(question=question, train=train, dev=DevSet((), ("great", "awful")))
    word_id = tiny.checkpoint("bert").tokenizer.word_id
    assert set(label_tokens(search)) == {word_id("great"), word_id("awful")}, (
        "every word is a label: none would be left"
    )


def test_a_changed_trigger_changes_the_answers():
    found = find_triggers(search_of("bert"))
    classifier = search_of("bert").classifier(Template.parse(found.template))
    first = trigger_of(found)[0]
    other = search_of("bert").classifier(Template.parse(found.template.replace(f"{{tokens:{first},", "{tokens:40,")))
    assert first != 40 and not torch.equal(classifier.scores(POOL), other.scores(POOL)), "the trigger is not read"


def test_the_base_is_left_as_it_was():
    before = fingerprint(tiny.checkpoint("bert").model)
    find_triggers(search_of("bert", name="frozen@autoprompt+head"))
    assert fingerprint(tiny.checkpoint("bert").model) == before


def test_the_seed_decides():
    assert find_triggers(search_of(seed=3)) == find_triggers(search_of(seed=3))
    assert len({find_triggers(search_of(seed=seed)).template for seed in range(4)}) > 1


def test_without_a_dev_set_the_training_examples_choose():
    assert "(loss on train " in find_triggers(search_of(dev=DevSet((), tiny.LABELS))).found[0]


def test_random_words_are_searched_with_the_same_log(tmp_path):
    find_triggers(search_of(folder=tmp_path), by_chance)
    rounds = json.loads((tmp_path / FILE).read_text())["log"]["rounds"]
    assert len(rounds) == 6 and all(its["predicted"] is None for its in rounds)


# the log


class Stopped:
    """Ctrl-C at the nth loss that is asked for."""

    def __init__(self, monkeypatch, after):
        whole = module.ModelTriggerLoss.loss_of
        self.left = after

        def loss_of(loss, triggers, rows):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return whole(loss, triggers, rows)

        monkeypatch.setattr(module.ModelTriggerLoss, "loss_of", loss_of)


@pytest.mark.parametrize("after", [1, 4, 7])
def test_ctrl_c_keeps_the_best_and_the_same_search_goes_on_to_the_same_end(after, tmp_path, monkeypatch):
    whole, logged = find_triggers(search_of(folder=tmp_path / "whole")), tmp_path / "part" / FILE
    with monkeypatch.context() as patch:
        Stopped(patch, after)
        try:
            part = find_triggers(search_of(folder=tmp_path / "part"))
        except KeyboardInterrupt:
            pytest.fail("Ctrl-C loses what the search has found")
    rounds = len(json.loads(logged.read_text())["log"]["rounds"]) if logged.exists() else 0
    assert rounds < 6 and (rounds > 0) == (after > 1)
    assert f"stopped after {rounds} of 6 rounds" in part.found[-1] and len(trigger_of(part)) == 3
    assert find_triggers(search_of(folder=tmp_path / "part")) == whole
    assert logged.read_bytes() == (tmp_path / "whole" / FILE).read_bytes(), (
        "a resumed search ends otherwise than one that was not interrupted"
    )


def test_ctrl_c_ends_a_comparison(monkeypatch):
    Stopped(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        find_triggers(search_of())


def test_more_rounds_go_on_from_fewer(tmp_path):
    find_triggers(search_of(folder=tmp_path, settings=SMALL | {"rounds": 2}))
    longer = find_triggers(search_of(folder=tmp_path))
    assert longer == find_triggers(search_of()) and len(json.loads((tmp_path / FILE).read_text())["log"]["rounds"]) == 6


def test_of_a_longer_log_no_more_is_used_than_is_asked_for(tmp_path):
    """A later round is made the best by far."""
    find_triggers(search_of(folder=tmp_path))
    told = json.loads((tmp_path / FILE).read_text())
    late = [its for its in told["log"]["rounds"][2:] if its["accepted"]]
    assert late, "the fixture accepts nothing after its second round"
    late[-1]["dev"] = 99.0
    (tmp_path / FILE).write_text(json.dumps(told))
    fewer = SMALL | {"rounds": 2}
    found = find_triggers(search_of(folder=tmp_path, settings=fewer))
    assert found == find_triggers(search_of(settings=fewer)), "rounds beyond those that were asked for are used"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "is no log of a search"),
        (lambda text: "[" * 100_000, "is no log of a search"),
        (lambda text: "[1, 2]", "holds \\[1, 2\\] where a SearchFile was expected"),
        (lambda text: text.replace('"token": ', '"token": "x'), "is no log of a search|whole number"),
        (lambda text: text.replace('"position": ', '"position": 7'), "position 7\\d, and the trigger has 3 tokens"),
        (
            lambda text: text.replace('"start": [', '"start": [99999, '),
            "a trigger of 4 tokens, and the template has 3",
        ),
        (lambda text: text.replace('"token": ', '"token": 9'), "the token 9\\d+, which no trigger here may hold"),
        (lambda text: re.sub(r'"dev": -[\d.e-]+(?=\s*})', '"dev": null', text), "lacks the score of a trigger"),
        (lambda text: text.replace('"rounds": [', '"round": ['), "unknown field 'round'"),
    ],
)
def test_a_damaged_log_is_refused(change, message, log, tmp_path):
    path = tmp_path / FILE
    path.write_text(change(log))
    with pytest.raises(UserError, match=message) as refused:
        find_triggers(search_of(folder=tmp_path))
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 4}, "seed"),
        ({"settings": SMALL | {"candidates": 6}}, "settings"),
        ({"settings": SMALL | {"triggers": 2}}, "template"),
        ({"train": TrainSet(POOL[:8], tiny.LABELS)}, "examples"),
        ({"train": TrainSet([replace(e, label=2 - e.label) for e in POOL[:9]], tiny.LABELS)}, "examples"),
        (
            {"question": tiny.question("bert", label_words=tiny.WORDS | {"bad": ("sad",), "fair": ("slow",)})},
            "label words",
        ),
        ({"kind": "gpt"}, "model"),
    ],
)
def test_the_log_of_another_search_is_refused(changes, name, log, tmp_path):
    (tmp_path / FILE).write_text(log)
    with pytest.raises(UserError, match=f"log of another search, with another {name}: remove it"):
        find_triggers(search_of(**{"folder": tmp_path, **changes}))


# what is refused


def test_a_template_without_triggers_is_refused():
    question = tiny.question("bert", template="{text} it was {mask} .", is_own=True)
    with pytest.raises(UserError, match=r"write \{trigger:3\} where they shall stand, or take @manual"):
        find_triggers(search_of(question=question))


def test_a_task_without_classes_is_refused():
    with pytest.raises(UserError, match="this task has none"):
        find_triggers(search_of(question=Question((), "{text} {trigger:2}", kind="text", is_own=True)))


def test_label_words_that_leave_nothing_are_refused():
    words = tiny.checkpoint("bert").tokenizer.words()
    parted = {"bad": words[0::3], "fair": words[1::3], "good": words[2::3]}
    with pytest.raises(UserError, match="no word is left for a trigger"):
        find_triggers(search_of(question=tiny.question("bert", label_words=parted)))


# saved and used


@pytest.mark.parametrize("what", ["frozen", "prompt-tuning"])
def test_what_is_found_is_saved_told_and_used_without_another_search(what, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint("gpt"))
    settings = SMALL | {"steps": 2} | ({"length": 2} if what == "prompt-tuning" else {})
    method = Method.parse(f"{what}@autoprompt+verbalizer", settings)
    tuned = tune(method, load_checkpoint(tmp_path / "base"), TaskData(DATA, tiny.question("gpt")), shots=2)
    tuned.save(tmp_path / "t")
    again = open_tuned(tmp_path / "t")
    texts = [example.text for example in POOL]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts))
    assert again.question.found == tuned.question.found and again.question.found[0].startswith("words found: _")
    origin = again.predictor.render(POOL[:1])[0].origin
    assert origin.count("tokens") == 3 and origin.count("soft") == (2 if what == "prompt-tuning" else 0)


def test_by_command(tmp_path, monkeypatch, capsys):
    """tune prints the words, explain shows them in their place, and the log is beside what was saved."""
    save_checkpoint(tmp_path / "base", tiny.checkpoint("bert"))
    rows = "\n".join(f"{example.text},{tiny.LABELS[example.label]}" for example in POOL)
    (tmp_path / "mine.csv").write_text(f"text,label\n{rows}\n")
    monkeypatch.chdir(tmp_path)
    words = "bad=awful;fair=sad,slow;good=great"
    line = "tune frozen@autoprompt --data mine.csv --model base --shots 2 --out t --set rounds=2 --set candidates=3"
    main([*line.split(), "--label-words", words])
    printed = capsys.readouterr().out
    assert "words found: " in printed and (tmp_path / "t" / FILE).exists()
    found = printed.split("words found: ")[1].split(" (loss")[0].split()
    main(["explain", "t", "the soup was great ."])
    shown = capsys.readouterr().out
    assert all(word in shown for word in found) and printed.split("words found: ")[1][:20] in shown
