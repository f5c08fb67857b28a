"""Lesson 22, LoRA. Six questions that every method's tests answer, in this order: shapes, numbers worked by hand,
invariants, parity with an independent computation, gradients, and whether it learns. Never at the defaults: alpha is
not the rank, some weights are not square, biases are not zero, B is no longer the zero that it starts from. What is
done with adapters that stand in a model already is tested in test_lora_adapters.py."""

import copy
import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.tuning.lora import (
    LoRAConfig,
    LoRALinear,
    LowRank,
    add_lora,
    find_targets,
    linear_layers,
    lora_layers,
    lora_parameters,
)
from tests.conftest import make_bert, make_gpt
from tests.tuning.shared import (
    CONFIG,
    EXACT,
    Awkward,
    assert_drawn_from_the_seed,
    assert_same_weights,
    assert_trained,
    assert_unchanged,
    perturb,
    products,
    state_of,
    weights,
    with_weights_added,
)

pytestmark = pytest.mark.lesson22


def alone(base, config):
    """The wrapped layer with one adapter, switched on."""
    layer = LoRALinear(base)
    layer.adapters["a"] = LowRank(base, config)
    layer.active = {"a": 1.0}
    return layer


# shapes, and what is trained


@pytest.mark.parametrize("targets", [("query", "value", "up"), ("blocks.1.attention.key", "output")])
def test_the_updates_train_and_the_pretrained_model_does_not(model, targets):
    add_lora(model, LoRAConfig(rank=3, targets=targets))
    assert_trained(model, {"lora"}, "with LoRA put in")
    expected = {f"{path}.adapters.lora.{matrix}" for path in lora_layers(model) for matrix in "AB"}
    still = sorted(expected - {name for name, p in model.named_parameters() if p.requires_grad})
    assert not still, f"A and B of every layer are trained, each its own; these are not: {', '.join(still[:3])} ..."


@pytest.mark.parametrize("rank", [1, 3])
def test_shapes(rank):
    layer = alone(nn.Linear(5, 3).double(), LoRAConfig(rank=rank))
    adapter, x = layer.adapters["a"], torch.randn(7, 2, 5, dtype=torch.float64)
    assert adapter.A.shape == (rank, 5) and adapter.B.shape == (3, rank), "A is (r, in), B is (out, r)"
    assert layer(x).shape == (7, 2, 3) and adapter.delta().shape == layer.delta().shape == (3, 5)


def test_each_target_is_found_in_every_block(model):
    paths = set(find_targets(model, LoRAConfig(targets=("query", "mlp.down"))))
    assert paths == {f"blocks.{at}.{layer}" for at in range(3) for layer in ("attention.query", "mlp.down")}
    assert set(find_targets(model, LoRAConfig(targets=("blocks.1.mlp.up",)))) == {"blocks.1.mlp.up"}
    found = set(find_targets(Awkward(), LoRAConfig(rank=2, targets=("query",))))
    assert found == {"query"}, f"a target is a whole name, or the end of a path: 'query' found {found}"


@pytest.mark.parametrize(
    "targets",
    [("query",), ("output", "up", "down"), ("blocks.1.mlp.up", "key"), ("value", "attention.value"),
     ("0.attention.query", "query"), ("query", "query")],
)  # fmt: skip
def test_as_many_numbers_as_the_formula_says(model, targets):
    config = LoRAConfig(rank=3, targets=targets)
    add_lora(model, config)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == lora_parameters(config, model.config), "two targets that name one layer make one adapter"


def test_bert_s_layers_outside_the_blocks_count_once(bert):
    config = LoRAConfig(rank=2, targets=("pooler", "transform", "next_sentence"))
    add_lora(bert, config)
    trained = sum(p.numel() for p in bert.parameters() if p.requires_grad)
    assert trained == lora_parameters(config, bert.config) == 2 * (2 * 48 + 24 + 2)


# numbers worked by hand


def one_layer(**settings):
    layer = alone(nn.Linear(2, 1), LoRAConfig(rank=2, alpha=6.0, **settings))
    with torch.no_grad():
        layer.base.weight.zero_()
        layer.base.bias.fill_(0.5)
        layer.adapters["a"].A.copy_(torch.eye(2))
        layer.adapters["a"].B.copy_(torch.tensor([[1.0, 2.0]]))
    return layer


