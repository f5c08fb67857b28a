"""The table of chat: every method writes as many tokens, each with what it has tuned."""

import pytest

from minitune.bench import chatting as bench
from minitune.bench.measure import Figure
from minitune.bench.readers import LENGTH

pytestmark = pytest.mark.lesson24


def test_every_method_answers_with_as_many_tokens_and_is_divided_by_the_base(monkeypatch):
    answers = {}

    def once(jobs, seconds):
        assert seconds == 7.0
        answers.update({name: job() for name, job in jobs.items()})
        return {name: [2.0 if name == "base" else 4.0] * 3 for name in jobs}

    monkeypatch.setattr(bench, "in_turn", once)
    figures = bench.chat_figures(7.0)
    assert {len(answer) for answer in answers.values()} == {bench.ANSWER}, "who writes less is faster for nothing"
    assert {"base", "prompt-tuning", "prefix-tuning", "p-tuning-v2", "lora", "lora, folded"} <= answers.keys()
    assert answers["lora"] == answers["lora, merged"] == answers["lora, folded"]
    assert Figure("gpt chat, lora", "times base", 0.5, "times") in figures
    assert Figure("gpt chat, base", "tokens/s", bench.ANSWER / 2, "tokens/s") in figures


def test_a_soft_prompt_and_a_prefix_are_read(monkeypatch):
    """Else their rate would be the base's."""
    read = {}
    speak = bench.Speaker.speak

    def noted(self, ids, most, stop_id, sampling=None):
        read[self] = len(ids), self.past[0][0].shape[2] if self.past else 0
        return speak(self, ids, 1, stop_id, sampling)

    monkeypatch.setattr(bench.Speaker, "speak", noted)
    monkeypatch.setattr(bench.Speaker, "__hash__", lambda self: id(self.model))
    models = {name: model for name, (model, _) in bench.models_in_use("gpt").items()}
    for model in models.values():
        bench.answering(model, soft_id=2)()
    asked = len(bench.QUESTION)
    assert sorted(set(read.values())) == [(asked, 0), (asked, LENGTH), (asked + LENGTH, 0)]
