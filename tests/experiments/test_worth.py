"""Lesson 08: how many examples one method is worth to another."""

import math

import pytest

from minitune.errors import UserError
from minitune.experiments.worth import worth
from tests.naming import expect

pytestmark = pytest.mark.lesson08
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
RISING = dict(zip(SIZES, (0.30, 0.34, 0.45, 0.50, 0.64, 0.70, 0.83, 0.85, 0.93), strict=True))


FEW = 3  # resamples, where it is not the interval that is looked at


def curve(means, shift=1, noise=0.0):
    """Ten draws around the means, at sizes `shift` times as large."""
    return {size * shift: [mean + noise * (draw - 4.5) for draw in range(10)] for size, mean in means.items()}


# numbers worked by hand


@pytest.mark.parametrize("shift", [2, 4, 16])
def test_a_curve_that_needs_so_many_times_as_many_is_found(shift):
    found = worth(curve(RISING), curve(RISING, shift, noise=0.001), FEW)
    assert found.times == pytest.approx(shift, rel=1e-9), "1 / times" * (found.times < 1)
    assert found.height == pytest.approx((0.30, 0.93))
    assert worth(curve(RISING, shift), curve(RISING), FEW).times == pytest.approx(1 / shift, rel=1e-9)


def test_a_straight_curve_by_hand():
    """a(n) = log n, and the other needs three times as many: n(a) = e^a and 3 e^a, for a from log 3 to log 9."""
    first = {n: [math.log(n)] * 2 for n in (1, 9)}
    other = {n: [math.log(n / 3)] * 2 for n in (1, 3, 27)}
    found = worth(first, other, FEW)
    assert found.height == pytest.approx((0.0, math.log(9))), "the common height is where both curves are"
    expect(found.times, 3.0, {"the other way round": 1 / 3})
    right = (3 - 1) * (9 - 1) / math.log(9)  # the integral of 2 e^a, over log 9
    expect(found.examples, right, {
        "the other way round": -right,
        "not over the height": 16.0,
        "the curves lie straight over n, and not over log n": (3 + 27) / 2 - (1 + 9) / 2,
    }, tolerance=1e-5)  # fmt: skip


def straight_over_n():
    """Between (1, 0) and (9, log 9), and from (1, 0) by (9, log 3) to (81, log 9): areas of triangles and strips."""
    return ((1 + 9) / 2 * math.log(3) + (9 + 81) / 2 * math.log(3)) / math.log(9) - (1 + 9) / 2


def test_a_curve_whose_distance_grows_by_hand():
    """n(a) = e^a and m(a) = e^2a, for a from 0 to log 9: three times as many in the mean, in logarithms."""
    top = math.log(9)
    found = worth({n: [math.log(n)] * 2 for n in (1, 9)}, {n: [math.log(n) / 2] * 2 for n in (1, 9, 81)})
    expect(found.times, 3.0, {
        "the mean of m / n, not exp of the mean of log m - log n": 8 / top,
        "the ratio of two means, not the mean of ratios": 40 / 8,
        "the other way round": 1 / 3,
    }, tolerance=1e-5)  # fmt: skip
    expect(found.examples, (40 - 8) / top, {
        "the other way round": (8 - 40) / top,
        "the curves lie straight over n, and not over log n": straight_over_n(),
    }, tolerance=1e-5)  # fmt: skip


def test_a_draw_that_dips_is_in_the_mean_before_the_curve_is_made_to_rise():
    """Single draws fall, and their mean at first rises and then dips: the mean alone never falls."""
    dipping = {1: [0.3, 0.3], 2: [0.6, 0.4], 4: [0.5, 0.7], 8: [0.2, 0.8], 16: [0.8, 0.9]}  # 0.3, 0.5, 0.6, 0.5, 0.85
    other = {size: [mean] * 2 for size, mean in ((1, 0.3), (4, 0.5), (64, 0.85))}

    def worth_of(*means):
        found = worth({size: [mean] * 2 for size, mean in zip(dipping, means, strict=True)}, other)
        return [found.examples, found.times]

    found = worth(dipping, other)
    expect([found.examples, found.times], worth_of(0.3, 0.5, 0.6, 0.6, 0.85), {
        "each draw was made to rise before the mean was taken": worth_of(0.3, 0.5, 0.65, 0.70, 0.85),
    })  # fmt: skip


