"""Lessons 04 and 07, the classifier: a model, a template and a read-out, predictor."""

import copy

import pytest
import torch
from torch.nn import functional as F

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.predictors.classifier import Classifier, collate, collate_variations, content_free, rightness
from minitune.predictors.predictor import ExampleBatches, label_log_chance
from minitune.prompting.template import Rendered, Template
from minitune.readout.calibrated import Calibrated, prior
from minitune.readout.head import Head
from minitune.readout.prototypes import Prototypes
from minitune.readout.verbalizer import verbalizer
from minitune.training.loop import TrainConfig, train
from minitune.tuning.all_or_nothing import freeze
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt
from tests.conftest import make_bert, make_gpt
from tests.naming import expect

pytestmark = [pytest.mark.lesson04, pytest.mark.lesson07]
EXACT = {"rtol": 0, "atol": 1e-6}
EXAMPLES = [
    Example("great soup", label=1),
    Example("the film was awful , and the hero was dull . it was sad", label=0),
    Example("[MASK] great [SEP] soup", label=1),
    Example("awful", label=0),
    Example("the bed was soft " * 9, label=1),
    Example("a dull plot", label=0),
    Example("it was great !", label=1),
]


def build(tokenizer, readout="verbalizer", template="{text} it was {mask}"):
    model = (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer), context=40)
    if readout == "verbalizer":
        reads = verbalizer({"good": ["great", "good"], "bad": ["awful"]}, ["bad", "good"], tokenizer)
    else:
        reads = Head(24, 2, seed=3).double()
    return Classifier(model, tokenizer, Template.parse(template), reads)


@pytest.fixture(params=["verbalizer", "head"])
def classifier(request, tokenizer):
    return build(tokenizer, request.param, "{text} {sep} it was {mask}")


# shapes


def test_shapes(classifier):
    batch = collate(classifier.render(EXAMPLES), [e.label for e in EXAMPLES], classifier.tokenizer)
    width = batch["input_ids"].shape[1]
    assert all(batch[name].shape == (7, width) for name in ("input_ids", "attention_mask", "token_type_ids"))
    assert all(batch[name].shape == (7,) for name in ("blank", "text_end", "label"))
    assert classifier(batch).shape == (7, 2) and classifier.loss(batch).shape == ()
    assert classifier.scores(EXAMPLES).shape == (7, 2)


# by hand


def test_a_batch_is_padded_on_the_right_and_knows_where_to_read(bert_tokenizer, gpt_tokenizer):
    t = bert_tokenizer
    rendered = build(t, template="{text} {sep} it was {mask} .").render(EXAMPLES[3:6:2])
    batch = collate(rendered, [0, 1], t)
    awful, dull, plot, it, was, stop = (t.word_id(w) for w in ("awful", "dull", "plot", "it", "was", "."))
    first = [t.cls_id, awful, t.sep_id, it, was, t.mask_id, stop, t.sep_id, t.pad_id, t.pad_id]
    second = [t.cls_id, t.word_id("a"), dull, plot, t.sep_id, it, was, t.mask_id, stop, t.sep_id]
    assert batch["input_ids"].tolist() == [first, second]
    assert batch["attention_mask"].tolist() == [[1] * 8 + [0] * 2, [1] * 10]
    assert batch["token_type_ids"].tolist() == [[0] * 3 + [1] * 5 + [0] * 2, [0] * 5 + [1] * 5]
    assert batch["blank"].tolist() == [5, 7] and batch["text_end"].tolist() == [0, 0]
    assert batch["label"].tolist() == [0, 1]

    rendered = build(gpt_tokenizer).render(EXAMPLES[3:6:2])
    batch = collate(rendered, [0, 1], gpt_tokenizer)
    assert batch["text_end"].tolist() == batch["blank"].tolist() == [2, 4], "GPT is read at the last real token"
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1] * 5]


def test_accuracy_by_hand(classifier, monkeypatch):
    scores = torch.tensor([[0.0, 1], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1]])
    monkeypatch.setattr(classifier, "scores", lambda examples: scores)
    assert classifier.accuracy(EXAMPLES) == pytest.approx(5 / 7)


