"""What every world promises, measured on a world that nobody looked at."""

from __future__ import annotations

import pytest

from minitune.world.proofs import Check, prove, report

pytestmark = pytest.mark.lesson01


@pytest.mark.thorough
def test_the_proofs_hold():
    """Reading a part of its text."""
    checks = prove(seed=11, documents=10_000)
    broken = [check for check in checks if not check.ok]
    assert not broken, "\n" + report(broken)


def test_the_table_marks_what_is_broken():
    table = report([Check("low", 0.25, least=0.5), Check("between", 3, least=1, most=4)]).splitlines()
    assert table[1].split("  ")[-2:] == ["at least 0.5", " BROKEN"], "a broken proof goes by unseen"
    assert table[2].endswith("3  at least 1 and at most 4")
