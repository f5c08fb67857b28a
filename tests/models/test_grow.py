"""A larger vocabulary: the old tokens say what they said, the new ones are like them. And a model's copy."""

import torch

from minitune.models.build import copied, parameter_count
from minitune.models.grow import grow_vocabulary
from tests.conftest import make_bert, make_gpt

MAKE = {"gpt": make_gpt, "bert": make_bert}


def test_the_old_tokens_keep_their_scores(model, ids, mask):
    before = model.logits(model(ids, attention_mask=mask).hidden)
    grown = grow_vocabulary(MAKE[model.kind](), 4, seed=3)
    after = grown.logits(grown(ids, attention_mask=mask).hidden)
    assert after.shape[-1] == 61 == grown.config.vocab_size
    assert torch.equal(before, after[..., :57]) or torch.allclose(before, after[..., :57], rtol=0, atol=1e-12)
    assert parameter_count(grown.config) == sum(p.numel() for p in grown.parameters())


def test_new_embeddings_have_the_mean_and_the_spread_of_the_old_number_by_number(model):
    old = model.token_embedding.weight.detach().clone()
    with torch.no_grad():  # one number of the embedding is far from the others, as in real models
        old[:, 5] = 7 + 3 * old[:, 5]
        model.token_embedding.weight.copy_(old)
    new = grow_vocabulary(model, 4000, seed=3).token_embedding.weight[57:]
    torch.testing.assert_close(new.mean(dim=0), old.mean(dim=0), rtol=0, atol=0.1)
    torch.testing.assert_close(new.std(dim=0), old.std(dim=0), rtol=0.1, atol=0)


def test_new_tokens_are_drawn_by_seed_and_their_bias_is_the_mean(bert):
    bias = bert.decoder_bias.detach().clone()
    one, same, other = (grow_vocabulary(make_bert(), 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.token_embedding.weight, same.token_embedding.weight)
    assert not torch.equal(one.token_embedding.weight[57:], other.token_embedding.weight[57:])
    assert torch.equal(one.token_embedding.weight[:57], other.token_embedding.weight[:57])
    assert torch.equal(one.decoder_bias, torch.cat([bias, bias.mean().expand(3)]))


def test_all_of_it_is_trained_and_nothing_new_is_nothing(model, ids):
    grown = grow_vocabulary(model, 2, seed=0)
    assert all(p.requires_grad for p in grown.parameters())
    grown.logits(grown(ids).hidden).square().mean().backward()
    assert grown.token_embedding.weight.grad[57:].abs().sum() > 0, "the new rows are no part of the output"
    assert grow_vocabulary(model, 0, seed=0).config.vocab_size == 59


def test_a_copy_shares_nothing_with_the_model_and_is_tied_as_it_is(model, ids):
    model.blocks[0].requires_grad_(False)
    model.blocks[1].attention.query.register_forward_hook(lambda *_: None)
    before, copy = model.logits(model(ids).hidden), copied(model)
    assert torch.equal(copy.logits(copy(ids).hidden), before)
    assert [(n, p.requires_grad) for n, p in copy.named_parameters()] == [
        (n, p.requires_grad) for n, p in model.named_parameters()
    ]
    assert len(copy.blocks[1].attention.query._forward_hooks) == 1
    for part, its in zip(model.modules(), copy.modules(), strict=True):
        assert part is not its and part.training == its.training
        tables = {name: table for name, table in vars(part).items() if isinstance(table, dict | set)}
        shared = [name for name, table in tables.items() if table is vars(its)[name]]
        assert not shared, f"a hook of the copy would be one of the model: {shared[0]} is one for both"
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    assert torch.equal(model.logits(model(ids).hidden), before), "a weight of the copy is the model's own"
    assert copy.logits(copy(ids).hidden).any() == 0, "the output is no longer the embeddings"
