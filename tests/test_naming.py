"""The helper that names mistakes: it must itself not be fooled."""

import pytest
import torch

from tests.naming import expect

RIGHT, BATCH, SUM = torch.tensor([0.5, 0.5]), torch.tensor([0.61, 0.39]), [1.0, 2.0]
WRONG = {"the softmax runs over the batch": BATCH, "the sum, not the mean": lambda: SUM}


def test_the_right_value_passes():
    expect(torch.tensor([0.5, 0.5], dtype=torch.float64), RIGHT, WRONG)
    expect("great", "great", {"no word": "bad"})
    expect(float("nan"), float("nan"))


@pytest.mark.parametrize("given, cause", [(BATCH, "over the batch"), (SUM, "the sum")])
def test_a_known_mistake_is_named_with_both_values(given, cause):
    with pytest.raises(AssertionError, match=rf"{cause}.*: it gives .*, and \(0.5, 0.5\) is right"):
        expect(given, RIGHT, WRONG)


def test_an_unknown_mistake_is_said_to_be_unknown():
    with pytest.raises(AssertionError, match="none of the known mistakes"):
        expect([0.4, 0.6], RIGHT, WRONG)


def test_another_shape_is_not_equal():
    with pytest.raises(AssertionError, match=r"of shape \(1, 2\)"):
        expect(RIGHT[None], RIGHT, WRONG)


def test_numbers_that_cannot_tell_are_refused():
    with pytest.raises(ValueError, match=r"cannot tell .* no exponent"):
        expect(RIGHT, RIGHT, {"no exponent": RIGHT.tolist()})
