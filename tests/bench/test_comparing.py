"""The rows of a comparison: which methods are timed, and by what."""

from minitune.bench import comparing
from minitune.methods.method import Method


def test_every_method_is_timed_against_the_reference(monkeypatch):
    learned = []
    monkeypatch.setattr(comparing, "learn", lambda method, *draw: learned.append((method.name, draw[-2:])))
    figures = comparing.comparing_figures("bert", 0.0)
    assert [figure.row for figure in figures] == [f"bert {name}" for name in comparing.METHODS]
    assert {draw for _, draw in learned} == {(comparing.SHOTS, 0)}, "methods are timed on different draws"
    assert {name for name, _ in learned} == {comparing.REFERENCE, *comparing.METHODS}
    assert all(figure.unit == "times" and figure.value > 0 for figure in figures)


def test_each_method_can_be_asked_for():
    assert all(Method.parse(name).name == name for name in comparing.METHODS)
