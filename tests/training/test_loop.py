"""Lesson 02, the training loop: what it does at each step, what it leaves alone, and that it can be stopped."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from minitune.errors import UserError
from minitune.training import loop
from minitune.training.loop import (
    History,
    TrainConfig,
    evaluation,
    learning_rate,
    make_optimizer,
    mixed_precision,
    pick_device,
    train,
    train_mode,
)

pytestmark = pytest.mark.lesson02


class Toy(nn.Module):
    """All that may be treated in its own way: norms, dropout, running means, an embedding, a prompt."""

    def __init__(self, dropout=0.3):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.prompt = nn.Parameter(torch.ones(4))
        self.body = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(5)
        self.head = nn.Linear(5, 3)
        self.seen = []  # the modes of the parts at each loss
        nn.init.normal_(self.head.bias)

    def forward(self, ids):
        return self.head(self.norm(self.body(self.embedding(ids) + self.prompt)))

    def loss(self, batch):
        self.seen.append({name: part.training for name, part in self.named_modules()})
        return nn.functional.cross_entropy(self(batch["ids"]), batch["labels"])


def batch_at(number, rows=6):
    generator = torch.Generator().manual_seed(number)
    return {
        "ids": torch.randint(9, (rows,), generator=generator),
        "labels": torch.randint(3, (rows,), generator=generator),
    }


@pytest.fixture
def toy():
    torch.manual_seed(0)
    return Toy()


def assert_equal_weights(one, two):
    for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b), f"{name} differs"


def moved(module, before):
    return {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}


# numbers worked by hand


def test_the_learning_rate_rises_and_falls_in_straight_lines():
    config = TrainConfig(steps=10, lr=6.0, warmup=4)
    rates = [learning_rate(step, config) for step in range(10)]
    assert rates == [1.5, 3, 4.5, 6, 6, 5, 4, 3, 2, 1], "never 0 at the first step, which would be lost"
    assert [learning_rate(step, TrainConfig(steps=4, lr=8.0, warmup=0)) for step in range(4)] == [8, 6, 4, 2]
    assert [learning_rate(step, TrainConfig(steps=2, lr=8.0, warmup=4)) for step in range(2)] == [2, 4]


def test_the_loop_uses_that_learning_rate(toy):
    rates = []
    hook = register_optimizer_step_pre_hook(lambda opt, *_: rates.append({group["lr"] for group in opt.param_groups}))
    try:
        train(toy, batch_at, TrainConfig(steps=10, lr=0.6, warmup=4))
    finally:
        hook.remove()
    config = TrainConfig(steps=10, lr=0.6, warmup=4)
    assert rates == [{learning_rate(step, config)} for step in range(10)], "every group follows it"


def test_only_the_weights_of_linear_layers_decay(toy):
    optimizer = make_optimizer(toy, TrainConfig(weight_decay=0.3, betas=(0.8, 0.95)))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    rates = {name: decay[id(p)] for name, p in toy.named_parameters()}
    expected = {name: 0.3 if name in ("body.0.weight", "head.weight") else 0.0 for name in rates}
    assert rates == expected, "biases, norms, embeddings and prompts must not decay"
    assert all(group["betas"] == (0.8, 0.95) for group in optimizer.param_groups)


def test_the_tied_embedding_of_a_model_does_not_decay(model):
    groups = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    decaying = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    assert decaying == linear and id(model.token_embedding.weight) not in decaying
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters())), "a parameter is left out"


def test_one_step_of_adamw_by_hand():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)
            nn.init.constant_(self.layer.weight, 2.0)
            nn.init.constant_(self.layer.bias, 2.0)

        def loss(self, batch):
            return 0.05 * (self.layer.weight + self.layer.bias).sum()

    one = One().double()
    train(one, lambda number: {}, TrainConfig(steps=2, lr=0.1, warmup=2, weight_decay=0.5))
    # a constant gradient makes Adam's step the learning rate itself: 0.05, then 0.1; the weight decays before each
    weight = (2.0 * (1 - 0.05 * 0.5) - 0.05) * (1 - 0.1 * 0.5) - 0.1
    assert one.layer.weight.item() == pytest.approx(weight, rel=1e-6)
    assert one.layer.bias.item() == pytest.approx(2.0 - 0.15, rel=1e-6), "a bias must not decay"


@pytest.mark.parametrize("clip", [0.1, 1e9])
def test_the_norm_of_the_whole_gradient_is_clipped(toy, clip):
    norms, directions = [], []

    def note(optimizer, *_):
        gradient = torch.cat([p.grad.flatten() for group in optimizer.param_groups for p in group["params"]])
        norms.append(gradient.norm().item())
        directions.append(gradient / gradient.norm())

    hook = register_optimizer_step_pre_hook(note)
    before = copy.deepcopy(toy)
    try:
        train(toy, batch_at, TrainConfig(steps=1, clip=clip))
    finally:
        hook.remove()
    torch.manual_seed(0)
    train_mode(before)
    before.loss(batch_at(0)).backward()
    groups = make_optimizer(before, TrainConfig()).param_groups
    free = torch.cat([p.grad.flatten() for group in groups for p in group["params"]])
    assert free.norm() > 0.1, "choose a smaller clip: this test shows nothing"
    assert norms[0] == pytest.approx(min(clip, free.norm().item()), rel=1e-4)
    torch.testing.assert_close(directions[0], free / free.norm(), rtol=0, atol=1e-5)


def test_named_parameters_learn_at_their_part_of_the_rate():
    class Three(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in "abc")
            self.layer = nn.Linear(1, 1).double()

        def loss(self, batch):
            return 0.05 * sum(p.sum() for p in self.parameters())

    three = Three()
    before = {name: p.item() for name, p in three.named_parameters()}
    rates = {"a": 0.5, "b": 0.25, "layer.weight": 0.1, "unknown": 9.0}
    train(three, lambda number: {}, TrainConfig(steps=2, lr=0.1, warmup=2, weight_decay=0.0), rates=rates)
    # a constant gradient makes Adam's step the learning rate itself: 0.05, then 0.1; both times its part
    for name, parameter in three.named_parameters():
        step = before[name] - parameter.item()
        assert step == pytest.approx(0.15 * rates.get(name, 1.0), rel=1e-6), f"{name}; those not named learn at 1"


def test_rates_and_decay_do_not_disturb_each_other(toy):
    rates = {"head.weight": 0.5, "head.bias": 0.5, "prompt": 0.25}
    groups = make_optimizer(toy, TrainConfig(weight_decay=0.3), rates).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(toy.parameters())), "a parameter is left out"
    of = {id(p): (group["weight_decay"], group["rate"]) for group in groups for p in group["params"]}
    for name, parameter in toy.named_parameters():
        decay = 0.3 if name in ("body.0.weight", "head.weight") else 0.0
        assert of[id(parameter)] == (decay, rates.get(name, 1.0)), name


def test_the_schedule_is_followed_by_every_rate(toy):
    seen = []
    hook = register_optimizer_step_pre_hook(
        lambda opt, *_: seen.append({group["rate"]: group["lr"] for group in opt.param_groups})
    )
    config = TrainConfig(steps=6, lr=0.6, warmup=2)
    try:
        train(toy, batch_at, config, rates={"prompt": 0.25, "head.weight": 0.5})
    finally:
        hook.remove()
    for step, look in enumerate(seen):
        lr = learning_rate(step, config)
        assert look == {1.0: lr, 0.25: 0.25 * lr, 0.5: 0.5 * lr}, (
            "a rate that is set once is lost as the schedule moves"
        )


# invariants


def test_before_each_step_the_caller_may_freeze_and_unfreeze(toy):
    steps, before, at_three = [], copy.deepcopy(toy.state_dict()), {}

    def before_step(step):
        steps.append(step)
        toy.prompt.requires_grad_(step >= 3)
        toy.embedding.requires_grad_(step < 3)
        if step == 3:
            at_three.update(copy.deepcopy(toy.state_dict()))

    train(toy, batch_at, TrainConfig(steps=6, lr=0.1, weight_decay=0.5, accumulate=2), before_step=before_step)
    assert steps == [0, 1, 2, 3, 4, 5], "once before each step, whatever is accumulated"
    assert torch.equal(at_three["prompt"], before["prompt"]), "moved while it was frozen"
    assert not torch.equal(toy.prompt, before["prompt"]), "unfrozen, and not in the optimizer"
    assert not torch.equal(at_three["embedding.weight"], before["embedding.weight"])
    message = "a frozen parameter goes on by momentum: its gradient must be None, not 0"
    assert torch.equal(toy.embedding.weight, at_three["embedding.weight"]), message


def test_the_best_weights_are_kept_of_what_was_frozen_meanwhile_too(toy):
    states = []
    config = TrainConfig(steps=4, lr=0.1, evaluate_every=1)
    evaluate = scripted(toy, [1, 9, 1, 1], states)
    train(toy, batch_at, config, evaluate=evaluate, before_step=lambda step: toy.prompt.requires_grad_(step >= 2))
    for name, parameter in toy.named_parameters():
        assert torch.equal(parameter, states[1][name]), f"{name} is not as it was at the best look"


def test_accumulation_equals_a_big_batch():
    """The mean of the gradients, not their sum; and each part is another batch."""

    def stitched(number):
        parts = [batch_at(3 * number + part) for part in range(3)]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    torch.manual_seed(1)
    small = Toy(dropout=0.0).double()
    small.body[1] = nn.Identity()  # the mean over a batch would know its size
    big = copy.deepcopy(small)
    settings = {"steps": 5, "lr": 0.05, "warmup": 2, "clip": 0.3}
    one = train(small, batch_at, TrainConfig(accumulate=3, **settings))
    two = train(big, stitched, TrainConfig(**settings))
    assert one.losses == pytest.approx(two.losses, rel=1e-6), "the loss of a step is the mean over its batches"
    for a, b in zip(small.parameters(), big.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_every_batch_is_used_once_and_in_order(toy):
    asked = []
    train(toy, lambda number: asked.append(number) or batch_at(number), TrainConfig(steps=4, accumulate=3))
    assert asked == list(range(12))


def test_what_is_frozen_stays_in_eval_mode_and_does_not_move_by_a_bit(toy):
    toy.body.requires_grad_(False)
    toy.embedding.requires_grad_(False)
    before = copy.deepcopy(toy.state_dict())
    train(toy, batch_at, TrainConfig(steps=5, lr=0.1, weight_decay=0.5))
    frozen = {name for name in before if name.startswith(("body.", "embedding."))}
    assert moved(toy, before) == set(before) - frozen, "running means of a frozen norm moved, or a weight decayed"
    for modes in toy.seen:
        off = {name for name, training in modes.items() if not training}
        assert off == {"body", "body.0", "body.1", "body.2", "embedding"}, "dropout is on in a frozen body"


def test_a_head_on_a_frozen_model_leaves_it_bit_for_bit(model, ids):
    class Headed(nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.head = model.requires_grad_(False), nn.Linear(24, 2).double()

        def loss(self, batch):
            assert not any(part.training for part in self.model.modules()) and self.head.training
            return nn.functional.cross_entropy(self.head(self.model(ids).hidden[:, 0]), torch.tensor([0, 1, 1, 0]))

    headed = Headed()
    before = copy.deepcopy(headed.state_dict())
    train(headed, lambda number: {}, TrainConfig(steps=3, weight_decay=0.5))
    assert moved(headed, before) == {"head.weight", "head.bias"}


def test_everything_trainable_moves(toy):
    before = copy.deepcopy(toy.state_dict())
    train(toy, batch_at, TrainConfig(steps=3, lr=0.1))
    assert moved(toy, before) == set(before)


def test_the_module_is_left_in_eval_mode_without_gradients(toy):
    train(toy, batch_at, TrainConfig(steps=2))
    assert not any(part.training for part in toy.modules())
    assert all(p.grad is None or (p.grad == 0).all() for p in toy.parameters())


def scripted(toy, scores, states):
    """An evaluation that says the scores one after the other, and keeps what the weights were."""

    def evaluate():
        assert not any(part.training for part in toy.modules()), "evaluated with dropout on"
        assert not torch.is_grad_enabled()
        states.append(copy.deepcopy(toy.state_dict()))
        return {"accuracy": scores[len(states) - 1], "loss": -float(len(states))}

    return evaluate


@pytest.mark.parametrize(
    ("scores", "kept"),
    [([0.1, 0.9, 0.3, 0.2, 0.1], 1), ([0.1, 0.9, 0.3, 0.9, 0.2], 3), ([5, 4, 3, 2, 1], 0), ([-5, -4, -3, -2, -1], 4)],
)
def test_the_weights_that_were_best_on_dev_are_kept(toy, scores, kept):
    states = []
    config = TrainConfig(steps=9, lr=0.1, evaluate_every=2)
    history = train(toy, batch_at, config, evaluate=scripted(toy, scores, states))
    assert [step for step, _ in history.scores] == [2, 4, 6, 8, 9], "every second step and the last"
    assert [look["accuracy"] for _, look in history.scores] == scores
    assert len(history.losses) == 9 and history.best() == max(scores)
    parameters = dict(toy.named_parameters())
    for name, parameter in parameters.items():
        message = (
            f"{name}: the weights are not those of look {kept} (of equal scores the longest trained; a copy, no view)"
        )
        assert torch.equal(parameter, states[kept][name]), message


def test_the_last_weights_stay_if_so_wished(toy):
    states = []
    config = TrainConfig(steps=4, lr=0.1, evaluate_every=1, keep_best=False)
    train(toy, batch_at, config, evaluate=scripted(toy, [9, 1, 1, 1], states))
    assert torch.equal(toy.head.weight, states[-1]["head.weight"])


def test_looking_at_dev_changes_nothing(toy):
    other = copy.deepcopy(toy)
    looked = train(
        toy, batch_at, TrainConfig(steps=6, evaluate_every=2, keep_best=False), evaluate=lambda: {"score": 0.0}
    )
    assert looked.losses == train(other, batch_at, TrainConfig(steps=6)).losses
    assert_equal_weights(toy, other)


def test_evaluation_puts_every_mode_back(toy):
    toy.train()
    toy.body.eval()
    before = {name: part.training for name, part in toy.named_modules()}
    with pytest.raises(KeyError), evaluation(toy):
        assert not any(part.training for part in toy.modules()) and not torch.is_grad_enabled()
        raise KeyError
    assert {name: part.training for name, part in toy.named_modules()} == before and torch.is_grad_enabled()


def test_the_same_seed_gives_the_same_weights(toy):
    one, two, other = (copy.deepcopy(toy) for _ in range(3))
    train(one, batch_at, TrainConfig(steps=5, seed=3))
    torch.rand(7)
    train(two, batch_at, TrainConfig(steps=5, seed=3))
    train(other, batch_at, TrainConfig(steps=5, seed=4))
    assert_equal_weights(one, two)
    assert not torch.equal(one.head.weight, other.head.weight), "dropout does not depend on the seed"


# parity: a run that was stopped against one that was not


def on_disk(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_resuming_equals_never_stopping_bit_for_bit(toy, accumulate):
    config = TrainConfig(steps=8, lr=0.05, warmup=3, evaluate_every=3, accumulate=accumulate, seed=5)
    states = []

    def run(module, **arguments):
        def evaluate():
            return {"score": -((module.head.weight.sum().item() - 0.7) ** 2)}

        return train(module, batch_at, config, evaluate=evaluate, save_seconds=-1, **arguments)

    fresh = copy.deepcopy(toy)
    whole = run(toy, save=lambda state: states.append(on_disk(state)))
    assert [state["step"] for state in states] == list(range(1, 9))
    for state in states:
        resumed = copy.deepcopy(fresh)
        torch.manual_seed(99)
        history = run(resumed, resume=state)
        assert (history.losses, history.scores) == (whole.losses, whole.scores), f"stopped after {state['step']}"
        assert_equal_weights(resumed, toy)


def test_it_saves_now_and_then_and_at_the_end(toy, monkeypatch):
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))
    steps = []
    train(toy, batch_at, TrainConfig(steps=8), save=lambda state: steps.append(state["step"]), save_seconds=20)
    assert steps == [3, 6, 8]


# does it learn?


def test_learns(toy):
    history = train(toy, lambda number: batch_at(0), TrainConfig(steps=150, lr=0.05))
    assert history.losses[-1] < 0.5 * history.losses[0]


# what is refused


def test_nothing_to_train_is_refused(toy):
    with pytest.raises(UserError, match="every parameter is frozen"):
        train(toy.requires_grad_(False), batch_at, TrainConfig())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_before_it_is_saved(toy, value):
    saved = []
    toy.loss = lambda batch: toy.head.weight.sum() * (value if len(saved) == 2 else 1.0)
    config = TrainConfig(steps=9, lr=0.25)
    with pytest.raises(UserError, match=rf"the loss is -?{value} at step 2: lower the learning rate \(it is 0.25\)"):
        train(toy, batch_at, config, save=saved.append, save_seconds=-1)
    assert len(saved) == 2, "a broken state took the place of the last good one"


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0}, {"lr": 0.0}, {"lr": -1e-3}, {"lr": float("nan")}, {"warmup": -1}, {"weight_decay": -0.1},
        {"clip": 0.0}, {"accumulate": 0}, {"evaluate_every": -1},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(change):
    ((name, value),) = change.items()
    with pytest.raises(UserError, match=f"{name} is {value}"):
        TrainConfig(**change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accumulate": 10**9}, "from 1 to 1,000"),
        ({"steps": 10**9}, "from 1 to 10,000,000"),
        ({"warmup": 10**9}, "from 0 to 10,000,000"),
        ({"betas": (0.9,)}, "two numbers from 0 to below 1"),
        ({"lr": float("inf")}, "a number above 0"),
    ],
)
def test_a_number_out_of_range_is_told_what_it_must_be(change, expected):
    with pytest.raises(UserError, match=f"it must be .*{expected}"):
        TrainConfig(**change)


def test_a_loss_that_is_no_number_at_once_is_not_blamed_on_the_rate(toy):
    with torch.no_grad():
        toy.head.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"before anything was trained: the model's weights are damaged") as told:
        train(toy, batch_at, TrainConfig(steps=4))
    assert not isinstance(told.value, loop.Diverged), "a sweep would go on to the next rate"


def test_a_first_loss_that_is_no_number_is_not_blamed_on_weights_that_are(toy, monkeypatch):
    monkeypatch.setattr(type(toy), "loss", lambda self, batch: self.head.weight.sum() * torch.nan)
    before = toy.head.weight.detach().clone()
    with pytest.raises(UserError, match=r"though every weight is a number: a text or an answer .* no token") as told:
        train(toy, batch_at, TrainConfig(steps=4))
    assert "damaged" not in str(told.value) and torch.equal(toy.head.weight, before), "a step was made with that loss"


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("cpu") == pick_device("auto") == torch.device("cpu")
    for name in ("cuda", "mps"):
        with pytest.raises(UserError, match=f"finds no {name} device"):
            pick_device(name)
    with pytest.raises(UserError, match="no device 'tpu'; choose auto, cpu, cuda or mps"):
        pick_device("tpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


def test_precision_is_mixed_on_a_gpu_alone(gpt, ids):
    with mixed_precision(torch.device("cpu")):
        assert gpt(ids).hidden.dtype == torch.float64


def test_the_best_of_a_history():
    assert History(scores=[(1, {"a": 0.2, "b": 9.0}), (2, {"a": 0.4, "b": 1.0})]).best() == 0.4
    looks = [(1, {"a": 0.4, "loss": 9.0}), (2, {"a": 0.2, "loss": 1.0})]
    assert History(scores=looks).best(by_loss=True) == 0.2, "the score of the look with the lowest loss"
