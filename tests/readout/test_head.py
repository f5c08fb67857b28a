"""Lesson 04, the classifier head: one linear layer on what the model made of the whole text."""

import pytest
import torch
from torch import nn

from minitune.readout.head import Head

pytestmark = pytest.mark.lesson04


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def head():
    head = Head(24, 3, seed=1).double()
    nn.init.normal_(head.linear.bias)
    return head


def test_a_score_for_each_class_and_as_many_parameters_as_told(head, hidden, model):
    assert head(hidden, model).shape == (5, 3) and head(hidden[:1], model).shape == (1, 3)
    assert sum(p.numel() for p in head.parameters()) == 3 * 24 + 3
    assert head.reads == "text"


def test_numbers_by_hand(gpt, bert):
    head = Head(2, 1).double()
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[3.0, -1.0]]))
        head.linear.bias.fill_(0.5)
    assert head(torch.tensor([[2.0, 4.0]], dtype=torch.float64), gpt).item() == 2.5
    bert.pool = torch.tanh  # BERT's pretrained pooler stands between
    expected = 3 * torch.tensor(2.0).tanh() - torch.tensor(4.0).tanh() + 0.5
    assert head(torch.tensor([[2.0, 4.0]], dtype=torch.float64), bert).item() == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_the_same_seed_gives_the_same_head_and_disturbs_nobody():
    torch.manual_seed(0)
    one, drawn = Head(24, 3, seed=4), torch.rand(2)
    torch.manual_seed(1)
    two = Head(24, 3, seed=4)
    assert torch.equal(one.linear.weight, two.linear.weight) and (one.linear.bias == 0).all()
    assert not torch.equal(one.linear.weight, Head(24, 3, seed=5).linear.weight)
    assert one.linear.weight.std().item() == pytest.approx(0.02, rel=0.3) and drawn.shape == (2,)


def test_dropout_is_there_in_training_alone(hidden, gpt):
    head = Head(24, 3, dropout=0.5).double()
    assert not torch.equal(head(hidden, gpt), head(hidden, gpt))
    head.eval()
    assert torch.equal(head(hidden, gpt), head(hidden, gpt))


def test_equals_a_plain_linear_layer(head, hidden, bert):
    pooled = torch.tanh(hidden @ bert.pooler.weight.T + bert.pooler.bias)
    expected = pooled @ head.linear.weight.T + head.linear.bias
    torch.testing.assert_close(head(hidden, bert), expected, rtol=1e-12, atol=1e-12)


def test_gradients_reach_head_pooler_and_state(head, hidden, bert):
    hidden.requires_grad_()
    head(hidden, bert).square().sum().backward()
    for tensor in (hidden, head.linear.weight, head.linear.bias, bert.pooler.weight):
        assert tensor.grad.abs().sum() > 0


def test_learns_a_few_labels(hidden, bert):
    head, labels = Head(24, 3).double(), torch.tensor([0, 1, 2, 0, 1])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(200):
        loss = nn.functional.cross_entropy(head(hidden, bert), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
