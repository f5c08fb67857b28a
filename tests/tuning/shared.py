"""What the tests of this room share. For every method: what trains, and how its start is drawn. For LoRA: updates far
from the zero that they start from, the same model without any LoRA, and the whole state of a model, to see that a call
that was refused has changed nothing."""

import copy
from itertools import combinations

import torch
from torch import nn

from minitune.tuning.lora import LoRAConfig, lora_layers

CONFIG = LoRAConfig(rank=2, alpha=6.0, targets=("query", "value", "up"))
EXACT = {"rtol": 0, "atol": 1e-10}


# ---- every method ----


def assert_the_door_alone_trains(tuned):
    """Of what stands before a model all trains, and of the model nothing."""
    base = [name for name, p in tuned.model.named_parameters() if p.requires_grad]
    assert not base, f"the model is not frozen: {len(base)} of its parameters train, {base[:3]} ..."
    still = [name for name, p in tuned.door.named_parameters() if not p.requires_grad]
    assert not still, f"what is put before the model does not train: {still}"


def assert_drawn_from_the_seed(draw):
    """`draw`: () -> the numbers that a method starts from."""
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(draw())
    assert torch.equal(drawn[0], drawn[1]), "one seed gives two different starts"
    assert not torch.equal(drawn[0], drawn[2]), "two seeds give one and the same start: is a seed set inside?"


def assert_drawn_apart(numbers, *axes):
    """No two slices along an axis are alike; `axes` are the axes' names."""
    for at, name in enumerate(axes):
        alike = any(torch.equal(a, b) for a, b in combinations(numbers.unbind(at), 2))
        assert not alike, f"two {name} start from the same numbers: each draws its own"


# ---- LoRA ----


class Awkward(nn.Module):
    """A model whose own names contain everything that a careless selection looks for."""

    def __init__(self):
        super().__init__()
        self.query, self.query_bias = nn.Linear(5, 4), nn.Linear(5, 4)
        self.lora_head, self.adapters = nn.Linear(4, 3), nn.ModuleDict({"lora": nn.Linear(4, 4)})
        self.base = nn.Linear(4, 4)

    def forward(self, x):
        return self.lora_head(self.base(self.adapters["lora"](self.query(x) + self.query_bias(x))))


def perturb(model, spread=0.5, seed=3):
    """Updates that are no longer the zero that they start from."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in lora_layers(model).values():
            for adapter in layer.adapters.values():
                adapter.A.normal_(std=spread, generator=generator)
                adapter.B.normal_(std=spread, generator=generator)
    return model


def products(model, name, alpha_over_rank):
    """Each layer's update, multiplied out number by number from A and B."""
    return {
        path: alpha_over_rank * torch.einsum("or,ri->oi", layer.adapters[name].B, layer.adapters[name].A).detach()
        for path, layer in lora_layers(model).items()
        if name in layer.adapters
    }


def with_weights_added(model, updates):
    """The model with the update of each layer added to its weight: no LoRA anywhere, and none of its code."""
    dense = copy.deepcopy(model)
    with torch.no_grad():
        for path, update in updates.items():
            dense.get_submodule(path).weight += update
    return dense


def weights(model):
    """Every tensor of the pretrained model, by the name that it had before anything was put in."""
    return {
        name.replace(".base.", "."): tensor.clone()
        for name, tensor in model.state_dict().items()
        if ".adapters." not in name
    }


def assert_same_weights(one, two, message):
    assert set(one) == set(two), f"{message}: there are other tensors, {sorted(set(one) ^ set(two))}"
    changed = sorted(name for name in one if not torch.equal(one[name], two[name]))
    assert not changed, f"{message}: {changed}"


def assert_trained(model, expected, when):
    """That the adapters of these names are trained, and of the pretrained model nothing."""
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    base = [name for name in names if ".adapters." not in name]
    assert not base, f"{when} the pretrained model is not frozen: {len(base)} of its parameters train, {base[:3]} ..."
    trained = {name.split(".adapters.")[1].split(".")[0] for name in names}
    assert trained == expected, f"{when} the adapters {sorted(trained)} train, and not {sorted(expected)}"


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
