"""Lesson 22's exercises, checked: on the lesson's own solutions, or with `--mine DIR` on a learner's.

Each failure names the likely mistake and asks the question that leads to the fix. `WRONG` holds wrong versions of each
exercise, as (what is wrong, text of the solution, text in its place, what the failure must say).
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minitune
from minitune.tuning.lora import LoRAConfig, add_lora, lora_layers

A = "torch.randn(rank, base.in_features, **like) / math.sqrt(base.in_features)"
B = "torch.zeros(base.out_features, rank, **like)"
WRONG = {
    "22.1": [
        ("both start at zero", A, "torch.zeros(rank, base.in_features, **like)", "did both start at zero"),
        (
            "both start at random",
            B,
            "torch.randn(base.out_features, rank, **like)",
            "one of the two matrices must start",
        ),
        ("the scale is alpha", "self.scale = alpha / rank", "self.scale = alpha", "scaled by alpha alone"),
        (
            "the scale is upside down",
            "self.scale = alpha / rank",
            "self.scale = rank / alpha",
            "scaled by rank / alpha",
        ),
        ("no scale", "self.scale * update", "update", "scaled by nothing at all"),
        ("no base", "self.base(x) + self.scale * update", "self.scale * update", "the base's own output is missing"),
        ("not frozen", "base.requires_grad_(False)", "base", "the base's weight received a gradient"),
        ("no parameters", f"nn.Parameter({A})", A, "A must be an nn.Parameter"),
        (
            "A lies on its side",
            "torch.randn(rank, base.in_features",
            "torch.randn(base.in_features, rank",
            "A is .6, 3.",
        ),
        ("A is drawn too large", " / math.sqrt(base.in_features)", "", "times as large as 1 / sqrt"),
        ("A and B in float32", '"dtype": base.weight.dtype', '"dtype": torch.float32', "in the base's dtype"),
    ],
    "22.2": [
        ("never frozen", "    model.requires_grad_(False)\n", "", "these are trained too: .*key.*Freeze"),
        (
            "frozen at the end",
            "(model.get_submodule(path), rank, alpha))\n    return model",
            "(model.get_submodule(path), rank, alpha))\n    return model.requires_grad_(False)",
            "nothing is trained: .*frozen after",
        ),
        (
            "parts of names",
            'path.rpartition(".")[2] in names\n',
            "any(n in path for n in names)\n",
            "query_gate was repl",
        ),
        ("every linear layer", 'and path.rpartition(".")[2] in names\n', "\n", "key was replaced too"),
        ("no word about a misspelling", "raise ValueError(", "print(", "a name that belongs to no layer"),
        ("set on the model", "(model.get_submodule(owner), name, Lo", "(model, name, Lo", "query was not replaced"),
        ("rank and alpha exchanged", "(path), rank, alpha)", "(path), alpha, rank)", "rank and alpha exchanged"),
    ],
    "22.3": [
        ("the given model", "    model = copy.deepcopy(model)\n", "", "the model that was given was changed"),
        (
            "a shallow copy",
            "copy.deepcopy(model)\n    for path",
            "copy.copy(model)\n    for path",
            "was given was changed",
        ),
        ("no scale", "layer.scale * layer.B @ layer.A", "layer.B @ layer.A", "lacks the scale"),
        (
            "the products transposed",
            "layer.B @ layer.A",
            "layer.A.T @ layer.B.T",
            "is the update B A, of the shape of W",
        ),
        ("nothing is added", "plain.weight += layer.scale * layer.B @ layer.A", "pass", "computes what the base does"),
        (
            "not put into the model",
            "setattr(model.get_submodule(owner), name, plain)",
            "pass",
            "LoRALinear after merging",
        ),
        ("subtracted", "plain.weight += ", "plain.weight -= ", "computes something else"),
    ],
}


def a_base():
    torch.manual_seed(1)
    return nn.Linear(6, 5)  # not square: a transposed product cannot pass


def an_x():
    return torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))


def with_numbers(mine, base, rank=3, alpha=2.0):
    """A layer whose A and B are both random, so that its update is not zero."""
    layer = mine.LoRALinear(base, rank, alpha)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        layer.A.copy_(torch.randn(rank, 6, generator=generator))
        layer.B.copy_(torch.randn(5, rank, generator=generator))
    return layer


# ---- 22.1 LoRALinear ----


def test_22_1_shapes(mine):
    layer = mine.LoRALinear(a_base(), 3, 2.0)
    for name, shape in (("A", (3, 6)), ("B", (5, 3))):
        got = getattr(layer, name, None)
        assert isinstance(got, nn.Parameter), f"{name} must be an nn.Parameter, or the optimizer never sees it"
        assert tuple(got.shape) == shape, f"{name} is {tuple(got.shape)}; (rank, in) and (out, rank) make it {shape}"


def test_22_1_starts_at_the_pretrained_layer(mine):
    base, x = a_base(), an_x()
    layer = mine.LoRALinear(base, 3, 2.0)
    output = layer(x)
    assert output.any(), "the output is zero before any training: the base's own output is missing"
    gap = (output - base(x)).abs().max().item()
    assert gap < 1e-6, (
        f"before any training the layer's output differs from the base's by {gap:.2g}: one of the two matrices must "
        "start at zero"
    )


def test_22_1_can_learn(mine):
    layer = mine.LoRALinear(a_base(), 3, 2.0)
    layer(an_x()).square().sum().backward()
    moved = max((p.grad.abs().max().item() for p in (layer.A, layer.B) if p.grad is not None), default=0.0)
    assert moved > 0, "A and B both have zero gradients: did both start at zero? Then neither can ever move"


def test_22_1_leaves_the_base_frozen(mine):
    base = a_base()
    mine.LoRALinear(base, 3, 2.0)(an_x()).square().sum().backward()
    assert base.weight.grad is None, "the base's weight received a gradient: freeze it with requires_grad_(False)"


def test_22_1_computes_the_update(mine):
    base, x = a_base(), an_x()
    layer = with_numbers(mine, base)
    with torch.no_grad():
        right = base(x) + 2.0 / 3 * x @ layer.A.T @ layer.B.T
        got = layer(x)
    assert got.shape == right.shape, f"the output is {tuple(got.shape)}; {tuple(right.shape)} is needed"
    times = ((got - base(x)) / (right - base(x))).median().item()
    hint = {1.5: "nothing at all", 2.25: "rank / alpha", 3.0: "alpha alone", 0.5: "1 / rank"}.get(
        round(times, 3), "another number"
    )
    assert torch.allclose(got, right, atol=1e-5), (
        f"with alpha = 2 and rank = 3 your update is {times:.2f} times the right one, as if it were scaled by {hint}: "
        "the scale is alpha / rank"
        if abs(times - 1) > 1e-3
        else "the update is not B A x: is the order of the two products right, and are both transposed?"
    )


def test_22_1_draws_from_the_right_spread(mine):
    torch.manual_seed(0)
    spread = mine.LoRALinear(nn.Linear(400, 50), 50, 1.0).A.std().item() * 400**0.5
    assert 0.5 < spread < 2, f"A is {spread:.1f} times as large as 1 / sqrt(in): what makes A x about as large as x?"


def test_22_1_is_made_like_its_base(mine):
    layer = mine.LoRALinear(a_base().double(), 3, 2.0)
    found = {layer.A.dtype, layer.B.dtype}
    assert found == {torch.float64}, f"A and B must be in the base's dtype: of a base in float64 they are {found}"


# ---- 22.2 add_lora ----


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.ModuleDict({name: nn.Linear(6, 5) for name in ("query", "key", "query_gate")})


def test_22_2_wraps_only_what_is_named(mine):
    model = mine.add_lora(Toy(), ("query",), 2, 4)
    assert isinstance(model.block["query"], mine.LoRALinear), "block.query was not replaced: which module owns it?"
    assert type(model.block["query_gate"]) is nn.Linear or type(model.block["key"]) is not nn.Linear, (
        "query_gate was replaced: compare whole names, not beginnings"
    )
    assert type(model.block["key"]) is nn.Linear, "key was replaced too, and only query was asked for"
    found = tuple(model.block["query"].A.shape)
    assert found == (2, 6), f"at rank 2, A is {found}: are rank and alpha exchanged?"


def test_22_2_trains_nothing_else(mine):
    model = mine.add_lora(Toy(), ("query",), 2, 4.0)
    names = sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    extra = [name for name in names if not name.endswith((".A", ".B"))]
    assert not extra, f"these are trained too: {', '.join(extra)}. Freeze the model before the layers are replaced"
    assert names, "nothing is trained: was the model frozen after the layers had been replaced?"
    assert names == ["block.query.A", "block.query.B"], f"trained are {names}; query's A and B are needed"


def test_22_2_refuses_a_misspelled_name(mine):
    try:
        mine.add_lora(Toy(), ("query", "kye"), 2, 4.0)
    except ValueError as error:
        assert "kye" in str(error), f"the error must say which name was not found; it says {str(error)!r}"
    else:
        pytest.fail("a name that belongs to no layer must be a ValueError; silently, nothing would be trained")


# ---- 22.3 merge ----


def with_update(mine, rank=2, alpha=6.0):
    """A toy model with a wrapped layer whose update is not zero."""
    model = mine.add_lora(Toy(), ("query",), rank, alpha)
    with torch.no_grad():
        for name in ("A", "B"):
            getattr(model.block["query"], name).normal_(generator=torch.Generator().manual_seed(4))
    return model


def merged(mine, model):
    try:
        return mine.merge(model)
    except NotImplementedError:
        raise
    except RuntimeError as error:
        pytest.fail(f"merging stops ({error}): is the update B A, of the shape of W, which is (out, in)?")


def test_22_3_leaves_the_model_as_it_was(mine):
    model, x = with_update(mine), an_x()
    before, output = copy.deepcopy(model.state_dict()), model.block["query"](x)
    merged(mine, model)
    assert isinstance(model.block["query"], mine.LoRALinear), "the model that was given was changed: merge into a copy"
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items()), (
        "a weight of the model that was given was changed: add the update to a copy, or it counts twice"
    )
    assert torch.equal(model.block["query"](x), output), "after merging, the given model computes something else"


def test_22_3_computes_the_same_with_plain_layers(mine):
    model, x = with_update(mine), an_x()
    wrapped = model.block["query"]
    layer = merged(mine, model).block["query"]
    assert type(layer) is nn.Linear, f"query is a {type(layer).__name__} after merging; a plain nn.Linear is needed"
    with torch.no_grad():
        right, got = wrapped(x), layer(x)
        unscaled = F.linear(x, wrapped.base.weight + wrapped.B @ wrapped.A, wrapped.base.bias)
        assert not torch.allclose(got, wrapped.base(x), atol=1e-5), (
            "the merged layer computes what the base does: was the update added?"
        )
    assert not torch.allclose(got, unscaled, atol=1e-5), "the merged update lacks the scale alpha / rank"
    assert torch.allclose(got, right, atol=1e-5), (
        "the merged layer computes something else: is it W + s B A, (out, in)?"
    )


# ---- the package computes what the lesson computes ----


def test_the_package_agrees(mine):
    torch.manual_seed(5)
    gpt = minitune.load("gpt")
    model = mine.add_lora(copy.deepcopy(gpt.model), ("query", "value"), 3, 5.0)
    theirs = add_lora(copy.deepcopy(gpt.model), LoRAConfig(rank=3, alpha=5.0, targets=("query", "value")))
    with torch.no_grad():
        for path, layer in lora_layers(theirs).items():
            ours = model.get_submodule(path)
            ours.B.normal_()
            layer.adapters["lora"].A.copy_(ours.A)
            layer.adapters["lora"].B.copy_(ours.B)
        ids = torch.arange(10, 40)[None]
        gap = (theirs(ids).hidden - model(ids).hidden).abs().max().item()
    assert gap < 1e-4, f"your model and the package's differ by {gap:.1e}: is your scale alpha / rank?"
