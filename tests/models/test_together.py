"""Lesson 02, generation: while a text is written, query, key and value come from one product of their weights side by
side, and only where that is the same as calling the three layers."""

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from minitune.models.attention import SelfAttention, attention
from minitune.models.generate import weights_together

pytestmark = pytest.mark.lesson02
EXACT = {"rtol": 1e-12, "atol": 1e-12}
EACH = pytest.mark.parametrize("name", ["query", "key", "value"])


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return SelfAttention(6, 2, 0.0).double()


@pytest.fixture
def x():
    """(3, 4, 6)"""
    return torch.randn(3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def written_out(layer, x):
    """softmax(Q K^T / sqrt(D/H)) V, from the three layers called by themselves."""
    parts = (layer.query(x), layer.key(x), layer.value(x))
    query, key, value = (part.unflatten(2, (2, -1)).transpose(1, 2) for part in parts)
    return layer.output(attention(query, key, value).transpose(1, 2).flatten(2))


class Products(TorchFunctionMode):
    """Counts how often a linear layer is applied inside, whoever applies it."""

    count = 0

    def __torch_function__(self, function, types, arguments=(), settings=None):
        self.count += function is nn.functional.linear
        return function(*arguments, **(settings or {}))


class Doubled(nn.Linear):
    """A layer of another class, under the name of the one that it replaces."""

    def forward(self, x):
        return 2 * super().forward(x)


# numbers


def test_one_product_gives_what_three_give(layer, x):
    with weights_together(layer), Products() as products:
        got = layer(x, None)[0]
    message = "the order of the weights side by side is query, key, value, and so is that of the parts"
    torch.testing.assert_close(got, written_out(layer, x), **EXACT, msg=message)
    assert products.count == 2, f"{products.count} products, where one of query, key and value and the output's do"


def test_a_past_and_chosen_positions_are_as_ever(layer, x):
    past = tuple(torch.randn(3, 2, 5, 3, dtype=torch.float64) for _ in "kv")
    for arguments in ((x, None, past), (x, None, past, x[:, 1:3]), (x, None, None, x[:, :1])):
        apart = layer(*arguments)
        with weights_together(layer):
            together = layer(*arguments)
        torch.testing.assert_close(together, apart, **EXACT, msg="where only some positions ask, the three are called")


# who must be called by itself


@EACH
def test_a_layer_of_another_class_is_called(layer, x, name):
    before, new = layer(x, None)[0], Doubled(6, 6).double()
    new.load_state_dict(getattr(layer, name).state_dict())
    setattr(layer, name, new)
    with weights_together(layer):
        got = layer(x, None)[0]
    assert not torch.allclose(got, before), f"{name} was replaced, and the product with its weight passes it by"
    torch.testing.assert_close(got, written_out(layer, x), **EXACT)


@EACH
def test_a_layer_without_a_bias_is_called(layer, x, name):
    setattr(layer, name, nn.Linear(6, 6, bias=False).double())
    with weights_together(layer):
        torch.testing.assert_close(layer(x, None)[0], written_out(layer, x), **EXACT)


def test_queries_and_keys_may_be_of_another_width_than_values(layer, x):
    """10 + 10 + 4 numbers could be cut in three as well, in the wrong places."""
    for name, width in (("query", 10), ("key", 10), ("value", 4)):
        setattr(layer, name, nn.Linear(6, width).double())
    layer.output = nn.Linear(4, 6).double()
    with weights_together(layer):
        torch.testing.assert_close(layer(x, None)[0], written_out(layer, x), **EXACT)


HOOKS = {
    "forward": ("register_forward_hook", lambda module, inputs, output: 2 * output),
    "forward pre": ("register_forward_pre_hook", lambda module, inputs: (2 * inputs[0],)),
    "backward": ("register_full_backward_hook", lambda module, inputs, outputs: (2 * inputs[0],)),
    "backward pre": ("register_full_backward_pre_hook", lambda module, outputs: (2 * outputs[0],)),
}


@pytest.mark.parametrize("hook", HOOKS)
@EACH
def test_a_hook_on_a_layer_is_heard(layer, x, name, hook):
    """Each hook doubles what it sees: the output changes, or the gradient does."""

    def results():
        start = x.clone().requires_grad_()
        with weights_together(layer):
            out = layer(start, None)[0]
        return out, torch.autograd.grad(out.square().sum(), start)[0]

    plain = results()
    register, double = HOOKS[hook]
    handle = getattr(getattr(layer, name), register)(double)
    hooked = results()
    handle.remove()
    part = "backward" in hook  # 0, the output, or 1, the gradient
    assert not torch.allclose(hooked[part], plain[part]), f"the {hook} hook on {name} is never called"
    torch.testing.assert_close(results(), plain, **EXACT, msg="the hook is gone, and its effect is not")


# how long


def test_the_weights_stand_together_inside_alone(layer, x):
    with pytest.raises(KeyError), weights_together(layer):
        raise KeyError
    with torch.no_grad():
        layer.key.weight += 1.0
    message = "the weights of before are still used: they must be forgotten at the end, also after an error"
    torch.testing.assert_close(layer(x, None)[0], written_out(layer, x), **EXACT, msg=message)


def test_the_layers_keep_their_names(layer):
    expected = {f"{part}.{kind}" for part in ("query", "key", "value", "output") for kind in ("weight", "bias")}
    with weights_together(layer):
        assert set(layer.state_dict()) == expected, "checkpoints would no longer fit"
