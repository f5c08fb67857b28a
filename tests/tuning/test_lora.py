"""Lesson 19, LoRA. Six questions that every method's tests answer, in this order: shapes, numbers worked by hand,
invariants, parity with an independent computation, gradients, and whether it learns. Never at the defaults: alpha is
not the rank, some weights are not square, biases are not zero, B is no longer the zero that it starts from."""

import copy
import math
from dataclasses import replace

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
from minitune.tuning.lora_adapters import fold_lora, lora_off, merge_lora, remove_lora, switch_lora, unmerge_lora
from tests.conftest import make_bert, make_gpt

pytestmark = pytest.mark.lesson19
CONFIG = LoRAConfig(rank=2, alpha=6.0, targets=("query", "value", "up"))
EXACT = {"rtol": 0, "atol": 1e-10}


@pytest.fixture
def x():
    return torch.randn(7, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def perturb(model, spread=0.5, seed=3):
    """Updates that are no longer the zero that they start from."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in lora_layers(model).values():
            for adapter in layer.adapters.values():
                adapter.A.normal_(std=spread, generator=generator)
                adapter.B.normal_(std=spread, generator=generator)
    return model


@pytest.fixture
def tuned(model):
    """One adapter, perturbed and on."""
    return perturb(add_lora(copy.deepcopy(model), CONFIG))


@pytest.fixture
def two(model):
    """Two adapters of other ranks, strengths and targets; "b" is on, being the last."""
    both = add_lora(copy.deepcopy(model), CONFIG, "a")
    return perturb(add_lora(both, LoRAConfig(rank=3, alpha=1.5, targets=("value", "down")), "b"))


def with_weights_added(model, updates):
    """The model with the update of each layer added to its weight: no LoRA anywhere, and none of its code."""
    dense = copy.deepcopy(model)
    with torch.no_grad():
        for path, update in updates.items():
            dense.get_submodule(path).weight += update
    return dense


def products(model, name, alpha_over_rank):
    """Each layer's update, multiplied out number by number from A and B."""
    return {
        path: alpha_over_rank * torch.einsum("or,ri->oi", layer.adapters[name].B, layer.adapters[name].A).detach()
        for path, layer in lora_layers(model).items()
        if name in layer.adapters
    }


def weights(model):
    """Every tensor of the pretrained model, by the name that it had before anything was put in."""
    return {
        name.replace(".base.", "."): tensor.clone()
        for name, tensor in model.state_dict().items()
        if ".adapters." not in name
    }


def assert_same_weights(one, two, message=""):
    assert set(one) == set(two)
    changed = sorted(name for name in one if not torch.equal(one[name], two[name]))
    assert not changed, f"{message}: {changed}"


def state_of(model):
    """All that a failed call must leave as it was."""
    layers = lora_layers(model)
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        {name: p.requires_grad for name, p in model.named_parameters()},
        {path: (dict(layer.active), list(layer.adapters), layer.is_merged) for path, layer in layers.items()},
    )


def assert_unchanged(model, state):
    tensors, grads, layers = state_of(model)
    assert list(tensors) == list(state[0]), "there are other parameters than before"
    assert grads == state[1], "other parameters require a gradient than before"
    assert layers == state[2], "other adapters are there, switched on or merged than before"
    changed = [name for name in tensors if not torch.equal(tensors[name], state[0][name])]
    assert not changed, f"these numbers are not as they were before: {changed}"


# shapes


@pytest.mark.parametrize("rank", [1, 3])
def test_shapes(x, rank):
    layer = LoRALinear(nn.Linear(5, 3).double())
    layer.adapters["a"] = LowRank(layer.base, LoRAConfig(rank=rank))
    layer.active = {"a": 1.0}
    adapter = layer.adapters["a"]
    assert adapter.A.shape == (rank, 5) and adapter.B.shape == (3, rank), "A is (r, in), B is (out, r)"
    assert layer(x).shape == (7, 2, 3) and adapter.delta().shape == layer.delta().shape == (3, 5)


