"""Reading the text for what should not stand in it."""

from __future__ import annotations

import pytest

from minitune.world.reading import Wording

pytestmark = pytest.mark.lesson01


def test_held_out_wording_is_found_only_where_it_stands():
    wording = Wording("the town where {s} was born is {o}")
    assert wording.stands_in("so the town where mira was born is alden .")
    assert not wording.stands_in("the town where mira lives is alden . the place where mira was born is alden .")
