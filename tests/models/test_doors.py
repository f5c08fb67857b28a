"""Lessons 02 and 03: what GPT and BERT have in common, above all the three doors through which methods reach in:
embeddings in place of ids, a past of keys and values, and every `nn.Linear` by its name."""

import copy

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.bert import bert_parameters
from minitune.models.build import config_from_dict, config_to_dict, random_model
from minitune.models.gpt import gpt_parameters
from tests.conftest import make_bert, make_gpt, random_past

pytestmark = [pytest.mark.lesson02, pytest.mark.lesson03]
EXACT = {"rtol": 0, "atol": 1e-10}


def batch_for(model, ids, mask):
    """What the model's loss wants, with words to guess in every row."""
    if model.kind == "gpt":
        return {"input_ids": ids, "attention_mask": mask}
    labels = torch.where(torch.arange(ids.shape[1]) % 3 == 1, (ids + 5) % 57, -100) * mask + -100 * (1 - mask)
    types = (torch.arange(ids.shape[1]) > 4).long().expand_as(ids)
    follows = torch.tensor([1, 0, 0, 1])
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "labels": labels}
    return batch | {"next_sentence": follows, "position_ids": (torch.arange(ids.shape[1]) + 3).expand_as(ids)}


# shapes


def test_shapes(model, ids, mask):
    past = random_past(4, 5)
    output = model(ids, attention_mask=torch.cat([torch.ones(4, 5), mask], dim=1), past_key_values=past)
    assert output.hidden.shape == (4, 11, 24)
    assert model.logits(output.hidden).shape == (4, 11, 57) and model.logits(output.hidden[:, 0]).shape == (4, 57)
    assert model.pool(output.hidden[:, 0]).shape == (4, 24)
    assert len(output.past_key_values) == 3
    assert all(kv.shape == (4, 3, 5 + 11, 8) for layer in output.past_key_values for kv in layer)


# numbers worked by hand


@pytest.mark.parametrize("sizes", [{}, {"layers": 1, "inner": 7, "context": 9}])
def test_parameters_are_as_many_as_the_formula_says(sizes):
    for model, formula in ((make_gpt(53, **sizes), gpt_parameters), (make_bert(53, **sizes), bert_parameters)):
        assert sum(p.numel() for p in model.parameters()) == formula(model.config)
        assert f"{formula(model.config):,}" in model.extra_repr()


def test_first_weights_are_drawn_as_the_config_says():
    for make in (make_gpt, make_bert):
        model = random_model(make(499, width=48, inner=96, spread=0.07).config, seed=1)
        stds = {name: p.std().item() for name, p in model.named_parameters() if p.dim() == 2}
        for name, std in stds.items():
            residual = model.kind == "gpt" and name.endswith(("attention.output.weight", "down.weight"))
            expected = 0.07 / (2 * 3) ** 0.5 if residual else 0.07
            assert std == pytest.approx(expected, rel=0.2 if "next" in name or "type" in name else 0.08), name
        assert all((p == 0).all() for name, p in model.named_parameters() if name.endswith("bias"))
        assert all((p == 1).all() for name, p in model.named_parameters() if name.endswith("norm.weight"))


# invariants


def test_padding_on_the_right_does_not_change_real_positions(model, ids, mask):
    padded = model(ids, attention_mask=mask).hidden
    for row, length in enumerate((11, 7, 3, 10)):
        alone = model(ids[row : row + 1, :length]).hidden[0]
        torch.testing.assert_close(padded[row, :length], alone, **EXACT)


def test_what_stands_at_padding_does_not_matter(model, ids, mask):
    other = torch.where(mask.bool(), ids, (ids + 1) % 57)
    a, b = (model(x, attention_mask=mask).hidden[mask.bool()] for x in (ids, other))
    torch.testing.assert_close(a, b, **EXACT)


def test_a_mask_of_ones_is_no_mask(model, ids):
    masked = model(ids, attention_mask=torch.ones_like(ids)).hidden
    torch.testing.assert_close(masked, model(ids).hidden, **EXACT)


