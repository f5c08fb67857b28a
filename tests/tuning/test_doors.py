"""Lessons 18 to 21, the doors: what stands before a model, and the two equalities that show whether it stands right.

Six questions, in this order: shapes, numbers worked by hand, invariants, parity with an independent computation,
gradients, and whether it learns. Here the last one is left to the methods that use the doors."""

import copy

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models import generate
from minitune.tuning.doors import Learned, Prefix, SoftPrompt, Tuned, check_room, fold
from tests.conftest import make_bert, make_gpt, random_past

pytestmark = [pytest.mark.lesson18, pytest.mark.lesson20]
EXACT = {"rtol": 0, "atol": 1e-10}
SOFT = 56  # the placeholder's id
LENGTHS = (1, 4)
KIND = pytest.mark.parametrize("make", [make_gpt, make_bert])


@pytest.fixture
def words(ids):
    """(B, T) = (4, 11), with no placeholder among them."""
    return ids % SOFT


def draw(*shape, seed=5):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def with_types(model, inputs, width=11):
    """BERT is told that a second text begins at the fifth token; that too must stay where it is."""
    if model.kind == "bert":
        inputs["token_type_ids"] = (torch.arange(width) > 4).long().expand(4, width)
    return inputs


def soft(model, vectors):
    return Tuned(model, SoftPrompt(Learned(vectors), SOFT)).eval()


def prefixed(model, table, **settings):
    return Tuned(model, Prefix(Learned(table), model.config, **settings)).eval()


def written_out(past, row=0):
    """Keys and values as the one row of numbers a position that `Prefix` says it reads, copied number by number."""
    layers, heads, length, size = len(past), *past[0][0].shape[1:]
    table = torch.empty(length, 2 * layers * heads * size, dtype=torch.float64)
    for at in range(length):
        column = 0
        for key, value in past:
            for part in (key, value):
                for head in range(heads):
                    table[at, column : column + size] = part[row, head, at]
                    column += size
    return table


class Network(nn.Module):
    """A source that is no table, and has dropout."""

    def __init__(self, length, width):
        super().__init__()
        self.layer, self.dropout = nn.Linear(length, width).double(), nn.Dropout(0.5)

    def forward(self):
        return self.dropout(self.layer.weight.T + self.layer.bias)


# shapes


@pytest.mark.parametrize("length", LENGTHS)
def test_a_soft_prompt_leaves_the_text_as_long_as_it_was(model, words, mask, length):
    words[:, 1 : 1 + length] = SOFT
    output = soft(model, draw(length, 24))(words, attention_mask=mask)
    assert output.hidden.shape == (4, 11, 24), "the template has placed the vectors: nothing is put before, or cut off"
    assert all(part.shape == (4, 3, 11, 8) for layer in output.past_key_values for part in layer)


@pytest.mark.parametrize("length", LENGTHS)
def test_behind_a_prefix_comes_the_text_alone(model, words, mask, length):
    tuned = prefixed(model, draw(length, 2 * 3 * 24))
    output = tuned(words, attention_mask=mask)
    message = "a prefix is no part of the input: hidden states and logits of the text need no slicing"
    assert output.hidden.shape == (4, 11, 24) and tuned.logits(output.hidden).shape == (4, 11, 57), message
    assert all(part.shape == (4, 3, length + 11, 8) for layer in output.past_key_values for part in layer)
    assert all(part.shape == (2, 3, length, 8) for layer in tuned.door.past(2) for part in layer), (
        "a prefix of one place must keep its dimension (a squeeze?)"
    )


def test_a_prompt_that_leaves_no_room_is_refused(model):
    check_room(30, model)
    with pytest.raises(UserError, match="a prompt of 31 leaves no room for a text: the model's context is 31"):
        check_room(31, model)


# numbers worked by hand