# invariants


def test_scores_do_not_depend_on_the_batch_or_the_order(classifier):
    together = classifier.scores(EXAMPLES)
    message = "a batch of one, or of another size, gives other scores: an axis is lost, or padding is read"
    for batch_size in (1, 2, 4):
        found = classifier.scores(EXAMPLES, batch_size)
        assert found.shape == together.shape, message
        torch.testing.assert_close(found, together, **EXACT, msg=message)
    order = [4, 0, 6, 2, 5, 1, 3]
    shuffled = classifier.scores([EXAMPLES[i] for i in order])
    message = "scores came back in the order of lengths, or padding is read"
    torch.testing.assert_close(shuffled, together[order], **EXACT, msg=message)


def test_labels_change_no_score(classifier):
    flipped = [Example(e.text, label=1 - e.label) for e in EXAMPLES]
    assert torch.equal(classifier.scores(flipped), classifier.scores(EXAMPLES)), "the label changes what is read"


def test_every_text_matters_and_where_it_ends(classifier):
    scores = classifier.scores(EXAMPLES)
    assert len({tuple(row) for row in scores.tolist()}) == len(EXAMPLES), "the same place is read for all"


def test_permuting_the_classes_permutes_the_predictions(tokenizer):
    one, two = build(tokenizer), build(tokenizer)
    two.readout = verbalizer({"good": ["great", "good"], "bad": ["awful"]}, ["good", "bad"], tokenizer)
    torch.testing.assert_close(two.scores(EXAMPLES), one.scores(EXAMPLES)[:, [1, 0]], **EXACT)


def test_scoring_puts_every_mode_back_and_keeps_no_gradient(classifier):
    classifier.train()
    classifier.model.eval()
    scores = classifier.scores(EXAMPLES)
    assert classifier.training and not classifier.model.training and not scores.requires_grad


def test_soft_placeholders_are_where_the_template_put_them(tokenizer):
    classifier = build(tokenizer, template="{soft:3} {text} it was {mask}")
    for rendered in classifier.render(EXAMPLES):
        start = tokenizer.kind == "bert"
        assert rendered.ids[start : start + 3] == [tokenizer.soft_id] * 3
        assert len(rendered.ids) <= 40


# parity with an independent computation


def test_scores_equal_each_example_alone_by_hand(classifier):
    model, t = classifier.model, classifier.tokenizer
    for example, scores in zip(EXAMPLES, classifier.scores(EXAMPLES), strict=True):
        rendered = classifier.template.render(example, t, 40)
        types = {"token_type_ids": torch.tensor([rendered.types])} if t.kind == "bert" else {}
        hidden = model(torch.tensor([rendered.ids]), **types).hidden[0]
        if classifier.readout.reads == "text":
            state = torch.tanh(model.pooler(hidden[0])) if t.kind == "bert" else hidden[-1]
            expected = classifier.readout.linear(state)
        else:
            place = rendered.ids.index(t.mask_id) if t.kind == "bert" else len(rendered.ids) - 1
            chances = model.logits(hidden[place]).exp()
            bad, good = [t.word_id("awful")], [t.word_id("great"), t.word_id("good")]
            expected = torch.stack([chances[bad].mean().log(), chances[good].mean().log()])
        torch.testing.assert_close(scores.double(), expected.double(), rtol=1e-5, atol=1e-5)


def test_loss_is_the_cross_entropy_of_the_scores(classifier):
    labels = [e.label for e in EXAMPLES]
    batch = collate(classifier.render(EXAMPLES), labels, classifier.tokenizer)
    expected = F.cross_entropy(classifier.scores(EXAMPLES).double(), torch.tensor(labels))
    torch.testing.assert_close(classifier.loss(batch), expected, rtol=1e-5, atol=1e-6)


# batches of examples


