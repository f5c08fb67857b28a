"""Lesson 08, contextual calibration: what a read-out says of nothing is taken off its answers."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.data.examples import Example
from minitune.predictors.classifier import Classifier
from minitune.prompting.template import Demonstration, Template
from minitune.readout.calibrated import CONTENT_FREE, Calibrated
from minitune.readout.head import Head
from minitune.readout.verbalizer import Verbalizer, verbalizer
from tests import tiny
from tests.conftest import make_gpt

pytestmark = pytest.mark.lesson08
WORDS = [[3, 7], [5], [11, 2, 8]]  # three classes of unequal word counts
SHOWN = (Demonstration("great soup", None, "great"), Demonstration("the bed was quiet", None, "sad"))


class Scores(nn.Module):
    """A model whose scores are the hidden state itself."""

    def logits(self, hidden):
        return hidden


def logits(rows, seed=0, spread=2.0, shift=0.0):
    drawn = torch.randn(rows, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return spread * drawn + shift


def calibrated(free, readout=None):
    readout = Calibrated(readout or Verbalizer(WORDS), 3).double()
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


def test_a_uniform_answer_to_nothing_changes_nothing_and_a_lopsided_one_turns_the_answer_round():
    # two classes, words 0 and 1; of nothing the model says word 0 with 0.6, word 1 with 0.2: q = (3/4, 1/4)
    free = torch.tensor([[0.6, 0.2, 0.2]], dtype=torch.float64).log()
    readout = Calibrated(Verbalizer([[0], [1]]), 2).double()
    asked = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log()
    assert readout(asked, Scores()).argmax().item() == 0
    readout.calibrate(free, Scores())
    # 0.5 / 0.75 = 2/3 against 0.3 / 0.25 = 6/5, brought to the sum 1
    expected = torch.tensor([[(2 / 3) / (2 / 3 + 6 / 5), (6 / 5) / (2 / 3 + 6 / 5)]], dtype=torch.float64)
    torch.testing.assert_close(readout(asked, Scores()).softmax(dim=-1), expected, rtol=1e-12, atol=0)


def test_probabilities_are_averaged_first_and_then_brought_to_the_sum_1():
    # the first text gives the classes 0.90 and 0.02, the second 0.01 and 0.03: q = (0.91, 0.05) / 0.96
    free = torch.tensor([[0.90, 0.02, 0.08], [0.01, 0.03, 0.96]], dtype=torch.float64).log()
    readout = Calibrated(Verbalizer([[0], [1]]), 2).double()
    readout.calibrate(free, Scores())
    expected = torch.tensor([0.91 / 0.96, 0.05 / 0.96], dtype=torch.float64)
    torch.testing.assert_close(
        readout.log_prior.exp(), expected, rtol=1e-12, atol=0,
        msg="each text was brought to the sum 1 before the mean: that gives (0.61, 0.39)",
    )  # fmt: skip


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
    torch.testing.assert_close(answer, slow(asked, free, WORDS), rtol=1e-10, atol=0)


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
    torch.testing.assert_close(readout.log_prior, calibrated(logits(3, seed=2)).log_prior)


# gradients


def test_calibrating_trains_nothing_and_gradients_pass_to_the_read_out():
    head = Head(16, 3, seed=0)
    readout = Calibrated(head, 3)
    hidden = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    readout.calibrate(hidden, make_gpt())
    assert head.linear.weight.grad is None and not readout.log_prior.requires_grad
    readout.loss(readout(hidden, make_gpt()), torch.tensor([0, 2, 1, 0])).backward()
    assert head.linear.weight.grad.abs().sum() > 0
