"""What a classifier, a tagger and a writer share: items, batches, many examples in order; features read once."""

import pytest
import torch

from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.what import WHAT
from minitune.predictors.classifier import collate
from minitune.predictors.predictor import ExampleBatches, inputs_of, label_log_chance, over, padded
from minitune.prompting.template import Rendered, Template
from minitune.tuning.trained import trainable
from tests import tiny
from tests.naming import expect
from tests.tiny import EXAMPLES, SETTINGS

pytestmark = pytest.mark.lesson04


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def build(kind, name, *settings):
    method = Method.parse(name, settings)
    return method, method.build(tiny.checkpoint(kind), tiny.question(kind), seed=2)


def counted(monkeypatch, model):
    """The rows of each run of the model's body."""
    rows, forward = [], model.forward

    def watched(input_ids, **inputs):
        rows.append(len(input_ids))
        return forward(input_ids, **inputs)

    monkeypatch.setattr(model, "forward", watched)
    return rows


# by hand


def test_padding_is_on_the_right_and_hidden():
    batch = padded([Rendered(ids=[5, 6, 7], types=[0, 1, 1]), Rendered(ids=[8], types=[1])], pad_id=3)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 3, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 1, 1], [1, 0, 0]]
    assert set(inputs_of(batch, "gpt")) == {"input_ids", "attention_mask"}, "a GPT has no token types"
    assert set(inputs_of(batch, "bert")) == set(batch)


def test_many_examples_come_back_in_their_order_whatever_the_batches(kind):
    _, predictor = build(kind, "full+head")
    items = predictor.items(EXAMPLES)
    length = lambda batch: batch["attention_mask"].sum(dim=1)  # noqa: E731
    expected = [len(item.rendered.ids) for item in items]
    assert expected != sorted(expected), "the order would be seen in nothing"
    for batch_size in (1, 2, 5, 128):
        assert over(predictor, items, length, batch_size).tolist() == expected


@pytest.mark.parametrize("name", ["lora+head", "prefix-tuning+head", "p-tuning-v2"])
def test_what_is_measured_drops_nothing_out(kind, name):
    """With dropout 0 a measurement in training mode would be seen by nothing."""
    _, predictor = build(kind, name, "dropout=0.8")
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in trainable(predictor).values():
            parameter.normal_(std=0.5, generator=generator)
    right = predictor.eval().scores(EXAMPLES)
    predictor.train()
    with torch.no_grad():
        noisy = predictor(predictor.collate(predictor.items(EXAMPLES)))
    assert (noisy - right).abs().max() > 1e-3, "dropout changes nothing here, so this shows nothing"
    for _ in range(2):
        found = over(predictor, predictor.items(EXAMPLES), predictor)
        difference = (found - right).abs().max().item()
        assert difference < 1e-5, f"scores are off by {difference:.2g}: it is measured in training mode, with dropout"
    assert predictor.training, "a look at dev in the middle of training switches its dropout off for good"


# features that are read once