def test_the_update_is_alpha_over_r_times_BA():
    y = one_layer()(torch.tensor([[10.0, 1.0]]))  # 0.5 + (6 / 2) * (1 * 10 + 2 * 1)
    message = "72.5 means that the scale is alpha, 12.5 that there is none: it is alpha / rank"
    assert y.item() == 36.5, message
    assert one_layer().delta().tolist() == [[3.0, 6.0]], "what is merged has another scale than what is run"


def test_rank_stabilized_it_is_alpha_over_the_root_of_r():
    layer = one_layer(rank_stabilized=True)
    expected = 6 / math.sqrt(2)
    message = "36.5 means that the root was forgotten"
    assert layer(torch.tensor([[10.0, 1.0]])).item() == pytest.approx(0.5 + 12 * expected, rel=1e-6), message
    assert layer.delta()[0].tolist() == pytest.approx([expected, 2 * expected], rel=1e-6)


@pytest.mark.parametrize("out", [3, 5])
def test_the_change_of_W_is_what_is_run(out):
    layer, x = alone(nn.Linear(5, out).double(), LoRAConfig(rank=2, alpha=6.0)), torch.randn(7, 5).double()
    nn.init.normal_(layer.adapters["a"].B)
    message = "x delta^T is not what runs: another scale, or a square matrix that is transposed"
    torch.testing.assert_close(layer(x) - layer.base(x), x @ layer.delta().T, **EXACT, msg=message)


def test_A_starts_as_a_linear_layer_starts_and_B_at_zero():
    torch.manual_seed(0)
    adapter = LowRank(nn.Linear(400, 30), LoRAConfig(rank=16))
    bound = 1 / math.sqrt(400)  # uniform between -1 / sqrt(in) and 1 / sqrt(in)
    assert (adapter.B == 0).all(), "B starts at zero: with both random the pretrained model is gone before any step"
    assert 0 < adapter.A.abs().max() <= bound, "A starts random: with both zero no gradient ever reaches either"
    assert adapter.A.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


# invariants: what is drawn


def test_each_layer_draws_an_update_of_its_own(model):
    add_lora(model, LoRAConfig(rank=3, targets=("query", "value", "down")))
    drawn = {path: layer.adapters["lora"].A for path, layer in lora_layers(model).items()}
    alike = [pair for pair in combinations(drawn, 2) if torch.equal(drawn[pair[0]], drawn[pair[1]])]
    assert not alike, f"two layers draw the same A, {' and '.join(alike[0])}: is the seed set again for each of them?"


def test_the_same_seed_gives_the_same_update(model):
    def draw():
        adapted = add_lora(copy.deepcopy(model), CONFIG)
        return torch.cat([layer.adapters["lora"].A.flatten() for layer in lora_layers(adapted).values()])

    assert_drawn_from_the_seed(draw)


# invariants: putting it in


def test_the_first_step_starts_from_the_pretrained_model(model, ids, mask):
    before = model(ids, attention_mask=mask).hidden
    after = add_lora(model, LoRAConfig(rank=3, alpha=5.0, targets=("query", "up", "output")))
    message = "one of A and B must start at zero, B: with both random the pretrained model is gone before any step"
    assert torch.equal(after(ids, attention_mask=mask).hidden, before), message
    assert after is model


def test_no_pretrained_weight_changes_while_it_is_put_in(model):
    before = weights(model)
    add_lora(model, CONFIG, "a")
    perturb(add_lora(model, CONFIG, "b"))
    assert_same_weights(weights(model), before, "weights of the base have changed")


def test_a_layer_is_wrapped_once_however_many_targets_name_it(model, ids):
    tuned = perturb(add_lora(model, LoRAConfig(rank=2, alpha=6.0, targets=("query", "attention.query", "query"))))
    assert len(lora_layers(tuned)) == 3
    add_lora(tuned, LoRAConfig(rank=2, targets=("query",)), "second")
    nested = [path for path, layer in lora_layers(tuned).items() if isinstance(layer.base, LoRALinear)]
    assert not nested and len(lora_layers(tuned)) == 3, "wrapped twice: the update counts double"
    known = set(linear_layers(make_gpt() if model.kind == "gpt" else make_bert()))
    assert set(linear_layers(tuned)) == known, "what is inside a wrapped layer is offered as a layer of the model"