def test_an_epoch_uses_every_example_once_shuffled_by_seed(classifier):
    batches = ExampleBatches(classifier, EXAMPLES[:6], batch_size=2, seed=4)
    assert batches.per_epoch == 3
    rows = [tuple(row.tolist()) for i in range(3) for row in batches.batch(i)["attention_mask"].sum(1, keepdim=True)]
    rendered = classifier.render(EXAMPLES[:6])
    assert sorted(rows) == sorted((len(r.ids),) for r in rendered)
    labels = [[batches.batch(3 * epoch + i)["label"].tolist() for i in range(3)] for epoch in range(8)]
    assert all(sum(sum(batch) for batch in epoch) == 3 for epoch in labels) and len({str(e) for e in labels}) > 1
    again = ExampleBatches(classifier, EXAMPLES[:6], batch_size=2, seed=4)
    for number in (7, 0, 23, 4):
        one, two = batches.batch(number), again.batch(number)
        assert all(torch.equal(one[name], two[name]) for name in one), "a batch is a function of its number"


def test_labels_stay_with_their_texts(classifier):
    batches = ExampleBatches(classifier, EXAMPLES, batch_size=3, seed=1)
    labels = {tuple(r.ids): e.label for r, e in zip(classifier.render(EXAMPLES), EXAMPLES, strict=True)}
    for number in range(20):
        batch = batches.batch(number)
        for ids, mask, label in zip(batch["input_ids"], batch["attention_mask"], batch["label"].tolist(), strict=True):
            assert label == labels[tuple(ids[mask.bool()].tolist())]


def test_a_batch_larger_than_the_examples_is_all_of_them(classifier):
    batches = ExampleBatches(classifier, EXAMPLES, batch_size=50, seed=0)
    assert batches.per_epoch == 1 and batches.batch(5)["label"].shape == (7,)


# gradients


def test_a_frozen_model_keeps_its_weights_and_the_head_moves(tokenizer):
    classifier = build(tokenizer, "head")
    freeze(classifier.model)
    before = copy.deepcopy(classifier.state_dict())
    train(classifier, ExampleBatches(classifier, EXAMPLES, 3, 0).batch, TrainConfig(steps=4, weight_decay=0.5))
    moved = {name for name, tensor in classifier.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"readout.linear.weight", "readout.linear.bias"}


# does it learn?


def test_learns_its_examples(classifier):
    classifier.model.load_state_dict(random_model(classifier.model.config, seed=0).state_dict())
    batches = ExampleBatches(classifier, EXAMPLES, 7, 0)
    train(classifier, batches.batch, TrainConfig(steps=20, lr=0.02))
    assert classifier.accuracy(EXAMPLES) == 1.0


# what is refused


def test_a_verbalizer_without_a_blank_and_gpt_with_words_after_it(gpt_tokenizer, bert_tokenizer):
    for tokenizer in (gpt_tokenizer, bert_tokenizer):
        with pytest.raises(UserError, match="has no blank"):
            build(tokenizer, template="{text}")
        build(tokenizer, "head", template="{text}")
    with pytest.raises(UserError, match="next word"):
        build(gpt_tokenizer, template="{text} it was {mask} .")


def test_placeholders_and_vectors_are_as_many(tokenizer):
    classifier = build(tokenizer, template="{soft:3} {text} it was {mask}")
    tuned = add_prompt(classifier.model, PromptConfig(length=3, start="random"), tokenizer)

    def ask(template):
        return Classifier(tuned, tokenizer, Template.parse(template), classifier.readout)

    assert ask("{soft:3} {text} it was {mask}").scores(EXAMPLES).shape == (7, 2)
    assert ask("{soft:1} {text} {soft:2} it was {mask}").scores(EXAMPLES).shape == (7, 2)
    with pytest.raises(UserError, match=r"has 2 placeholders and the soft prompt 3 vectors"):
        ask("{soft:2} {text} it was {mask}")
    with pytest.raises(UserError, match=r"no placeholder for a soft prompt of 3: write \{soft:3\}"):
        ask("{text} it was {mask}")


def test_a_second_text_that_is_asked_for_and_missing(tokenizer):
    classifier = build(tokenizer, "head", "{text} {sep} {text_b}")
    with pytest.raises(UserError, match=r"asks for \{text_b\}, and the example has no such text"):
        classifier.items(EXAMPLES)
    pair = Example("great soup", "a dull plot", 1)
    assert classifier.scores([pair]).shape == (1, 2)
    if tokenizer.kind == "bert":
        assert set(classifier.items([pair])[0].rendered.types) == {0, 1}, "BERT tells two texts apart by their types"