def test_embeddings_in_place_of_ids(model, ids, mask):
    """A soft prompt that holds the embeddings of real tokens equals those tokens."""
    embeds = model.token_embedding(ids)
    by_ids, by_embeds = model(ids, attention_mask=mask), model(inputs_embeds=embeds, attention_mask=mask)
    message = "positions, token types and norms are added by the model, once"
    torch.testing.assert_close(by_embeds.hidden, by_ids.hidden, **EXACT, msg=message)


def test_ids_and_embeddings_both_or_neither_are_refused(model, ids):
    for given in ({}, {"input_ids": ids, "inputs_embeds": model.token_embedding(ids)}):
        with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
            model(**given)


def test_positions_count_on_from_the_past(model, ids):
    past = random_past(4, 6)
    explicit = model(ids, past_key_values=past, position_ids=(torch.arange(11) + 6)[None]).hidden
    torch.testing.assert_close(
        model(ids, past_key_values=past).hidden, explicit, **EXACT, msg="the text starts where the past ends"
    )
    from_zero = model(ids, past_key_values=past, position_ids=torch.arange(11)[None]).hidden
    assert not torch.allclose(from_zero, explicit)


def test_where_it_is_read_is_as_in_the_whole(model, ids, mask):
    """The last layer at chosen positions alone: the same numbers there, the same keys and values, the same gradient."""
    read = torch.tensor([[10, 0, 3], [6, 6, 1], [0, 2, 2], [9, 4, 0]])  # (B, R), in any order, one of them twice
    past = random_past(rows=4, length=2)
    wide = torch.cat([mask.new_ones(4, 2), mask], dim=1)
    for inputs in ({}, {"attention_mask": mask}, {"attention_mask": wide, "past_key_values": past}):
        whole, chosen = model(ids, **inputs), model(ids, **inputs, read=read)
        expected = whole.hidden[torch.arange(4)[:, None], read]
        message = "another position was read, or a position that may see less (or more) than it should"
        torch.testing.assert_close(chosen.hidden, expected, rtol=1e-12, atol=1e-12, msg=message)
        for a, b in zip(whole.past_key_values[-1], chosen.past_key_values[-1], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
        slow, fast = (
            torch.autograd.grad(x.square().sum(), model.token_embedding.weight) for x in (expected, chosen.hidden)
        )
        torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)


def test_every_position_sees_the_whole_past(model, ids):
    past = random_past(4, 5)
    for layer in range(3):
        changed = copy.deepcopy(past)
        changed[layer][1][:, :, 4] += 1.0  # the last of the past
        before, after = (model(ids, past_key_values=p).hidden for p in (past, changed))
        moved = ((before - after).abs().amax(dim=2) > 1e-6).all()
        assert moved, f"layer {layer}: some position does not see the last place of the past (a causal mask over it?)"


def test_a_past_that_the_mask_hides_is_not_there(model, ids, mask):
    full = torch.cat([torch.zeros(4, 5, dtype=torch.long), mask], dim=1)
    positions = torch.arange(11)[None]
    hidden = model(ids, attention_mask=full, past_key_values=random_past(4, 5), position_ids=positions).hidden
    plain = model(ids, attention_mask=mask).hidden
    torch.testing.assert_close(hidden[mask.bool()], plain[mask.bool()], **EXACT)


def test_keys_and_values_belong_to_their_own_layer(model, ids):
    past = random_past(4, 2)
    straight = model(ids, past_key_values=past).hidden
    for name, wrong in (
        ("layers", past[::-1]),
        ("key and value", tuple((v, k) for k, v in past)),
        ("heads", tuple((k.flip(1), v.flip(1)) for k, v in past)),
    ):
        assert not torch.allclose(straight, model(ids, past_key_values=wrong).hidden), f"{name} are interchangeable?"


def test_a_past_of_another_depth_is_refused(model, ids):
    with pytest.raises(ValueError, match="has 2 layers; the model has 3"):
        model(ids, past_key_values=random_past(4, 5, layers=2))


