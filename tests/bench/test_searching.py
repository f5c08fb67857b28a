"""The rows of AutoPrompt: all who are timed do the same work, and a rate is the other's time by ours."""

import pytest
import torch

from minitune.bench import searching as bench

pytestmark = pytest.mark.lesson11


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_the_row(kind, monkeypatch):
    """Each job is done once; ours is said to take half a second, the others two and one."""
    done, texts = {}, []

    def once(jobs, seconds):
        assert seconds == 9.0
        for name, job in jobs.items():
            texts.append(0)
            done[name] = job()
        return {name: [seconds] * 3 for name, seconds in zip(jobs, (0.5, 2.0, 1.0), strict=True)}

    monkeypatch.setattr(bench, "in_turn", once)
    loss, triggers = bench.candidates_of(kind, 4)
    loss.model.register_forward_pre_hook(
        lambda model, args, given: texts.__setitem__(-1, texts[-1] + len(given["input_ids"])), with_kwargs=True
    )
    monkeypatch.setattr(bench, "candidates_of", lambda kind, examples: (loss, triggers))
    figures = bench.search_figures(kind, 4, 9.0)
    together, one_by_one, forward = texts
    assert forward == 4 * 32 and together >= forward <= one_by_one, "the plain passes read another number of texts"
    torch.testing.assert_close(torch.cat(done["one by one"]), done["together"], rtol=1e-4, atol=1e-5)
    assert len(done["together"].unique()) > 16, "the candidates do not differ"
    assert {figure.row for figure in figures} == {f"{kind} autoprompt, 4 examples"}
    expected = {"candidates/s": 64.0, "times one by one": 4.0, "times forward": 2.0}
    assert {figure.measure: figure.value for figure in figures} == expected
