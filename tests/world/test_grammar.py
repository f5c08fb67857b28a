"""The small tools that all writers share, by hand."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from minitune.world.grammar import Weighted, a, apportion, fill, is_held_out, runs_of_five

pytestmark = pytest.mark.lesson01


def test_small_tools_by_hand():
    assert (a("kite"), a("old kite")) == ("a kite", "an old kite")
    assert [a(letter)[:2] for letter in "aeiouyhwk"] == ["an"] * 5 + ["a "] * 4
    assert fill("{name} has {a thing} and {thing}", name="mira", thing="owl") == "mira has an owl and owl"
    assert list(runs_of_five(["a", "b", "c", "d", "e", "f"])) == [tuple("abcde"), tuple("bcdef")]
    assert apportion([3.0, 1.0], 6) == [5, 1] and sum(apportion([1.0] * 7, 24)) == 24
    draws = Counter(Weighted(("often", "seldom"), (9, 1)).draw(random.Random(i)) for i in range(1000))
    assert 860 < draws["often"] < 940


def test_what_is_held_out_is_the_same_on_every_machine():
    assert [i for i in range(170, 200) if is_held_out(str(i))] == [170, 177, 181, 183, 190, 194, 197], (
        "CRC-32 modulo 100 is below 15"
    )
    assert 0.14 < sum(is_held_out(f"{i}/clever/plot") for i in range(10_000)) / 10_000 < 0.16
