"""Lesson 22, what is done with LoRA adapters that stand in a model: which are used and trained, their sum, merging and
its reverse, removing and folding. Never at the defaults; some adapters have equal ranks, some have not."""

import copy
import math

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.tuning.lora import LoRAConfig, LoRALinear, LowRank, add_lora, lora_layers
from minitune.tuning.lora_adapters import fold_lora, lora_off, merge_lora, remove_lora, switch_lora, unmerge_lora
from tests.conftest import make_gpt
from tests.tuning.shared import (
    CONFIG,
    EXACT,
    Awkward,
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


@pytest.fixture
def tuned(model):
    """One adapter, perturbed and on."""
    return perturb(add_lora(copy.deepcopy(model), CONFIG))


def with_two(model, rank=3):
    """Adapters "a", of rank 2, and "b", with other strengths and targets; "b" is on, being the last."""
    both = add_lora(copy.deepcopy(model), CONFIG, "a")
    return perturb(add_lora(both, LoRAConfig(rank=rank, alpha=0.5 * rank, targets=("value", "down")), "b"))


@pytest.fixture
def two(model):
    return with_two(model)


# numbers worked by hand


def test_the_sum_of_two_adapters_by_hand():
    """Rank 1 both: A_1 = (1, 0), B_1 = 1, s_1 = 3; A_2 = (0, 1), B_2 = 10, s_2 = 1; W = 0, b = 0.5, x = (1, 1)."""
    layer, x = LoRALinear(nn.Linear(2, 1).requires_grad_(False)), torch.ones(1, 2)
    with torch.no_grad():
        layer.base.weight.zero_()
        layer.base.bias.fill_(0.5)
        for at, (name, b, alpha) in enumerate((("one", 1.0, 3.0), ("two", 10.0, 1.0))):
            layer.adapters[name] = LowRank(layer.base, LoRAConfig(rank=1, alpha=alpha))
            layer.adapters[name].A.copy_(torch.eye(2)[at : at + 1])
            layer.adapters[name].B.fill_(b)
    layer.active = {"one": 1.0, "two": 1.0}
    product = "is the product of the sums, (B_1 + B_2) (A_1 + A_2), which has B_1 A_2 and B_2 A_1 in it"
    assert layer(x).item() == 0.5 + 3 + 10, f"the updates' sum is 13, {layer(x).item() - 0.5} was run: 26 {product}"
    assert layer.delta().tolist() == [[3.0, 10.0]], f"what is merged is not B_1 A_1 + B_2 A_2: (13, 13) {product}"
    layer.active = {"one": 0.5, "two": -2.0}
    weighted = "13 is without the weights, 40.75 has them squared (once in A, once in B)"
    assert layer(x).item() == 0.5 + 1.5 - 20, f"the weighted sum is -18.5, {layer(x).item() - 0.5} was run: {weighted}"
    assert layer.delta().tolist() == [[1.5, -20.0]], "what is merged is not the weighted sum"
    layer.active = {"one": 0.5}
    merge_lora(nn.Sequential(layer))
    assert layer.base.weight.tolist() == [[1.5, 0.0]], "what is merged is not what is switched on, and that alone"


@pytest.mark.parametrize("rank_stabilized", [False, True])
def test_a_weight_of_one_in_the_sum_is_the_adapter_itself(model, ids, rank_stabilized):
    """Whoever sets the strength anew must not forget the root, or alpha."""
    tuned = perturb(add_lora(model, LoRAConfig(rank=3, alpha=5.0, rank_stabilized=rank_stabilized)))
    before = tuned(ids).hidden
    switch_lora(tuned, {"lora": 1.0})
    assert torch.equal(tuned(ids).hidden, before)
    scale = 5 / math.sqrt(3) if rank_stabilized else 5 / 3
    layer = next(iter(lora_layers(tuned).values()))
    torch.testing.assert_close(layer.delta(), scale * layer.adapters["lora"].B @ layer.adapters["lora"].A, **EXACT)


# invariants: merging


def test_merging_keeps_the_function_and_unmerging_every_bit_of_the_weights(model, tuned, ids):
    before, adapted, names = weights(tuned), tuned(ids).hidden, list(tuned.state_dict())
    assert merge_lora(tuned) is tuned
    torch.testing.assert_close(tuned(ids).hidden, adapted, **EXACT, msg="the update counts twice, or not at all")
    assert all(layer.is_merged for layer in lora_layers(tuned).values())
    assert list(tuned.state_dict()) == names, "W is kept twice in what is saved"
    assert unmerge_lora(tuned) is tuned
    assert_same_weights(weights(tuned), before, "unmerging does not bring the pretrained weights back, bit for bit")
    assert_same_weights(before, weights(model), "putting it in has changed the pretrained weights")
    assert torch.equal(tuned(ids).hidden, adapted), "unmerged, the update is not beside the weights again"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unmerging_loses_nothing_in_short_types(model, dtype):
    """W + update - update is not W where digits are few."""
    tuned = perturb(add_lora(model, CONFIG).to(dtype), spread=3.0)
    before = weights(tuned)
    for _ in range(3):
        unmerge_lora(merge_lora(tuned))
    assert_same_weights(weights(tuned), before, "subtracting the update does not give the weights back")


def test_a_second_merge_is_refused_and_adds_nothing(tuned):
    state = state_of(merge_lora(tuned))
    with pytest.raises(UserError, match="merged already; a second time would add it twice"):
        merge_lora(tuned)
    assert_unchanged(tuned, state)


def test_while_it_is_merged_nothing_can_be_added_switched_or_deleted(two):
    state = state_of(merge_lora(two))
    for forbidden in (
        lambda: switch_lora(two, "a"),
        lambda: switch_lora(two, None),
        lambda: remove_lora(two, "b"),
        lambda: remove_lora(two, "a"),
        lambda: add_lora(two, CONFIG, "c"),
    ):
        with pytest.raises(UserError, match="an update is merged into the weights; unmerge it before"):
            forbidden()
        assert_unchanged(two, state)


def test_a_merged_model_survives_a_copy(tuned, ids):
    before = weights(tuned)
    twin = copy.deepcopy(merge_lora(tuned))
    unmerge_lora(tuned)
    assert all(layer.is_merged for layer in lora_layers(twin).values())
    assert_same_weights(weights(unmerge_lora(twin)), before, "unmerging the copy gives other weights")
    assert torch.equal(twin(ids).hidden, tuned(ids).hidden)


# invariants: what is used, and what is trained


def test_a_second_adapter_starts_from_the_pretrained_model_with_an_update_of_its_own(model, ids):
    plain = model(ids).hidden
    perturb(add_lora(model, CONFIG, "a"))
    add_lora(model, LoRAConfig(rank=CONFIG.rank, targets=("value", "down")), "b")
    message = 'the first adapter is on beside the second, somewhere: "b" is switched on alone'
    assert torch.equal(model(ids).hidden, plain), message
    assert_trained(model, {"b"}, "after a second adapter")
    both = model.blocks[0].attention.value.adapters
    assert both["a"].A.data_ptr() != both["b"].A.data_ptr(), "two adapters share one A: training one changes the other"


def test_what_is_switched_on_is_trained_and_nothing_else(two):
    for active, expected in (("a", {"a"}), ({"a": 1.0, "b": 2.0}, {"a", "b"}), (None, set()), ("b", {"b"})):
        switch_lora(two, active)
        assert_trained(two, expected, f"after switching to {active}")
    with lora_off(two):
        pass
    assert_trained(two, {"b"}, "after lora_off")
    unmerge_lora(merge_lora(two))
    assert_trained(two, {"b"}, "after merging and unmerging")
    remove_lora(two, "a")
    assert_trained(two, {"b"}, "after removing another adapter")
    fold_lora(two)
    assert_trained(two, set(), "after folding")


@pytest.mark.parametrize("training", [False, True])
def test_a_second_adapter_too_is_in_the_mode_of_its_layer(model, training):
    config = LoRAConfig(rank=2, dropout=0.3)
    add_lora(model.train(training), config, "a")
    model.blocks[0].train(not training)
    add_lora(model, config, "b")
    for path, layer in lora_layers(model).items():
        expected = training != path.startswith("blocks.0.")
        wrong = [name for name, part in layer.named_modules() if part.training != expected]
        assert not wrong, f"{path}: dropout that came in training mode into a model in eval mode, or the reverse"


def test_one_adapter_does_not_depend_on_another_beside_it(model, two, ids):
    """Only its own A and B: not who was added before it, and no name."""
    switch_lora(two, "a")
    alone = add_lora(copy.deepcopy(model), CONFIG, "other_name")
    with torch.no_grad():
        for path, layer in lora_layers(alone).items():
            layer.adapters["other_name"].load_state_dict(two.get_submodule(path).adapters["a"].state_dict())
    assert torch.equal(two(ids).hidden, alone(ids).hidden)


def test_an_unknown_adapter_is_refused_and_the_old_one_stays_on(two):
    state = state_of(two)
    with pytest.raises(UserError, match="there is no adapter c; the model has a, b"):
        switch_lora(two, "c")
    with pytest.raises(UserError, match="there is no adapter c, d"):
        switch_lora(two, {"a": 1.0, "d": 1.0, "c": 0.0})
    assert_unchanged(two, state)
    with pytest.raises(UserError, match="the model has none"):
        switch_lora(make_gpt(), "a")


# invariants: switching it off


def test_switched_off_it_is_the_pretrained_model_exactly(model, tuned, ids):
    before, plain, adapted = weights(model), model(ids).hidden, tuned(ids).hidden
    assert not torch.allclose(plain, adapted)
    with lora_off(tuned):
        assert torch.equal(tuned(ids).hidden, plain), "switched off, the update still runs"
    assert torch.equal(tuned(ids).hidden, adapted), "after lora_off the update is not on again"
    switch_lora(tuned, None)
    assert torch.equal(tuned(ids).hidden, plain), "switched off, the update still runs"
    switch_lora(tuned, "lora")
    assert torch.equal(tuned(ids).hidden, adapted), "switched on again it is another update"
    assert_same_weights(weights(tuned), before, "switching has changed the pretrained weights")


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("active", ["a", {"a": 0.5, "b": -2.0}])
def test_off_for_a_while_then_all_is_as_before_also_after_an_error(model, two, ids, merged, active):
    switch_lora(two, active)
    if merged:
        merge_lora(two)
    state, adapted, plain = state_of(two), two(ids).hidden, model(ids).hidden
    with lora_off(two):
        assert torch.equal(two(ids).hidden, plain), "a merged update must be out of the weights as well"
    assert_unchanged(two, state)
    with pytest.raises(KeyError), lora_off(two):
        raise KeyError
    assert_unchanged(two, state)
    with lora_off(two), lora_off(two):
        assert torch.equal(two(ids).hidden, plain)
    assert_unchanged(two, state)
    assert torch.equal(two(ids).hidden, adapted)


def test_off_stays_off(two, ids):
    switch_lora(two, None)
    state = state_of(two)
    with lora_off(two):
        pass
    assert_unchanged(two, state)


# invariants: folding and removing


@pytest.mark.parametrize("merged_before", [False, True])
def test_folding_leaves_plain_layers_with_the_update_in_them(model, two, ids, merged_before):
    switch_lora(two, {"a": 0.5, "b": -2.0})
    adapted = two(ids).hidden
    if merged_before:
        merge_lora(two)
    assert fold_lora(two) is two
    torch.testing.assert_close(two(ids).hidden, adapted, **EXACT, msg="what is folded in is not what was in use")
    assert not lora_layers(two) and list(two.state_dict()) == list(model.state_dict())
    assert type(two.blocks[0].attention.value) is nn.Linear and type(two.blocks[0].mlp.down) is nn.Linear


def test_names_of_the_model_s_own_are_no_adapters():
    """It has a layer called `lora_head`, one called `base`, and `adapters` with a "lora" in them."""
    x, plain = torch.randn(7, 5), Awkward()
    tuned = perturb(add_lora(copy.deepcopy(plain), LoRAConfig(rank=2, targets=("query", "lora_head", "base"))))
    switch_lora(tuned, None)
    assert_trained(tuned, set(), "with nothing switched on")
    assert torch.equal(tuned(x), plain(x)), "switched off, the updates still run"
    remove_lora(tuned, "lora")
    assert list(tuned.state_dict()) == list(plain.state_dict()), "a layer without adapters is a plain one again"


def test_the_last_adapter_that_is_removed_leaves_the_model_as_it_came(model, two, ids):
    switch_lora(two, {"a": 1.0, "b": 1.0})
    remove_lora(two, "a")
    still = [path for path, layer in lora_layers(two).items() if "a" in layer.active]
    assert not still, f"what was removed is switched on still: {still}"
    twin = copy.deepcopy(two)
    switch_lora(twin, "b")
    assert torch.equal(two(ids).hidden, twin(ids).hidden), "the update of what was removed is still there"
    assert type(two.blocks[0].attention.query) is nn.Linear, "a layer without adapters is a plain one again"
    assert isinstance(two.blocks[0].mlp.down, LoRALinear)
    remove_lora(two, "b")
    assert not lora_layers(two) and list(two.state_dict()) == list(model.state_dict())
    assert_same_weights(weights(two), weights(model), "removing has changed the pretrained weights")
    assert torch.equal(two(ids).hidden, model(ids).hidden)


def test_nothing_to_merge_and_nothing_to_unmerge(model, two):
    with pytest.raises(UserError, match="no adapter is switched on"):
        merge_lora(model)
    with pytest.raises(UserError, match="no adapter is switched on"):
        fold_lora(model)
    switch_lora(two, None)
    state = state_of(two)
    for impossible in (merge_lora, fold_lora):
        with pytest.raises(UserError, match="no adapter is switched on"):
            impossible(two)
    with pytest.raises(UserError, match="nothing is merged"):
        unmerge_lora(two)
    with pytest.raises(UserError, match="there is no adapter 'c'"):
        remove_lora(two, "c")
    assert_unchanged(two, state)


# parity with an independent computation


@pytest.mark.parametrize("rank", [2, 3])
def test_a_weighted_sum_is_the_sum_of_the_updates_run_or_merged(model, ids, rank):
    two = with_two(model, rank)
    a, b = products(two, "a", 6.0 / 2), products(two, "b", 0.5)
    for of_a, of_b in ((0.5, -2.0), (-1.0, 1.0), (1.0, 0.0)):
        switch_lora(two, {"a": of_a, "b": of_b})
        updates = {path: of_a * a.get(path, 0) + of_b * b.get(path, 0) for path in a | b}
        dense = with_weights_added(model, updates)
        message = f"ranks 2 and {rank}: {of_a} and {of_b} of the updates are not what "
        torch.testing.assert_close(two(ids).hidden, dense(ids).hidden, **EXACT, msg=message + "is run")
        merge_lora(two)
        torch.testing.assert_close(two(ids).hidden, dense(ids).hidden, **EXACT, msg=message + "is merged")
        for path in updates:
            ours, theirs = two.get_submodule(path).base.weight, dense.get_submodule(path).weight
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12, msg=f"{message}is merged into {path}")
        unmerge_lora(two)
