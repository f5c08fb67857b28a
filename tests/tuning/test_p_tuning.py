"""Lesson 19, P-tuning. Six questions that every method's tests answer, in this order: shapes, numbers worked by hand,
invariants, parity with an independent computation, gradients, and whether it learns."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.tuning.doors import fold
from minitune.tuning.p_tuning import PromptEncoder, PTuningConfig, add_p_tuning, match_spread, p_tuning_parameters
from tests.conftest import make_bert, make_gpt
from tests.tuning.shared import assert_drawn_apart, assert_drawn_from_the_seed, assert_the_door_alone_trains

pytestmark = pytest.mark.lesson19
VARIANTS = ({}, {"inner": 5}, {"encoder": "mlp"})


@pytest.fixture
def model(tokenizer):
    return (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer))


def encoder(seed=0, width=24, **settings):
    torch.manual_seed(seed)
    made = PromptEncoder(PTuningConfig(**settings), width).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.5)
    return made


# what is trained, and shapes


def test_the_encoder_trains_and_the_model_does_not(model, tokenizer):
    for settings in VARIANTS:
        tuned = add_p_tuning(model.requires_grad_(True), PTuningConfig(length=3, **settings), tokenizer)
        assert_the_door_alone_trains(tuned)
    assert tuned.door.placeholder == tokenizer.soft_id, "the vectors stand at another token than the template writes"


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("length", [1, 4])
def test_it_writes_a_vector_for_each_placeholder(settings, length):
    assert encoder(length=length, **settings)().shape == (length, 24)


def test_the_lstm_has_two_layers_both_ways_of_half_the_width_unless_told():
    assert encoder().lstm.hidden_size == 12, "H is half the model's width, as in the code for facts, unless it is given"
    assert encoder(inner=5).lstm.hidden_size == 5
    assert encoder().lstm.num_layers == 2 and encoder().lstm.bidirectional, "two layers, both ways"
    assert encoder(inner=5).mlp[0].in_features == 10 and encoder(encoder="mlp").lstm is None
    assert encoder(encoder="mlp").mlp[0].in_features == 24


@pytest.mark.parametrize("settings", [*VARIANTS, {"inner": 31}])
@pytest.mark.parametrize("width", [24, 10])
def test_as_many_numbers_as_the_formula_says(settings, width):
    made = encoder(width=width, length=3, **settings)
    config = make_gpt(width=width, heads=2).config
    assert sum(p.numel() for p in made.parameters()) == p_tuning_parameters(PTuningConfig(length=3, **settings), config)


@pytest.mark.parametrize("settings", VARIANTS)
def test_it_writes_the_same_at_every_call_and_each_place_starts_apart(settings):
    made = PromptEncoder(PTuningConfig(length=4, **settings), 24).double().train()
    assert_drawn_apart(made.start.weight, "places (rows of z)", "numbers of z")
    assert torch.equal(made(), made()), "two calls write other vectors: noise, dropout, or a state that is carried over"


# numbers worked by hand


def test_the_first_vectors_have_the_spread_of_the_embeddings(model, tokenizer):
    for settings in VARIANTS:
        torch.manual_seed(0)
        tuned = add_p_tuning(model, PTuningConfig(length=6, **settings), tokenizer)
        written, expected = tuned.door.source().std().item(), model.token_embedding.weight.std().item()
        message = f"the first vectors spread {written:.3f}, and the embeddings {expected:.3f}"
        assert written == pytest.approx(expected, rel=1e-5), message


def test_matching_the_spread_scales_the_last_layer_weight_and_bias():
    made, table = encoder(length=4), 0.01 * torch.randn(50, 24, dtype=torch.float64)
    before, parameters = made().detach(), copy.deepcopy(made.state_dict())
    match_spread(made, table)
    torch.testing.assert_close(made(), before * (table.std() / before.std()), rtol=1e-10, atol=0)
    changed = {name for name, tensor in made.state_dict().items() if not torch.equal(tensor, parameters[name])}
    assert changed == {"mlp.2.weight", "mlp.2.bias"}


# invariants


def test_vectors_of_the_lstm_hang_together_and_those_of_the_mlp_do_not():
    for settings, expected in (({}, [True] * 4), ({"encoder": "mlp"}, [False, True, False, False])):
        made = encoder(length=4, **settings)
        before = made()
        with torch.no_grad():
            made.start.weight[1] += 1.0
        changed = (made() - before).abs().amax(dim=1) > 1e-12
        assert changed.tolist() == expected, "the LSTM reads the placeholders in a row, forwards and backwards"


@pytest.mark.parametrize("settings", VARIANTS)
def test_folding_drops_the_encoder_and_keeps_every_bit(model, tokenizer, settings):
    tuned = add_p_tuning(model, PTuningConfig(length=3, **settings), tokenizer)
    ids = torch.randint(20, len(tokenizer), (4, 9), generator=torch.Generator().manual_seed(3))
    ids[:, [0, 4, 8]] = tokenizer.soft_id
    before = tuned.logits(tuned(ids).hidden)
    fold(tuned)
    assert torch.equal(tuned.logits(tuned(ids).hidden), before), (
        "what is stored gives other logits than what was trained"
    )
    assert {name for name, p in tuned.named_parameters() if p.requires_grad} == {"door.source.table"}
    assert tuned.door.source.table.numel() == 3 * 24, "P D numbers are stored, whatever wrote them"
    assert not any(isinstance(part, (nn.LSTM, PromptEncoder)) for part in tuned.modules())


def test_the_same_seed_gives_the_same_prompt(model, tokenizer):
    assert_drawn_from_the_seed(lambda: add_p_tuning(model, PTuningConfig(), tokenizer).door.source())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "the prompt's length is 0; it must be 1 or more"),
        ({"encoder": "gru"}, "there is no prompt encoder 'gru'; choose one of lstm, mlp"),
        ({"inner": -1}, "the encoder's width is -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        PTuningConfig(**settings)


# parity with an independent computation


def lstm_by_hand(lstm, x):
    """Two layers, both ways, the gates written out: (P, D) -> (P, 2 H). State and cell start at zero."""
    for at in range(2):
        both = []
        for way in ("", "_reverse"):
            names = [f"{part}_l{at}{way}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            of_input, of_state, bias, second_bias = (getattr(lstm, name) for name in names)
            state = cell = torch.zeros(lstm.hidden_size, dtype=torch.float64)
            rows = []
            for row in x if not way else x.flip(0):
                gates = of_input @ row + of_state @ state + bias + second_bias
                enter, forget, new, leave = gates.chunk(4)
                cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
                state = leave.sigmoid() * cell.tanh()
                rows.append(state)
            both.append(torch.stack(rows if not way else rows[::-1]))
        x = torch.cat(both, dim=1)
    return x


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("length", [1, 4])
def test_equals_the_equation_written_out(settings, length):
    made = encoder(length=length, **settings)
    x = made.start.weight
    if made.lstm is not None:
        x = lstm_by_hand(made.lstm, x)
    (w_1, b_1), (w_2, b_2) = ((layer.weight, layer.bias) for layer in (made.mlp[0], made.mlp[2]))
    expected = torch.einsum("od,pd->po", w_2, (torch.einsum("od,pd->po", w_1, x) + b_1).clamp(min=0)) + b_2
    torch.testing.assert_close(made(), expected, rtol=0, atol=1e-12, msg="not W_2 relu(W_1 LSTM(z) + b_1) + b_2")


# gradients


def test_gradients_are_those_of_finite_differences():
    made, weights = encoder(length=3, inner=5), torch.randn(3, 24, dtype=torch.float64)
    (made().tanh() * weights).sum().backward()
    generator = torch.Generator().manual_seed(6)
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, f"{name} gets no gradient: is it frozen, or what comes after it detached?"
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            parameter += 1e-6 * direction
            up = (made().tanh() * weights).sum().item()
            parameter -= 2e-6 * direction
            down = (made().tanh() * weights).sum().item()
            parameter += 1e-6 * direction
        slope = (up - down) / 2e-6
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-7), name
        assert parameter.grad.abs().sum() > 0, f"{name} is not used"


# does it learn?


@pytest.mark.parametrize("settings", [{"inner": 5}, {"encoder": "mlp"}])
def test_learns_a_few_rows_by_heart_and_moves_nothing_else(model, tokenizer, settings):
    model = random_model(replace(model.config, spread=0.2), seed=3).double().eval()
    state = copy.deepcopy(model.state_dict())
    torch.manual_seed(0)
    tuned = add_p_tuning(model, PTuningConfig(length=4, **settings), tokenizer)
    ids = torch.randint(20, len(tokenizer), (4, 11), generator=torch.Generator().manual_seed(3))
    ids[:, [0, 3, 7, 9]] = tokenizer.soft_id
    labels = torch.tensor([0, 1, 1, 0])
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(tuned.logits(tuned(ids).hidden[:, -1])[:, [13, 15]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], f"the loss went from {losses[0]:.2f} to {losses[-1]:.2f} in 25 steps"
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items()), "the model has moved"
