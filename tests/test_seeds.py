"""One seed, many streams of random numbers: those of neighbouring seeds are strangers to each other."""

import re
from itertools import product

import torch

from minitune.files import PACKAGE
from minitune.predictors.predictor import ExampleBatches
from minitune.prompting.autoprompt import AutoPromptConfig, Log, search_trigger
from minitune.seeds import stream
from tests.naming import expect

PLUS = "is it seed + number? Then the second epoch of one seed is the first of the next"
OF_ONE_HEAD = "readout/beside.py"  # a head and the vector beside it, which are of different sizes


def drawn(seed, number, count=4):
    return tuple(torch.rand(count, generator=stream(seed, number)).tolist())


# by hand


def test_the_numbers_are_those_of_saved_results():
    """Another formula is another order of all batches, and other scores in every table."""
    for seed, number in ((0, 0), (0, 7), (3, 2), (12, 4999)):
        wrong = {"seed + number": seed + number, "the seed alone": seed, "the number alone": number}
        right = torch.rand(4, generator=torch.Generator().manual_seed(seed * 100_003 + number))
        others = {
            cause: torch.rand(4, generator=torch.Generator().manual_seed(value))
            for cause, value in wrong.items()
            if value != seed * 100_003 + number
        }
        expect(torch.tensor(drawn(seed, number)), right, others)


def test_the_largest_seed_has_its_streams_too():
    assert drawn(2**63 - 1, 0) != drawn(2**63 - 1, 1) != drawn(2**62, 1)


# independence


def test_no_two_streams_are_one():
    found = {drawn(seed, number) for seed, number in product(range(12), range(60))}
    assert len(found) == 12 * 60, f"of {12 * 60} streams {12 * 60 - len(found)} are another's: {PLUS}"


def test_neighbouring_seeds_share_no_stream():
    for seed in range(4):
        one, next_one = ({drawn(its, number) for number in range(300)} for its in (seed, seed + 1))
        assert not one & next_one, f"seeds {seed} and {seed + 1} share {len(one & next_one)} of 300 streams: {PLUS}"


def test_streams_are_uncorrelated():
    rows = torch.tensor([drawn(seed, number, 2000) for seed, number in product(range(6), range(8))]).double()
    for shift in (0, 1, 2):
        one, other = rows[:, : 2000 - shift], rows[:, shift:]
        one, other = (x - x.mean(dim=1, keepdim=True) for x in (one, other))
        found = (one / one.norm(dim=1, keepdim=True)) @ (other / other.norm(dim=1, keepdim=True)).T
        found = found - torch.diag(found.diag()) * (shift == 0)
        assert found.abs().max() < 0.12, f"{found.abs().max():.2f} between two streams: chance gives 0.08 at most"


def test_what_one_stream_has_drawn_changes_no_other():
    expected = drawn(1, 2)
    first = stream(1, 1)
    torch.rand(100, generator=first)
    assert drawn(1, 2) == expected and drawn(1, 1) != tuple(torch.rand(4, generator=first).tolist())


# where they are used


class Places:
    """A predictor whose batch is which examples are in it."""

    def items(self, examples):
        return list(examples)

    def collate(self, items):
        return tuple(items)


def orders_of(seed, epochs=8):
    batches = ExampleBatches(Places(), range(24), 24, seed)
    return [batches.batch(epoch) for epoch in range(epochs)]


def test_epochs_are_in_new_orders_and_neighbouring_seeds_share_none():
    one, other = orders_of(0), orders_of(1)
    assert len(set(one)) == 8, "every epoch has the same order: the number of the epoch is lost"
    shared = set(one) & set(other)
    assert not shared, f"seeds 0 and 1 share {len(shared)} of 8 epochs: {PLUS}"
    assert one == orders_of(0)


class Flat:
    """A loss that no trigger changes."""

    labels = [0, 1] * 8

    def loss_of(self, tried, rows):
        return torch.zeros(len(tried))


def rounds_of(seed, rounds=6):
    """What each round of a search draws next."""
    seen = []

    def propose(loss, trigger, position, rows, allowed, count, dice):
        seen.append((position, tuple(rows.tolist()), *torch.rand(3, generator=dice).tolist()))
        return allowed[:2], None

    config = AutoPromptConfig(rounds=rounds, batch=4)
    list(search_trigger(Flat(), lambda trigger: 0.0, Log((1, 2, 3), 0.0), torch.arange(5), config, seed, propose))
    return seen


def test_rounds_of_a_search_draw_anew_and_neighbouring_seeds_share_none():
    one, other = rounds_of(0), rounds_of(1)
    assert len(set(one)) == 6, "every round draws the same: its number is lost"
    shared = set(one) & set(other)
    assert not shared, f"searches of seeds 0 and 1 share {len(shared)} of 6 rounds: {PLUS}"


def test_nothing_else_reckons_with_seeds():
    """A generator that is seeded with a sum is a stream of another seed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"(manual_seed|Random|default_rng)\(\(*[\w.]*seed\w* *[-+*]", line):
                found[path.relative_to(PACKAGE).as_posix()] = line.strip()
    assert set(found) == {"seeds.py", OF_ONE_HEAD}, f"take seeds.stream(seed, number): {found}"