def test_the_vectors_stand_at_the_placeholders_in_their_order():
    model = make_gpt(width=3, heads=1)
    vectors = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).double()
    ids = torch.tensor([[SOFT, 7, SOFT, 8], [7, 8, SOFT, SOFT]])
    embeds = SoftPrompt(Learned(vectors), SOFT)(model, {"input_ids": ids})["inputs_embeds"]
    seven, eight = model.token_embedding.weight[7], model.token_embedding.weight[8]
    expected = torch.stack(
        [torch.stack([vectors[0], seven, vectors[1], eight]), torch.stack([seven, eight, vectors[0], vectors[1]])]
    )
    assert torch.equal(embeds, expected), (
        "in their order, row by row, and nothing added: the model adds positions itself"
    )


def test_the_numbers_of_a_position_are_layer_by_layer_its_key_and_its_value_head_by_head():
    """P, L, H, D/H = 2, 3, 2, 2: a position has 3 x (key, value) x 2 heads x 2 = 24 numbers."""
    config = make_gpt(width=4, heads=2).config
    table = torch.arange(2 * 24).view(2, 24).double()
    past = Prefix(Learned(table), config).past()
    assert len(past) == 3
    key, value = past[0]
    assert key[0].tolist() == [[[0, 1], [24, 25]], [[2, 3], [26, 27]]], (
        "the first key: heads and positions, keys and values, or layers are swapped"
    )
    assert value[0].tolist() == [[[4, 5], [28, 29]], [[6, 7], [30, 31]]], (
        "the first value, which comes after the first key"
    )
    assert past[2][0][0, 1, 1].tolist() == [24 + 16 + 2, 24 + 16 + 3], "layer 2 begins 2 x 8 numbers further"


def test_what_is_learned_is_a_copy_of_what_it_starts_from(gpt):
    first = gpt.token_embedding.weight[3:5]
    learned = Learned(first)
    assert torch.equal(learned(), first) and learned.table.is_leaf and learned.table.requires_grad
    with torch.no_grad():
        learned.table += 1.0
    assert not torch.equal(learned(), gpt.token_embedding.weight[3:5]), "a view: training writes into the embedding"


def test_a_prefix_adds_ones_before_the_mask(gpt, words, mask):
    door = Prefix(Learned(draw(2, 2 * 3 * 24)), gpt.config)
    inputs = door(gpt, {"input_ids": words, "attention_mask": mask})
    assert inputs["attention_mask"][2].tolist() == [1, 1, 1, 1, 1] + [0] * 8, "2 of the prefix, 3 of the text"
    assert "attention_mask" not in door(gpt, {"input_ids": words})
    assert "position_ids" not in inputs, "the past shifts the text by itself; positions from 0 would undo that"


# invariants


@pytest.mark.parametrize("length", LENGTHS)
def test_every_position_sees_the_whole_prefix(model, words, length):
    """The first one too: nothing of a prefix comes after anything."""
    table = draw(length, 2 * 3 * 24)
    before = prefixed(model, table)(words).hidden
    for layer in range(3):
        for part in range(2):
            changed = table.clone()
            start = (2 * layer + part) * 24
            changed[-1, start : start + 24] += draw(24, seed=8)
            moved = (prefixed(model, changed)(words).hidden - before).abs().amax(dim=2) > 1e-9
            what = f"the {('key', 'value')[part]} of layer {layer} at the last place of the prefix"
            if length > 1 or part == 1:  # a prefix of one key: then too, there are the text's keys beside it
                assert moved[:, 0].all(), f"{what} is not seen from position 0: a causal mask over the prefix?"
            assert moved.all(), f"{what} is not seen from everywhere"


def test_a_prefix_of_zeros_is_not_the_same_as_none(model, words):
    """A key of zeros scores exp(0) = 1, and takes its share of every softmax."""
    zeros = prefixed(model, torch.zeros(3, 2 * 3 * 24, dtype=torch.float64), shift=False)(words).hidden
    assert not torch.allclose(zeros, model(words).hidden)


def test_where_the_text_s_positions_start(model, words, mask):
    table = draw(4, 2 * 3 * 24)
    past, full = random_past(4, 4), torch.cat([torch.ones(4, 4).long(), mask], dim=1)
    past = tuple((key[:1].expand(4, -1, -1, -1), value[:1].expand(4, -1, -1, -1)) for key, value in past)
    table = written_out(past)
    for shift, first in ((True, 4), (False, 0)):
        expected = model(
            words, attention_mask=full, position_ids=(torch.arange(11) + first)[None], past_key_values=past
        ).hidden
        hidden = prefixed(model, table, shift=shift)(words, attention_mask=mask).hidden
        message = f"with shift={shift} the text starts at position {first}"
        torch.testing.assert_close(hidden[mask.bool()], expected[mask.bool()], **EXACT, msg=message)


