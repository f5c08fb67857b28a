"""`minitune chat`: talk to a tuned writer in the terminal."""

from __future__ import annotations

import argparse
import sys

from minitune.commands.options import add_device, add_sampling, sampling_asked_for
from minitune.commands.paths import named
from minitune.commands.terminal import is_heard
from minitune.errors import UserError

DESCRIPTION = """
Talk to a writer that `minitune tune` has made, or without DIR to the one that is shipped. It reads what was said before
as far as that fits into its context. A writer of instructions with an input takes "an instruction || its input".
/reset forgets what was said, /quit or Ctrl-D leaves; Ctrl-C stops an answer, and leaves where none is being written.
"""
SHIPPED_WRITER = "gpt-instruct"
MARK = "\ufeff"  # may stand before the first line of a file
COMMANDS = "/reset forgets what was said, /quit or Ctrl-D leaves"


def add(group) -> argparse.ArgumentParser:
    c = group.add_parser("chat", help="talk to a tuned writer", description=DESCRIPTION)
    c.add_argument("folder", nargs="?", metavar="DIR", help="where minitune tune saved it (default: the shipped one)")
    add_sampling(c, temperature=0.0)
    c.add_argument("--model", type=named, metavar="gpt|DIR", help="the model that it was trained on, if it has moved")
    add_device(c)
    return c


def run(options: argparse.Namespace) -> None:
    from minitune.files import shared
    from minitune.predictors.conversation import Conversation
    from minitune.training.loop import pick_device
    from minitune.tuned.voice import tuned_writer

    sampling = sampling_asked_for(options)
    folder = str(shared("checkpoints") / SHIPPED_WRITER) if options.folder is None else options.folder
    tuned = tuned_writer(folder, options.model, pick_device(options.device))
    conversation = Conversation(tuned.predictor)
    is_terminal = prepare_input()
    if is_terminal:
        wanted = "an instruction || its input" if tuned.question.is_pair else "a text"
        print(f"{tuned.method.name} on {tuned.made.get('task', 'a task')}; write {wanted}. {COMMANDS}.")
    while is_heard() and (line := next_line("you: " if is_terminal else "")) is not None:
        if line.startswith("/"):
            if line == "/quit":
                return
            if line == "/reset":
                conversation.reset()
            tell("what was said is forgotten" if line == "/reset" else f"{line} is no command; {COMMANDS}")
            continue
        try:
            reply(conversation, line, tuned.question, sampling, "it: " if is_terminal else "")
        except UserError as error:  # told, and the conversation goes on
            tell(str(error))
        except KeyboardInterrupt:
            print(flush=True)
            tell("stopped, and this turn is not kept; Ctrl-C once more leaves")


def prepare_input() -> bool:
    """Let no byte of standard input end the conversation; returns whether a person types it. What comes from elsewhere
    is UTF-8, as it is for every command; a terminal has an encoding of its own.

    Raises:
        UserError: there is no standard input.
    """
    if sys.stdin is None:
        raise UserError("there is no standard input to read from; type in a terminal, or give a file with < FILE")
    is_terminal = sys.stdin.isatty()
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding=None if is_terminal else "utf-8", errors="surrogateescape")
    return is_terminal


def next_line(prompt: str) -> str | None:
    """What a person types, or the next line of a file; None at its end."""
    try:
        return input(prompt).removeprefix(MARK).strip()
    except EOFError:
        return None


def reply(conversation, line: str, question, sampling, name: str) -> None:
    """Ask, and print the answer while it is written."""
    from minitune.data.words import has_half_character
    from minitune.methods.ask import to_example

    if has_half_character(line):
        raise UserError("some bytes of this line are no text; write it anew, or make UTF-8 of the file, as iconv does")
    asked = conversation.ask(to_example(line, question))
    if asked.forgotten == 1:
        tell("the first turn no longer fits and is forgotten")
    elif asked.forgotten:
        tell(f"the first {asked.forgotten} turns no longer fit and are forgotten")
    print(name, end="", flush=True)
    for piece in conversation.answer(asked, sampling):
        print(piece, end="", flush=True)
        if not is_heard():
            return
    print(flush=True)


def tell(sentence: str) -> None:
    """Beside the conversation."""
    print(f"({sentence})", file=sys.stderr, flush=True)