def test_a_second_one_of_the_same_name_is_refused(model):
    add_lora(model, CONFIG)
    state = state_of(model)
    for targets in (CONFIG.targets, ("down", "up"), ("down",)):
        with pytest.raises(UserError, match="LoRA called 'lora' already; give the second another name, or remove"):
            add_lora(model, LoRAConfig(targets=targets))
        assert_unchanged(model, state)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"targets": ("value", "qury")}, "no linear layer is named 'qury'; the model has down, key, .*query, .*value"),
        ({"targets": ("uery",)}, "no linear layer is named 'uery'"),
        ({"targets": ("mlp",)}, "no linear layer is named 'mlp'"),
        ({"targets": ("attention_norm",)}, "no linear layer is named 'attention_norm'"),
        ({"targets": ("blocks.3.mlp.up",)}, "no linear layer is named 'blocks.3.mlp.up'"),
        ({"targets": ("token_embedding",)}, "'token_embedding' .it is an embedding, tied to the output.; the model"),
        ({"rank": 25}, "the rank is 25 and blocks.0.attention.query is 24 wide: a rank beyond that adds nothing"),
        ({"rank": 25, "targets": ("up",)}, "the rank is 25 and blocks.0.mlp.up is 24 wide"),
    ],
)
def test_what_cannot_be_put_in_is_refused_and_nothing_changes(model, config, message):
    state = state_of(model)
    with pytest.raises(UserError, match=message):
        add_lora(model, LoRAConfig(**config))
    assert_unchanged(model, state)
    assert not lora_layers(model)


@pytest.mark.parametrize("name", ["", "a.b", "keys", "forward", "training"])
def test_names_that_an_adapter_cannot_have(model, name):
    state = state_of(model)
    with pytest.raises(UserError, match="an adapter cannot be called"):
        add_lora(model, CONFIG, name)
    assert_unchanged(model, state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "the rank is 0; it must be 1 or more"),
        ({"rank": -3}, "the rank is -3"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"targets": ()}, "at least one target"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        LoRAConfig(**settings)


def test_the_widest_rank_that_a_layer_has_is_allowed(gpt):
    add_lora(gpt, LoRAConfig(rank=24, targets=("query", "up")))


def test_a_layer_is_not_an_adapter_because_of_its_name():
    model = add_lora(Awkward(), LoRAConfig(rank=2, alpha=6.0, targets=("query", "lora_head", "base")))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    expected = {f"{layer}.adapters.lora.{matrix}" for layer in ("query", "lora_head", "base") for matrix in "AB"}
    assert trained == expected, 'parts of the base train, or parts of the update do not: chosen by "lora" in the name?'


def test_each_layer_uses_its_own_update(model, ids):
    """Functions made in a loop may all hold the last one: change the first layer alone, and see where it shows."""
    tuned = add_lora(copy.deepcopy(model), LoRAConfig(rank=2, alpha=6.0, targets=("value",)))
    adapter = tuned.blocks[0].attention.value.adapters["lora"]
    nn.init.normal_(adapter.B)
    dense = with_weights_added(model, {"blocks.0.attention.value": 3.0 * (adapter.B @ adapter.A).detach()})
    message = "the update of layer 0 alone was changed, and the model computes something else: the last layer's?"
    torch.testing.assert_close(tuned(ids).hidden, dense(ids).hidden, **EXACT, msg=message)
    assert not torch.allclose(tuned(ids).hidden, model(ids).hidden)


# invariants: dropout


def test_dropout_is_on_the_update_s_input_alone_and_in_training_alone():
    layer = alone(nn.Linear(5, 3).double(), LoRAConfig(rank=2, alpha=6.0, dropout=0.5))
    x = torch.randn(7, 2, 5, dtype=torch.float64)
    assert torch.equal(layer(x), layer.base(x)), "B is zero still: what differs is a dropout on the base's input"
    nn.init.normal_(layer.adapters["a"].B)
    assert not torch.equal(layer(x), layer(x)), "in training two forwards are the same: nothing is dropped"
    layer.eval()
    message = "in eval mode the update is not s B A x: something is dropped still"
    torch.testing.assert_close(layer(x), layer.base(x) + x @ layer.delta().T, **EXACT, msg=message)