def test_how_long_a_text_may_be(model):
    table = draw(5, 2 * 3 * 24)
    for tuned, room in (
        (soft(model, draw(5, 24)), 31),
        (prefixed(model, table), 26),
        (prefixed(model, table, shift=False), 31),
    ):
        assert tuned.context == room, f"{tuned.context} tokens of text are allowed, and there is room for {room}"
        assert tuned(torch.zeros(1, room, dtype=torch.long)).hidden.shape == (1, room, 24)
    with pytest.raises(UserError, match=r"32 positions .*5 of a past, 27 of text"):
        prefixed(model, table)(torch.zeros(1, 27, dtype=torch.long))


def test_padding_on_the_right_changes_nothing(model, words, mask):
    words[:, 1:3] = SOFT
    for tuned in (soft(model, draw(2, 24)), prefixed(model, draw(2, 2 * 3 * 24))):
        padded = tuned(words, attention_mask=mask).hidden
        for row, length in enumerate((11, 7, 3, 10)):
            alone = tuned(words[row : row + 1, :length]).hidden[0]
            message = "a row alone and in a batch with padding differ: the mask hides a prompt, or shows padding"
            torch.testing.assert_close(padded[row, :length], alone, **EXACT, msg=message)


def test_another_number_of_placeholders_than_vectors_is_refused(model, words):
    tuned = soft(model, draw(2, 24))
    words[0, 3] = SOFT
    with pytest.raises(ValueError, match=r"the rows have \[0, 1\] placeholders and the prompt has 2 vectors"):
        tuned(words)
    words[:, 3] = SOFT
    words[1:, 4] = SOFT
    with pytest.raises(ValueError, match=r"the rows have \[1, 2\] placeholders"):
        tuned(words)
    uneven = words[1:3].clone()
    uneven[0, 3], uneven[1, 5] = 0, SOFT  # one and three: two for each row on average
    with pytest.raises(ValueError, match=r"the rows have \[1, 3\] placeholders"):
        tuned(uneven)
    assert tuned(words[1:]).hidden.shape == (3, 11, 24)


def test_what_is_called_in_the_model_s_place_is_read_as_the_model(model, words):
    tuned = prefixed(model, draw(2, 2 * 3 * 24))
    hidden = tuned(words).hidden
    assert (tuned.kind, tuned.config) == (model.kind, model.config)
    assert torch.equal(tuned.logits(hidden), model.logits(hidden))
    assert torch.equal(tuned.pool(hidden), model.pool(hidden))


def test_the_loss_of_a_text_is_over_the_text_alone(gpt, words):
    """Behind a prefix as it is: no label is shifted by P, and none is asked of the prefix."""
    tokens = torch.tensor([40, 3, 17])
    tuned = prefixed(gpt, written_out(gpt(tokens[None]).past_key_values))
    joint = torch.cat([tokens.expand(4, -1), words], dim=1)

    def loss(logits, ids):
        return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    of_all = gpt.logits(gpt(joint).hidden)
    of_text = tuned.logits(tuned(words).hidden)
    torch.testing.assert_close(loss(of_text, words), loss(of_all[:, 3:], words), **EXACT)
    assert torch.equal(of_text.argmax(dim=2), of_all[:, 3:].argmax(dim=2)), "the answers are read P places off"


def test_several_stand_before_one_model_and_do_not_disturb_each_other(model, words):
    plain, state = model(words).hidden, copy.deepcopy(model.state_dict())
    one, two = prefixed(model, draw(2, 2 * 3 * 24)), prefixed(model, draw(3, 2 * 3 * 24, seed=6))
    of_one = one(words).hidden
    two(words)
    assert torch.equal(one(words).hidden, of_one) and torch.equal(model(words).hidden, plain)
    assert one.model is two.model is model
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


