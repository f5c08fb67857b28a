"""The arithmetic of the bench. What it measures is for people to read; no test looks at a clock."""

import torch

from minitune.bench.measure import Figure, in_turn, ratio, threads


def test_a_ratio_compares_neighbours_in_time():
    drifting = [1.0, 10.0, 1.0, 10.0, 1.0]  # the machine was busy in every other round, for both
    assert ratio([2 * t for t in drifting], drifting) == 2.0, "the slow one stands first, each beside its neighbour"


def test_jobs_take_turns():
    called = []
    times = in_turn({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, seconds=0.0)
    assert "".join(called) == "aabb" + "ab" * len(times["a"]), "one job ran twice while the other waited"
    assert len(times["a"]) == len(times["b"]) >= 5


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_a_figure_has_a_name_and_is_shown_by_its_unit():
    assert Figure("gpt lora", "times full", 1.0, "times").name == "gpt lora: times full"
    shown = {unit: str(Figure("x", "y", 12345.678, unit)) for unit in ("tokens/s", "bytes", "times")}
    assert shown == {"tokens/s": "12,346", "bytes": "12.3 KB", "times": "12345.68"}
