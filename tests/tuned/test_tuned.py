"""A tuned method: trained on a draw, it predicts, is scored, saved, opened, and says what was done."""

import re
from dataclasses import replace

import pytest
import torch

from minitune.data.examples import Dataset, Example, TestSet, draw
from minitune.errors import UserError
from minitune.experiments.experiment import judge
from minitune.methods.method import Method
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from minitune.tuned.saved import FILE, read_tuned
from minitune.tuned.tuned import open_tuned, renumbered, stored, tune, tuning_report
from tests import tiny
from tests.naming import expect
from tests.tiny import TAGGED, TAGS, TEXT, WRITTEN

pytestmark = pytest.mark.lesson04
POOL = tuple(Example(f"the {word} was {how} .", label=label) for word in ("hero", "plot", "soup", "bread")
             for label, how in enumerate(("awful", "slow", "great")))  # fmt: skip
TEST = tuple(Example(f"a {how} film", label=label) for label, how in enumerate(("dull", "sad", "clever")))
DATA = Dataset("toy", tiny.LABELS, POOL, TEST)


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def run(kind, name, *settings, dataset=DATA, question=None, **more):
    method = Method.parse(name, ["steps=4", "lr=0.02", *settings])
    data = TaskData(dataset, question or tiny.question(kind))
    return tune(method, tiny.checkpoint(kind), data, **({"shots": 2} | more))


def report_of(tuned, folder, test=TEST):
    """What is said of it, once it is measured and saved."""
    tuned.made["test"] = judge(tuned.predictor, test)
    path = tuned.save(folder)
    return f"{tuning_report(tuned, len(test))}\nstored: {stored(tuned, path)}"


def test_it_trains_measures_saves_and_opens(kind, tmp_path):
    save_checkpoint(tmp_path / "base", tiny.checkpoint(kind))
    base = load_checkpoint(tmp_path / "base")
    before = fingerprint(base.model)
    method = Method.parse("prefix-tuning+head", {"length": 3, "steps": 4, "lr": 0.02})
    tuned = tune(method, base, TaskData(DATA, tiny.question(kind)), shots=2, seed=5)
    assert len(tuned.learned.history.losses) == 4
    assert [step for step, _ in tuned.learned.history.scores] == [1, 2, 3, 4]
    assert tuned.score(DATA.test) == pytest.approx(tuned.predictor.accuracy(TEST))
    assert tuned.save(tmp_path / "out") == tmp_path / "out" / FILE
    made = read_tuned(tmp_path / "out").made
    assert (made["task"], made["shots"], made["seed"]) == ("toy", 2, 5)
    assert made["training"]["steps"] == 4 and made["training"]["lr"] == 0.02
    again = open_tuned(tmp_path / "out")
    texts = [example.text for example in TEST]
    assert torch.equal(again.probabilities(texts), tuned.probabilities(texts)), (
        "what was measured is not what was saved"
    )
    assert again.predict(texts) == tuned.predict(texts) and again.labels == tuned.labels == tiny.LABELS
    assert fingerprint(base.model) == before, "the next method would start from tuned weights"


LABELS = ("bad", "fair", "good")


def test_examples_of_other_label_orders_are_counted_as_it_counts():
    """Three classes in a circle: turned the wrong way round each becomes another one."""
    its = TestSet([Example(name, label=at) for at, name in enumerate(("good", "bad", "fair"))], ("good", "bad", "fair"))
    found = renumbered(its, LABELS)
    expect([example.label for example in found], [2, 0, 1], {
        "the labels are taken as they come: 'good' counts as 'bad'": [0, 1, 2],
        "the order is turned the wrong way round": [1, 2, 0],
    })  # fmt: skip
    assert type(found) is TestSet and found.labels == LABELS
    assert [LABELS[example.label] for example in found] == [example.text for example in found]
    some = TestSet([Example("fair", label=0)], ("fair",))  # a file that lacks some classes
    assert [example.label for example in renumbered(some, LABELS)] == [1]
    with pytest.raises(UserError, match=r"labels that this was not tuned for: \['so'\]"):
        renumbered(TestSet([Example("so")], ("so", "bad")), LABELS)


def test_a_score_does_not_depend_on_how_the_examples_count_their_labels(kind):
    tuned = run(kind, "frozen+head")
    order = ("good", "bad", "fair")
    other = TestSet([replace(e, label=order.index(LABELS[e.label])) for e in TEST], order)
    right, wrong = tuned.measure(DATA.test), tuned.predictor.measure(tuned.predictor.items(other))
    found = tuned.measure(other)
    expect(found["loss"], right["loss"], {"the labels are taken as they come": wrong["loss"]}, tolerance=1e-6)
    assert found == right


def test_probabilities_sum_to_one_for_each_text_however_many_are_asked(kind):
    tuned = run(kind, "frozen+head")
    texts = ["great soup", "a dull film", "so", "the bed", "it was sad"]
    scores = tuned.predictor.scores([Example(text) for text in texts])
    wrong = {"the softmax runs over the texts, and not over the classes": scores.softmax(dim=0)}
    expect(tuned.probabilities(texts), scores.softmax(dim=1), wrong, tolerance=1e-6)
    alone = torch.cat([tuned.probabilities([text]) for text in texts])
    expect(tuned.probabilities(texts), alone, tolerance=1e-5)
    assert tuned.predict(texts) == [tuned.predict([text])[0] for text in texts], "the answer depends on the batch"


