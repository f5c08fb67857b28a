"""Lesson 03, BERT: it reads the whole text at once, and guesses hidden words. What it shares with GPT is in
test_doors."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.models import BERT, BERTConfig

pytestmark = pytest.mark.lesson03
EXACT = {"rtol": 0, "atol": 1e-10}


@pytest.fixture
def batch(ids, mask):
    labels = torch.full_like(ids, -100)
    labels[0, 4], labels[0, 9], labels[1, 2], labels[3, 9] = 5, 6, 7, 8
    types = (torch.arange(11) > 4).long().expand(4, 11)
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "labels": labels}
    return batch | {"next_sentence": torch.tensor([0, 1, 1, 0])}


# numbers worked by hand


def test_the_embedding_by_hand():
    """LN(token + position + type), before any block."""
    model = BERT(BERTConfig(vocab_size=3, layers=0, width=2, heads=1, context=3, norm_eps=0.0)).double()
    with torch.no_grad():
        model.token_embedding.weight.copy_(torch.tensor([[1.0, 0], [0, 2], [3, 3]]))
        model.position_embedding.weight.copy_(torch.tensor([[0.0, 0], [4, 0], [0, 0]]))
        model.type_embedding.weight.copy_(torch.tensor([[0.0, 0], [0, 9]]))
        model.embedding_norm.weight.copy_(torch.tensor([1.0, 10]))
        model.embedding_norm.bias.copy_(torch.tensor([0.0, 0.5]))
    ids = torch.tensor([[1, 1]])
    # (0, 2) -> (-1, 10.5); (4, 2) -> (1, -9.5), but (4, 2 + 9) -> (-1, 10.5) as a token of the second text
    one_text = model(ids).hidden[0].tolist()
    two_texts = model(ids, token_type_ids=torch.tensor([[0, 1]])).hidden[0].tolist()
    assert one_text == [[-1, 10.5], [1, -9.5]] and two_texts == [[-1, 10.5], [-1, 10.5]], "no norm, or no types"


def test_gelu_is_the_erf_one():
    block = BERT(BERTConfig(vocab_size=3, layers=1, width=2, heads=1, inner=1)).double().blocks[0].mlp
    with torch.no_grad():
        block.up.weight.copy_(torch.tensor([[2.0, 0]]))
        block.down.weight.copy_(torch.tensor([[1.0], [0]]))
        block.down.bias.zero_()
    got = block(torch.tensor([[0.5, 9.0]], dtype=torch.float64))[0, 0].item()
    assert got == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))), rel=1e-12), "0.8411920 is the tanh GELU, GPT's"


def test_scores_go_through_the_transform_its_norm_and_the_bias(bert):
    hidden = torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    bent = F.linear(hidden, bert.transform.weight, bert.transform.bias)
    bent = 0.5 * bent * (1 + torch.erf(bent / math.sqrt(2)))
    centred = bent - bent.mean(dim=1, keepdim=True)
    normed = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-12).sqrt()
    normed = normed * bert.transform_norm.weight + bert.transform_norm.bias
    expected = torch.einsum("nd,vd->nv", normed, bert.token_embedding.weight) + bert.decoder_bias
    torch.testing.assert_close(bert.logits(hidden), expected, rtol=1e-12, atol=1e-12)


def test_pooling_is_a_tanh_layer(bert):
    hidden = torch.randn(5, 24, dtype=torch.float64)
    expected = torch.tanh(hidden @ bert.pooler.weight.T + bert.pooler.bias)
    torch.testing.assert_close(bert.pool(hidden), expected, rtol=1e-12, atol=1e-12)


# invariants


def test_both_sides_are_seen(bert, ids):
    before = bert(ids).hidden
    for place in (0, 4, 10):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % 57
        moved = (bert(changed).hidden - before).abs().amax(dim=2) > 1e-9
        assert moved.all(), f"some position is blind to a change at {place}: a causal mask?"


def test_token_types_matter_and_default_to_the_first(bert, ids):
    zero = bert(ids, token_type_ids=torch.zeros_like(ids)).hidden
    torch.testing.assert_close(bert(ids).hidden, zero, **EXACT)
    for kind in (1, 2):
        assert not torch.allclose(bert(ids, token_type_ids=torch.full_like(ids, kind)).hidden, zero)


def test_post_norm_leaves_every_layer_normalized(bert, ids):
    with torch.no_grad():
        for block in bert.blocks:
            block.mlp_norm.weight.fill_(1.0)
            block.mlp_norm.bias.zero_()
    for block in bert.blocks:
        block.register_forward_hook(lambda module, inputs, output: states.append(output[0]))
    states = []
    bert(ids)
    assert len(states) == 3
    for state in states:
        torch.testing.assert_close(state.mean(dim=2), torch.zeros(4, 11, dtype=torch.float64), rtol=0, atol=1e-9)
        torch.testing.assert_close(
            state.var(dim=2, correction=0), torch.ones(4, 11, dtype=torch.float64), rtol=0, atol=1e-9
        )


# parity with an independent computation


def test_a_block_changes_adds_and_normalizes_twice(bert):
    x = torch.randn(2, 5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    block = bert.blocks[1]
    a = block.attention_norm(x + block.attention(x, None)[0])
    expected = block.mlp_norm(a + block.mlp.down(F.gelu(block.mlp.up(a))))
    message = "post-LN: h = LN(a + MLP(a)) with a = LN(h + Attention(h)), the sum is normalized"
    torch.testing.assert_close(block(x, None, None)[0], expected, rtol=0, atol=1e-12, msg=message)


def test_loss_is_the_mean_over_hidden_words_plus_next_sentence(bert, batch):
    hidden = bert(batch["input_ids"], attention_mask=batch["attention_mask"], token_type_ids=batch["token_type_ids"])
    hidden = hidden.hidden
    places = ((0, 4, 5), (0, 9, 6), (1, 2, 7), (3, 9, 8))
    words = torch.stack([-bert.logits(hidden)[row, column].log_softmax(-1)[word] for row, column, word in places])
    follows = bert.next_sentence(torch.tanh(bert.pooler(hidden[:, 0]))).log_softmax(-1)
    follows = -(follows[0, 0] + follows[1, 1] + follows[2, 1] + follows[3, 0]) / 4
    torch.testing.assert_close(bert.loss(batch), words.mean() + follows, rtol=1e-12, atol=0)


def test_loss_uses_the_positions_of_the_batch(bert, batch):
    shifted = batch | {"position_ids": (torch.arange(11) + 7).expand(4, 11)}
    plain = batch | {"position_ids": torch.arange(11).expand(4, 11)}
    assert bert.loss(plain) == bert.loss(batch)
    assert bert.loss(shifted) != bert.loss(batch), "position_ids of the batch are ignored"


# gradients


def test_words_that_were_not_hidden_teach_nothing(bert, batch):
    """A gradient at the state of an unhidden word can come only through attention, never through its own score."""
    caught = []
    bert.blocks[-1].register_forward_hook(lambda module, inputs, output: caught.append(output[0]))
    loss = bert.loss(batch)
    grad = torch.autograd.grad(loss, caught[0])[0].abs().sum(dim=2) > 0
    expected = batch["labels"] != -100
    expected[:, 0] = True  # [CLS], for the next sentence
    assert torch.equal(grad, expected)