# what is measured


@pytest.mark.parametrize("label", [0, 1])
def test_a_tie_is_no_right_answer(classifier, label, monkeypatch):
    items = [item._replace(label=label) for item in classifier.items(EXAMPLES)]
    message = "a model that scores all classes alike is right on 1 in C, whatever the classes' order and shares"
    monkeypatch.setattr(type(classifier.readout), "forward", lambda self, hidden, model: torch.zeros(len(hidden), 2))
    assert classifier.measure(items)["accuracy"] == 0.5, message
    assert classifier.accuracy([Example(e.text, label=label) for e in EXAMPLES]) == 0.5, message


def test_the_share_of_a_tie_by_hand():
    scores = torch.tensor([[1.0, 1, 0], [0, 2, 1], [3, 3, 3], [1, 0, 0]])
    assert rightness(scores, torch.tensor([1, 1, 2, 2])).tolist() == pytest.approx([1 / 2, 1, 1 / 3, 0])


def test_measure_and_answers_by_hand(classifier, monkeypatch):
    classifier.labels = ("bad", "good")
    items = classifier.items(EXAMPLES)
    scores = classifier.scores(EXAMPLES)
    right = (scores.argmax(dim=1) == torch.tensor([e.label for e in EXAMPLES])).double().mean().item()
    expected = F.cross_entropy(scores, torch.tensor([e.label for e in EXAMPLES])).item()
    found = classifier.measure(items)
    assert next(iter(found)) == "accuracy", "the first is what the best weights are chosen by"
    best = scores.argmax(dim=1)
    share = max((best == label).double().mean().item() for label in (0, 1))
    wanted = {"accuracy": right, "loss": expected, "largest share": share}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-5)
    assert classifier.answers(EXAMPLES) == [("bad", "good")[best] for best in scores.argmax(dim=1).tolist()]


def test_of_uneven_classes_every_measure_by_hand(classifier, monkeypatch):
    """Four of one class, three of the other; the first is said six times, twice of them wrongly."""
    scores = torch.tensor([[0.0, 1], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0]])
    monkeypatch.setattr("minitune.predictors.classifier.over", lambda predictor, items, function: scores)
    labels = [1, 0, 0, 0, 0, 1, 1]
    items = [item._replace(label=label) for item, label in zip(classifier.items(EXAMPLES), labels, strict=True)]
    found = classifier.measure(items)
    expect(found["accuracy"], 5 / 7)
    expect(found["balanced accuracy"], (4 / 4 + 1 / 3) / 2, {
        "the mean over the classes that are said: precision, and not recall": (1 + 4 / 6) / 2,
        "the accuracy": 5 / 7,
    })  # fmt: skip
    expect(found["largest share"], 6 / 7, {"the share of the commonest label, not of the commonest answer": 4 / 7})


# the chance of an answer


def test_the_log_chance_is_that_of_each_ones_own_label(classifier):
    scores = classifier.scores(EXAMPLES).double()
    labels = torch.tensor([e.label for e in EXAMPLES])
    items = classifier.items(EXAMPLES)
    with torch.no_grad():
        found = classifier.log_chance(classifier.collate(items))
    own = labels[:, None]
    expect(found, scores.log_softmax(dim=1).gather(1, own)[:, 0], {
        "the score itself, which is no logarithm of a probability": scores.gather(1, own)[:, 0],
        "of the likeliest class, and not of the example's own": scores.log_softmax(dim=1).amax(dim=1),
        "the softmax runs over the batch": scores.log_softmax(dim=0).gather(1, own)[:, 0],
        "the probability, and not its logarithm": scores.softmax(dim=1).gather(1, own)[:, 0],
    }, tolerance=1e-5)  # fmt: skip


