"""Lesson 11, AutoPrompt: the search, in a world that is a straight line, where the right trigger is known; and the loss
of a model as a function of its trigger, against slow loops and finite differences."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.data.tokenizers import train_tokenizer
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
from tests.naming import expect

pytestmark = pytest.mark.lesson11
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
    wrong = {
        "E.g without what stands there now": [10.0, 31.0, -2.0],
        "the sign is flipped": [0.0, -21.0, 12.0],
    }
    expect(first_order(embedding, 0, torch.tensor([10.0, 1.0])), [0.0, 21.0, -12.0], wrong)


def test_the_candidates_promise_most_and_are_allowed():
    world, trigger = LinearWorld(), torch.tensor([50, 51, 52])

    def by(place, sign=1, among=ALLOWED):
        change = sign * (world.embedding[among] - world.embedding[51]) @ world.slopes[place]
        return [among[i].item() for i in change.argsort()[:4]]

    ids, predicted = by_gradient(world, trigger, 1, torch.arange(3), ALLOWED, 4, None)
    wrong = {
        "the sign is flipped: the candidates raise the loss": by(1, sign=-1),
        "the gradient of the first place, not of the one that is tried": by(0),
        "the gradient of the last place, not of the one that is tried": by(2),
        "places among the allowed words are taken for ids": [word - 7 for word in by(1)],
        "words that are not allowed are candidates": by(1, among=torch.arange(V)),
    }
    expect(ids, by(1), {cause: value for cause, value in wrong.items() if value != by(1)})
    assert list(predicted) == sorted(predicted) and predicted[0] <= 0


def test_chance_tries_more_words_for_the_gradient_that_it_does_not_take():
    dice = torch.Generator().manual_seed(1)
    ids, predicted = by_chance(LinearWorld(), torch.tensor([1, 2, 3]), 0, torch.arange(3), ALLOWED, 4, dice)
    expect(
        len(set(ids.tolist())), 4 + GRADIENT_COSTS, {"no words for the gradient: the control has a smaller budget": 4}
    )
    assert predicted is None
    assert set(ids.tolist()) <= set(ALLOWED.tolist())


# ---- invariants of the search ----


class UnevenWorld(LinearWorld):
    """Each example has slopes of its own: what the gradient promises on some of them is not what others then say."""

    def __init__(self, seed=0):
        super().__init__(seed)
        draw = torch.Generator().manual_seed(seed + 1)
        self.slopes = torch.randn(N, P, D, dtype=torch.float64, generator=draw)
        self.tried = []

    def loss_of(self, triggers, rows):
        self.loss_rows.append(rows)
        self.tried.append(triggers.clone())
        return self.value(triggers, rows)

    def value(self, triggers, rows):
        return (self.embedding[triggers] * self.slopes[rows].mean(dim=0)).sum(dim=(1, 2)) + self.offsets[rows].mean()

    def gradient_of(self, trigger, rows):
        self.gradient_rows.append(rows)
        return self.slopes[rows].mean(dim=0)


def on_dev(trigger):
    """A score that has nothing to do with the loss: the best trigger on dev is rarely the last."""
    return float((trigger * torch.tensor([7, 11, 13])).sum() % 17)


@pytest.fixture(scope="module")
def told():
    """A world, and for each round of a search what it told and the triggers before and after it."""
    world = UnevenWorld()
    log = run(world, dev=on_dev)
    rounds, trigger = [], log.start
    for its in log.rounds:
        tried = (*trigger[: its.position], its.token, *trigger[its.position + 1 :])
        rounds.append((its, torch.tensor(trigger), torch.tensor(tried)))
        trigger = tried if its.accepted else trigger
    return world, rounds


def test_every_place_is_tried_and_each_round_draws_anew(told):
    world, rounds = told
    assert len({tuple(rows.tolist()) for rows in world.gradient_rows}) > 20, "each round draws the same examples"
    assert {its.position for its, *_ in rounds} == {0, 1, 2}, "a place of the trigger is never tried"
    accepted = sum(its.accepted for its, *_ in rounds)
    assert 0 < accepted < len(rounds), "the fixture does not tell an accepted candidate from one that is not"


def test_each_round_goes_on_with_what_was_accepted(told):
    world, rounds = told
    first = torch.stack([triggers[0] for triggers in world.tried])
    right = torch.stack([now for _, now, _ in rounds])
    start = torch.tensor([50, 51, 52]).expand_as(right)
    wrong = {
        "every round starts from the first trigger: what was accepted is not gone on with": start,
        "what stands there now is not among those that are tried": torch.stack([its[1] for its in world.tried]),
    }
    expect(first, right, wrong)
    for triggers in world.tried:
        assert (triggers != triggers[0]).sum(dim=1).max() == 1, "a candidate changes more than one place"


def test_what_a_round_tells_is_what_the_other_examples_say(told):
    world, rounds = told

    def values(rows):
        return [
            [world.value(trigger[None], its).item() for trigger in (now, tried)]
            for (_, now, tried), its in zip(rounds, rows, strict=True)
        ]

    others, of_gradient = values(world.loss_rows), values(world.gradient_rows)
    wrong = {
        "the sign is flipped": [old - new for old, new in others],
        "it is the change on the gradient's own examples": [new - old for old, new in of_gradient],
    }
    expect([its.true for its, *_ in rounds], [new - old for old, new in others], wrong)
    wrong = {
        "of the trigger that was tried, and not of the one that is kept": [new for _, new in others],
        "of the trigger before": [old for old, _ in others],
        "of the gradient's own examples": list(map(min, of_gradient)),
    }
    expect([its.loss for its, *_ in rounds], list(map(min, others)), wrong)
    wrong = {
        "what is no better is accepted, too": [True] * len(rounds),
        "it is accepted by the gradient's own examples": [new < old for old, new in of_gradient],
    }
    expect([its.accepted for its, *_ in rounds], [new < old for old, new in others], wrong)
    for (_, new), rows, triggers in zip(others, world.loss_rows, world.tried, strict=True):
        best = world.value(triggers[1:], rows).min().item()
        assert new == pytest.approx(best), "another candidate is better on the other examples"


def test_what_was_predicted_is_that_of_the_candidate_that_was_chosen(told):
    world, rounds = told
    chosen, first = [], []
    for (its, now, _), rows, triggers in zip(rounds, world.gradient_rows, world.tried, strict=True):
        slopes = world.slopes[rows].mean(dim=0)[its.position]
        here = world.embedding[now[its.position]]
        chosen.append(((world.embedding[its.token] - here) @ slopes).item())
        first.append(((world.embedding[triggers[1, its.position]] - here) @ slopes).item())
    predicted = [its.predicted for its, *_ in rounds]
    expect(predicted, chosen, {"the prediction is the first candidate's, not the chosen one's": first})


def test_dev_scores_the_trigger_that_was_accepted(told):
    right = [on_dev(tried) if its.accepted else None for its, _, tried in told[1]]
    wrong = {
        "the trigger before was scored": [on_dev(now) if its.accepted else None for its, now, _ in told[1]],
        "a trigger is scored that was not accepted": [on_dev(tried) for *_, tried in told[1]],
    }
    expect([its.dev for its, *_ in told[1]], right, wrong)


def test_neighbouring_seeds_share_no_draws():
    """With `seed + round` the second round of one search would draw what the first of the next draws."""
    drawn = []
    for seed in (SEED, SEED + 1):
        world = UnevenWorld()
        for _ in search_trigger(world, on_dev, Log((50, 51, 52), 0.0), ALLOWED, CONFIG, seed, by_gradient):
            pass
        drawn.append([tuple(rows.tolist()) for rows in world.gradient_rows])
    shared = sum(one == other for one, other in zip(drawn[0][1:], drawn[1][:-1], strict=True))
    assert shared < 3, "a round's draws are those of the next seed's round before: seeds are not independent"
    assert drawn[0] != drawn[1], "the seed is not used"


@pytest.mark.parametrize("stop", [4, 11])
def test_an_interrupted_search_goes_on_from_the_current_trigger_and_not_from_the_best_on_dev(stop):
    whole = run(UnevenWorld(), dev=on_dev)
    part = run(UnevenWorld(), dev=on_dev, config=replace(CONFIG, rounds=stop))
    assert part.current != part.best[0], "the fixture does not tell where the search goes on"
    again = UnevenWorld()
    run(again, dev=on_dev, log=part)
    wrong = {"it goes on from the best on dev": part.best[0], "it starts anew": part.start}
    expect(again.tried[0][0], part.current, wrong)
    assert run(UnevenWorld(), dev=on_dev, log=part) == whole, "a round draws otherwise after an interruption"


def test_a_planted_trigger_is_found():
    world = LinearWorld()
    worst = tuple(ALLOWED[(world.embedding[ALLOWED] @ world.slopes.T).argmax(dim=0)].tolist())
    wrong = {"the candidates raise the loss: a sign is flipped": worst, "nothing was accepted": (50, 51, 52)}
    expect(run(world).current, world.best_trigger(ALLOWED), wrong)


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


def test_words_in_capitals_stay_out_unless_all_tokens_may_stand_there():
    cased = train_tokenizer("gpt", ["The Hero was Great , and the Soup was great ."] * 9)
    names = {word for word in cased.words() if word != word.lower()}
    assert names, "the fixture has no word in capitals"
    ids = {cased.word_id(word) for word in names}
    assert not ids & set(allowed_tokens(cased, [], words_only=True).tolist()), "a name is searched for"
    assert ids <= set(allowed_tokens(cased, [], words_only=False).tolist())


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


def slow_losses(loss, trigger, rows, labels=None, embeds_of=None, further=0, gap=""):
    """Of one text at a time, without padding, without anything shared: (B,). The mistakes: other rows' `labels`; read
    so many places `further`; what pads the shared beginning of a short text, its `gap`, "counted" as positions or
    "read"."""
    model, losses = loss.model, []
    start = int(loss.slots[rows, 0].max())  # so many places are shared
    for row, label in zip(rows.tolist(), (rows if labels is None else labels).tolist(), strict=True):
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
        places, first = torch.arange(length), slots[0]
        if gap == "counted":
            extra["position_ids"] = (places + (start - first) * (places >= first))[None]
        if gap == "read":
            whole = loss.embedding[loss.inputs["input_ids"][row]]
            embeds = torch.cat([whole[:start], embeds[0, first:]])[None]
            extra["position_ids"] = torch.cat([torch.arange(start), places[first:]])[None]
        moved = start - first if gap == "read" else further
        hidden = model(inputs_embeds=embeds, **extra).hidden[0, loss.place[row, 0] + moved]
        losses.append(Scores.loss(loss.readout(hidden[None], model), loss.label[label : label + 1]))
    return torch.stack(losses)


def slow_loss(loss, trigger, rows, **mistakes):
    return slow_losses(loss, trigger, rows, **mistakes).mean()


def mixed(loss, by_length):
    """As if text t of the N B texts had been given the trigger t mod N."""
    each = torch.stack([slow_losses(loss, trigger, by_length) for trigger in TRIED])  # (N, B)
    n, b = each.shape
    return torch.stack([torch.stack([each[(i * b + j) % n, j] for j in range(b)]).mean() for i in range(n)])


def test_the_batched_losses_are_those_of_a_slow_loop(loss):
    by_length = ROWS[loss.lengths[ROWS].argsort(stable=True)]

    def slow(**mistakes):
        return lambda: torch.stack([slow_loss(loss, trigger, **({"rows": ROWS} | mistakes)) for trigger in TRIED])

    wrong = {
        "texts were sorted by length, and their labels were not": slow(rows=by_length, labels=ROWS),
        "an example was given another's trigger": lambda: mixed(loss, by_length),
        "the trigger is written backwards": lambda: torch.stack([slow_loss(loss, t.flip(0), ROWS) for t in TRIED]),
        "read one place too early": slow(further=-1),
        "summed over the examples": lambda: slow()() * len(ROWS),
    }
    if loss.model.kind == "gpt":
        wrong["positions after the shared beginning are counted with its padding"] = slow(gap="counted")
        wrong["placeholders that pad the shared beginning are read"] = slow(gap="read")
    expect(loss.loss_of(TRIED, ROWS), slow()(), wrong)


def test_small_and_large_groups_give_the_same(loss, monkeypatch):
    rows = torch.tensor([4, 1, 0, 5, 2])
    whole = loss.loss_of(TRIED, rows)
    monkeypatch.setattr("minitune.prompting.trigger_loss.AT_ONCE", 10)  # two examples at a time: groups of 2, 2 and 1
    by_length = rows[loss.lengths[rows].argsort(stable=True)]

    def of_groups():
        each = torch.stack([slow_losses(loss, trigger, by_length) for trigger in TRIED])
        return torch.stack([part.mean(dim=1) for part in each.split(2, dim=1)]).mean(dim=0)

    expect(loss.loss_of(TRIED, rows), whole, {"the mean of the groups' means: a small group counts more": of_groups})


def test_another_trigger_gives_another_loss(loss):
    first, *others, again = loss.loss_of(TRIED, ROWS).tolist()
    assert all(abs(other - first) > 1e-4 for other in others), "the trigger never comes into the input: nothing changes"
    assert again == pytest.approx(first, abs=1e-12)


def finite_differences(loss, trigger, rows, places):
    slopes, step = [], 1e-6
    for p, d in places:
        moved = []
        for sign in (1, -1):
            e = loss.embedding[trigger].clone()
            e[p, d] += sign * step
            moved.append(slow_loss(loss, trigger, rows, embeds_of=e))
        slopes.append((moved[0] - moved[1]) / (2 * step))
    return torch.stack(slopes)


def of_the_table(loss, trigger, rows):
    """The gradient of the embedding's weight at the trigger's words: (P, D). It is the output layer, too."""
    model = copy.deepcopy(loss.model).requires_grad_(True)
    ids = loss.inputs["input_ids"].scatter(1, loss.slots, trigger.expand(len(loss.place), -1))[rows]
    inputs = {name: tensor[rows] for name, tensor in loss.inputs.items()} | {"input_ids": ids}
    hidden = model(**inputs).hidden[torch.arange(len(ids)), loss.place[rows, 0]]
    whole = Scores.loss(loss.readout(hidden, model), loss.label[rows])
    return torch.autograd.grad(whole, model.token_embedding.weight)[0][trigger]


def test_the_gradient_is_that_of_finite_differences(loss):
    trigger = torch.tensor([Scores.words[0], 13, 14])  # a label word has a share of the output as well
    gradient = loss.gradient_of(trigger, ROWS)
    assert gradient.shape == (3, 24) and gradient.dtype == torch.float64
    places = [(0, 0), (1, 5), (2, 23), (0, 11)]
    p, d = torch.tensor(places).T
    right = finite_differences(loss, trigger, ROWS, places)
    wrong = {
        "summed over the examples": right * len(ROWS),
        "the sign is flipped": -right,
        "of the embedding's weight, which has a share of the tied output": (
            lambda: of_the_table(loss, trigger, ROWS)[p, d]
        ),
        "of the trigger written backwards": lambda: finite_differences(loss, trigger.flip(0), ROWS, places),
        "of the first example alone": lambda: finite_differences(loss, trigger, ROWS[:1], places),
        "of all examples, not of the rows that were chosen": (
            lambda: finite_differences(loss, trigger, torch.arange(6), places)
        ),
    }
    expect(gradient[p, d], right, wrong, tolerance=2e-6)


def test_the_gradient_of_the_table_would_be_another(loss):
    """What makes the test above worth its name."""
    trigger = torch.tensor([Scores.words[0], 13, 14])
    ours = loss.gradient_of(trigger, torch.arange(6))
    assert not torch.allclose(ours[0], of_the_table(loss, trigger, torch.arange(6))[0], atol=1e-3)


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