def test_each_target_is_found_in_every_block(model):
    paths = set(find_targets(model, LoRAConfig(targets=("query", "mlp.down"))))
    assert paths == {f"blocks.{at}.{layer}" for at in range(3) for layer in ("attention.query", "mlp.down")}
    assert set(find_targets(model, LoRAConfig(targets=("blocks.1.mlp.up",)))) == {"blocks.1.mlp.up"}


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
    layer = LoRALinear(nn.Linear(2, 1))
    layer.adapters["a"] = LowRank(layer.base, LoRAConfig(rank=2, alpha=6.0, **settings))
    layer.active = {"a": 1.0}
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


def test_A_starts_as_a_linear_layer_starts_and_B_at_zero():
    torch.manual_seed(0)
    adapter = LowRank(nn.Linear(400, 30), LoRAConfig(rank=16))
    bound = 1 / math.sqrt(400)  # uniform between -1 / sqrt(in) and 1 / sqrt(in)
    assert (adapter.B == 0).all(), "B starts at zero: with both random the pretrained model is gone before any step"
    assert 0 < adapter.A.abs().max() <= bound, "A starts random: with both zero no gradient ever reaches either"
    assert adapter.A.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


# invariants: putting it in


def test_the_first_step_starts_from_the_pretrained_model(model, ids, mask):
    before = model(ids, attention_mask=mask).hidden
    after = add_lora(model, LoRAConfig(rank=3, alpha=5.0, targets=("query", "up", "output")))
    message = "one of A and B must start at zero, B: with both random the pretrained model is gone before any step"
    assert torch.equal(after(ids, attention_mask=mask).hidden, before), message
    assert after is model


def test_no_pretrained_weight_changes_while_it_is_put_in_and_switched(model):
    before = weights(model)
    add_lora(model, CONFIG, "a")
    perturb(add_lora(model, CONFIG, "b"))
    switch_lora(model, {"a": 0.5, "b": -1.0})
    switch_lora(model, None)
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


class Awkward(nn.Module):
    """A model whose own names contain everything that a careless selection looks for."""

    def __init__(self):
        super().__init__()
        self.query, self.query_bias = nn.Linear(5, 4), nn.Linear(5, 4)
        self.lora_head, self.adapters = nn.Linear(4, 3), nn.ModuleDict({"lora": nn.Linear(4, 4)})
        self.base = nn.Linear(4, 4)

    def forward(self, x):
        return self.lora_head(self.base(self.adapters["lora"](self.query(x) + self.query_bias(x))))


def test_a_layer_is_not_an_adapter_because_of_its_name(x):
    torch.manual_seed(0)
    model = Awkward().double()
    before = copy.deepcopy(model)
    add_lora(model, LoRAConfig(rank=2, alpha=6.0, targets=("query", "lora_head", "base")))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    expected = {f"{layer}.adapters.lora.{matrix}" for layer in ("query", "lora_head", "base") for matrix in "AB"}
    assert trained == expected, 'parts of the base train, or parts of the update do not: chosen by "lora" in the name?'
    perturb(model)
    switch_lora(model, None)
    still = [name for name, p in model.named_parameters() if p.requires_grad]
    assert not still, f"with nothing switched on these train: {still}"
    assert torch.equal(model(x), before(x)), "switched off, the updates still run"
    remove_lora(model, "lora")
    assert set(model.state_dict()) == set(before.state_dict()) and torch.equal(model(x), before(x))


def test_gradients_are_asked_of_what_is_on_alone(two):
    def trained():
        return {name.split(".adapters.")[1].split(".")[0] for name, p in two.named_parameters() if p.requires_grad}

    def base_is_frozen():
        return not any(p.requires_grad for name, p in two.named_parameters() if ".adapters." not in name)

    assert trained() == {"b"} and base_is_frozen(), "the adapter that was added last is on, and it alone trains"
    for active, expected in (("a", {"a"}), ({"a": 1.0, "b": 2.0}, {"a", "b"}), (None, set()), ("b", {"b"})):
        switch_lora(two, active)
        message = f"after switching to {active} another adapter trains"
        assert trained() == expected and base_is_frozen(), message
    switch_lora(two, "a")
    with lora_off(two):
        pass
    assert trained() == {"a"}
    unmerge_lora(merge_lora(two))
    assert trained() == {"a"} and base_is_frozen()
    remove_lora(two, "b")
    assert trained() == {"a"} and base_is_frozen()