def test_the_draw_is_that_of_the_seed(kind):
    draws = [run(kind, "frozen+head", seed=seed, shots=1).learned.train for seed in (3, 3, 4)]
    assert draws[0] == draws[1] == draw(DATA, 1, 3)[0], "the examples are not those of the seed that is written down"
    assert draws[0] != draws[2]


def test_the_report_by_hand(kind, tmp_path):
    tuned = run(kind, "frozen+head")
    text = report_of(tuned, tmp_path)
    assert "readout.linear.bias" in text.partition("\n\n")[0], "what was trained is shown by name"
    assert text.endswith(f"stored: {tmp_path / FILE}: 75 numbers, {(tmp_path / FILE).stat().st_size / 1000:.1f} KB")
    rows = {line[:31].strip(): line[31:].strip() for line in text.partition("\n\n")[2].splitlines()[2:]}
    assert rows["training examples / dev / test"] == "6 / 6 / 3" and rows["steps, learning rate"] == "4, 0.02"
    assert rows["accuracy on dev, best look"] == f"{tuned.learned.history.best():.3f}"
    assert rows["accuracy on test"] == f"{tuned.score(DATA.test):.3f}", "the test's score, not the dev set's"
    assert rows["loss on test"] == f"{tuned.measure(DATA.test)['loss']:.3f}"


def test_what_is_stored_is_counted_without_the_network_that_wrote_it(tmp_path):
    report = report_of(run("bert", "p-tuning", "length=3"), tmp_path)
    assert f"{tmp_path / FILE}: 72 numbers" in report, "the encoder is not in the file"


def test_all_of_the_pool_and_what_no_dev_set_leaves(tmp_path):
    report = report_of(run("bert", "frozen+head", shots=None), tmp_path)
    assert "9 / 3 / 3" in report, "a fifth of the pool is kept"
    beside = Dataset("toy", tiny.LABELS, POOL, TEST, TEST)
    assert "12 / 3 / 3" in report_of(run("bert", "frozen+head", shots=None, dataset=beside), tmp_path)
    assert "none: no dev set" in report_of(run("bert", "frozen+head", shots=4), tmp_path)
    assert len(run("bert", "frozen+head", "evaluate_every=0").learned.history.scores) == 0


def test_tags_and_texts_are_measured_by_their_own_scores(kind, tmp_path):
    tags = Dataset("tags", TAGS.labels, tuple(TAGGED * 2), tuple(TAGGED), by_class=False)
    tuned = run(kind, "p-tuning-v2", dataset=tags, question=TAGS)
    assert list(tuned.measure(tags.test)) == ["f1", "loss"]
    assert "f1 on test" in report_of(tuned, tmp_path, tags.test)
    if kind == "gpt":
        texts = Dataset("texts", (), tuple(WRITTEN * 2), tuple(WRITTEN), by_class=False)
        tuned = run(kind, "lora", dataset=texts, question=TEXT)
        assert list(tuned.measure(texts.test)) == ["score", "token accuracy", "loss"]
        assert "score on test" in report_of(tuned, tmp_path, texts.test)
        with pytest.raises(UserError, match="has no classes here"):
            tuned.probabilities(["great soup"])


def test_a_text_that_cannot_be_read_is_told_by_its_number(kind):
    tuned = run(kind, "frozen+head")
    for texts, expected in (
        (["great", " "], "^text 2: there is an empty text"),
        (["a", ("b", "c")], "^text 2: this was"),
    ):
        with pytest.raises(UserError, match=expected):
            tuned.predict(texts)
    if kind == "bert":
        for ask in (tuned.predict, tuned.probabilities):
            with pytest.raises(UserError, match=r"^text 2: the model reads no token"):
                ask(["great", "\u0301"])


def test_a_tagger_gives_each_word_a_tag(kind):
    tags = Dataset("tags", TAGS.labels, tuple(TAGGED * 2), tuple(TAGGED), by_class=False)
    tuned = run(kind, "frozen", dataset=tags, question=TAGS)
    assert [len(tags.split()) for tags in tuned.predict(["great \u0301 soup", "great soup " * 50])] == [3, 100]


def test_texts_that_are_cut_are_counted(tmp_path):
    long = Dataset("long", tiny.LABELS, tuple(Example("great soup " * 40, label=i % 3) for i in range(6)), TEST)
    report = report_of(run("bert", "frozen+head", dataset=long, shots=1), tmp_path)
    assert re.search("training texts that pass the context and are cut +3\n", report)
    assert "are cut" not in report_of(run("bert", "frozen+head"), tmp_path)


def test_the_same_command_gives_the_same_file_of_numbers(tmp_path):
    first, second = (run("bert", "p-tuning+head", seed=3) for name in "ab")
    assert first.learned.history.losses == second.learned.history.losses
    one, two = (run.save(tmp_path / name).read_bytes() for run, name in ((first, "a"), (second, "b")))
    assert one == two, "something of the run's own, such as a time or a file's name, is in the file"
    other = run("bert", "p-tuning+head", seed=4)
    assert other.learned.history.losses != first.learned.history.losses


def test_nothing_to_train_writes_nothing(tmp_path, kind):
    for name in ("zero-shot", "frozen"):
        with pytest.raises(UserError, match="nothing to train: every parameter is frozen; minitune compare"):
            run(kind, name).save(tmp_path / "out")
    with pytest.raises(UserError, match="lower --shots"):
        run(kind, "frozen+head", shots=5)
    with pytest.raises(UserError, match="lower the learning rate"):
        run(kind, "full+head", "lr=1e30", "warmup=0", "clip=1e30", "evaluate_every=0")
    assert not (tmp_path / "out").exists()
