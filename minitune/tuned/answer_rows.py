"""Rows with their answers, for other programs: JSON Lines, or a file with columns more."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from minitune.data.delimited import DELIMITERS
from minitune.data.written import Form, cell, delimited, json_line
from minitune.errors import UserError
from minitune.methods.ask import placed
from minitune.outputs import check_may_replace
from minitune.questions.question import Question
from minitune.tuned.answers import ANSWER, Answers, shown
from minitune.tuned.queries import Query
from minitune.writing import write_text

CUT, CHANCES = "cut", "probabilities"  # what stands beside the answer in JSON
JSON_LINES = ".jsonl"
HALF = re.compile("[\ud800-\udfff]")  # half characters, as JSON can hold them


def check_columns(queries: Sequence[Query], question: Question, column: str, as_json: bool, with_chances: bool) -> None:
    """Look, before any answer is worked out, whether its row can be written.

    Args:
        column: of the answers.
        as_json: the rows will be JSON, with the answer, the number of tokens that were cut, and a field of all
            probabilities; otherwise they have the answer, and a column for each class's probability.

    Raises:
        UserError: a column has the name of one that is added; a cell that a .csv or .tsv cannot hold.
    """
    chances = [] if not with_chances else [CHANCES] if as_json else list(question.labels)
    others = [CUT, *chances] if as_json else chances
    if not column.strip() or HALF.search(column):
        raise UserError(f"no column can be called {column!r}; give --answer-column a name of whole letters")
    if column in others:
        raise UserError(f"another column is called {column!r}; name the column of answers with --answer-column NAME")
    for query in queries:
        with placed(query.where):
            if column in query.fields:
                raise UserError(
                    f"there is a column {column!r} already, and nothing is overwritten; name the column of answers "
                    "otherwise, with --answer-column NAME"
                )
            if taken := [name for name in others if name in query.fields]:
                other = "" if as_json else " (or write .jsonl, which has the probabilities in a field of their own)"
                raise UserError(
                    f"there is a column {taken[0]!r} already, and one of that name would be added; rename it{other}"
                )
            if not as_json and HALF.search("".join(map(cell, (*query.fields, *query.fields.values())))):
                raise UserError(
                    "a cell holds half a character (a lone surrogate like \\ud83c), which .jsonl can hold and .csv and "
                    ".tsv cannot; let --out end in .jsonl"
                )


def json_rows(answers: Answers, column: str = ANSWER) -> list[dict[str, Any]]:
    """Rows with the answer (tags as a list), the number of tokens that were cut, and the probabilities by class."""
    rows = [
        {**query.fields, column: value, CUT: cut}
        for query, value, cut in zip(answers.queries, answers.values, answers.cut, strict=True)
    ]
    if answers.chances is None:
        return rows
    return [row | {CHANCES: chances} for row, chances in zip(rows, answers.chances, strict=True)]


def flat_rows(answers: Answers, column: str = ANSWER) -> list[dict[str, Any]]:
    """Rows with the answer, and with a column for each class's probability if they were asked for."""
    rows = [
        {**query.fields, column: shown(value)} for query, value in zip(answers.queries, answers.values, strict=True)
    ]
    if answers.chances is None:
        return rows
    return [row | chances for row, chances in zip(rows, answers.chances, strict=True)]


def check_output(
    out: Path,
    replace: bool = False,
    inputs: Sequence[Path] = (),
    columns: Sequence[str] = (ANSWER,),
    has_header: bool = True,
) -> None:
    """Look, before any work, whether the answers can go there.

    Args:
        replace: older answers that are there already may be replaced.
        inputs: what is read, which may never be replaced.
        columns: of one of these names older answers have one.

    Raises:
        UserError: an ending that is none of the kinds of file; a file that is there already; whatever
            `check_may_replace` finds wrong.
    """
    if out.suffix.lower() not in (*DELIMITERS, JSON_LINES):
        raise UserError(f"{out} ends in {out.suffix or 'nothing'}; let it end in .csv, .tsv or .jsonl")
    is_file = os.path.isfile(out) or os.path.islink(out)
    if is_file and not replace:
        raise UserError(f"there is a file {out} already; name another, or replace it with --force")
    check_may_replace(out, partial(has_answers, columns=columns, has_header=has_header), "a file of answers", inputs)


def has_answers(path: Path, columns: Sequence[str], has_header: bool) -> bool:
    """Whether rows with a column of one of these names are in a file; without a header, whether it is text at all."""
    with path.open("rb") as file:
        line = file.readline(1_000_000)
    try:
        first = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return False
    if is_json(path):
        try:
            row = json.loads(first)
        except ValueError:
            return False
        return isinstance(row, dict) and CUT in row and any(column in row for column in columns)
    if not has_header:
        return "\0" not in first
    names = next(csv.reader([first], delimiter="\t" if "\t" in first else ";" if ";" in first else ","), [])
    return any(column in names for column in columns)


def write_answers(answers: Answers, out: Path, column: str = ANSWER, form: Form | None = None) -> None:
    """Write the rows with their answers, in the form that the ending of `out` names.

    Args:
        form: of a .csv or .tsv file; by default with commas or tabs and a line of names.

    Raises:
        UserError: the file cannot be written.
    """
    if is_json(out):
        write_text(out, "".join(f"{json_line(row)}\n" for row in json_rows(answers, column)))
    else:
        write_text(out, delimited(flat_rows(answers, column), form or Form(DELIMITERS[out.suffix.lower()])))


def is_json(out: Path) -> bool:
    return out.suffix.lower() == JSON_LINES
