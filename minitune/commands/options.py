"""What several commands take: options on data and models, and numbers that are checked as they are read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from minitune.commands.terminal import one_sentence
from minitune.errors import UserError

LAYOUT = ("text_column", "text_b_column", "no_header", "no_quoting", "separator", "quote")  # of a table alone
OF_ANY_FILE = ("encoding", "skip_bad")


class Parser(argparse.ArgumentParser):
    """A wrong option is one sentence, no option may be abbreviated, and options may stand anywhere."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options, allow_abbrev=False)

    def parse_known_args(self, args=None, namespace=None):
        return super().parse_known_args(args if args is None else self.options_first(args), namespace)

    def options_first(self, arguments: Sequence[str]) -> list[str]:
        """The same arguments with all options before the rest, where some of the rest may be left out: argparse gives
        such an argument nothing once an option stands before it, and then does not know what follows."""
        if not any(action.nargs in ("*", "?") and not action.option_strings for action in self._actions):
            return list(arguments)
        options, others, waiting = [], [], list(arguments)
        while waiting:
            word = waiting.pop(0)
            if word == "--":  # what follows it is no option, whatever it begins with
                others += waiting
                break
            if not self.is_option(word):
                others.append(word)
                continue
            options.append(word)
            action = self._option_string_actions.get(word)  # none of "--name=value", which brings its value along
            if action is not None and action.nargs != 0:
                if not waiting:
                    return list(arguments)  # its value is missing, which is for argparse to say
                options.append(waiting.pop(0))
        return [*options, "--", *others] if others else options

    def is_option(self, word: str) -> bool:
        """As argparse sees it: "-5" and "- a text" are none."""
        if word.partition("=")[0] in self._option_string_actions:
            return True
        return word.startswith("-") and len(word) > 1 and " " not in word and not word[1:2].isdigit()

    def error(self, message: str):
        meant = self.meant_by(message)
        hint = f"; did you mean {meant}?" if meant else ""
        sentence = f"{self.prog}: {message}{hint}; {self.prog} --help lists what it takes"
        self.exit(2, f"{one_sentence(sentence)}\n")

    def meant_by(self, message: str) -> str:
        """The options that an unknown one, which `message` names, is a part of or nearly is."""
        unknown = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
        if not unknown:
            return ""
        known = [option for option in self._option_string_actions if option.startswith("--")]
        longer = [option for option in known if option.startswith(unknown[1])]
        return " or ".join(longer or get_close_matches(unknown[1], known, 1))


def add_data(parser: argparse.ArgumentParser) -> None:
    """What is asked of which model: for every command that trains on a task or a file."""
    parser.add_argument("--task", help="a task of the toy world (default: sentiment)")
    own = parser.add_argument_group("your own data")
    own.add_argument("--data", type=Path, metavar="FILE", help="your own .csv, .tsv, .jsonl or .conll file")
    own.add_argument("--test-data", type=Path, metavar="FILE", help="its test part; else some of --data is kept")
    own.add_argument("--kind", metavar="classes|number|tags", help="of its labels; guessed, and said, where not given")
    own.add_argument("--label-column", metavar="C", help="default: label; of tags: tags")
    add_layout(own)
    own.add_argument(
        "--instructions", type=Path, metavar="FILE", help="your own .json or .jsonl file of instructions and outputs"
    )
    own.add_argument(
        "--fields",
        metavar="NAMES",
        help="of an instruction, its input and its output there (default: instruction,input,output; the input may be "
        "left out)",
    )
    parser.add_argument(
        "--model",
        metavar="bert|gpt|DIR",
        help="a shipped one, or a folder of one (default: bert; where a text is written, gpt)",
    )
    parser.add_argument("--template", help='how the question is asked, as in "{text} it was {mask} ."')
    parser.add_argument(
        "--label-words",
        metavar="WORDS",
        help='as in "positive=great:2,good;negative=bad,not good", with weights where one shall count more',
    )
    add_device(parser)


