"""Lesson 02, GPT: it reads left to right, and guesses the next token. What it shares with BERT is in test_doors."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.models import GPT, GPTConfig

pytestmark = pytest.mark.lesson02
EXACT = {"rtol": 0, "atol": 1e-10}

# numbers worked by hand


def test_the_loss_of_a_uniform_model_is_the_log_of_the_vocabulary(gpt, ids):
    with torch.no_grad():
        gpt.token_embedding.weight.zero_()
    assert gpt.loss({"input_ids": ids}).item() == pytest.approx(math.log(57), rel=1e-12)


def test_a_model_without_blocks_by_hand():
    """h = LN(token + position), and the scores are h E^T."""
    model = GPT(GPTConfig(vocab_size=3, layers=0, width=2, heads=1, inner=5, context=4, norm_eps=0.0)).double()
    with torch.no_grad():
        model.token_embedding.weight.copy_(torch.tensor([[1.0, 0], [0, 2], [3, 3]]))
        model.position_embedding.weight.copy_(torch.tensor([[0.0, 0], [4, 0], [0, 0], [0, 9]]))
        model.norm.weight.copy_(torch.tensor([1.0, 10]))
        model.norm.bias.copy_(torch.tensor([0.0, 0.5]))
    scores = model.logits(model(torch.tensor([[1, 1]])).hidden)
    # (0, 2) -> (-1, 1) -> (-1, 10.5); (4, 2) -> (1, -1) -> (1, -9.5)
    expected = torch.tensor([[[-1.0, 21, 28.5], [1, -19, -25.5]]], dtype=torch.float64)
    torch.testing.assert_close(scores, expected, rtol=1e-12, atol=1e-12)


def test_gelu_is_the_tanh_one():
    block = GPT(GPTConfig(vocab_size=3, layers=1, width=2, heads=1, inner=1)).double().blocks[0].mlp
    with torch.no_grad():
        block.up.weight.copy_(torch.tensor([[2.0, 0]]))
        block.down.weight.copy_(torch.tensor([[1.0], [0]]))
        block.down.bias.zero_()
    got = block(torch.tensor([[0.5, 9.0]], dtype=torch.float64))[0, 0].item()
    by_hand = 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (1 + 0.044715)))
    assert got == pytest.approx(by_hand, rel=1e-12), "0.8413447 is the erf GELU, BERT's"


# invariants


def test_the_future_is_not_seen(gpt, ids):
    before = gpt(ids).hidden
    for place in (0, 4, 10):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % 57
        after = gpt(changed).hidden
        assert torch.equal(after[:, :place], before[:, :place]), f"position {place - 1} sees what comes after it"
        assert ((after - before)[:, place:].abs().amax(dim=2) > 1e-9).all(), "a position is blind to what came before"


@pytest.mark.parametrize("cuts", [[11], [1] * 11, [4, 1, 6], [2, 9]])
def test_cached_equals_uncached(gpt, ids, cuts):
    whole, past, pieces = gpt(ids), None, []
    for piece in ids.split(cuts, dim=1):
        hidden, past = gpt(piece, past_key_values=past)
        pieces.append(hidden)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.hidden, **EXACT)
    for (key, value), (whole_key, whole_value) in zip(past, whole.past_key_values, strict=True):
        torch.testing.assert_close(key, whole_key, **EXACT)
        torch.testing.assert_close(value, whole_value, **EXACT)


def test_padding_on_the_left_with_positions_given_changes_nothing(gpt, ids):
    padded = torch.cat([torch.full((4, 3), 9), ids], dim=1)
    mask = torch.cat([torch.zeros(4, 3), torch.ones(4, 11)], dim=1)
    positions = (torch.arange(14) - 3).clamp(min=0)[None]
    hidden = gpt(padded, attention_mask=mask, position_ids=positions).hidden
    assert hidden.isfinite().all(), "padding on the left sees nothing at all: that must give 0, not NaN"
    torch.testing.assert_close(hidden[:, 3:], gpt(ids).hidden, **EXACT)


def test_pooling_is_the_state_itself(gpt):
    state = torch.randn(5, 24)
    assert gpt.pool(state) is state


# parity with an independent computation


def test_a_block_normalizes_changes_and_adds_twice(gpt):
    x = torch.randn(2, 5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    block = gpt.blocks[1]
    a = x + block.attention(block.attention_norm(x), None)[0]
    expected = a + block.mlp.down(F.gelu(block.mlp.up(block.mlp_norm(a)), approximate="tanh"))
    message = "pre-LN: h = a + MLP(LN(a)) with a = h + Attention(LN(h)), the stream itself is never normalized"
    torch.testing.assert_close(block(x, None, None)[0], expected, rtol=0, atol=1e-12, msg=message)


@pytest.mark.parametrize("padded", [False, True])
def test_loss_is_the_mean_over_real_next_tokens(gpt, ids, mask, padded):
    batch = {"input_ids": ids, "attention_mask": mask} if padded else {"input_ids": ids}
    lengths = (11, 7, 3, 10) if padded else (11,) * 4
    losses = []
    for row, length in zip(ids, lengths, strict=True):
        log_probs = gpt.logits(gpt(row[None, :length]).hidden)[0].log_softmax(dim=-1)
        losses += [-log_probs[t, row[t + 1]] for t in range(length - 1)]
    expected = torch.stack(losses).mean()
    message = "a token is guessed from the state before it, and padding is neither guessed nor counted"
    torch.testing.assert_close(gpt.loss(batch), expected, rtol=1e-12, atol=0, msg=message)


def test_the_last_norm_is_applied_once(gpt, ids):
    caught = []
    gpt.blocks[-1].register_forward_hook(lambda module, inputs, output: caught.append(output[0]))
    hidden = gpt(ids).hidden
    expected = F.layer_norm(caught[0], (24,), gpt.norm.weight, gpt.norm.bias, 1e-5)
    torch.testing.assert_close(hidden, expected, **EXACT)