# invariants: switching


def test_switched_off_it_is_the_pretrained_model_exactly(model, tuned, ids):
    plain, adapted = model(ids).hidden, tuned(ids).hidden
    assert not torch.allclose(plain, adapted)
    with lora_off(tuned):
        assert torch.equal(tuned(ids).hidden, plain)
    assert torch.equal(tuned(ids).hidden, adapted)
    switch_lora(tuned, None)
    assert torch.equal(tuned(ids).hidden, plain)
    switch_lora(tuned, "lora")
    assert torch.equal(tuned(ids).hidden, adapted)


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


def test_an_unknown_adapter_is_refused_and_the_old_one_stays_on(two):
    state = state_of(two)
    with pytest.raises(UserError, match="there is no adapter c; the model has a, b"):
        switch_lora(two, "c")
    with pytest.raises(UserError, match="there is no adapter c, d"):
        switch_lora(two, {"a": 1.0, "d": 1.0, "c": 0.0})
    assert_unchanged(two, state)
    with pytest.raises(UserError, match="the model has none"):
        switch_lora(make_gpt(), "a")


def test_one_adapter_does_not_depend_on_another_beside_it(model, two, ids):
    """Only its own A and B: not who was added before it, and no name."""
    switch_lora(two, "a")
    alone = add_lora(copy.deepcopy(model), CONFIG, "other_name")
    with torch.no_grad():
        for path, layer in lora_layers(alone).items():
            layer.adapters["other_name"].load_state_dict(two.get_submodule(path).adapters["a"].state_dict())
    assert torch.equal(two(ids).hidden, alone(ids).hidden)


def test_each_layer_uses_its_own_update(model, ids):
    """Functions made in a loop may all hold the last one: change the first layer alone, and see where it shows."""
    tuned = add_lora(copy.deepcopy(model), LoRAConfig(rank=2, alpha=6.0, targets=("value",)))
    adapter = tuned.blocks[0].attention.value.adapters["lora"]
    nn.init.normal_(adapter.B)
    dense = with_weights_added(model, {"blocks.0.attention.value": 3.0 * (adapter.B @ adapter.A).detach()})
    message = "the update of layer 0 alone was changed, and the model computes something else: the last layer's?"
    torch.testing.assert_close(tuned(ids).hidden, dense(ids).hidden, **EXACT, msg=message)
    assert not torch.allclose(tuned(ids).hidden, model(ids).hidden)


def test_dropout_is_on_the_update_s_input_alone_and_in_training_alone(x):
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(5, 3).double())
    layer.adapters["a"] = LowRank(layer.base, LoRAConfig(rank=2, alpha=6.0, dropout=0.5))
    layer.active = {"a": 1.0}
    assert torch.equal(layer(x), layer.base(x)), "B is zero still: what differs is a dropout on the base's input"
    nn.init.normal_(layer.adapters["a"].B)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    expected = layer.base(x) + x @ layer.delta().T
    torch.testing.assert_close(layer(x), expected, **EXACT)


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


# invariants: merging


