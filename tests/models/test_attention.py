"""Lesson 02, attention: the equation written out, PyTorch's fused kernel, and what may be seen."""

import math

import pytest
import torch
from torch import nn

from minitune.models.attention import SelfAttention, attention, attention_weights, fused_attention, visible_keys

pytestmark = pytest.mark.lesson02
CPU = torch.device("cpu")


@pytest.fixture
def qkv():
    """Fewer queries than keys, as with a past: q (2, 3, 4, 5), k and v (2, 3, 6, 5)."""
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 5))
    return [torch.randn(s, dtype=torch.float64, generator=generator, requires_grad=True) for s in sizes]


@pytest.fixture
def visible():
    """(2, 1, 4, 6); the second query of the first row sees nothing."""
    visible = torch.rand(2, 1, 4, 6, generator=torch.Generator().manual_seed(1)) > 0.4
    visible[0, 0, 1] = False
    visible[1, 0, :, 0] = True
    return visible


# shapes


def test_shapes(qkv, visible):
    assert attention_weights(*qkv[:2], visible).shape == (2, 3, 4, 6)
    assert attention(*qkv, visible).shape == fused_attention(*qkv, visible).shape == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("mask", "queries", "past", "causal", "shape"),
    [
        (None, 4, 0, False, None),
        (None, 4, 2, False, None),
        (None, 1, 7, True, None),  # one query sees its whole past: nothing is hidden
        (None, 4, 0, True, (4, 4)),
        (None, 4, 2, True, (4, 6)),
        ((3, 6), 4, 2, False, (3, 1, 1, 6)),
        ((3, 6), 4, 2, True, (3, 1, 4, 6)),
    ],
)
def test_visible_keys_broadcast_to_batch_heads_queries_keys(mask, queries, past, causal, shape):
    visible = visible_keys(torch.ones(mask) if mask else None, queries, past, causal, CPU)
    assert (None if visible is None else tuple(visible.shape)) == shape


# numbers worked by hand


def test_scores_are_divided_by_the_root_of_the_head_size():
    query = torch.tensor([[2.0, 0, 0, 0]])  # D/H = 4
    key = torch.tensor([[math.log(3), 5, 5, 5], [0, -5, 1, 2]])
    value = torch.tensor([[8.0], [0.0]])
    # scores 2 log 3 / sqrt 4 = log 3 and 0: weights 3/4 and 1/4
    got = attention(query, key, value).item()
    assert got == pytest.approx(6.0, rel=1e-6), "7.2 means that the scores are not divided by sqrt(D/H)"


def test_a_query_after_a_past_sees_all_of_it_and_nothing_later():
    visible = visible_keys(None, queries=2, past=3, causal=True, device=CPU)
    assert visible.int().tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], "the diagonal starts where the past ends"


def test_padding_is_hidden_on_top_of_the_future():
    visible = visible_keys(torch.tensor([[0, 1, 1], [1, 1, 0]]), queries=3, past=0, causal=True, device=CPU)
    assert visible[:, 0].int().tolist() == [[[0, 0, 0], [0, 1, 0], [0, 1, 1]], [[1, 0, 0], [1, 1, 0], [1, 1, 0]]]


def test_a_mask_that_forgets_the_past_is_refused():
    with pytest.raises(ValueError, match=r"4 wide and there are 6 keys \(2 of the past, 4 of this call\)"):
        visible_keys(torch.ones(3, 4), queries=4, past=2, causal=False, device=CPU)


# invariants


def test_weights_sum_to_one_and_to_zero_where_nothing_is_visible(qkv, visible):
    sums = attention_weights(*qkv[:2], visible).sum(dim=-1)  # (B, H, T)
    expected = visible.any(dim=-1).double().expand_as(sums)
    torch.testing.assert_close(sums, expected, rtol=1e-12, atol=1e-12)


def test_what_is_hidden_does_not_matter(qkv, visible):
    query, key, value = qkv
    hidden = ~visible.any(dim=2)[:, 0]  # (B, S), keys that no query sees
    hidden[1, 3] = True
    visible = visible & ~hidden[:, None, None, :]
    before = attention(query, key, value, visible)
    noise = 100.0 * hidden[:, None, :, None]
    for function in (attention, fused_attention):
        torch.testing.assert_close(function(query, key + noise, value - noise, visible), before, rtol=1e-12, atol=1e-12)


