"""Lesson 24, `minitune chat`: a person talks to a tuned writer; whatever is typed, the conversation goes on."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

from minitune.methods.ask import to_example
from minitune.predictors.conversation import Conversation
from minitune.predictors.speaker import Sampling
from minitune.tuned.tuned import open_tuned
from tests.commands.helpers import WRITERS, Watched, on_a_line, run, watch_tokens

pytestmark = pytest.mark.lesson24
PLOT, SOUP = "name the plot . || the plot was dull .", "name the soup . || the soup was witty ."
POSIX = pytest.mark.skipif(os.name != "posix", reason="of systems with terminals and signals")


class Typed(io.StringIO):
    """What a person types in a terminal, a line after the other; "^C" is Ctrl-C."""

    def isatty(self):
        return True

    def readline(self, *_):
        line = super().readline()
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


def chat(capsys, monkeypatch, folder, lines, *more, terminal=False):
    """Exit status, the lines of standard output, the lines of standard error."""
    text = "".join(f"{line}\n" for line in lines)
    monkeypatch.setattr(sys, "stdin", Typed(text) if terminal else io.StringIO(text))
    status, out, err = run(capsys, "chat", folder, *more)
    return status, out.splitlines(), err.splitlines()


def answers(folder, *turns, sampling=None):
    """The same by the library, in one conversation."""
    tuned = open_tuned(folder)
    conversation = Conversation(tuned.predictor)
    return [
        on_a_line("".join(conversation.answer(conversation.ask(to_example(turn, tuned.question)), sampling)))
        for turn in turns
    ]


@pytest.mark.parametrize("method", WRITERS)
def test_it_answers_and_reads_what_was_said_before(capsys, monkeypatch, writers, method):
    status, out, err = chat(capsys, monkeypatch, writers / method, [PLOT, SOUP])
    assert (status, err) == (0, []), "the end of input is no error"
    assert out == answers(writers / method, PLOT, SOUP) and all(out)
    assert out[1] != answers(writers / method, SOUP)[0], "what was said before is not read"


def test_the_answers_to_one_question_are_those_of_predict(capsys, monkeypatch, writers):
    _, out, _ = chat(capsys, monkeypatch, writers / "lora", [PLOT])
    predicted = json.loads(run(capsys, "predict", writers / "lora", PLOT, "--json")[1])["answer"]
    assert out == [on_a_line(predicted)]


def test_reset_quit_and_commands_that_are_none(capsys, monkeypatch, writers):
    alone = answers(writers / "lora", SOUP)
    lines = [PLOT, "/reset", f"  {SOUP}\t", "/rest", "/quit now", " /quit ", PLOT]
    status, out, err = chat(capsys, monkeypatch, writers / "lora", lines)
    assert status == 0 and out == [*answers(writers / "lora", PLOT), *alone], "/reset forgets, and /quit leaves"
    assert err[0] == "(what was said is forgotten)" and len(err) == 3
    assert all(re.match(r"\(/\w+( now)? is no command; /reset .*, /quit ", line) for line in err[1:])


def test_what_cannot_be_asked_is_told_and_the_conversation_goes_on(capsys, monkeypatch, writers):
    bad = ["", "   ", "|| the plot", "name the plot . " * 20, "half \udcff a character"]
    status, out, err = chat(capsys, monkeypatch, writers / "lora", [PLOT, *bad, SOUP])
    assert status == 0 and out == answers(writers / "lora", PLOT, SOUP), "what is refused is no turn"
    for line, expected in zip(err, ["empty text"] * 3 + ["may not be cut", "no text"], strict=True):
        assert expected in line and line[0] + line[-1] == "()" and "Traceback" not in line


def test_turns_that_no_longer_fit_are_told(capsys, monkeypatch, writers):
    turns = [PLOT, SOUP, PLOT, SOUP, PLOT]
    status, out, err = chat(capsys, monkeypatch, writers / "lora", turns)
    assert status == 0 and out == answers(writers / "lora", *turns)
    assert err and set(err) == {"(the first turn no longer fits and is forgotten)"}
    long = f"name the plot . || {'the plot was dull . ' * 8}"
    _, _, err = chat(capsys, monkeypatch, writers / "lora", ["say dull .", "say witty .", long])
    assert err == ["(the first 2 turns no longer fit and are forgotten)"]


def test_the_oldest_turn_is_forgotten_first(capsys, monkeypatch, writers):
    from minitune.predictors import speaker

    whole, read = speaker.stream, []
    monkeypatch.setattr(speaker, "stream", lambda m, ids, *a, **how: read.append(ids[0]) or whole(m, ids, *a, **how))
    _, _, err = chat(capsys, monkeypatch, writers / "lora", [PLOT, SOUP, PLOT, PLOT])
    tokenizer = open_tuned(writers / "lora").base.tokenizer
    assert err and set(err) == {"(the first turn no longer fits and is forgotten)"} and len(read) == 4
    first = tokenizer.encode([PLOT, SOUP, PLOT][len(err)].split(" ||")[0])  # of those that are left
    place = len(tokenizer.encode("Human:"))
    assert read[3][place : place + len(first)] == first, "what was said last is forgotten, not what was said first"


def test_answers_are_drawn_by_the_seed(capsys, monkeypatch, writers):
    hot = ["--temperature", 2.5, "--top-k", 9]
    first, again, other = (chat(capsys, monkeypatch, writers / "lora", [PLOT], *hot, "--seed", n) for n in (3, 3, 4))
    assert first == again != other
    assert first[1] == answers(writers / "lora", PLOT, sampling=Sampling(2.5, top_k=9, seed=3))
    assert chat(capsys, monkeypatch, writers / "lora", [PLOT], "--seed", 3)[1] == answers(writers / "lora", PLOT)


def test_an_answer_is_shown_while_it_is_written(monkeypatch, writers):
    from minitune.commands.cli import main

    events = []
    monkeypatch.setattr(sys, "stdin", io.StringIO(PLOT))
    monkeypatch.setattr(sys, "stdout", Watched(events))
    watch_tokens(monkeypatch, events)
    assert main(["chat", str(writers / "lora")]) == 0
    pieces = [event for event in events if event not in ("token", "flush")]
    assert "".join(pieces) == answers(writers / "lora", PLOT)[0] + "\n" and len(pieces) > 3
    for event, following in pairwise(events):
        assert event in ("token", "flush") or following in ("flush", "\n"), "what is not flushed stands in a buffer"
    assert "token flush token" not in " ".join(events).replace("token token", "")


def test_it_leaves_when_nobody_reads_any_more(monkeypatch, writers):
    from minitune.commands.cli import main

    events, lines = [], io.StringIO(f"{PLOT}\n" * 50)
    monkeypatch.setattr(sys, "stdin", lines)
    monkeypatch.setattr(sys, "stdout", Watched(events, end="\n"))  # as of `| head -1`
    watch_tokens(monkeypatch, events)
    assert main(["chat", str(writers / "lora")]) == 0
    assert len(lines.read().splitlines()) == 49, "a reader that has gone is answered for ever"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_bytes_that_are_no_text_are_told_and_the_conversation_goes_on(capsys, monkeypatch, writers, encoding):
    other = SOUP.replace("was", "wäs")
    content = b"\xef\xbb\xbf" + PLOT.encode() + b"\r\ncaf\xe9\n" + other.encode() + b"\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding))
    status, out, err = run(capsys, "chat", writers / "lora")
    assert status == 0 and out.splitlines() == answers(writers / "lora", PLOT, other), "a pipe is UTF-8"
    assert err.startswith("(some bytes of this line are no text") and err.count("\n") == 1


def test_without_standard_input_it_is_one_sentence(capsys, monkeypatch, writers):
    monkeypatch.setattr(sys, "stdin", None)
    status, out, err = run(capsys, "chat", writers / "lora")
    assert (status, out) == (2, "") and "no standard input" in err and err.count("\n") == 1


# ---- in a terminal ----


def test_a_terminal_is_told_who_speaks(capsys, monkeypatch, writers):
    status, out, _ = chat(capsys, monkeypatch, writers / "lora", [PLOT, "/quit"], terminal=True)
    assert status == 0 and "an instruction || its input" in out[0] and "/reset" in out[0] and "/quit" in out[0]
    assert out[1:] == [f"you: it: {answers(writers / 'lora', PLOT)[0]}", "you: "]


def stopped_once(monkeypatch, after):
    """Ctrl-C in the first answer, behind so many tokens."""
    from minitune.predictors import speaker

    whole, answered = speaker.stream, []

    def stream(*arguments, **settings):
        answered.append(1)
        for count, tokens in enumerate(whole(*arguments, **settings)):
            if len(answered) == 1 and count == after:
                raise KeyboardInterrupt
            yield tokens

    monkeypatch.setattr(speaker, "stream", stream)


@pytest.mark.parametrize("after", [0, 2])
def test_ctrl_c_stops_an_answer_and_the_turn_is_not_kept(capsys, monkeypatch, writers, after):
    alone = answers(writers / "lora", SOUP)[0]
    stopped_once(monkeypatch, after)
    status, out, err = chat(capsys, monkeypatch, writers / "lora", [PLOT, SOUP], terminal=True)
    assert status == 0 and err == ["(stopped, and this turn is not kept; Ctrl-C once more leaves)"]
    assert out[2] == f"you: it: {alone}", "half an answer is read as if it had been said"


@pytest.mark.parametrize("lines", [["^C"], [PLOT, "^C", SOUP]])
def test_ctrl_c_at_the_prompt_leaves(capsys, monkeypatch, writers, lines):
    status, out, err = chat(capsys, monkeypatch, writers / "lora", lines, terminal=True)
    assert status == 130 and err[-1].startswith("minitune chat: stopped") and "Traceback" not in "".join(err)
    assert len([line for line in out if "it: " in line]) == len(lines) // 2, "nothing behind it is answered"


# ---- in a process of its own ----

SLOW = """
import sys, time
from minitune.predictors import speaker
whole = speaker.stream
def stream(*arguments, **settings):
    for tokens in whole(*arguments, **settings):
        yield tokens
        time.sleep(SECONDS)
