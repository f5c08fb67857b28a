"""Lesson 17, the linear probe at the blank: the control of every verbalizer that is learned."""

import pytest
import torch
from torch import nn

from minitune.readout.head import Head
from minitune.readout.probe import Probe
from tests.naming import expect

pytestmark = pytest.mark.lesson17


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def probe():
    made = Probe(24, 3, seed=1).double()
    nn.init.normal_(made.linear.bias, generator=torch.Generator().manual_seed(2))
    return made


# shapes


def test_a_score_for_each_class_and_as_many_parameters_as_told(probe, hidden, model):
    assert probe(hidden, model).shape == (5, 3) and probe(hidden[:1], model).shape == (1, 3)
    assert sum(p.numel() for p in probe.parameters()) == 3 * 24 + 3
    assert (probe.reads, probe.reads_words) == ("blank", False)


# numbers worked by hand


def test_it_reads_the_hidden_state_at_the_blank_as_it_is(probe, hidden, model):
    """Neither BERT's pooler, which was made for [CLS], nor its MLM transform."""
    weight, bias = probe.linear.weight, probe.linear.bias
    wrong = {"the bias is left out": hidden @ weight.T}
    if model.kind == "bert":
        wrong["the hidden state is read after the MLM transform"] = model.before_decoder(hidden) @ weight.T + bias
        wrong["the hidden state is read after the pooler"] = model.pool(hidden) @ weight.T + bias
    expect(probe(hidden, model), hidden @ weight.T + bias, wrong)


def test_numbers_by_hand(model):
    probe = Probe(2, 2)
    with torch.no_grad():
        probe.linear.weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.5]]))
        probe.linear.bias.copy_(torch.tensor([0.25, -3.0]))
    assert probe(torch.tensor([[2.0, 4.0]]), model).tolist() == [[10.25, -3.0]]


# invariants


def test_the_same_seed_gives_the_same_probe():
    one, same, other = (Probe(24, 3, seed=seed).linear.weight for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other), "another seed gives the same probe: the seed is not used"


# parity


def test_of_gpt_it_is_the_head_at_another_place(probe, hidden, gpt):
    head = Head(24, 3).double()
    head.linear.load_state_dict(probe.linear.state_dict())
    assert torch.equal(probe(hidden, gpt), head(hidden, gpt))


# gradients


def test_gradients_reach_the_probe_and_the_hidden_states(probe, hidden, model):
    hidden.requires_grad_(True)
    probe.loss(probe(hidden, model), torch.tensor([0, 1, 2, 0, 1])).backward()
    assert all(p.grad.abs().sum() > 0 for p in probe.parameters()) and hidden.grad.abs().min() > 0
    assert all(p.grad is None for p in model.parameters())


# does it learn?


def test_learns_what_a_plane_can_part(model):
    hidden = torch.randn(30, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    label = (hidden @ hidden[0] > 0).long() + (hidden @ hidden[1] > 2).long()
    probe = Probe(24, 3).double()
    optimizer = torch.optim.Adam(probe.parameters(), lr=0.1)
    for _ in range(200):
        loss = probe.loss(probe(hidden, model), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
