"""Lesson 17, WARP's verbalizer: class vectors that start as words and are free to leave them."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.readout.losses import cross_entropy
from minitune.readout.soft import SoftConfig, SoftVerbalizer, at_random, from_words
from minitune.readout.verbalizer import Verbalizer
from tests.conftest import make_bert, make_gpt
from tests.naming import expect

pytestmark = pytest.mark.lesson17


class Plain(nn.Module):
    """A model whose decoder is given the hidden state itself."""

    def before_decoder(self, hidden):
        return hidden


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


# shapes


@pytest.mark.parametrize("rows", [1, 5])
def test_a_score_for_each_class_and_as_many_parameters_as_told(hidden, model, rows):
    readout = SoftVerbalizer(at_random(model, 4, seed=0))
    assert readout(hidden[:rows], model).shape == (rows, 4)
    assert sum(p.numel() for p in readout.parameters()) == 4 * 24
    assert (readout.reads, readout.reads_words) == ("blank", False)


# numbers worked by hand


def test_numbers_by_hand():
    readout = SoftVerbalizer(torch.tensor([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]))
    unit = {"products with a class vector of length 1": [[10 / 5**0.5, -4.0, 8 / 9.25**0.5]]}
    expect(readout(torch.tensor([[2.0, 4.0]]), Plain()), [[10.0, -4.0, 8.0]], unit, tolerance=1e-6)


def test_a_class_starts_at_the_weighted_mean_of_its_words(gpt):
    """Classes of one, two and three words: the first two are padded to three."""
    words, weights = [[8], [3, 5], [7, 2, 9]], [[2.0], [1.0, 3.0], [0.5, 1.0, 1.0]]
    e = gpt.token_embedding.weight.detach()

    def by(formula):
        return torch.stack(
            [formula(e[ids], e.new_tensor(its)[:, None]) for ids, its in zip(words, weights, strict=True)]
        )

    right = by(lambda x, w: (w * x).sum(dim=0) / w.sum())
    wrong = {
        "the weights of words are not used": by(lambda x, w: x.mean(dim=0)),
        "a class starts at the sum of its words, not between them": by(lambda x, w: (w * x).sum(dim=0)),
        "the first word alone is used": by(lambda x, w: x[0]),
        "the sum is divided by the number of words, not by that of their weights": by(lambda x, w: (w * x).mean(dim=0)),
        "the sum is divided by the largest number of words": by(lambda x, w: (w * x).sum(dim=0) / 3),
        "the padding to classes of equal width is counted as words": by(
            lambda x, w: ((w * x).sum(dim=0) + (3 - len(x)) * x[0]) / (w.sum() + 3 - len(x))
        ),
    }
    expect(from_words(gpt, Verbalizer(words, weights)), right, wrong)
    plain = by(lambda x, w: x.mean(dim=0))
    expect(from_words(gpt, Verbalizer(words)), plain, {"the first word alone is used": by(lambda x, w: x[0])})


def test_random_vectors_are_as_long_as_words_and_differ_by_seed(model):
    with torch.no_grad():
        model.token_embedding.weight.mul_(7.0)
    one, same, other = (at_random(model, 400, seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    words = model.token_embedding.weight.norm(dim=1).square().mean().sqrt()
    assert (one.norm(dim=1).square().mean().sqrt() / words).item() == pytest.approx(1, abs=0.03), (
        "a class vector much shorter than words are starts near 0, and much longer ones shout"
    )


# invariants


def test_of_one_word_a_class_it_is_the_manual_verbalizer(hidden, model):
    """Up to the bias that BERT's decoder gives each word: a class vector has none."""
    words = Verbalizer([[7], [3], [11]])
    manual, soft = words(hidden, model), SoftVerbalizer(from_words(model, words))(hidden, model)
    bias = model.decoder_bias[[7, 3, 11]] if model.kind == "bert" else 0.0
    torch.testing.assert_close(
        soft + bias,
        manual,
        rtol=0,
        atol=1e-10,
        msg="not the words' scores: for BERT, h is what the decoder is given, after the MLM transform",
    )


