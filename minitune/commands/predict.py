"""`minitune predict`: what a tuned method says of your texts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from minitune.commands.options import add_device, add_layout, layout_asked_for
from minitune.errors import UserError

DESCRIPTION = """
What a tuned method says of your texts. They stand on the command line, each between quotes; or in a file, with --data;
or come from standard input, a text a line (empty lines are skipped). The columns of a file are looked for under the
names that were given when it was tuned. Every text gets one answer, in its order; of a
tagger, one tag for each word, and - for a word that was not read. Of a row that cannot be asked the answer is empty.
How many those are, and what did not fit into the model, is said on standard error. Write -- before a text that begins
with -.
"""


def add(group) -> argparse.ArgumentParser:
    p = group.add_parser("predict", help="what a tuned method says of your texts", description=DESCRIPTION)
    p.add_argument("folder", type=Path, metavar="DIR", help="where minitune tune saved it")
    p.add_argument("texts", nargs="*", metavar="TEXT", help='a pair as "one || another"; - reads standard input')
    p.add_argument("--out", type=Path, metavar="FILE", help="a .csv, .tsv or .jsonl: the same rows and the answer")
    p.add_argument("--force", action="store_true", help="replace --out if it is there already")
    p.add_argument("--answer-column", default="answer", metavar="C", help="default: answer")
    p.add_argument("--probabilities", action="store_true", help="a column for each class (in JSON: a field of all)")
    p.add_argument(
        "--json", action="store_true", help="print JSON, an object a line: the answer, and how many tokens were cut"
    )
    p.add_argument(
        "--safe-csv",
        action="store_true",
        help="put a ' before cells that a spreadsheet would run as a formula (= + - @); else they stand as they were",
    )
    of_file = p.add_argument_group("texts in a file")
    of_file.add_argument(
        "--data", type=Path, metavar="FILE", help="a .csv, .tsv, .jsonl or .json of texts, a .conll of words"
    )
    add_layout(of_file)
    p.add_argument("--model", metavar="bert|gpt|DIR", help="the model that it was trained on, if it has moved")
    add_device(p)
    return p


def run(options: argparse.Namespace) -> None:
    check(options)

    from minitune.data.delimited import DELIMITERS
    from minitune.data.reading import Reading
    from minitune.data.rows import read_table
    from minitune.data.written import Form, json_line
    from minitune.training.loop import pick_device
    from minitune.tuned.answer_rows import check_columns, check_output, is_json, json_rows, write_answers
    from minitune.tuned.answers import answers_to, as_table
    from minitune.tuned.queries import (
        ask_rows,
        ask_texts,
        check_all,
        given_texts,
        piped_texts,
        rows_of,
        text_columns,
    )
    from minitune.tuned.tuned import open_tuned

    column, notes = options.answer_column, []
    layout = layout_asked_for(options)
    if options.out:
        check_output(options.out, options.force)
    if options.data:
        reading = Reading(options.data, layout)
        table = read_table(reading)
        written = rows_of(table)
    elif options.texts and options.texts != ["-"]:
        written = given_texts(options.texts)
    else:
        written, skipped = piped_texts()
        notes += [f"empty lines that were skipped: {skipped}"] if skipped else []

    tuned = open_tuned(options.folder, options.model, pick_device(options.device))
    if options.data:
        queries = ask_rows(written, tuned.question, *text_columns(table, reading, tuned.question, tuned.columns))
        notes = reading.report()
    else:
        queries = ask_texts(written, tuned.question)
        if options.texts != ["-"] and options.texts:
            check_all(queries)  # who types a text can type it again; of many rows the others are answered
    if options.out or options.json:
        as_json = options.json or is_json(options.out)
        check_columns(queries, tuned.question, column, as_json, options.probabilities)
    answers = answers_to(tuned.predictor, tuned.question, queries, options.probabilities)

    if options.out:
        is_alike = options.data and options.data.suffix.lower() == options.out.suffix.lower()
        delimiter = table.delimiter if is_alike else DELIMITERS.get(options.out.suffix.lower(), "")
        form = Form(delimiter, layout.header, layout.quoting, options.safe_csv)
        write_answers(answers, options.out, column, form)
        print(f"saved: {options.out}, {len(queries)} rows with a column {column!r}")
    elif options.json:
        for row in json_rows(answers, column):
            print(json_line(row, ascii_only=not is_utf8(sys.stdout)))
    else:
        print(as_table(answers, column))
    for note in [*notes, *answers.notes()]:
        print(f"minitune predict: {note}", file=sys.stderr)


def check(options: argparse.Namespace) -> None:
    """Raises:
    UserError: options that exclude or need each other.
    """
    if options.texts and options.data:
        raise UserError("give either texts, each between quotes, or a file with --data")
    if "-" in options.texts and len(options.texts) > 1:
        raise UserError(
            "- stands for the lines of standard input and for itself alone; leave it out, or the other texts"
        )
    if not options.texts and not options.data and sys.stdin is not None and sys.stdin.isatty():
        raise UserError(
            "give either texts, each between quotes, or a file with --data, or a text a line on standard input (with - "
            "you can type them, to an end with Ctrl-D)"
        )
    is_delimited = options.out and options.out.suffix.lower() in (".csv", ".tsv")
    if options.json and is_delimited:
        raise UserError(
            f"--json writes JSON Lines, and {options.out} is none; let it end in .jsonl, or leave out --json"
        )
    if options.safe_csv and not is_delimited:
        raise UserError("--safe-csv belongs to --out FILE.csv or FILE.tsv; nothing else is opened as a spreadsheet")


def is_utf8(stream) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"