def add_layout(group) -> None:
    """How a user's file is laid out: for every command that reads one."""
    group.add_argument("--text-column", metavar="C", help="default: text; of tags: tokens")
    group.add_argument("--text-b-column", metavar="C", help="of a second text, where there is one (default: text_b)")
    group.add_argument(
        "--no-header", action="store_true", help="the first line is a row; columns are called 1, 2, 3, ..."
    )
    group.add_argument("--no-quoting", action="store_true", help="a double quote is a letter like any other")
    group.add_argument("--separator", metavar="C", help="of the columns: a character, comma, semicolon, tab or pipe")
    group.add_argument("--quote", metavar="C", help='the character that quotes are (default: ")')
    group.add_argument(
        "--skip-bad", action="store_true", help="leave out rows that cannot be used, and count them; else refuse them"
    )
    group.add_argument("--encoding", metavar="NAME", help="such as latin-1 (default: UTF-8, or UTF-16 with its mark)")


def layout_asked_for(options: argparse.Namespace, label_column: str | None = None, kind: str | None = None):
    """What the options of `add_layout` say, as `Layout`.

    Raises:
        UserError: there is one of them and no --data.
    """
    from minitune.data.reading import Layout

    check_belongs(options, (*LAYOUT, *OF_ANY_FILE), "--data", bool(options.data))
    return Layout(
        text=options.text_column,
        text_b=options.text_b_column,
        label=label_column,
        header=not options.no_header,
        quoting=not options.no_quoting,
        encoding=options.encoding,
        separator=options.separator,
        quote=options.quote or '"',
        kind=kind,
        skip_bad=options.skip_bad,
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: a GPU if there is one")


USUAL_SHOTS = 0  # nobody said how many: what suits the question


def add_shots(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shots",
        type=one_or_all,
        default=USUAL_SHOTS,
        metavar="K|all",
        help="examples a class, of numbers, tags and texts in all (default: 16; of instructions all)",
    )


def shots_asked_for(options: argparse.Namespace, kind: str) -> int | None:
    """As many as were said, or as suit a question of this kind."""
    from minitune.questions.kinds import KINDS

    return KINDS[kind].shots if options.shots == USUAL_SHOTS else options.shots


def is_own(options: argparse.Namespace) -> bool:
    """Whether a user's file is trained on."""
    return bool(options.data or options.instructions)


def add_sampling(parser: argparse.ArgumentParser, temperature: float) -> None:
    """How a token is chosen: for every command that writes."""
    parser.add_argument(
        "--temperature",
        type=zero_or_more,
        default=temperature,
        metavar="T",
        help="0 takes the likeliest token; above 0 draws, the flatter the higher (default: %(default)g)",
    )
    parser.add_argument("--top-k", type=one_or_more, metavar="K", help="draw among the K likeliest tokens")
    parser.add_argument(
        "--top-p", type=share, metavar="P", help="draw among the fewest likeliest tokens that hold this probability"
    )
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the draws (default: 0)")


def sampling_asked_for(options: argparse.Namespace):
    """What the options of `add_sampling` say, as `Sampling`."""
    from minitune.predictors.speaker import Sampling

    return Sampling(options.temperature, options.top_k, options.top_p, options.seed)


def data_asked_for(options: argparse.Namespace, shots: int | None, folder: Path | None = None):
    """What --task, --data or --instructions and what belongs to them name, as `TaskData`.

    Args:
        folder: of the tasks of another world.
    """
    from minitune.questions.from_file import file_data
    from minitune.questions.from_task import task_data

    sources = {f"--{name}": getattr(options, name) for name in ("task", "data", "instructions")}
    chosen = [f"{option} {value}" for option, value in sources.items() if value]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} were given; leave one of them out")
    check_belongs(options, ("kind", "label_column", *LAYOUT), "--data", bool(options.data))
    check_belongs(options, ("fields",), "--instructions", bool(options.instructions))
    check_belongs(options, ("test_data", *OF_ANY_FILE), "--data or --instructions", is_own(options))
    if options.instructions:
        return instructions_asked_for(options, shots)
    if not options.data:
        return task_data(options.task or "sentiment", folder)
    shots = 16 if shots == USUAL_SHOTS else shots
    layout = layout_asked_for(options, options.label_column, options.kind)
    return file_data(options.data, options.test_data, shots, layout)


