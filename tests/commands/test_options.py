"""Options stand before, behind and between what they belong to, for every command that may leave something out."""

import argparse

import pytest

from minitune.commands.cli import COMMANDS, parser
from minitune.commands.options import Parser

OPTIONS = ["--model", "m", "--data=d.csv", "--json"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["DIR", "a", "b c", *OPTIONS],
        ["DIR", *OPTIONS, "a", "b c"],
        [*OPTIONS, "DIR", "a", "b c"],
        ["DIR", "--model", "m", "a", "--data=d.csv", "--json", "b c"],
        ["--json", "DIR", "a", "--model", "m", "b c", "--data=d.csv"],
        [*OPTIONS, "--", "DIR", "a", "b c"],
        ["DIR", *OPTIONS, "--", "a", "b c"],
        ["DIR", "a", *OPTIONS, "--", "b c"],
    ],
)
def test_predict_takes_options_anywhere(arguments):
    options = parser().parse_args(["predict", *arguments])
    assert (str(options.folder), options.texts) == ("DIR", ["a", "b c"])
    assert (options.model, str(options.data), options.json) == ("m", "d.csv", True)


@pytest.mark.parametrize("text", ["-", "-5", "- a", "--model is a word", "-x y", ""])
def test_a_text_that_only_looks_like_an_option_is_a_text(text):
    assert parser().parse_args(["predict", "DIR", text, "--json", "b"]).texts == [text, "b"]
    assert parser().parse_args(["predict", "DIR", "--json", "--", text, "--json"]).texts == [text, "--json"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["predict", "DIR", "a", "--modle", "m"], "unrecognized arguments: --modle"),
        (["predict", "--modle", "m", "DIR", "a"], "unrecognized arguments: --modle"),
        (["predict", "DIR", "a", "--out"], "argument --out: expected one argument"),
        (["predict", "--out", "--json", "DIR", "a"], "argument --out: expected one argument"),
        (["predict", "--json"], "required: DIR"),
        (["lesson", "1", "2"], "unrecognized arguments: 2"),
    ],
)
def test_what_is_wrong_stays_one_sentence(capsys, arguments, expected):
    from minitune.commands.cli import main

    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert expected in err and len(err.splitlines()) == 1


def test_no_command_with_something_to_leave_out_minds_where_options_stand():
    group = argparse.ArgumentParser().add_subparsers(parser_class=Parser)
    seen = []
    for command in COMMANDS:
        its = command.add(group)
        places = [action for action in its._actions if not action.option_strings]
        flags = [a.option_strings[0] for a in its._actions if a.nargs == 0 and a.dest != "help"]
        if not flags or not any(action.nargs in ("*", "?") for action in places):
            continue
        given = [str(n) for n, _ in enumerate(places, start=1)]
        for place in range(len(given) + 1):
            _, unknown = its.parse_known_args([*given[:place], flags[0], *given[place:]])
            assert unknown == [], f"{its.prog}: an option behind {place} arguments loses the rest"
        seen.append(its.prog.split()[-1])
    assert "predict" in seen