def test_identical_curves_are_worth_nothing():
    found = worth(curve(RISING, noise=0.003), curve(RISING, noise=0.003))
    assert (found.examples, found.times) == (0.0, 1.0)
    expect(found.examples_interval, (0.0, 0.0))


def test_the_draws_are_resampled_in_pairs():
    """A lucky draw is lucky for both: four times as many are four times as many in each of them."""
    noise = [-0.2, -0.1, 0.0, 0.1, 0.2]
    first = {size: [mean + its for its in noise] for size, mean in RISING.items()}
    other = {size * 4: draws for size, draws in first.items()}
    low, high = worth(first, other).times_interval
    assert high - low < 1e-6, f"{low:.1f} to {high:.1f}: draws that belong together are resampled apart"


def test_what_was_reached_stays_reached():
    """A dip on the way is no reason to count a height twice."""
    dip = RISING | {32: 0.40}
    flat = RISING | {32: RISING[16]}
    assert worth(curve(RISING), curve(dip), FEW) == worth(curve(RISING), curve(flat), FEW)


# invariants


def test_the_order_of_the_draws_changes_nothing_in_the_mean():
    first, other = curve(RISING, noise=0.002), curve(RISING, 4, noise=0.004)
    turned = [{size: draws[3:] + draws[:3] for size, draws in each.items()} for each in (first, other)]
    before, after = worth(first, other, FEW), worth(*turned, FEW)
    assert (before.examples, before.times) == pytest.approx((after.examples, after.times), rel=1e-9)


def test_the_order_of_the_sizes_changes_nothing():
    other = curve(RISING, 4, noise=0.004)
    backwards = dict(reversed(list(other.items())))
    assert worth(curve(RISING), other, FEW) == worth(curve(RISING), backwards, FEW), "the sizes are taken as they come"


def test_exchanged_methods_have_the_opposite_worth():
    first, other = curve(RISING, noise=0.002), curve(RISING, 2, noise=0.004)
    there, back = worth(first, other, FEW), worth(other, first, FEW)
    assert there.examples == pytest.approx(-back.examples, rel=1e-9)
    assert there.times == pytest.approx(1 / back.times, rel=1e-9)


def test_draws_that_differ_more_have_a_wider_interval():
    narrow, wide = (worth(curve(RISING), curve(RISING, 4, noise=noise)) for noise in (0.002, 0.01))
    for name in ("examples", "times"):
        low, high = getattr(narrow, f"{name}_interval")
        wider = getattr(wide, f"{name}_interval")
        assert wider[0] < low < getattr(narrow, name) < high < wider[1]
    assert narrow.resamples == 1000


# what has no answer


def test_without_a_common_height_there_is_no_answer():
    with pytest.raises(UserError, match="no height in common"):
        worth(curve({1: 0.9, 2: 0.95}), curve({1: 0.5, 2: 0.8}))


def test_resamples_without_a_common_height_are_left_out_and_counted():
    first, other = curve({1: 0.80, 64: 0.90}), curve({1: 0.5, 64: 0.81}, noise=0.01)
    found = worth(first, other)
    assert 500 < found.resamples < 1000
    assert all(math.isfinite(end) for end in (*found.examples_interval, *found.times_interval))


def test_unequal_numbers_of_draws_are_refused():
    with pytest.raises(UserError, match=r"\[3, 10\] draws"):
        worth(curve(RISING), curve(RISING) | {4: [0.4, 0.5, 0.6]})


# parity with a slow count


def test_the_mean_by_a_slow_walk_up_the_curves():
    means = dict(zip(SIZES, (0.25, 0.33, 0.36, 0.52, 0.60, 0.75, 0.80, 0.86, 0.91), strict=True))

    def needed(its, height):
        for (n, low), (m, high) in zip(list(its.items()), list(its.items())[1:], strict=False):
            if low <= height <= high:
                return n * (m / n) ** ((height - low) / (high - low))

    low, high, steps = 0.30, 0.91, 5000
    heights = [low + (high - low) * (i + 0.5) / steps for i in range(steps)]
    expected = sum(needed(means, a) - needed(RISING, a) for a in heights) / steps
    assert worth(curve(RISING), curve(means), FEW).examples == pytest.approx(expected, rel=1e-3)