def test_the_log_chance_of_several_labels_is_of_all_together():
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    label = torch.tensor([[2, -100, 0, 1], [-100, 1, -100, -100]])
    logs = logits.log_softmax(dim=-1)
    first, second = logs[0, 0, 2] + logs[0, 2, 0] + logs[0, 3, 1], logs[1, 1, 1]
    padding = torch.stack([logs[0, 1, 0], logs[1, 0, 0] + logs[1, 2, 0] + logs[1, 3, 0]])
    right = torch.stack([first, second])
    expect(label_log_chance(logits, label), right, {
        "a mean over all places, padding among them": right / 4,
        "a mean over the places that count": right / torch.tensor([3.0, 1.0]),
        "places without a label count as if it were the first": right + padding,
    })  # fmt: skip


# calibration


def test_a_question_about_nothing_is_asked_three_times_and_of_both_texts(tokenizer):
    classifier = build(tokenizer, "head", "{text} {sep} {text_b}")
    classifier.readout = Calibrated(classifier.readout, 2)
    both = [Example(text, text) for text in ("N/A", "[MASK]", "")]

    def prior_of(examples):
        hidden = torch.cat([classifier.read(classifier.collate(classifier.items([example]))) for example in examples])
        return prior(classifier.readout.readout, hidden, classifier.model).log().detach()

    classifier.calibrate()
    wrong = {
        "only the first of the three texts is asked": prior_of(both[:1]),
        "the empty text is left out": prior_of(both[:2]),
        "the second text of a pair is left empty": prior_of([Example(e.text, "") for e in both]),
    }
    expect(classifier.readout.log_prior, prior_of(both), wrong, tolerance=1e-6)


def test_nothing_can_be_asked_of_a_gpt_that_would_read_no_token(tokenizer):
    texts = [example.text for example in content_free(Template.parse("{text}"), tokenizer)]
    assert texts == ["N/A", "[MASK]"] + [""] * (tokenizer.kind == "bert")
    assert len(content_free(Template.parse("{text} so {mask}"), tokenizer)) == 3


# joints with read-outs


def test_what_a_read_out_learns_between_examples_is_in_the_loss(tokenizer):
    """ProtoVerb's two losses: without the second the prototypes alone are learned, and no space."""
    classifier = build(tokenizer)
    torch.manual_seed(1)
    classifier.readout = Prototypes(24, 2).double()
    for readout in (classifier.readout, Calibrated(classifier.readout, 2)):
        classifier.readout = readout
        batch = classifier.collate(classifier.items(EXAMPLES))
        hidden = classifier.read(batch)
        plain = F.cross_entropy(classifier(batch), batch["label"])
        between = readout.between(hidden, batch["label"])
        assert between > 0.01
        wrong = {"the loss between examples is left out": plain, "the loss of the classes is left out": between}
        expect(classifier.loss(batch), plain + between, wrong, tolerance=1e-6)


def test_where_a_variation_has_fewer_blanks_its_last_stands_for_the_rest(bert_tokenizer):
    def row(*blanks):
        return Rendered(ids=[5] * 8, types=[0] * 8, blanks=list(blanks), origin=["mask"] * 8)

    batch = collate_variations([[row(2), row(3, 4, 6)], [row(1, 5), row(7)]], [0, 1], bert_tokenizer)
    expect(batch["blanks"], torch.tensor([[[2, 2, 2], [3, 4, 6]], [[1, 5, 5], [7, 7, 7]]]), {
        "the first blank stands for the rest": torch.tensor([[[2, 2, 2], [3, 4, 6]], [[1, 5, 1], [7, 7, 7]]]),
        "variations and examples are mixed": torch.tensor([[[2, 2, 2], [1, 5, 5]], [[3, 4, 6], [7, 7, 7]]]),
    })  # fmt: skip


def test_a_model_of_which_a_part_is_trained_is_read_anew(classifier):
    """Features of a model that changes are out of date after one step, even if only its last bias changes."""
    freeze(classifier.model)
    assert all(item.hidden is not None for item in classifier.items(EXAMPLES))
    classifier.model.blocks[-1].mlp.down.bias.requires_grad_(True)
    assert all(item.hidden is None for item in classifier.items(EXAMPLES)), "only a model that is frozen whole stays"