def test_dropout_draws_for_each_number_of_each_example_and_position():
    """Every row of x is ones, and A reads each input twice: two outputs that differ did not read the same x."""
    torch.manual_seed(0)
    adapter = LowRank(nn.Linear(20, 40).double(), LoRAConfig(rank=40, alpha=40.0, dropout=0.25))
    with torch.no_grad():
        adapter.A.copy_(torch.eye(20).repeat(2, 1))
        adapter.B.copy_(torch.eye(40))
    y = adapter(torch.ones(4, 6, 20, dtype=torch.float64))  # (B, T, 2 in)
    first, second = y.chunk(2, dim=-1)
    is_one_row = (y == y[:1, :1]).all()
    where = "on A itself" if is_one_row else "behind A"
    assert torch.equal(first, second), f"dropout falls {where}: two equal rows of A give other numbers for the same x"
    assert not is_one_row, "one dropout mask for the whole batch: each example and position draws its own"
    assert not (y == y[:1]).all(), "one dropout mask for all examples: each draws its own"
    assert not (y == y[:, :1]).all(), "one dropout mask for all positions: each draws its own"
    dropped = first == 0
    assert not (dropped == dropped[..., :1]).all(), "whole positions are dropped: each number is drawn by itself"
    assert 0.15 < dropped.double().mean() < 0.35, f"{dropped.double().mean():.0%} are dropped, not a quarter"
    message = "what is kept is divided by 1 - p, or training and eval differ in size"
    torch.testing.assert_close(first[~dropped], torch.full_like(first[~dropped], 4 / 3), **EXACT, msg=message)


# parity with an independent computation


def test_equals_a_model_with_the_summed_weights(model, ids, mask):
    tuned = perturb(add_lora(copy.deepcopy(model), CONFIG))
    dense = with_weights_added(model, products(tuned, "lora", 6.0 / 2))
    one, other = (m(ids, attention_mask=mask).hidden[mask.bool()] for m in (tuned, dense))
    torch.testing.assert_close(one, other, **EXACT, msg="the model does not compute with W + s B A in each target")


# gradients


def test_gradients_are_those_of_finite_differences(model, ids, mask):
    tuned = perturb(add_lora(model, LoRAConfig(rank=2, alpha=6.0, targets=("query", "up"))))
    target = (ids + 1)[mask.bool()] % 57

    def loss():
        hidden = tuned(ids, attention_mask=mask).hidden[mask.bool()]
        return nn.functional.cross_entropy(tuned.logits(hidden), target)

    loss().backward()
    generator = torch.Generator().manual_seed(6)
    for name, parameter in tuned.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, f"{name} is frozen and has a gradient"
            continue
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            parameter += 1e-5 * direction
            up = loss().item()
            parameter -= 2e-5 * direction
            down = loss().item()
            parameter += 1e-5 * direction
        slope = (up - down) / 2e-5
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-9), name


def test_at_first_only_B_has_a_gradient_and_then_A_too(model, ids):
    """The gradient of A goes through B, which is zero: A waits for one step, and is not broken."""
    tuned = add_lora(model, CONFIG)
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        tuned.logits(tuned(ids).hidden).square().mean().backward()
        for path, layer in lora_layers(tuned).items():
            adapter = layer.adapters["lora"]
            assert adapter.B.grad.abs().sum() > 0, f"{path}: B has no gradient"
            assert (adapter.A.grad.abs().sum() > 0) == (step == 1), f"{path}: A, at step {step}"
        optimizer.step()


# does it learn?


def test_learns_a_few_rows_by_heart(model, ids):
    """With a few of the model's numbers, between two words as a verbalizer has them, and the model itself unharmed."""
    model = random_model(replace(model.config, spread=0.2), seed=3).double()
    before, labels = weights(model), torch.tensor([0, 1, 1, 0])
    tuned = add_lora(model, LoRAConfig(rank=4, alpha=8.0, targets=("value", "up")))
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.03)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(tuned.logits(tuned(ids).hidden[:, -1])[:, [3, 5]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0], f"the loss went from {losses[0]:.2f} to {losses[-1]:.2f} in 25 steps"
    assert_same_weights(weights(tuned), before, "training has moved pretrained weights")