@KIND
@pytest.mark.parametrize("training", [False, True])
def test_what_is_put_before_a_model_is_in_the_model_s_mode(make, words, training):
    model = make().train(training)
    tuned = Tuned(model, Prefix(Learned(draw(3, 2 * 3 * 24)), model.config, dropout=0.5))
    modes = {name: part.training for name, part in tuned.named_modules()}
    message = f"the model has training={training} and what stands before it has not: its dropout is on in eval mode"
    assert set(modes.values()) == {training}, message
    assert tuned.eval() is tuned and tuned.train() is tuned, "train() and eval() return the module"


def test_dropout_of_a_prefix_is_there_in_training_alone(gpt, words):
    tuned = prefixed(gpt, draw(6, 2 * 3 * 24), dropout=0.5)
    without = prefixed(gpt, tuned.door.source.table)(words).hidden
    assert torch.equal(tuned(words).hidden, without), "in eval mode something is dropped"
    tuned.door.train()
    assert not torch.equal(tuned(words).hidden, tuned(words).hidden), "in training nothing is dropped"


def test_dropout_of_a_prefix_draws_for_each_number_of_each_row(gpt):
    door = Prefix(Learned(torch.ones(6, 2 * 3 * 24, dtype=torch.float64)), gpt.config, dropout=0.5)
    torch.manual_seed(0)
    numbers = torch.stack([torch.stack(layer) for layer in door.past(4)])  # (L, 2, B, H, P, D/H)
    dropped = numbers == 0
    shares = dropped.double().mean(dim=(2, 3, 4, 5)).tolist()
    message = f"half of each layer's keys and of its values should be dropped: layer by layer, {shares}"
    assert all(0.4 < share < 0.6 for layer in shares for share in layer), message
    axes = ("layers", "kinds (keys and values)", "rows of the batch", "heads", "places", "numbers of a key")
    for axis, name in enumerate(axes):
        alike = (dropped == dropped.select(axis, 0).unsqueeze(axis)).all()
        assert not alike, f"all {name} share one dropout mask: each number is drawn by itself"
    message = "what is kept is divided by 1 - p, or training and eval differ in size"
    torch.testing.assert_close(numbers[~dropped], torch.full_like(numbers[~dropped], 2.0), **EXACT, msg=message)


def test_folding_keeps_what_the_source_says_and_drops_the_network(model, words):
    for door in (
        SoftPrompt(Network(2, 24), SOFT),
        Prefix(Network(2, 2 * 3 * 24), model.config, shift=False, dropout=0.3),
    ):
        words[:, 1:3] = SOFT
        tuned = Tuned(model.requires_grad_(False), door).eval()
        before = tuned(words).hidden
        assert fold(tuned) is tuned and isinstance(tuned.door.source, Learned)
        assert torch.equal(tuned(words).hidden, before), "what is stored must give the same numbers, bit for bit"
        names = {name for name, parameter in tuned.named_parameters() if parameter.requires_grad}
        assert names == {"door.source.table"}, "folded, other parameters train than the table alone"
        assert not tuned.door.source.training, "the table is in training mode, before a model in eval mode"
        state = tuned.door.state_dict()
        assert set(state) == {"source.table"}, "the network is still there"
        assert torch.equal(fold(tuned)(words).hidden, before), "folding twice is folding once"


@KIND
def test_folding_takes_what_eval_mode_says_and_puts_every_mode_back(make, words):
    model = make(dropout=0.4)
    tuned = Tuned(model, Prefix(Network(2, 2 * 3 * 24), model.config, dropout=0.3))
    tuned.train()
    model.eval()  # as the training loop keeps what is frozen
    expected = tuned.door.source.layer.weight.T + tuned.door.source.layer.bias
    fold(tuned)
    torch.testing.assert_close(tuned.door.source.table, expected, **EXACT, msg="a dropped number is stored")
    assert tuned.training and tuned.door.training and tuned.door.dropout.training
    assert not any(part.training for part in model.modules()), "the frozen model's dropout came on"


# parity with an independent computation: the two touchstones