def check_belongs(options: argparse.Namespace, names: Sequence[str], to: str, is_there: bool) -> None:
    """Raises:
    UserError: one of the options is given without what it belongs to.
    """
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if given and not is_there:
        raise UserError(f"{given[0]} belongs to {to}, and there is none")


def instructions_asked_for(options: argparse.Namespace, shots: int | None):
    from minitune.questions.from_file import file_data

    layout = replace(fields_asked_for(options), encoding=options.encoding, skip_bad=options.skip_bad)
    return file_data(options.instructions, options.test_data, shots or None, layout)


def fields_asked_for(options: argparse.Namespace):
    """What --fields says, as `Layout`."""
    from minitune.data.reading import Layout
    from minitune.questions.from_file import named_fields

    return Layout(kind="instructions") if options.fields is None else named_fields(options.fields.split(","))


def model_asked_for(options: argparse.Namespace, kind: str) -> str:
    """The model that is named, or the one that suits a question of this kind."""
    from minitune.questions.kinds import KINDS

    return options.model or ("gpt" if KINDS[kind].is_written else "bert")


def split_list(text: str) -> list[str]:
    """Names of methods, separated by commas, each once."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("the list of methods is empty; write what@asked+read, separated by commas")
    return list(dict.fromkeys(names))


# ---- numbers ----


def whole_number(text: str) -> int:
    return checked(text, int, lambda n: 0 <= n < 2**31, "a whole number from 0 on")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=one_or_more,
        metavar="N",
        help="processes of one thread each; the result is the same whatever N is (default: as many as there are cores; "
        "on a GPU always one)",
    )


def jobs_asked_for(options: argparse.Namespace, checkpoint) -> int:
    """How many processes; more of them than there are cores is printed, and fewer on a GPU."""
    from minitune.experiments.jobs import cores, processes_for

    there_are = cores()
    jobs = processes_for(checkpoint, options.jobs or there_are)
    if options.jobs and jobs < options.jobs:
        print(f"--jobs {options.jobs}: on a GPU one process computes")
    elif jobs > there_are:
        print(f"--jobs {jobs}: more than the {there_are} cores that this process may use, which gains nothing")
    return jobs


def one_or_more(text: str) -> int:
    return checked(text, int, lambda n: 1 <= n < 2**31, "a whole number from 1 on")


def one_or_all(text: str) -> int | None:
    return None if text == "all" else one_or_more(text)


def above_zero(text: str) -> float:
    return checked(text, float, lambda n: 0 < n < 1e6, "a number above 0")


def zero_or_more(text: str) -> float:
    return checked(text, float, lambda n: 0 <= n < 1e6, "a number from 0 on")


def share(text: str) -> float:
    return checked(text, float, lambda n: 0 < n <= 1, "a number above 0 and at most 1")


def list_of(read: Callable, what: str) -> Callable[[str], list]:
    """A reader of values separated by commas, each once, in the order that they are written in."""

    def read_list(text: str) -> list:
        values = list(dict.fromkeys(read(part.strip()) for part in text.split(",") if part.strip()))
        if not values:
            raise argparse.ArgumentTypeError(f"the list is empty; {what}, separated by commas, were expected")
        return values

    return read_list


def checked(text: str, convert: Callable, is_good: Callable, expected: str):
    try:
        number = convert(text)
    except ValueError:
        number = None
    if number is None or not is_good(number):
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; {expected} was expected")
    return number
