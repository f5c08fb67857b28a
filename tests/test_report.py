"""Tables and intervals: how results are shown."""

import math
import os
import random
import statistics
import subprocess
import sys

import pytest

from minitune.errors import UserError
from minitune.report import (
    T_QUANTILES,
    check_figure_path,
    interval,
    is_our_figure,
    is_plot,
    new_figure,
    plain,
    save_figure,
    shortened,
    size,
    table,
    width,
)


def test_an_interval_by_hand():
    # mean 3, standard deviation sqrt(2.5), of 5 draws: 3 +- 2.776 sqrt(2.5 / 5)
    mean, low, high = interval([1, 2, 3, 4, 5])
    assert mean == 3 and (low, high) == pytest.approx((3 - 2.776 * math.sqrt(0.5), 3 + 2.776 * math.sqrt(0.5)))
    assert interval([0.5, 0.7])[2] == pytest.approx(0.6 + 12.71 * 0.1), "two draws have one degree of freedom"


def test_one_draw_has_no_interval_and_equal_draws_an_empty_one():
    assert interval([0.25]) == (0.25, 0.25, 0.25)
    assert interval([0.5] * 4) == (0.5, 0.5, 0.5)


def test_many_draws_use_the_normal_distribution():
    values = [i % 2 for i in range(100)]
    mean, low, high = interval(values)
    assert mean == 0.5 and high - low == pytest.approx(2 * 1.96 * statistics.stdev(values) / 10)
    assert list(T_QUANTILES) == sorted(T_QUANTILES, reverse=True) and T_QUANTILES[-1] > 1.96
    assert interval(range(29))[2] == pytest.approx(14 + 2.048 * statistics.stdev(range(29)) / math.sqrt(29))
    interval(range(30))


@pytest.mark.parametrize("draws", [2, 5, 12])
def test_the_interval_holds_the_truth_95_times_in_100(draws):
    rng = random.Random(draws)
    held = 0
    for _ in range(2000):
        _, low, high = interval([rng.gauss(3, 2) for _ in range(draws)])
        held += low <= 3 <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_table_lines_up():
    shown = table(["method", "score"], [["full+head", "0.71"], ["zero-shot", "1"], ["a", ""]])
    assert shown == "\n".join(
        ["method     score", "---------  -----", "full+head   0.71", "zero-shot      1", "a"],
    )
    assert table(["a", "b"], []) == "a  b\n-  -"


def test_a_table_of_wide_letters_and_control_characters_lines_up():
    rows = [["猫 é", "good"], ["a\tb\nc", "go\x1b[2J"], ["e\u0301\u200d", "x"], ["\ud83c", "\u2028"]]
    lines = table(["text", "answer"], rows).splitlines()
    assert len(lines) == 6, "a cell with a line break takes one line"
    places = [width(line[: line.rindex("  ")]) for line in lines if line.rstrip() == line]
    assert len(set(places)) == 1 and width("猫 é") == 4 and width("e\u0301\u200d") == 1
    assert lines[3].split() == ["a\\tb\\nc", "go\\x1b[2J"] and lines[5].split() == ["\\ud83c", "\\u2028"]


def test_a_text_is_shortened_to_the_columns_it_takes():
    assert shortened("x" * 80) == "x" * 67 + "..." and shortened("x" * 70) == "x" * 70
    assert shortened("猫" * 36) == "猫" * 33 + "..." and shortened("猫" * 35) == "猫" * 35
    assert shortened("a\n b\x1b  c") == "a b\\x1b c"


def test_rows_of_another_width_are_refused():
    with pytest.raises((ValueError, IndexError)):
        table(["a", "b"], [["1"]])


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1_234_567, "1.2 MB"), (8e9, "8.0 GB")],
)
def test_sizes_for_people(count, shown):
    assert size(count) == shown


def test_a_number_has_so_many_digits_and_no_power_of_ten():
    assert [plain(n, 4) for n in (31.9928, 6.85341, 1234567.8, 0.5)] == ["31.99", "6.853", "1234568", "0.5"]


# figures


def test_a_figure_is_known_by_what_is_in_it(tmp_path):
    figure, axes = new_figure((2, 1))
    axes.plot([1, 2])
    for name in ("f.png", "f.pdf", "F.SVG"):
        check_figure_path(tmp_path / name)
        save_figure(figure, tmp_path / name)
        assert is_our_figure(tmp_path / name) and is_plot(tmp_path / name), f"a rerun could not replace its {name}"
    figure.savefig(tmp_path / "theirs.png")
    assert not is_our_figure(tmp_path / "theirs.png") and is_plot(tmp_path / "theirs.png")
    (tmp_path / "text.png").write_text("a figure of minitune")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n a photo")
    for name in ("text.png", "photo.png"):
        assert not is_our_figure(tmp_path / name) and not is_plot(tmp_path / name)
    with pytest.raises(UserError, match="is no name for a figure"):
        check_figure_path(tmp_path / "f.jpg")


def test_no_setting_of_the_users_decides_whether_a_figure_can_be_drawn():
    """matplotlib refuses to be imported where MPLBACKEND is a name that it does not know; so it did after the work."""
    draw = "import os; from minitune.report import new_figure; new_figure((2, 1)); print(os.environ['MPLBACKEND'])"
    done = subprocess.run([sys.executable, "-c", draw], env=os.environ | {"MPLBACKEND": "nope"}, capture_output=True)
    assert (done.returncode, done.stdout.strip()) == (0, b"nope"), done.stderr.decode()[-300:]