def test_merging_keeps_the_function_and_unmerging_every_bit_of_the_weights(model, tuned, ids):
    before, adapted = weights(tuned), tuned(ids).hidden
    assert merge_lora(tuned) is tuned
    torch.testing.assert_close(tuned(ids).hidden, adapted, **EXACT, msg="the update counts twice, or not at all")
    assert all(layer.is_merged for layer in lora_layers(tuned).values())
    assert unmerge_lora(tuned) is tuned
    assert_same_weights(weights(tuned), before, "the pretrained weights come back with another last digit")
    assert_same_weights(before, weights(model))
    assert torch.equal(tuned(ids).hidden, adapted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unmerging_loses_nothing_in_short_types(model, dtype):
    """W + update - update is not W where digits are few."""
    tuned = perturb(add_lora(model, CONFIG).to(dtype), spread=3.0)
    before = weights(tuned)
    for _ in range(3):
        unmerge_lora(merge_lora(tuned))
    assert_same_weights(weights(tuned), before, "subtracting the update does not give the weights back")


def test_several_adapters_merge_as_their_weighted_sum(model, two, ids):
    switch_lora(two, {"a": 0.5, "b": -2.0})
    adapted = two(ids).hidden
    merge_lora(two)
    torch.testing.assert_close(two(ids).hidden, adapted, **EXACT)
    a, b = products(two, "a", 6.0 / 2), products(two, "b", 1.5 / 3)
    for path in a | b:
        expected = model.get_submodule(path).weight + 0.5 * a.get(path, 0) - 2.0 * b.get(path, 0)
        torch.testing.assert_close(two.get_submodule(path).base.weight, expected, rtol=0, atol=1e-12)


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


def test_a_merged_model_survives_a_copy(tuned, ids):
    before = weights(tuned)
    twin = copy.deepcopy(merge_lora(tuned))
    unmerge_lora(tuned)
    assert all(layer.is_merged for layer in lora_layers(twin).values())
    assert_same_weights(weights(unmerge_lora(twin)), before)
    assert torch.equal(twin(ids).hidden, tuned(ids).hidden)


@pytest.mark.parametrize("merged_before", [False, True])
def test_folding_leaves_plain_layers_with_the_update_in_them(model, two, ids, merged_before):
    switch_lora(two, {"a": 0.5, "b": -2.0})
    adapted = two(ids).hidden
    if merged_before:
        merge_lora(two)
    assert fold_lora(two) is two
    torch.testing.assert_close(two(ids).hidden, adapted, **EXACT)
    assert not lora_layers(two) and list(two.state_dict()) == list(model.state_dict())
    assert type(two.blocks[0].attention.value) is nn.Linear and type(two.blocks[0].mlp.down) is nn.Linear


def test_the_last_adapter_that_is_removed_leaves_the_model_as_it_came(model, two, ids):
    switch_lora(two, {"a": 1.0, "b": 1.0})
    remove_lora(two, "a")
    twin = copy.deepcopy(two)
    switch_lora(twin, "b")
    assert torch.equal(two(ids).hidden, twin(ids).hidden), "the update of what was removed is still there"
    assert type(two.blocks[0].attention.query) is nn.Linear, "a layer without adapters is a plain one again"
    assert isinstance(two.blocks[0].mlp.down, LoRALinear)
    remove_lora(two, "b")
    assert not lora_layers(two) and list(two.state_dict()) == list(model.state_dict())
    assert_same_weights(weights(two), weights(model))
    assert torch.equal(two(ids).hidden, model(ids).hidden)


# parity with an independent computation


def test_equals_a_model_with_the_summed_weights(model, tuned, ids, mask):
    dense = with_weights_added(model, products(tuned, "lora", 6.0 / 2))
    one, other = (m(ids, attention_mask=mask).hidden[mask.bool()] for m in (tuned, dense))
    torch.testing.assert_close(one, other, **EXACT)
    merge_lora(tuned)
    torch.testing.assert_close(tuned(ids).hidden, dense(ids).hidden, **EXACT)


def test_a_weighted_sum_is_the_sum_of_the_updates_not_of_the_matrices(model, two, ids):
    """0.5 A_1 and 0.5 B_1 beside others would be a sum of products of sums, with cross terms and a weight squared."""
    a, b = products(two, "a", 6.0 / 2), products(two, "b", 1.5 / 3)
    for of_a, of_b in ((0.5, -2.0), (-1.0, 1.0), (1.0, 0.0)):
        switch_lora(two, {"a": of_a, "b": of_b})
        updates = {path: of_a * a.get(path, 0) + of_b * b.get(path, 0) for path in a | b}
        dense = with_weights_added(model, updates)
        torch.testing.assert_close(two(ids).hidden, dense(ids).hidden, **EXACT)
        merge_lora(two)
        torch.testing.assert_close(two(ids).hidden, dense(ids).hidden, **EXACT)
        unmerge_lora(two)


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
    assert losses[-1] < 0.2 * losses[0]
    assert_same_weights(weights(tuned), before)
