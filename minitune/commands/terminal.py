"""The terminal as it may be: closed by `| head -1`, full, of another alphabet; and a person who presses Ctrl-C.

What is printed must never end the work: an output that fails is remembered and left alone, and told at the end.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """`text` with its control characters written out: a label or a file's name cannot take over the terminal."""
    return text.translate(CONTROL)


LONGEST = 1_000  # characters of a sentence: a label or a template in it may be of any length


def one_sentence(text: str) -> str:
    """`text` as it can stand in one line of a terminal, its middle left out where it is very long."""
    line = printable(text).replace("\n", "\\n")
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


class Outlet(io.TextIOBase):
    """A stream that may fail: the first failure is kept in `failure`, and nothing is written from then on.

    Args:
        stream: None where the process was started without one.
        escape: write control characters out. Progress bars need theirs.
    """

    def __init__(self, stream: TextIO | None, escape: bool):
        self.stream, self.escape = stream, escape
        self.failure: OSError | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another alphabet shows \xe9 for é

    def write(self, text: str) -> int:
        self.attempt("write", printable(text) if self.escape else text)
        return len(text)

    def flush(self) -> None:
        self.attempt("flush")

    def attempt(self, action: str, *arguments: str) -> None:
        if self.stream is None or self.failure:
            return
        try:
            getattr(self.stream, action)(*arguments)
        except OSError as error:
            self.failure = error

    def isatty(self) -> bool:
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        if self.stream is None:
            raise io.UnsupportedOperation("there is no stream")
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", None) or "utf-8"


def is_heard() -> bool:
    """Whether standard output still takes what is printed: where it does not, work that only prints can end."""
    return getattr(sys.stdout, "failure", None) is None


@contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Inside, standard output and standard error are outlets."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Outlet(sys.stdout, escape=True), Outlet(sys.stderr, escape=False)
    try:
        yield sys.stdout, sys.stderr
    finally:
        for outlet in (sys.stdout, sys.stderr):
            outlet.flush()
            if outlet.failure:
                forget(outlet.stream)
        sys.stdout, sys.stderr = before


def forget(stream: TextIO) -> None:
    """Let the rest of a broken stream's buffer go to nowhere: Python would try once more at its end, and complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no stream of the system's
        pass


def stop_at_once_in_an_import(signal_number: int, frame: FrameType | None) -> None:
    """A handler of Ctrl-C. Compiled modules swallow the exception while they are imported, and the work would go on; so
    the process ends there. Nothing is being written meanwhile.

    Raises:
        KeyboardInterrupt: no import is under way.
    """
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"\nminitune: stopped; whatever was saved before is whole\n")
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt
