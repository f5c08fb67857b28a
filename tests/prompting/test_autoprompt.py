"""Lesson 9, AutoPrompt: the search, in a world that is a straight line, where the right trigger is known; and the loss
of a model as a function of its trigger, against slow loops and finite differences."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.prompting.autoprompt import (
    GRADIENT_COSTS,
    AutoPromptConfig,
    Log,
    Round,
    allowed_tokens,
    by_chance,
    by_gradient,
    first_order,
    halves,
    search_trigger,
)
from minitune.prompting.trigger_loss import ModelTriggerLoss
from tests.conftest import make_bert, make_gpt

pytestmark = pytest.mark.lesson09
V, D, P, N = 57, 6, 3, 14
CONFIG = AutoPromptConfig(triggers=P, rounds=30, candidates=4, batch=5)
SEED = 5
TRIGGER = 4  # the placeholder's id in the models' inputs


class LinearWorld:
    """loss(trigger, example) = sum over the slots of  E[w_p] . a_p  + an offset of each example: its best trigger is
    the word with the smallest E[w] . a_p in each slot, whatever stands in the others."""

    def __init__(self, seed=0):
        draw = torch.Generator().manual_seed(seed)
        self.embedding = torch.randn(V, D, dtype=torch.float64, generator=draw)
        self.slopes = torch.randn(P, D, dtype=torch.float64, generator=draw)
        self.offsets = torch.randn(N, dtype=torch.float64, generator=draw)
        self.labels = [row % 2 for row in range(N)]
        self.gradient_rows, self.loss_rows = [], []

    def loss_of(self, triggers, rows):
        self.loss_rows.append(rows.tolist())
        return (self.embedding[triggers] * self.slopes).sum(dim=(1, 2)) + self.offsets[rows].mean()

    def gradient_of(self, trigger, rows):
        self.gradient_rows.append(rows.tolist())
        return self.slopes

    def best_trigger(self, allowed):
        best = (self.embedding[allowed] @ self.slopes.T).argmin(dim=0)  # (A, D) (D, P) -> (P,)
        return tuple(allowed[best].tolist())


ALLOWED = torch.arange(7, V)


def run(world, dev=None, config=CONFIG, propose=by_gradient, log=None):
    dev = dev or (lambda trigger: -world.loss_of(trigger[None], torch.arange(N)).item())
    log = log or Log((50, 51, 52), dev(torch.tensor([50, 51, 52])))
    logs = list(search_trigger(world, dev, log, ALLOWED, config, SEED, propose))
    return logs[-1] if logs else log


# ---- shapes, and what is drawn ----


@pytest.mark.parametrize("count, most, sizes", [(14, 5, (5, 5)), (14, 50, (7, 7)), (5, 9, (3, 2)), (1, 9, (1, 1))])
def test_the_two_halves_share_no_example(count, most, sizes):
    parts = halves([row % 2 for row in range(count)], most, torch.Generator().manual_seed(1))
    assert tuple(map(len, parts)) == sizes
    shared = set(parts[0].tolist()) & set(parts[1].tolist())
    assert not shared or count == 1, "a candidate is scored on the examples that proposed it"


@pytest.mark.parametrize("seed", range(5))
def test_each_half_has_its_share_of_every_class(seed):
    labels = [0] * 8 + [1] * 4 + [2] * 2
    for part in halves(labels, 50, torch.Generator().manual_seed(seed)):
        assert [[labels[row] for row in part].count(label) for label in range(3)] == [4, 2, 1], (
            "one half of two classes may be all of one class, and a trigger that says it always is taken"
        )


# ---- numbers by hand ----


def test_the_score_is_the_change_along_the_gradient():
    embedding = torch.tensor([[1.0, 0.0], [3.0, 1.0], [0.0, -2.0]])
    change = first_order(embedding, 0, torch.tensor([10.0, 1.0]))
    assert change.tolist() == [0.0, 21.0, -12.0], "31, 31 and -2 less 10 would be E.g without what stands there now"


def test_the_candidates_promise_most_and_are_allowed():
    world = LinearWorld()
    ids, predicted = by_gradient(world, torch.tensor([50, 51, 52]), 1, torch.arange(3), ALLOWED, 4, None)
    slow = sorted(ALLOWED.tolist(), key=lambda w: float((world.embedding[w] - world.embedding[51]) @ world.slopes[1]))
    assert ids.tolist() == slow[:4], "the candidates raise the loss where the sign is flipped"
    assert all(p <= 0 for p in predicted[:1]) and list(predicted) == sorted(predicted)


def test_chance_tries_more_words_for_the_gradient_that_it_does_not_take():
    dice = torch.Generator().manual_seed(1)
    ids, predicted = by_chance(LinearWorld(), torch.tensor([1, 2, 3]), 0, torch.arange(3), ALLOWED, 4, dice)
    assert len(set(ids.tolist())) == 4 + GRADIENT_COSTS and predicted is None
    assert set(ids.tolist()) <= set(ALLOWED.tolist())


# ---- invariants of the search ----


def test_a_planted_trigger_is_found():
    world = LinearWorld()
    assert run(world).current == world.best_trigger(ALLOWED), (
        "the best word of each slot is not found: is the sign of the score flipped, so that candidates raise the loss?"
    )


def test_chance_needs_longer():
    world = LinearWorld()
    few = replace(CONFIG, rounds=12)
    assert run(world, config=few).rounds[-1].loss < run(world, config=few, propose=by_chance).rounds[-1].loss


def test_candidates_are_accepted_on_other_examples_than_the_gradients():
    world = LinearWorld()
    run(world, dev=lambda trigger: 0.0)
    assert len(world.gradient_rows) == len(world.loss_rows) == CONFIG.rounds
    for of_gradient, of_loss in zip(world.gradient_rows, world.loss_rows, strict=True):
        assert not set(of_gradient) & set(of_loss), "accepted on the gradient's own examples: train rises, dev does not"


def test_only_what_is_strictly_better_is_accepted():
    world = LinearWorld()
    world.slopes.zero_()  # every word is as good as every other
    assert not any(its.accepted for its in run(world).rounds), "an equal candidate was accepted"
    for its in run(LinearWorld()).rounds:
        assert its.accepted == (its.true < 0)


def test_of_a_straight_line_the_prediction_is_the_change():
    for its in run(LinearWorld()).rounds:
        assert its.predicted == pytest.approx(its.true, abs=1e-12)


def test_nothing_forbidden_stands_in_a_trigger():
    world = LinearWorld()
    world.embedding[3] = -100 * world.slopes.sum(dim=0)  # would be the best word everywhere
    found = run(world)
    assert all(set(trigger) <= set(ALLOWED.tolist()) for trigger, _ in found.kept()), "a forbidden word is in a trigger"


def test_the_best_on_dev_is_returned_and_not_the_last():
    scores = iter([0.2, 0.9, 0.9])
    found = run(LinearWorld(), dev=lambda trigger: next(scores), log=Log((50, 51, 52), 0.1))
    kept = list(found.kept())
    assert [score for _, score in kept] == [0.1, 0.2, 0.9, 0.9], "each slot's best word is found at once"
    assert found.best == kept[2], "the last trigger, or the later of two equal ones, and not the best on dev"


def test_without_a_gain_on_dev_the_start_is_returned():
    scores = iter([0.1] * 99)
    assert run(LinearWorld(), dev=lambda trigger: next(scores), log=Log((50, 51, 52), 0.5)).best == ((50, 51, 52), 0.5)


@pytest.mark.parametrize("stop", [1, 7, 29])
@pytest.mark.parametrize("propose", [by_gradient, by_chance])
def test_an_interrupted_search_goes_on_to_the_same_end(stop, propose):
    whole = run(LinearWorld(), propose=propose)
    part = run(LinearWorld(), propose=propose, config=replace(CONFIG, rounds=stop))
    assert len(part.rounds) == stop
    assert run(LinearWorld(), propose=propose, log=part) == whole, "what a round draws depends on the rounds before it"


def test_a_log_tells_every_trigger():
    rounds = [Round(2, 9, -0.1, -0.2, 0.5, True, 0.6), Round(0, 8, -0.1, 0.2, 0.5, False, None)]
    log = Log((1, 2, 3), 0.4, (*rounds, Round(0, 7, None, -0.1, 0.4, True, 0.5)))
    assert list(log.kept()) == [((1, 2, 3), 0.4), ((1, 2, 9), 0.6), ((7, 2, 9), 0.5)]
    assert log.current == (7, 2, 9) and log.best == ((1, 2, 9), 0.6)


# ---- the words that may stand in a trigger ----


def test_label_words_special_tokens_and_pieces_stay_out(tokenizer):
    words = [tokenizer.word_id(word) for word in ("great", "awful")]
    whole = allowed_tokens(tokenizer, words, words_only=True)
    assert not set(words) & set(whole.tolist()), "a label word in the trigger answers by itself, whatever the text says"
    assert not tokenizer.special_ids & set(whole.tolist())
    assert all(text.isalpha() and text == text.lower() for text in (tokenizer.decode([i]) for i in whole.tolist()))
    every = allowed_tokens(tokenizer, words, words_only=False)
    assert set(whole.tolist()) < set(every.tolist()) and not set(words) & set(every.tolist())
    assert not tokenizer.special_ids & set(every.tolist())


def test_a_search_without_words_is_refused(tokenizer):
    with pytest.raises(UserError, match="all of them are label words; set words_only=false"):
        allowed_tokens(tokenizer, tokenizer.ordinary_ids(), words_only=True)
    with pytest.raises(UserError, match="give fewer label words"):
        allowed_tokens(tokenizer, tokenizer.ordinary_ids(), words_only=False)


@pytest.mark.parametrize("name", ["triggers", "rounds", "candidates", "batch"])
def test_a_setting_out_of_range_is_refused(name):
    with pytest.raises(UserError, match=f"{name} is 0; it must be 1 or more"):
        AutoPromptConfig(**{name: 0})


def test_a_log_with_a_place_outside_the_trigger_is_refused():
    with pytest.raises(UserError, match="position 3, and the trigger has 3 tokens"):
        Log((1, 2, 3), 0.0, (Round(3, 9, None, 0.0, 0.0, False, None),))


# ---- the loss of a model as a function of its trigger ----


class Scores(nn.Module):
    """A read-out: the scores of three words at the place that is read, spread out, for a random model hardly looks at
    three of its tokens."""

    reads = "blank"
    words = (11, 30, 45)

    def forward(self, hidden, model):
        return 10 * model.logits(hidden)[:, list(self.words)]

    @staticmethod
    def loss(scores, label):
        return nn.functional.cross_entropy(scores, label)


def texts(kind, places, seed=0):
    """Six texts of 6 to 10 tokens, the trigger's slots at `places` from the front (or, negative, from the end)."""
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for length in (9, 6, 10, 7, 10, 6):
        ids = torch.randint(10, V, (length,), generator=draw)
        ids[torch.tensor(places)] = TRIGGER
        rows.append(ids)
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (6, 10)
    lengths = torch.tensor([len(row) for row in rows])
    inputs = {"input_ids": ids, "attention_mask": (torch.arange(10) < lengths[:, None]).long()}
    if kind == "bert":
        inputs["token_type_ids"] = (torch.arange(10) >= lengths[:, None] // 2).long() * inputs["attention_mask"]
    place = lengths - 1 if kind == "gpt" else lengths - 2
    return inputs, place[:, None], torch.tensor([0, 1, 2, 2, 1, 0])


PLACES = {"before the text": (0, 1, 2), "behind it": (-4, -3, -2), "around it": (0, 1, -3), "in its midst": (1, 2, -3)}


@pytest.fixture(params=[(kind, where) for kind in ("gpt", "bert") for where in PLACES], ids=lambda p: " ".join(p))
def loss(request):
    kind, where = request.param
    model = (make_gpt() if kind == "gpt" else make_bert()).requires_grad_(False)
    return ModelTriggerLoss(model, Scores(), *texts(kind, PLACES[where]), TRIGGER)


TRIED = torch.tensor([[20, 21, 22], [33, 21, 22], [20, 56, 22], [12, 13, 14], [20, 21, 22]])
ROWS = torch.tensor([4, 1, 0, 5])


def slow_loss(loss, trigger, rows, model=None, embeds_of=None):
    """One text at a time, without padding, without anything shared."""
    model, losses = model or loss.model, []
    for row in rows.tolist():
        length = int(loss.inputs["attention_mask"][row].sum())
        ids = loss.inputs["input_ids"][row, :length].tolist()
        slots = [i for i, token in enumerate(ids) if token == TRIGGER]
        for slot, token in zip(slots, trigger, strict=True):
            ids[slot] = int(token)
        extra = {}
        if "token_type_ids" in loss.inputs:
            extra = {"token_type_ids": loss.inputs["token_type_ids"][row : row + 1, :length]}
        embeds = loss.embedding[torch.tensor([ids])].clone()
        if embeds_of is not None:
            embeds[0, slots] = embeds_of
        hidden = model(inputs_embeds=embeds, **extra).hidden[0, loss.place[row, 0]]
        losses.append(Scores.loss(loss.readout(hidden[None], model), loss.label[row : row + 1]))
    return torch.stack(losses).mean()


def test_the_batched_losses_are_those_of_a_slow_loop(loss):
    slow = torch.stack([slow_loss(loss, trigger, ROWS) for trigger in TRIED])
    torch.testing.assert_close(loss.loss_of(TRIED, ROWS), slow, rtol=1e-10, atol=1e-10)


def test_small_and_large_groups_give_the_same(loss, monkeypatch):
    whole = loss.loss_of(TRIED, ROWS)
    monkeypatch.setattr("minitune.prompting.trigger_loss.AT_ONCE", 7)
    torch.testing.assert_close(loss.loss_of(TRIED, ROWS), whole, rtol=1e-12, atol=1e-12)


def test_another_trigger_gives_another_loss(loss):
    first, *others, again = loss.loss_of(TRIED, ROWS).tolist()
    assert all(abs(other - first) > 1e-4 for other in others), "the trigger never comes into the input: nothing changes"
    assert again == pytest.approx(first, abs=1e-12)


def test_the_gradient_is_that_of_finite_differences(loss):
    trigger, step = TRIED[3], 1e-6
    gradient = loss.gradient_of(trigger, ROWS)
    assert gradient.shape == (3, 24) and gradient.dtype == torch.float64
    for p, d in [(0, 0), (1, 5), (2, 23), (0, 11)]:
        moved = []
        for sign in (1, -1):
            e = loss.embedding[trigger].clone()
            e[p, d] += sign * step
            moved.append(slow_loss(loss, trigger, ROWS, embeds_of=e))
        slope = (moved[0] - moved[1]) / (2 * step)
        assert gradient[p, d].item() == pytest.approx(slope.item(), rel=1e-5, abs=1e-8), (
            "not the gradient at the input: that of the embedding's weight has a share of the tied output"
        )


def test_the_gradient_of_the_table_would_be_another(loss):
    """What makes the test above worth its name: a trigger word that is a label word has a share of the output."""
    trigger = torch.tensor([Scores.words[0], 13, 14])
    model = copy.deepcopy(loss.model).requires_grad_(True)
    table = model.token_embedding.weight
    own = ModelTriggerLoss(model, loss.readout, loss.inputs, loss.place, loss.label, TRIGGER)
    ids = own.inputs["input_ids"].scatter(1, own.slots, trigger.expand(len(own.place), -1))
    hidden = model(**(own.inputs | {"input_ids": ids})).hidden[torch.arange(len(ids)), own.place[:, 0]]
    contaminated = torch.autograd.grad(Scores.loss(own.readout(hidden, model), own.label), table)[0][trigger[0]]
    assert not torch.allclose(own.gradient_of(trigger, torch.arange(len(ids)))[0], contaminated, atol=1e-3)


def test_searching_changes_neither_the_model_nor_the_examples(loss):
    before = copy.deepcopy(loss.model.state_dict()), loss.inputs["input_ids"].clone()
    loss.gradient_of(TRIED[0], ROWS)
    loss.loss_of(TRIED, ROWS)
    assert all(torch.equal(tensor, before[0][name]) for name, tensor in loss.model.state_dict().items())
    assert torch.equal(loss.inputs["input_ids"], before[1]), "a candidate was written into the examples themselves"
    assert all(parameter.grad is None for parameter in loss.model.parameters())


# ---- whether it learns ----


def test_the_search_lowers_the_loss_of_a_model(loss):
    rows = torch.arange(6)
    dev = lambda trigger: -loss.loss_of(trigger[None], rows).item()  # noqa: E731
    config = AutoPromptConfig(rounds=12, candidates=6, batch=3)
    start = Log((20, 21, 22), dev(torch.tensor([20, 21, 22])))
    *_, found = search_trigger(loss, dev, start, torch.arange(10, V), config, SEED)
    drawn = torch.randint(10, V, (100, 3), generator=torch.Generator().manual_seed(1))
    assert (loss.loss_of(drawn, rows) > -found.best[1]).sum() > 90, "no better than triggers that are drawn at random"
    assert slow_loss(loss, found.best[0], rows).item() == pytest.approx(-found.best[1], abs=1e-10)