PLACES = {
    1: [[0], [6], [2], [9]],
    4: [[0, 1, 2, 3], [1, 3, 4, 6], [0, 1, 2, 5], [2, 5, 8, 9]],  # in rows of 11, 7, 6 and 10 tokens
}


@pytest.mark.parametrize("length", LENGTHS)
def test_a_soft_prompt_of_real_tokens_equals_the_tokens_written_out(model, words, length):
    """Wherever the placeholders stand, before the text, in it or at its end."""
    mask = (torch.arange(11) < torch.tensor([11, 7, 6, 10])[:, None]).long()
    prompt = torch.tensor([40, 3, 17, 8])[:length]
    written, placeholders = words.clone(), words.clone()
    for row, places in enumerate(PLACES[length]):
        written[row, places] = prompt
        placeholders[row, places] = SOFT
    tuned = soft(model, model.token_embedding.weight[prompt])
    expected = model(written, **with_types(model, {"attention_mask": mask}))
    output = tuned(placeholders, **with_types(model, {"attention_mask": mask}))
    real = mask.bool()
    message = (
        "the vectors stand where the token embedding would: in their order, at the template's places; positions, "
        "token types and norms come on top, once, and none of them moves"
    )
    torch.testing.assert_close(output.hidden[real], expected.hidden[real], **EXACT, msg=message)
    logits = tuned.logits(output.hidden)[real], model.logits(expected.hidden)[real]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-9)
    for layer, expected_layer in zip(output.past_key_values, expected.past_key_values, strict=True):
        for part, expected_part in zip(layer, expected_layer, strict=True):
            torch.testing.assert_close(part.transpose(1, 2)[real], expected_part.transpose(1, 2)[real], **EXACT)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_prefix_of_real_tokens_equals_running_the_tokens(model, words, mask, length):
    """Keys and values of GPT are those of the tokens alone. BERT's tokens have seen the text behind them: its are
    captured from the joint run, row by row, at the prefix's places."""
    tokens = torch.tensor([40, 3, 17, 8])[:length]
    joint = torch.cat([tokens.expand(4, -1), words], dim=1)
    full = torch.cat([torch.ones(4, length).long(), mask], dim=1)
    types = torch.cat([torch.zeros(4, length).long(), (torch.arange(11) > 4).long().expand(4, 11)], dim=1)
    inputs = {"token_type_ids": types} if model.kind == "bert" else {}
    whole = model(joint, attention_mask=full, **inputs)
    captured = model(tokens[None]) if model.kind == "gpt" else whole
    message = (
        "keys and values, layers or heads are swapped; or the mask lacks the prefix; or the text does not start at "
        "position P; or something of the text was done twice"
    )
    for row in range(4):
        past = [tuple(part[..., :length, :] for part in layer) for layer in captured.past_key_values]
        table = written_out(past, row=0 if model.kind == "gpt" else row)
        tuned = prefixed(model, table)
        hidden = tuned(words, attention_mask=mask, **with_types(model, {})).hidden
        real = mask[row].bool()
        torch.testing.assert_close(hidden[row, real], whole.hidden[row, length:][real], **EXACT, msg=message)


# parity: generation, with the cache and without


def by_hand(model, row, past, count):
    """The likeliest tokens, everything read anew for each, one row alone: no cache and no padding."""
    row = list(row)
    for _ in range(count):
        hidden = model(torch.tensor([row]), past_key_values=past).hidden[:, -1]
        row.append(model.logits(hidden).argmax().item())
    return row[-count:]


def with_any_words(gpt):
    """A random GPT writes one word over and over: the longest, near its last norm's shift. Here all have a chance."""
    with torch.no_grad():
        gpt.norm.bias.zero_()
        gpt.token_embedding.weight /= gpt.token_embedding.weight.norm(dim=1, keepdim=True)
        gpt.position_embedding.weight.normal_(std=3.0, generator=torch.Generator().manual_seed(9))
    return gpt


