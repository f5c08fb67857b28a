"""The row of generation, and that all who are timed write as much."""

import pytest

from minitune.bench import generation as bench
from minitune.bench.models import is_installed
from minitune.models import generate

needs_transformers = pytest.mark.skipif(not is_installed("transformers"), reason="needs the extra `parity`")


@pytest.mark.parametrize("with_reference", [False, pytest.param(True, marks=[pytest.mark.parity, needs_transformers])])
def test_the_row(monkeypatch, with_reference):
    """Each job is done once; ours is said to take two seconds, the others one."""
    written, cached = {}, []

    def noted(*arguments, use_cache=True):
        cached.append(use_cache)
        return generate(*arguments, use_cache=use_cache)

    def once(jobs, seconds):
        assert seconds == 9.0
        written.update({name: job() for name, job in jobs.items()})
        return {name: [2.0 if name == "cached" else 1.0] * 3 for name in jobs}

    monkeypatch.setattr(bench, "generate", noted)
    monkeypatch.setattr(bench, "in_turn", once)
    monkeypatch.setattr(bench, "NEW_TOKENS", 5)
    monkeypatch.setattr(bench, "is_installed", lambda library: with_reference)
    figures = bench.generation_figures(16, 9.0)
    assert cached == [True, False], "with the cache and without it, each once"
    assert written["cached"] == written["uncached"]
    assert [len(row) for row in written["cached"]] == [5] * 16
    if with_reference:
        assert written["transformers"].shape == (16, 8 + 5), "the reference writes another number of tokens"
    assert {figure.row for figure in figures} == {"gpt generation, 16 prompts"}
    expected = {"tokens/s": 16 * 5 / 2, "times uncached": 0.5} | ({"times transformers": 0.5} if with_reference else {})
    assert {figure.measure: figure.value for figure in figures} == expected, "a rate is the other's time by ours"
