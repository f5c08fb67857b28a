"""`minitune chat`: talk to a tuned writer in the terminal."""

from __future__ import annotations

import argparse
import sys

from minitune.commands.options import add_device, add_sampling, sampling_asked_for
from minitune.errors import UserError

DESCRIPTION = """
Talk to a writer that `minitune tune` has made, or without DIR to the one that is shipped. It reads what was said before
as far as that fits into its context. A writer of instructions with an input takes "an instruction || its input".
/reset forgets what was said, /quit or Ctrl-D leaves; Ctrl-C stops an answer, and leaves where none is being written.
"""
SHIPPED_WRITER = "gpt-instruct"
COMMANDS = "/reset forgets what was said, /quit or Ctrl-D leaves"


def add(group) -> argparse.ArgumentParser:
    c = group.add_parser("chat", help="talk to a tuned writer", description=DESCRIPTION)
    c.add_argument("folder", nargs="?", metavar="DIR", help="where minitune tune saved it (default: the shipped one)")
    add_sampling(c, temperature=0.0)
    c.add_argument("--model", metavar="gpt|DIR", help="the model that it was trained on, if it has moved")
    add_device(c)
    return c


def run(options: argparse.Namespace) -> None:
    from minitune.files import shared
    from minitune.methods.voice import tuned_writer
    from minitune.predictors.conversation import Conversation
    from minitune.training.loop import pick_device

    sampling = sampling_asked_for(options)
    folder = options.folder or str(shared("checkpoints") / SHIPPED_WRITER)
    tuned = tuned_writer(folder, options.model, pick_device(options.device))
    conversation = Conversation(tuned.predictor)
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if is_terminal:
        wanted = "an instruction || its input" if tuned.question.is_pair else "a text"
        print(f"{tuned.method.name} on {tuned.made.get('task', 'a task')}; write {wanted}. {COMMANDS}.")
    while (line := next_line("you: " if is_terminal else "")) is not None:
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


def next_line(prompt: str) -> str | None:
    """What a person types, or the next line of a file; None at its end.

    Raises:
        UserError: the line is no text.
    """
    try:
        return input(prompt).strip()
    except EOFError:
        return None
    except UnicodeDecodeError:
        raise UserError("standard input is not UTF-8; convert it, as iconv does") from None


def reply(conversation, line: str, question, sampling, name: str) -> None:
    """Ask, and print the answer while it is written."""
    from minitune.methods.ask import to_example

    asked = conversation.ask(to_example(line, question))
    if asked.forgotten:
        turns = "turn no longer fits" if asked.forgotten == 1 else "turns no longer fit"
        tell(f"the first {asked.forgotten} {turns} and {'is' if asked.forgotten == 1 else 'are'} forgotten")
    print(name, end="", flush=True)
    for piece in conversation.answer(asked, sampling):
        print(piece, end="", flush=True)
    print(flush=True)


def tell(sentence: str) -> None:
    """Beside the conversation."""
    print(f"({sentence})", file=sys.stderr, flush=True)