def test_longer_than_the_context_is_refused_and_exactly_the_context_is_not(model):
    assert model(torch.zeros(1, 31, dtype=torch.long)).hidden.shape == (1, 31, 24)
    with pytest.raises(UserError, match=r"32 positions .*0 of a past, 32 of text.* context is 31"):
        model(torch.zeros(1, 32, dtype=torch.long))
    with pytest.raises(UserError, match=r"32 positions .*21 of a past, 11 of text"):
        model(torch.zeros(1, 11, dtype=torch.long), past_key_values=random_past(1, 21))


def test_a_mask_that_forgets_the_past_is_refused(model, ids, mask):
    with pytest.raises(ValueError, match="16 keys"):
        model(ids, attention_mask=mask, past_key_values=random_past(4, 5))


def test_the_output_is_tied_and_cannot_be_wrapped_by_mistake(model, ids):
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    assert not any(layer.weight is model.token_embedding.weight for layer in linear.values())
    assert not any(layer.out_features == 57 for layer in linear.values()), "the output layer must be no nn.Linear"
    in_blocks = {name.split(".")[-1] for name in linear if name.startswith("blocks.")}
    assert in_blocks == {"query", "key", "value", "output", "up", "down"}
    hidden = model(ids).hidden.detach()
    before = model.logits(hidden)
    with torch.no_grad():
        model.token_embedding.weight[7] += 1.0
    changed = (model.logits(hidden) != before).any(dim=(0, 1))
    assert changed.nonzero().flatten().tolist() == [7], "the scores of a word are its own embedding times the state"


def test_linear_layers_can_be_replaced_by_name(model, ids):
    class Doubled(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base = base

        def forward(self, x):
            return 2 * self.base(x)

    for name, _ in [item for item in model.named_modules() if isinstance(item[1], nn.Linear)]:
        if not name.startswith("blocks."):
            continue
        changed = copy.deepcopy(model)
        parent, _, child = name.rpartition(".")
        setattr(changed.get_submodule(parent), child, Doubled(model.get_submodule(name)))
        assert not torch.allclose(changed(ids).hidden, model(ids).hidden), f"{name} is not called as a module"


def test_eval_mode_draws_nothing_and_training_mode_does(ids):
    for make in (make_gpt, make_bert):
        model = make(dropout=0.4)
        assert torch.equal(model(ids).hidden, model(ids).hidden)
        model.train()
        assert not torch.equal(model(ids).hidden, model(ids).hidden), f"{model.kind} has no dropout at all"


DROPPED = {
    "embedding": lambda model, x: first_input(model),
    "attention output": lambda model, x: model.blocks[1].attention(x, None)[0],
    "MLP": lambda model, x: model.blocks[1].mlp(x),
}


def first_input(model):
    """What the first block is given: the embeddings, normalized in BERT."""
    caught = []
    hook = model.blocks[0].register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    model(torch.arange(44).view(4, 11))
    hook.remove()
    return caught[0]


@pytest.mark.parametrize("place", DROPPED)
@pytest.mark.parametrize("make", [make_gpt, make_bert])
def test_dropout_at_each_of_its_places(make, place):
    """In training each number is 0 with the probability p, and otherwise divided by 1 - p."""
    model, x = (
        make(dropout=0.4),
        torch.randn(4, 11, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
    )
    kept = DROPPED[place](model, x)
    model.train()
    out = DROPPED[place](model, x)
    share = (out == 0).double().mean().item()
    assert share > 0, f"the dropout of {model.kind}'s {place} is gone, or is not the last thing that is done there"
    expected = torch.where(out == 0, 0.0, kept / 0.6)
    message = f"{model.kind}, {place}: what is kept must be divided by 1 - p, and nothing else may happen to it"
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12, msg=message)
    assert share == pytest.approx(0.4, abs=0.05), f"{place}: a share of 0.4 is to be dropped"
    assert not torch.equal(out[0] == 0, out[1] == 0), f"{place}: every row of the batch has the same mask"


def test_the_same_seed_gives_the_same_model_whatever_was_drawn_before(model):
    torch.manual_seed(5)
    one = random_model(model.config, seed=8).state_dict()
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn), "making a model must not disturb the caller's random numbers"
    two = random_model(model.config, seed=8).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = random_model(model.config, seed=9).state_dict()
    assert not torch.equal(one["token_embedding.weight"], other["token_embedding.weight"])


