"""What the tests of all commands share: the reviews, and a command run in this process."""

import io
import json
import re

from minitune.commands.cli import main
from minitune.models import BERTConfig, GPTConfig

CONFIGS = {"bert": BERTConfig, "gpt": GPTConfig}


REVIEWS = [
    (f"the {part} was {word} .", label)
    for part in ("plot", "soup", "hero", "room", "bread", "cast")
    for word, label in (("clever", "good"), ("dull", "bad"), ("witty", "good"), ("awful", "bad"))
]


WRITERS = {"lora": "rank=3", "prompt-tuning": "length=3", "prefix-tuning": "inner=8"}  # with a setting of each
RECORDS = [
    {"instruction": f"name the {part} .", "input": f"the {part} was {word} .", "output": f"the {word} {part} it is ."}
    for part in ("plot", "soup", "hero")
    for word in ("clever", "dull", "witty")
] + [{"instruction": f"say {word} .", "input": "", "output": f"{word} ."} for word in ("clever", "dull", "witty")]


def write_records(path, records):
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def write(path, rows, header="text,label"):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def compare_own(capsys, models, *more, kind="bert", data="reviews.csv", steps="steps=2"):
    given = ["--data", data, "--model", models / kind, "--shots", 2, "--seeds", 1, "--set", steps]
    return run(capsys, "compare", *given, *more)


def tune(capsys, models, method, *more, kind="bert", data="reviews.csv", steps="steps=2"):
    given = ["--data", data] if data else []
    given += ["--model", models / kind, "--shots", 2, "--set", steps]
    return run(capsys, "tune", method, *given, "--out", "t", "--force", *more)


def few_rows(monkeypatch, count=12):
    """The toy world's tasks, but of a few rows."""
    from minitune.questions import from_task

    whole = from_task.load_split
    monkeypatch.setattr(from_task, "load_split", lambda *which: whole(*which)[:count])


class Watched(io.StringIO):
    """Standard output, and a record of what was done to it; it breaks at the writing of `end`."""

    def __init__(self, events, end=None):
        super().__init__()
        self.events, self.end = events, end

    def write(self, text):
        if text == self.end:
            raise BrokenPipeError(32, "Broken pipe")
        self.events += [text] if text else []
        return super().write(text)

    def flush(self):
        self.events.append("flush")


def watch_tokens(monkeypatch, events):
    """Each token, as it is made, among the events."""
    from minitune.predictors import speaker

    def stream(*arguments, **settings):
        for tokens in whole(*arguments, **settings):
            events.append("token")
            yield tokens

    whole = speaker.stream
    monkeypatch.setattr(speaker, "stream", stream)


def on_a_line(text):
    """As a terminal shows it, control characters written out."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)