def test_the_words_keep_their_vectors_while_the_classes_leave_theirs(hidden, model):
    view = model.token_embedding.weight[3:6]  # shares the table's memory
    before = model.token_embedding.weight.detach().clone()
    readout = SoftVerbalizer(view)
    with torch.no_grad():
        readout.classes += 1.0
    assert torch.equal(model.token_embedding.weight, before), "no clone: the class vectors are the words themselves"
    assert torch.equal(readout.classes, before[3:6] + 1.0)


# parity


def test_scores_of_a_slow_loop(hidden, model):
    readout = SoftVerbalizer(at_random(model, 3, seed=1))
    theta, right = readout.classes.detach(), torch.zeros(5, 3, dtype=torch.float64)
    states = hidden
    if model.kind == "bert":
        changed = F.gelu(hidden @ model.transform.weight.T + model.transform.bias)
        centred = changed - changed.mean(dim=1, keepdim=True)
        states = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-12).sqrt()
        states = (states * model.transform_norm.weight + model.transform_norm.bias).detach()
    for b in range(5):
        for c in range(3):
            right[b, c] = sum(theta[c, d] * states[b, d] for d in range(24))
    wrong = {
        "products with a class vector of length 1": states @ F.normalize(theta, dim=1).T,
        "cosines, and no products": F.normalize(states, dim=1) @ F.normalize(theta, dim=1).T,
    }
    if model.kind == "bert":
        wrong["h is the hidden state before BERT's MLM transform: the decoder is given what comes after"] = (
            hidden @ theta.T
        )
    expect(readout(hidden, model), right, wrong)


# gradients


def test_the_gradient_of_a_class_vector_is_probability_minus_truth(hidden, model):
    model.requires_grad_(False)
    readout, label = SoftVerbalizer(at_random(model, 3, seed=1)), torch.tensor([0, 2, 2, 1, 0])
    scores = readout(hidden, model)
    readout.loss(scores, label).backward()
    wrong = (scores.softmax(dim=1) - F.one_hot(label, 3)).detach() / 5  # (B, C)
    torch.testing.assert_close(readout.classes.grad, wrong.T @ model.before_decoder(hidden), rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [make_gpt, make_bert])
def test_what_trains_under_a_frozen_model_is_the_class_vectors_alone(hidden, make):
    model = make().requires_grad_(False)
    readout = SoftVerbalizer(from_words(model, Verbalizer([[3], [4, 5], [9]])))
    before = copy.deepcopy(model.state_dict())
    train(readout, hidden, torch.tensor([0, 1, 2, 0, 1]), model, steps=3)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not changed, f"{changed} moved under a frozen model: the decoder's words are no parameters of the classes"
    assert [name for name, p in readout.named_parameters() if p.requires_grad] == ["classes"]


# does it learn?


def train(readout, hidden, label, model, steps: int, rate: float = 0.05) -> float:
    optimizer = torch.optim.AdamW([p for p in readout.parameters() if p.requires_grad], lr=rate, weight_decay=0)
    for _ in range(steps):
        loss = readout.loss(readout(hidden, model), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize("start", ["words", "random"])
def test_learns_what_a_plane_can_part(start, model):
    model.requires_grad_(False)
    hidden = torch.randn(30, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    label = (hidden @ hidden[0] > 0).long() + (hidden @ hidden[1] > 2).long()
    made = from_words(model, Verbalizer([[3], [4, 5], [9]])) if start == "words" else at_random(model, 3, seed=0)
    readout = SoftVerbalizer(made)
    before = cross_entropy(readout(hidden, model), label).item()
    assert train(readout, hidden, label, model, steps=300) < min(0.2, before / 3)


def test_a_start_that_is_none_is_refused():
    with pytest.raises(UserError, match="classes_from is 'word'; the classes start from words or from random"):
        SoftConfig(classes_from="word")
