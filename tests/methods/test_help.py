"""The methods in words: every one with its formula, and the help that can be given back as it stands."""

import pytest

from minitune.errors import UserError
from minitune.methods.asked import ASKED
from minitune.methods.help import formula, method_help, methods_table, rates_table
from minitune.methods.method import NAMED, Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.tuning.rates import RATES

pytestmark = pytest.mark.lesson04


@pytest.mark.parametrize("what", WHAT)
def test_the_help_of_a_method_lists_its_settings_with_their_defaults(what):
    text = method_help(f"{what}+head")
    method = Method.parse(what)
    assert WHAT[what].paper in text and f"lesson {WHAT[what].lesson}" in text and formula(what) in text
    own, _, training = text.partition("of the training")
    if method.settings is None:
        assert "  nothing" in own
    else:
        for name, value in vars(method.settings).items():
            written = str(value).lower() if isinstance(value, bool) else value
            written = ",".join(value) if isinstance(value, tuple) else written
            assert f"  {name}={written}\n" in own
    assert "  weight_decay=0.01\n" in training and "  keep_best=true" in training
    assert rates_table([what]) in training and all(f"{rate:g}" in training for rate in RATES[what])
    given = [line.strip() for line in training.splitlines() if line.startswith("  ")]
    Method.parse(what, given)  # each line can be given back as it stands


def test_every_method_has_a_line_with_its_formula():
    text = methods_table()
    for what in WHAT:
        assert formula(what) and "\n" not in formula(what)
        assert any(line.startswith(f"{what} ") and formula(what) in line for line in text.splitlines()), what
    for name in (*ASKED, *READ, *NAMED, "... +calibrated"):
        assert any(line.startswith(f"{name} ") for line in text.splitlines()), f"{name} is an answer, and is not listed"
    with pytest.raises(UserError, match="'lorra' is unknown"):
        method_help("lorra")
