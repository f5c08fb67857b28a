"""Lesson 10, contextual calibration: what a read-out says of nothing is taken off its answers."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.data.examples import Example
from minitune.predictors.classifier import Classifier
from minitune.prompting.template import Demonstration, Template
from minitune.readout.calibrated import CONTENT_FREE, Calibrated, prior
from minitune.readout.head import Head
from minitune.readout.losses import cross_entropy, focal
from minitune.readout.prototypes import Prototypes
from minitune.readout.verbalizer import Verbalizer, verbalizer
from tests import tiny
from tests.conftest import make_gpt
from tests.naming import expect

pytestmark = pytest.mark.lesson10
WORDS = [[3, 7], [5], [11, 2, 8]]  # three classes of unequal word counts
SHOWN = (Demonstration("great soup", None, "great"), Demonstration("the bed was quiet", None, "sad"))


class Scores(nn.Module):
    """A model whose scores are the hidden state itself."""

    def logits(self, hidden):
        return hidden


def logits(rows, seed=0, spread=2.0, shift=0.0):
    drawn = torch.randn(rows, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return spread * drawn + shift


def calibrated(free, readout=None, classes=3):
    readout = Calibrated(readout or Verbalizer(WORDS), classes).double()
    readout.calibrate(free, Scores())
    return readout


# shapes


@pytest.mark.parametrize("texts", [1, 3])
def test_shapes_and_what_is_saved(texts):
    readout = calibrated(logits(texts))
    assert readout(logits(5, seed=1), Scores()).shape == (5, 3)
    assert list(readout.state_dict()) == ["log_prior"] and not list(readout.parameters())
    assert (readout.reads, readout.reads_words) == ("blank", True)


# numbers worked by hand


FREE = [[0.60, 0.20, 0.20], [0.30, 0.02, 0.68], [0.01, 0.09, 0.90]]  # the chances of three words, of three texts
ASKED = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], dtype=torch.float64)


def test_the_prior_is_the_mean_of_the_words_chances_brought_to_the_sum_1():
    free = torch.tensor(FREE, dtype=torch.float64)
    p = free[:, :2]  # the classes' words are 0 and 1
    mean, own = p.mean(dim=0), p / p.sum(dim=1, keepdim=True)
    wrong = {
        "each text was brought to the sum 1 before the mean": own.mean(dim=0),
        "the mean of logarithms, not of chances": p.log().mean(dim=0).softmax(dim=0),
        "the mean was not brought to the sum 1": mean,
        "the first text alone was read": own[0],
        "the softmax runs over the batch": (p / p.sum(dim=0)).mean(dim=0),
    }
    expect(calibrated(free.log(), Verbalizer([[0], [1]]), 2).log_prior.exp(), mean / mean.sum(), wrong)


class Plain(nn.Module):
    """A read-out such as a head, which reads no words: the hidden state is the scores."""

    reads, reads_words = "text", False
    loss = staticmethod(cross_entropy)

    def forward(self, hidden, model):
        return hidden


def test_the_prior_of_a_head_is_the_mean_of_its_softmax_over_the_classes():
    free = logits(3, spread=1.5)[:, :4]
    p = free.softmax(dim=1)
    wrong = {
        "the softmax runs over the batch: every class has the same prior, and calibration does nothing": (
            torch.full((4,), 0.25)
        ),
        "the mean of scores, not of chances": free.mean(dim=0).softmax(dim=0),
        "the mean of logarithms, not of chances": p.log().mean(dim=0).softmax(dim=0),
        "the first text alone was read": p[0],
    }
    expect(prior(Plain(), free, Scores()), p.mean(dim=0), wrong)


def test_the_logarithm_of_the_prior_is_taken_off_the_scores():
    """Two classes: word 0 is favoured, so that what was the answer may turn round."""
    free = torch.tensor(FREE[:1], dtype=torch.float64)
    q = torch.tensor([0.75, 0.25], dtype=torch.float64)
    readout = calibrated(free.log(), Verbalizer([[0], [1]]), 2)
    raw = ASKED[:, :2].log()
    wrong = {
        "the prior was added": (raw + q.log()).softmax(dim=1),
        "scores were divided by the prior, and not probabilities": (raw / q).softmax(dim=1),
        "nothing was taken off": raw.softmax(dim=1),
        "the prior was subtracted from scores without its logarithm": (raw - q).softmax(dim=1),
    }
    divided = raw.exp() / q
    expect(readout(ASKED.log(), Scores()).softmax(dim=1), divided / divided.sum(dim=1, keepdim=True), wrong)
    assert raw[0].argmax() == 0 != readout(ASKED.log(), Scores())[0].argmax(), "a lopsided prior turns an answer round"


# invariants


def test_nothing_itself_is_answered_evenly():
    free = logits(1, seed=4)
    answer = calibrated(free)(free, Scores()).softmax(dim=-1)
    torch.testing.assert_close(answer, torch.full((1, 3), 1 / 3, dtype=torch.float64), rtol=1e-12, atol=0)


def test_scores_that_all_shift_together_change_no_answer():
    """P55: logits may be negative; dividing them by a prior, and not the probabilities, would turn the order round."""
    asked, moved = logits(9, seed=2), logits(9, seed=2, shift=-40.0)
    assert (moved < 0).all()
    here = calibrated(logits(3))(asked, Scores()).softmax(dim=-1)
    there = calibrated(logits(3, shift=-40.0))(moved, Scores()).softmax(dim=-1)
    torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-12, msg="logits were divided, not probabilities")


@pytest.mark.parametrize("free", [[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [0.0, -1e4, 1e4]])
@pytest.mark.parametrize("asked", [[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [-1e4, -1e4, 1e4]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_exactly_0_and_1(free, asked, dtype):
    readout = Calibrated(Verbalizer([[0], [1]]), 2).to(dtype)
    readout.calibrate(torch.tensor([free], dtype=dtype), Scores())
    scores = readout(torch.tensor([asked], dtype=dtype), Scores())
    assert readout.log_prior.isfinite().all(), f"a probability of 0 was divided or its logarithm taken: {free}"
    assert not scores.softmax(dim=-1).isnan().any()
    if asked[0] != asked[1]:
        assert scores.argmax().item() == (asked[1] > asked[0]), "a certain answer was turned round"


# parity with an independent slow loop


def slow(asked, free, words):
    """Zhao et al. 2021, section 4, one probability after the other."""
    of_nothing = []
    for row in free:
        p = [value.exp().item() for value in row]
        of_nothing.append([sum(p[w] for w in group) / len(group) / sum(p) for group in words])
    q = [sum(column) / len(free) for column in zip(*of_nothing, strict=True)]
    q = [value / sum(q) for value in q]
    answers = []
    for row in asked:
        p = [sum(row[w].exp().item() for w in group) / len(group) for group in words]
        p = [value / before for value, before in zip(p, q, strict=True)]
        answers.append([value / sum(p) for value in p])
    return torch.tensor(answers, dtype=torch.float64)


@pytest.mark.parametrize("shift", [0.0, -7.5, 9.0])
def test_a_slow_loop_says_the_same(shift):
    asked, free = logits(6, seed=5, shift=shift), logits(3, seed=6, shift=shift)
    answer = calibrated(free)(asked, Scores()).softmax(dim=-1)
    plain = Verbalizer(WORDS)(asked, Scores()).softmax(dim=-1)
    expect(answer, slow(asked, free, WORDS), {"nothing was taken off": plain})


def classifier(kind, demonstrations):
    checkpoint, question = tiny.checkpoint(kind), tiny.question(kind)
    readout = Calibrated(verbalizer(question.label_words, question.labels, checkpoint.tokenizer), 3)
    template = replace(Template.parse(question.template), demonstrations=demonstrations)
    return Classifier(checkpoint.model, checkpoint.tokenizer, template, readout, question.labels)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_prior_is_of_content_free_texts_in_this_very_context(kind):
    """P54: another order of the demonstrations has another prior."""
    priors = []
    for shown in (SHOWN, SHOWN[::-1]):
        asking = classifier(kind, shown)
        before = asking.scores([Example("a dull plot")])
        asking.calibrate()
        model, free = asking.model, []
        for text in CONTENT_FREE:  # one text at a time, by hand
            one = asking.template.render(Example(text), asking.tokenizer, model.config.context)
            with torch.no_grad():
                hidden = model(torch.tensor([one.ids])).hidden[0, one.blanks[0]]
                free.append(asking.readout.readout.chances(hidden[None], model)[0])
        q = torch.stack(free).mean(dim=0)
        torch.testing.assert_close(asking.readout.log_prior, (q / q.sum()).log(), rtol=1e-5, atol=3e-6)
        after = asking.scores([Example("a dull plot")])
        torch.testing.assert_close(after, before - asking.readout.log_prior, rtol=1e-5, atol=3e-6)
        priors.append(asking.readout.log_prior)
    assert (priors[0] - priors[1]).abs().max() > 3e-5, "the prior of one order was used for another"


def test_calibrating_again_forgets_the_first_prior():
    readout = calibrated(logits(3, seed=1))
    readout.calibrate(logits(3, seed=2), Scores())
    once, first = (calibrated(logits(3, seed=seed)).log_prior for seed in (2, 1))
    wrong = {"the first prior was kept": first, "the second was measured on top of the first": lambda: once - first}
    expect(readout.log_prior, once, wrong)


def test_what_another_read_out_has_beside_is_kept():
    """Its own loss, and what it says between examples: a calibrated ProtoVerb would else train another method."""
    made = Prototypes(24, 3)
    readout, drawn = Calibrated(made, 3), logits(4).float()
    label = torch.tensor([0, 1, 1, 0])
    assert hasattr(readout, "between"), "the term between examples is lost: what is calibrated is trained otherwise"
    assert torch.equal(readout.between(drawn, label), made.between(drawn, label))
    other = Head(24, 3, loss=focal)
    scores = other(drawn, make_gpt())
    assert torch.equal(Calibrated(other, 3).loss(scores, label), focal(scores, label)), "another loss is trained"


# gradients


def test_calibrating_trains_nothing_and_gradients_pass_to_the_read_out():
    head = Head(16, 3, seed=0)
    readout = Calibrated(head, 3)
    hidden = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    readout.calibrate(hidden, make_gpt())
    assert head.linear.weight.grad is None and not readout.log_prior.requires_grad
    readout.loss(readout(hidden, make_gpt()), torch.tensor([0, 2, 1, 0])).backward()
    assert head.linear.weight.grad.abs().sum() > 0