@pytest.mark.parametrize("read", ["head", "focal", "beside", "@manual+head", "verbalizer"])
def test_kept_features_give_the_scores_of_the_texts_themselves(kind, read):
    _, predictor = build(kind, f"frozen{read if read[0] == '@' else '+' + read}")
    items = predictor.items(EXAMPLES)
    assert all(item.hidden is not None for item in items), "the body never changes, and is read anew each time"
    assert all(item.hidden.shape == (24,) and not item.hidden.requires_grad for item in items)
    kept = predictor(predictor.collate(items))
    read_anew = predictor(predictor.collate([item._replace(hidden=None) for item in items]))
    torch.testing.assert_close(kept, read_anew, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(kept, predictor.scores(EXAMPLES), rtol=1e-5, atol=1e-6)
    expected = {"accuracy": predictor.accuracy(EXAMPLES), "loss": predictor.loss(predictor.collate(items)).item()}
    found = predictor.measure(items)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_a_frozen_body_reads_each_example_once_in_all_of_training(kind, monkeypatch):
    method, predictor = build(kind, "frozen+head", "steps=30")
    rows = counted(monkeypatch, predictor.model)
    fit(method, predictor, EXAMPLES[:4], EXAMPLES[4:], seed=0)
    assert sum(rows) == 6, f"the body read {sum(rows)} rows for 6 examples"


@pytest.mark.parametrize("what", [what for what in WHAT if what != "frozen"])
def test_what_changes_what_the_body_says_is_read_in_every_step(kind, what, monkeypatch):
    method, predictor = build(kind, what, "steps=3", *SETTINGS.get(what, ()))
    assert all(item.hidden is None for item in predictor.items(EXAMPLES)), f"features of {what} would be out of date"
    inside = predictor.model if not hasattr(predictor.model, "model") else predictor.model.model
    rows, forward = [], inside.forward
    monkeypatch.setattr(inside, "forward", lambda *a, **k: rows.append(1) or forward(*a, **k))
    fit(method, predictor, EXAMPLES, [], seed=0)
    assert len(rows) == 3


def test_training_on_kept_features_equals_training_on_the_texts(kind, monkeypatch):
    method, one = build(kind, "frozen+head", "steps=10", "lr=0.1")
    _, two = build(kind, "frozen+head")
    render = two.items
    monkeypatch.setattr(two, "items", lambda examples: [item._replace(hidden=None) for item in render(examples)])
    first = fit(method, one, EXAMPLES, [], seed=4)
    second = fit(method, two, EXAMPLES, [], seed=4)
    assert first.losses == pytest.approx(second.losses, rel=1e-4)
    torch.testing.assert_close(one.readout.linear.weight, two.readout.linear.weight, rtol=1e-3, atol=1e-5)


# batches


def test_batches_leave_no_example_out_of_an_epoch_that_divides(kind):
    _, predictor = build(kind, "full+head")
    batches = ExampleBatches(predictor, EXAMPLES, batch_size=2, seed=9)
    seen = [tuple(ids.tolist()) for i in range(3) for ids in batches.batch(i)["input_ids"][:, :3]]
    whole = {tuple((item.rendered.ids * 3)[:3]) for item in predictor.items(EXAMPLES)}
    assert len(set(seen)) == len(whole), "an epoch leaves examples out: a batch is dropped, or an order begins anew"
    other = ExampleBatches(predictor, EXAMPLES, batch_size=2, seed=10)
    assert any(not torch.equal(batches.batch(i)["label"], other.batch(i)["label"]) for i in range(12))


def test_the_log_chance_of_a_row_is_the_sum_over_its_labels():
    """Of two rows one is longer: a mean would depend on the padding."""
    logits = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([[1, 4, 0, -100], [3, -100, -100, -100]])
    each = logits.log_softmax(dim=-1).gather(2, label.clamp(min=0)[..., None])[..., 0]
    kept = torch.where(label == -100, 0.0, each)
    wrong = {
        "the mean over all places, padded ones too": kept.mean(dim=1),
        "the mean over the labels of a row: long answers would be as likely as short ones": (
            kept.sum(dim=1) / (label != -100).sum(dim=1)
        ),
        "padded places are counted": each.sum(dim=1),
        "the softmax runs over the places": torch.where(
            label == -100, 0.0, logits.log_softmax(dim=1).gather(2, label.clamp(min=0)[..., None])[..., 0]
        ).sum(dim=1),
    }
    expect(label_log_chance(logits, label), kept.sum(dim=1), wrong)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_head_reads_cls_or_the_last_token_whatever_is_in_the_template(kind):
    base = tiny.checkpoint(kind)
    template = Template.parse("{soft:3} {text} it was {mask}")
    rendered = [template.render(example, base.tokenizer, 60) for example in tiny.EXAMPLES]
    last = [len(its.ids) - 1 for its in rendered]
    wrong = {
        "a vector of the soft prompt is read": [its.origin.index("soft") for its in rendered],
        "the blank is read": [its.blanks[0] for its in rendered],
        "the first token of the text is read": [its.origin.index("text") for its in rendered],
    }
    wrong |= {"the last token is read, and BERT is read at [CLS]": last} if kind == "bert" else {}
    right = [0] * len(rendered) if kind == "bert" else last
    found = collate(rendered, [0] * len(rendered), base.tokenizer)["text_end"]
    expect(found, right, {cause: value for cause, value in wrong.items() if value != right})