@pytest.mark.parametrize("prompts", [[[5, 9, 2], [8, 1, 44]], [[5, 9, 2, 30, 7], [8], [1, 44, 3]]])
@pytest.mark.parametrize("length", LENGTHS)
def test_generation_with_a_prefix_is_the_same_with_and_without_a_cache(gpt, prompts, length):
    model, table = with_any_words(gpt), draw(length, 2 * 3 * 24)
    tuned = prefixed(model, table)
    past = tuned.door.past()
    expected = [by_hand(model, row, past, 8) for row in prompts]
    assert len({token for row in expected for token in row}) >= 4, "this shows nothing: choose other weights"
    for use_cache in (True, False):
        written = generate(model, prompts, 8, past_key_values=past, use_cache=use_cache)
        assert written == expected, (
            f"use_cache={use_cache}: the text's positions start at P when it is read and when it is written, "
            "padding on the left or not"
        )
    first = tuned.logits(tuned(torch.tensor(prompts[:1])).hidden[:, -1]).argmax().item()
    assert first == expected[0][0], "training reads the text at other positions than generation"


@pytest.mark.parametrize("prompts", [[[SOFT, 5, SOFT, 9], [8, SOFT, SOFT, 44]], [[5, SOFT, 9, SOFT, 7], [SOFT, SOFT]]])
def test_generation_with_a_soft_prompt_is_the_same_with_and_without_a_cache(gpt, prompts):
    tuned = soft(with_any_words(gpt), 0.5 * draw(2, 24))
    expected = []
    for row in prompts:
        row = list(row)
        for _ in range(8):
            logits = tuned.logits(tuned(torch.tensor([row])).hidden[:, -1])
            row.append(logits[:, :SOFT].argmax().item())
        expected.append(row[-8:])
    with torch.no_grad():
        gpt.token_embedding.weight[SOFT] = 0.0  # its score is 0, and never the highest: the prompt is not written
    for use_cache in (True, False):
        assert generate(tuned, prompts, 8, use_cache=use_cache) == expected, f"use_cache={use_cache}"


def test_a_prefix_cannot_stand_before_another_past(gpt, words):
    tuned = prefixed(gpt, draw(2, 2 * 3 * 24))
    with pytest.raises(ValueError, match="generate"):
        tuned(words, past_key_values=random_past(4, 5))
    with pytest.raises(ValueError, match="generate"):
        generate(tuned, [[5, 9]], 3)


def test_positions_of_the_text_are_counted_from_its_own_start(model, words):
    """Given or not: behind a prefix they start after it, or, unshifted, at 0."""
    counted = torch.arange(11)[None]
    for shift in (True, False):
        tuned = prefixed(model, draw(3, 2 * 3 * 24), shift=shift)
        expected = tuned(words).hidden
        message = f"with shift={shift}, positions that are given start elsewhere than those that are not"
        torch.testing.assert_close(tuned(words, position_ids=counted).hidden, expected, **EXACT, msg=message)
        assert not torch.allclose(tuned(words, position_ids=counted + 1).hidden, expected), "the positions are not read"


# gradients


def slope(function, parameter, direction, step=1e-5):
    with torch.no_grad():
        parameter += step * direction
        up = function().item()
        parameter -= 2 * step * direction
        down = function().item()
        parameter += step * direction
    return (up - down) / (2 * step)


@pytest.mark.parametrize("length", LENGTHS)
def test_gradients_are_those_of_finite_differences_and_reach_what_is_learned_alone(model, words, mask, length):
    words[:, :length] = SOFT
    mask = torch.cat([torch.ones(4, length).long(), mask[:, length:]], dim=1)
    model.requires_grad_(False)
    for tuned in (soft(model, draw(length, 24)), prefixed(model, draw(length, 2 * 3 * 24))):

        def loss(tuned=tuned):
            logits = tuned.logits(tuned(words, attention_mask=mask).hidden)
            return nn.functional.cross_entropy(logits[mask.bool()], (words[mask.bool()] + 1) % 57)

        table = tuned.door.source.table
        assert loss().requires_grad, "no gradient reaches what is learned: is it detached?"
        loss().backward()
        direction = draw(*table.shape, seed=11)
        assert (table.grad * direction).sum().item() == pytest.approx(slope(loss, table, direction), rel=1e-6)
        assert (table.grad.abs().sum(dim=1) > 0).all(), "a vector is never read"
        assert all(parameter.grad is None for parameter in model.parameters()), "the model has a gradient"