speaker.stream = stream
from minitune.__main__ import main
sys.argv[0] = "minitune"
sys.exit(main())
"""


def started(*arguments, seconds, **streams):
    command = [sys.executable, "-c", SLOW.replace("SECONDS", str(seconds)), "chat", *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, **streams)


class Terminal:
    """The other side of a pseudo-terminal: what is shown there, and a person who types."""

    def __init__(self):
        import pty

        self.mine, self.its = pty.openpty()
        self.shown = ""

    def wait_for(self, text):
        """Read up to `text`; what stood before it."""
        while text not in self.shown:
            piece = os.read(self.mine, 1000).decode(errors="replace")
            assert piece, f"the terminal closed before {text!r}: {self.shown!r}"
            self.shown += piece.replace("\r\n", "\n")
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, line):
        os.write(self.mine, f"{line}\n".encode())


@pytest.mark.thorough
@POSIX
def test_in_a_terminal_an_answer_streams_and_ctrl_c_stops_it_and_then_leaves(writers):
    first, second = answers(writers / "lora", PLOT)[0], answers(writers / "lora", SOUP)[0]
    terminal = Terminal()
    side = dict.fromkeys(("stdin", "stdout", "stderr"), terminal.its)
    process = started(writers / "lora", seconds=0.2, **side)
    watch = threading.Timer(120, process.kill)
    watch.start()
    try:
        assert "an instruction || its input" in terminal.wait_for("you: ")
        terminal.type(PLOT)
        terminal.wait_for("it: ")
        terminal.wait_for(first[:1])
        process.send_signal(signal.SIGINT)
        told = terminal.wait_for("you: ")
        assert "stopped, and this turn is not kept" in told and first not in first[:1] + told, "it was not streamed"
        terminal.type(SOUP)
        terminal.wait_for("it: ")
        assert terminal.wait_for("you: ") == f"{second}\n", "the turn that was stopped is read"
        process.send_signal(signal.SIGINT)
        assert "minitune chat: stopped" in terminal.wait_for("whole")
        assert process.wait(timeout=60) == 130
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        os.close(terminal.mine)
        os.close(terminal.its)