def test_a_config_survives_its_dict(model):
    assert config_from_dict(model.kind, config_to_dict(model.config)) == model.config


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("rnn", {}, "'rnn'; known are"),
        ("gpt", {"hidden_size": 3}, "unknown field 'hidden_size'; known are vocab_size, layers"),
        ("gpt", {"vocab_size": None}, "lacks the field 'vocab_size'"),
        ("gpt", {"width": "wide"}, "width is 'wide'; a whole number was expected"),
        ("gpt", {"heads": 5}, "24 cannot be shared by 5 heads"),
    ],
)
def test_a_config_of_another_shape_is_refused(kind, change, message):
    values = {**config_to_dict(make_gpt().config), **change}
    with pytest.raises(ValueError, match=message):
        config_from_dict(kind, {name: value for name, value in values.items() if value is not None})


# parity: a past of real tokens


def test_a_past_of_real_tokens_equals_running_them(model, ids, mask):
    """The touchstone of prefix tuning. GPT's keys and values are captured from the tokens alone; BERT's from the
    run of both together, for there the past's own keys have seen what comes after it."""
    if model.kind == "gpt":
        past = model(ids[:, :3]).past_key_values
    else:
        joint = model(ids, attention_mask=mask).past_key_values
        past = tuple((k[:, :, :3], v[:, :, :3]) for k, v in joint)
    rest = model(ids[:, 3:], attention_mask=mask, past_key_values=past).hidden
    whole = model(ids, attention_mask=mask).hidden[:, 3:]
    real = mask[:, 3:].bool()
    torch.testing.assert_close(rest[real], whole[real], **EXACT)


# gradients


def test_the_loss_has_the_gradient_of_finite_differences(model, ids, mask):
    batch = batch_for(model, ids, mask)
    loss = model.loss(batch)
    loss.backward()
    generator = torch.Generator().manual_seed(6)
    for name, parameter in model.named_parameters():
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        direction /= direction.norm()
        with torch.no_grad():
            parameter += 1e-5 * direction
            up = model.loss(batch)
            parameter -= 2e-5 * direction
            down = model.loss(batch)
            parameter += 1e-5 * direction
        slope = (up - down).item() / 2e-5
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_the_embedding_is_reached_from_both_ends(model, ids, mask):
    """From below, rows of words that were read; from above, rows of all words, since each competes to be said."""
    model.loss(batch_for(model, ids, mask)).backward()
    unread = torch.ones(57, dtype=torch.bool)
    unread[ids] = False
    grad = model.token_embedding.weight.grad
    assert (grad[unread].abs().sum(dim=1) > 0).all(), "no gradient from the output: it is not tied"
    from_above = model.logits(model(ids, attention_mask=mask).hidden.detach()).square().sum()
    below = torch.autograd.grad(model(ids, attention_mask=mask).hidden.square().sum(), model.token_embedding.weight)[0]
    assert (below[ids[0]].abs().sum(dim=1) > 0).all() and (below[unread] == 0).all()
    assert torch.autograd.grad(from_above, model.token_embedding.weight)[0].abs().sum() > 0


def test_a_past_and_embeddings_can_be_learned(model, ids):
    past = tuple((k.requires_grad_(), v.requires_grad_()) for k, v in random_past(4, 5))
    embeds = model.token_embedding(ids).detach().requires_grad_()
    model(inputs_embeds=embeds, past_key_values=past).hidden.square().sum().backward()
    for tensor in (embeds, *(kv for layer in past for kv in layer)):
        assert (tensor.grad.abs().sum(dim=-1) > 0).all()


# do they learn?


def test_learns_a_few_rows_by_heart(model, ids, mask):
    model = random_model(model.config, seed=3)
    batch = batch_for(model, ids, mask)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    first = model.loss(batch).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.15 * first
