"""The report of a pretraining run: the command that makes it again."""

import shlex

import pytest

from minitune.commands.cli import parser
from minitune.commands.pretrain import asked_now
from minitune.predictors.pretraining import exact_command, reading_of
from minitune.training.run import Asked, Recipe, Run


@pytest.mark.parametrize(
    ("asked", "size", "expected"),
    [
        (Asked(), "micro", "minitune pretrain gpt --steps 8 --seed 2 --threads 1"),
        (Asked(world=3, unjoined=True), "nano", "--world 3 --unjoined --size nano --steps 8"),
        (
            Asked(text_file="my texts/a b.txt", paragraphs=True, encoding="latin-1", probe="my probe.csv"),
            "micro",
            "--text 'my texts/a b.txt' --paragraphs --encoding latin-1 --steps 8 --seed 2 --threads 1 "
            "--probe 'my probe.csv'",
        ),
    ],
)
def test_the_command_of_the_report_asks_for_the_same_run(asked, size, expected):
    run = Run("gpt", size, 2, 8, 1, "text", Recipe(lr=0.1, batch_size=2, spread=0.1), asked)
    command = exact_command(run)
    assert expected in command
    options = parser().parse_args(shlex.split(command)[1:])
    assert asked_now(options) == asked
    assert (options.kind, options.size or "micro", options.steps, options.seed, options.threads) == (
        "gpt",
        size,
        8,
        2,
        1,
    )


def test_a_file_is_read_by_the_rule_that_was_asked_for(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("é a\r\nb\r\n\r\nc d".encode("latin-1"))
    reading = reading_of("gpt", Asked(text_file=str(path), paragraphs=True, encoding="latin-1"))
    assert list(reading.texts) == ["é a\nb", "c d"] and reading.tokenizer() is None
    assert reading.name == "a.txt, the lines between two blank ones are a text" and reading.reached(None) == {}