def test_the_order_of_the_keys_does_not_matter(qkv):
    query, key, value = qkv
    order = torch.tensor([4, 2, 5, 0, 1, 3])
    shuffled = attention(query, key[:, :, order], value[:, :, order])
    torch.testing.assert_close(shuffled, attention(query, key, value), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", [attention, fused_attention])
def test_a_row_with_nothing_to_see_is_zero(qkv, visible, function):
    out = function(*qkv, visible)
    assert out.isfinite().all(), "softmax over nothing but -inf is 0 / 0"
    assert (out[0, :, 1] == 0).all() and (out[0, :, 0] != 0).any()


def test_a_width_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="width 10 does not divide into 3 heads"):
        SelfAttention(10, 3, 0.0)


# parity


@pytest.mark.parametrize("masked", [False, True])
def test_by_hand_equals_fused(qkv, visible, masked):
    seen = visible if masked else None
    torch.testing.assert_close(attention(*qkv, seen), fused_attention(*qkv, seen), rtol=1e-12, atol=1e-12)


def test_equals_plain_python(qkv, visible):
    query, key, value = (t.detach().tolist() for t in qkv)
    got = attention(*qkv, visible).tolist()
    for b, h, t in ((0, 0, 0), (0, 2, 1), (1, 1, 3)):
        seen = [s for s in range(6) if visible[b, 0, t, s]]
        scores = [sum(x * y for x, y in zip(query[b][h][t], key[b][h][s], strict=True)) / math.sqrt(5) for s in seen]
        total = sum(map(math.exp, scores))
        for d in range(5):
            mixed = [math.exp(a) / total * value[b][h][s][d] for a, s in zip(scores, seen, strict=True)]
            assert got[b][h][t][d] == pytest.approx(sum(mixed), abs=1e-12)


def test_many_heads_equal_each_head_alone():
    """Head h reads rows h D/H .. (h + 1) D/H of each weight: cutting the width any other way mixes the heads."""
    torch.manual_seed(0)
    layer = SelfAttention(6, 2, 0.0).double()
    x = torch.randn(3, 4, 6, dtype=torch.float64)
    past = tuple(torch.randn(3, 2, 5, 3, dtype=torch.float64) for _ in "kv")
    out, (key, value) = layer(x, None, past)
    heads = []
    for h in range(2):
        rows = slice(3 * h, 3 * h + 3)
        q, k, v = (nn.functional.linear(x, p.weight[rows], p.bias[rows]) for p in (layer.query, layer.key, layer.value))
        k, v = torch.cat([past[0][:, h], k], dim=1), torch.cat([past[1][:, h], v], dim=1)
        heads.append(((q @ k.mT) / math.sqrt(3)).softmax(dim=-1) @ v)
        torch.testing.assert_close(key[:, h], k, rtol=0, atol=1e-12, msg="the past must stand before the new keys")
        torch.testing.assert_close(value[:, h], v, rtol=0, atol=1e-12)
    torch.testing.assert_close(out, layer.output(torch.cat(heads, dim=-1)), rtol=1e-12, atol=1e-12)


# gradients


@pytest.mark.parametrize("function", [attention, fused_attention])
def test_gradients_are_right_and_never_nan(qkv, visible, function):
    grads = torch.autograd.grad(function(*qkv, visible).square().sum(), qkv)
    assert all(g.isfinite().all() for g in grads), "0 / 0 in a row that sees nothing leaves NaN in the gradient"
    assert torch.autograd.gradcheck(lambda *inputs: function(*inputs, visible), qkv)


# does it learn?


def test_learns_to_look_at_the_marked_key():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, 0.0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.03)
    for _ in range(75):
        x = torch.randn(32, 5, 8)
        marked = torch.randint(5, (32,))
        x[:, :, 0] = 0
        x[torch.arange(32), marked, 0] = 3.0
        loss = (layer(x, None)[0] - x[torch.arange(32), marked][:, None]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5, f"{loss.item():.2f}: the mean of the values alone reaches about 1"
