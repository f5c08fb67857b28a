"""Lesson 20, prefix tuning. Six questions that every method's tests answer, in this order: shapes, numbers worked by
hand, invariants, parity with an independent computation, gradients, and whether it learns. How a prefix stands before
the text is tested with the doors; here is what writes it, and what it starts from."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.tuning import prefix_tuning
from minitune.tuning.doors import fold
from minitune.tuning.prefix_tuning import (
    PrefixConfig,
    PrefixEncoder,
    add_prefix,
    fit,
    keys_and_values,
    prefix_parameters,
    table_of,
    word_ids,
)
from tests.conftest import FIT_STEPS, make_bert, make_gpt
from tests.tuning.shared import assert_drawn_apart, assert_drawn_from_the_seed, assert_the_door_alone_trains

pytestmark = pytest.mark.lesson20
EXACT = {"rtol": 0, "atol": 1e-10}
WORDS = "the plot was great"


@pytest.fixture
def model(tokenizer):
    return (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer))


@pytest.fixture
def text(tokenizer):
    """(B, T) = (4, 9), and a mask with rows of 9, 4, 1 and 6."""
    ids = torch.randint(20, len(tokenizer), (4, 9), generator=torch.Generator().manual_seed(3))
    return ids, (torch.arange(9) < torch.tensor([9, 4, 1, 6])[:, None]).long()


# what is trained, and shapes


def test_the_prefix_trains_and_the_model_does_not(model, tokenizer):
    for settings in ({"inner": 7}, {"reparametrize": False}):
        tuned = add_prefix(model.requires_grad_(True), PrefixConfig(length=3, **settings), tokenizer)
        assert_the_door_alone_trains(tuned)


@pytest.mark.parametrize("settings", [{"inner": 7}, {"reparametrize": False}])
@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("start", ["random", "words"])
def test_a_key_and_a_value_for_each_layer_and_position(model, tokenizer, settings, length, start):
    tuned = add_prefix(model, PrefixConfig(length=length, start=start, **settings), tokenizer)
    assert tuned.door.source().shape == (length, 2 * 3 * 24) and tuned.door.length == length
    assert all(part.shape == (2, 3, length, 8) for layer in tuned.door.past(2) for part in layer)
    assert tuned.context == 31 - length


@pytest.mark.parametrize("settings", [{"inner": 7}, {"inner": 1}, {"reparametrize": False}])
def test_as_many_numbers_as_the_formula_says_and_as_many_stored_with_a_network_as_without(tokenizer, settings):
    model = (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer), layers=2, width=10, heads=5)
    config = PrefixConfig(length=3, **settings)
    tuned = add_prefix(model, config, tokenizer)
    trained = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    assert trained == prefix_parameters(config, model.config), "the formula counts something else"
    fold(tuned)
    stored = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    assert stored == 3 * 2 * 2 * 10, "2 P L D are stored, network or none"


# numbers worked by hand


def test_the_network_by_hand():
    """D, M, L = 2, 1, 1: two positions, each with a key and a value of two numbers."""
    config = make_gpt(layers=1, width=2, heads=1).config
    source = PrefixEncoder(PrefixConfig(length=2, inner=1), config).double()
    with torch.no_grad():
        source.start.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        source.inner.weight.copy_(torch.tensor([[0.5, -0.25]]))
        source.inner.bias.fill_(0.5)
        source.outer.weight.copy_(torch.tensor([[1.0], [2.0], [3.0], [-1.0]]))
        source.outer.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    one = torch.tanh(torch.tensor(1.0, dtype=torch.float64)).item()
    expected = [[one, 2 * one + 1, 3 * one, -one], [0.0, 1.0, 0.0, 0.0]]
    message = "not W_2 tanh(W_1 z + b_1) + b_2"
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(source(), expected, rtol=0, atol=1e-12, msg=message)


def test_words_are_repeated_or_cut_to_the_length(tokenizer):
    great, hero = tokenizer.encode("great hero")
    drawn = word_ids(PrefixConfig(length=5, words="great hero"), tokenizer)
    assert drawn == [great, hero, great, hero, great], "the words in their order, and again from the first"
    assert word_ids(PrefixConfig(length=1, words="great hero"), tokenizer) == [great]


def test_words_that_are_not_given_are_drawn_from_all_words_each_once(tokenizer):
    torch.manual_seed(0)
    drawn = [word_ids(PrefixConfig(length=20), tokenizer) for _ in range(50)]
    assert drawn[0] != drawn[1], "two prefixes start from the same words: the first of the vocabulary? They are drawn"
    assert all(len(set(row)) == 20 for row in drawn), "drawn with replacement"
    seen, words = set().union(*drawn), set(tokenizer.word_ids())
    assert seen <= words, "special tokens, single bytes and pieces are no words to start from"
    assert len(seen) > 0.9 * len(words), f"of {len(words)} words only {len(seen)} are ever drawn"


# invariants


def test_no_weight_of_the_model_changes(model, tokenizer):
    state = copy.deepcopy(model.state_dict())
    for settings in ({"inner": 7}, {"reparametrize": False}):
        tuned = add_prefix(model, PrefixConfig(length=3, **settings), tokenizer)
        with torch.no_grad():
            for parameter in tuned.door.parameters():
                parameter += 1.0
        assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_nothing_is_left_of_the_first_training_but_the_weights(model, tokenizer):
    tuned = add_prefix(model, PrefixConfig(length=3, inner=7), tokenizer)
    assert all(p.grad is None for p in tuned.parameters()), "a first step of the task would add to these gradients"
    assert all(p.is_leaf for p in tuned.parameters())


def test_folding_drops_the_network_and_keeps_every_bit(model, tokenizer, text):
    ids, mask = text
    tuned = add_prefix(model, PrefixConfig(length=3, inner=7, dropout=0.4), tokenizer)
    before = tuned.logits(tuned(ids, attention_mask=mask).hidden)
    fold(tuned)
    after = tuned.logits(tuned(ids, attention_mask=mask).hidden)
    assert torch.equal(after, before), "what is stored gives other logits than what was trained"
    assert {name for name, p in tuned.named_parameters() if p.requires_grad} == {"door.source.table"}
    assert not any(isinstance(part, PrefixEncoder) for part in tuned.modules())


def test_the_same_seed_gives_the_same_prefix(model, tokenizer):
    flat = {"reparametrize": False}
    for config in (PrefixConfig(inner=7), PrefixConfig(**flat), PrefixConfig(start="random", **flat)):
        assert_drawn_from_the_seed(lambda config=config: add_prefix(model, config, tokenizer).door.source())


def test_dropout_falls_on_the_prefix_in_training_alone(model, tokenizer, text):
    for settings in ({"inner": 7}, {"reparametrize": False}):
        tuned = add_prefix(model, PrefixConfig(length=3, dropout=0.5, **settings), tokenizer)
        assert torch.equal(tuned(text[0]).hidden, tuned(text[0]).hidden), "in eval mode something is dropped"
        tuned.train()
        assert not torch.equal(tuned(text[0]).hidden, tuned(text[0]).hidden), "in training nothing is dropped"
        tuned.eval()


def test_the_network_starts_apart_at_each_place():
    source = PrefixEncoder(PrefixConfig(length=4, inner=7), make_gpt().config)
    assert_drawn_apart(source.start.weight, "places (rows of z)", "numbers of z")


def test_a_random_start_has_the_spread_of_real_keys_and_values(model, tokenizer):
    torch.manual_seed(0)
    config = PrefixConfig(length=30, start="random", reparametrize=False, words=WORDS)
    table = add_prefix(model, config, tokenizer).door.source()
    names = ("places", "layers", "kinds (keys and values)", "heads", "numbers")
    assert_drawn_apart(table[:4].view(4, 3, 2, 3, 8), *names)
    real = table_of(keys_and_values(model, word_ids(config, tokenizer)))
    message = f"the prefix spreads {table.std().item():.2f}, and real keys and values {real.std().item():.2f}"
    assert table.std().item() == pytest.approx(real.std().item(), rel=0.05), message
    assert not torch.allclose(table, real), "these are the keys and values of words, and not random ones"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "length 0 and inner 256: both must be 1 or more"),
        ({"inner": 0}, "length 8 and inner 0: both must be 1 or more"),
        ({"start": "zeros"}, "cannot start from 'zeros'; choose one of random, words"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        PrefixConfig(**settings)


def test_words_that_the_tokenizer_leaves_nothing_of_are_refused(bert_tokenizer):
    model = make_bert(len(bert_tokenizer))
    with pytest.raises(UserError, match="nothing is left of the words"):
        add_prefix(model, PrefixConfig(words="\u200b"), bert_tokenizer)
    assert all(p.requires_grad for p in model.parameters()), "refused, and the model is frozen nevertheless"


# parity with an independent computation


def test_a_flat_prefix_starts_as_the_keys_and_values_of_its_words(model, tokenizer):
    ids = tokenizer.encode(WORDS)
    tuned = add_prefix(model, PrefixConfig(length=len(ids), reparametrize=False, words=WORDS), tokenizer)
    real = model(torch.tensor([ids])).past_key_values
    for at, (layer, of_words) in enumerate(zip(tuned.door.past(2), real, strict=True)):
        for name, part, expected in zip(("key", "value"), layer, of_words, strict=True):
            message = f"layer {at}: the {name} is not that of the words"
            assert torch.equal(part, expected.expand(2, -1, -1, -1)), message


def test_before_any_step_a_flat_prefix_of_words_is_those_words_before_the_text(gpt_tokenizer, text):
    """For GPT, whose words have not seen what follows. Starting from words is starting from a hard prompt."""
    model = make_gpt(len(gpt_tokenizer))
    ids = torch.randint(20, len(gpt_tokenizer), (4, 9), generator=torch.Generator().manual_seed(3))
    mask, words = (torch.arange(9) < torch.tensor([9, 4, 1, 6])[:, None]).long(), gpt_tokenizer.encode(WORDS)
    joint = torch.cat([torch.tensor(words).expand(4, -1), ids], dim=1)
    full = torch.cat([torch.ones(4, len(words)).long(), mask], dim=1)
    expected = model(joint, attention_mask=full).hidden[:, len(words) :][mask.bool()]
    config = PrefixConfig(length=len(words), reparametrize=False, words=WORDS)
    hidden = add_prefix(model, config, gpt_tokenizer)(ids, attention_mask=mask).hidden[mask.bool()]
    torch.testing.assert_close(hidden, expected, **EXACT)


def test_the_network_is_first_fitted_to_the_words_unless_it_starts_at_random(bert_tokenizer, monkeypatch):
    monkeypatch.setattr(prefix_tuning, "FIT_STEPS", FIT_STEPS)
    model, tokenizer = make_bert(len(bert_tokenizer)), bert_tokenizer
    config = PrefixConfig(length=4, inner=64, words=WORDS)
    real = table_of(keys_and_values(model, word_ids(config, tokenizer)))
    torch.manual_seed(0)

    def error(config):
        written = add_prefix(model, config, tokenizer).door.source()
        return ((written - real).square().mean() / real.square().mean()).item()

    fitted = error(config)
    assert fitted < 0.01, f"the network's first prefix is {fitted:.0%} off the words' keys and values"
    assert error(replace(config, start="random")) > 0.5, "a random start was fitted to words"


def test_fitting_changes_the_network_alone_and_step_by_step(monkeypatch):
    config = make_gpt().config
    table = torch.randn(3, 2 * 3 * 24, dtype=torch.float64)
    errors = []
    for steps in (0, 10, 60):
        monkeypatch.setattr(prefix_tuning, "FIT_STEPS", steps)
        torch.manual_seed(0)
        source = PrefixEncoder(PrefixConfig(length=3, inner=30), config).double()
        fit(source, table)
        errors.append((source() - table).square().mean().item())
    assert errors[0] > errors[1] > errors[2]


# gradients


def test_gradients_reach_the_whole_network_through_the_model(model, tokenizer, text):
    ids, mask = text
    tuned = add_prefix(model, PrefixConfig(length=3, inner=7), tokenizer)

    def loss():
        return tuned.logits(tuned(ids, attention_mask=mask).hidden[mask.bool()]).logsumexp(dim=1).mean()

    loss().backward()
    generator = torch.Generator().manual_seed(6)
    for name, parameter in tuned.door.named_parameters():
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            parameter += 1e-5 * direction
            up = loss().item()
            parameter -= 2e-5 * direction
            down = loss().item()
            parameter += 1e-5 * direction
        slope = (up - down) / 2e-5
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-8), name
        assert parameter.grad.abs().sum() > 0, f"{name} is not used"
    assert all(p.grad is None for p in model.parameters())


# does it learn?


@pytest.mark.parametrize("settings", [{"inner": 20}, {"reparametrize": False}])
def test_learns_a_few_rows_by_heart_and_moves_nothing_else(model, tokenizer, text, settings):
    model = random_model(replace(model.config, spread=0.2), seed=3).double().eval()
    state, ids, labels = copy.deepcopy(model.state_dict()), text[0], torch.tensor([0, 1, 1, 0])
    torch.manual_seed(0)
    tuned = add_prefix(model, PrefixConfig(length=4, **settings), tokenizer)
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(tuned.logits(tuned(ids).hidden[:, -1])[:, [13, 15]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], f"the loss went from {losses[0]:.2f} to {losses[-1]:.2f} in 25 steps"
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items()), "the model has moved"
