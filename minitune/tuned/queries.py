"""Texts that a person wants answers to: from the command line, from standard input, or from the rows of a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minitune.data.columns import column_of_words, holds_lists
from minitune.data.reading import Reading
from minitune.data.rows import JSON_NAMES, Table
from minitune.errors import UserError
from minitune.methods.ask import BETWEEN, as_example, texts_of, words_as_example
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question

TOKENS = "tokens"  # the column of words that are parted already


@dataclass(frozen=True)
class Written:
    """What stood somewhere, before it is known what it is asked."""

    where: str  # as a person finds it
    content: Any  # a text, or a row of a file


@dataclass(frozen=True)
class Query:
    """What is asked.

    Args:
        where: as a person finds it.
        fields: what comes back beside the answer.
        example: as the predictor takes it; None where it cannot be asked.
        why: it cannot be asked, in a sentence.
    """

    where: str
    fields: dict[str, Any]
    example: Any
    shown: str
    why: str = ""


# ---- reading, which takes no model ----


def given_texts(texts: Sequence[str]) -> list[Written]:
    return [Written(f"text {number}", text) for number, text in enumerate(texts, start=1)]


def piped_texts(
    wanted: str = "give either texts, each between quotes, or a file with --data",
) -> tuple[list[Written], int]:
    """The lines of standard input, a text each, and how many empty ones are skipped.

    Args:
        wanted: what else a person may give.

    Raises:
        UserError: it cannot be read, is not UTF-8, or has no text.
    """
    try:
        content = b"" if sys.stdin is None else sys.stdin.buffer.read()
    except OSError as error:
        raise UserError(f"{wanted}: standard input cannot be read ({error})") from None
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"standard input, line {line}: it is not UTF-8; convert it, as iconv does") from None
    if not lines[-1]:
        lines.pop()  # the end of the last line is no line
    numbered = [Written(f"standard input, line {number}", line) for number, line in enumerate(lines, start=1)]
    texts = [written for written in numbered if written.content.strip()]
    if not texts:
        raise UserError(f"{wanted}: standard input has no text")
    return texts, len(lines) - len(texts)


def rows_of(table: Table) -> list[Written]:
    return [Written(f"{table.path}, {place}", row) for place, row in table.rows]


def text_columns(table: Table, reading: Reading, question: Question, trained: Mapping[str, str]) -> tuple[str, str]:
    """The columns of the texts and of the second texts: those that are named, else those that were trained on if the
    file has them, else the usual ones.

    Args:
        trained: the names `text` and `text_b` of the file that was trained on, where they are known.

    Raises:
        UserError: a column that is named and not there, or that has no name and is not told.
    """
    layout = reading.layout
    for option, column in (("--text-column", layout.text), ("--text-b-column", layout.text_b)):
        if column and column not in table.columns:
            raise UserError(
                f"{table.path} has no column {column!r}, only {', '.join(map(repr, table.columns))}: name yours with "
                f"{option}"
            )
    usual = [trained.get("text"), *([TOKENS] if KINDS[question.kind].is_by_word else []), "text"]
    if not table.has_names and (holds_lists(table) or len(table.columns) == 1):
        usual = [column_of_words(table, reading) if holds_lists(table) else table.columns[0]]
    text = layout.text or next((name for name in usual if name in table.columns), None)
    if text is None:
        raise UserError(
            f"{table.path} has no column 'text', only {', '.join(map(repr, table.columns))}: name the column of the "
            "texts with --text-column"
            + (" (a file whose first line names no columns is read with --no-header)" if table.delimiter else "")
        )
    trained_b = trained.get("text_b")
    second = layout.text_b or (trained_b if trained_b in table.columns else "text_b")
    return text, second


# ---- what is asked ----


def ask_texts(texts: Sequence[Written], question: Question) -> list[Query]:
    """Of a text that the question cannot be asked of, why."""
    return [asked(written, {"text": written.content}, lambda it: as_asked(it.content, question)) for written in texts]


def as_asked(text: str, question: Question) -> tuple[dict[str, Any], Any, str]:
    """The fields, the example, and what is shown of a text that a person wrote."""
    first, second = texts_of(text, question)
    fields = {"text": first} if second is None else {"text": first, "text_b": second}
    return fields, as_example(first, second, question), text


def ask_rows(rows: Sequence[Written], question: Question, text_column: str, text_b_column: str) -> list[Query]:
    """Rows of a file, with their texts in these columns; of words to tag, a list of them is a text too. Of a row
    without a text, or with one that the question cannot be asked of, why."""

    def as_row(written: Written) -> tuple[dict[str, Any], Any, str]:
        row = written.content
        text, second = row.get(text_column), row.get(text_b_column)
        if KINDS[question.kind].is_by_word and not isinstance(text, str):
            example = words_as_example(text)
            return row, example, " ".join(example.words)
        for column, value in ((text_column, text), (text_b_column, second)):
            if value is not None and not isinstance(value, str):
                raise UserError(f"the column {column!r} holds {JSON_NAMES[type(value)]}, and a text was expected")
        if not (text or "").strip():
            raise UserError(f"no text in the column {text_column!r}; the columns are {', '.join(row)}")
        return row, as_example(text, second, question), f"{text} {BETWEEN} {second}" if second else text

    return [asked(written, written.content, as_row) for written in rows]


def asked(written: Written, fields: dict[str, Any], read: Callable[[Written], tuple]) -> Query:
    """What `read` makes of it; or `fields`, and why nothing can be made of it."""
    try:
        return Query(written.where, *read(written))
    except UserError as error:
        return Query(written.where, fields, None, " ".join(map(str, fields.values())), str(error))


def check_all(queries: Sequence[Query]) -> None:
    """Raises:
    UserError: one cannot be asked; it is told with its place.
    """
    for query in queries:
        if query.why:
            raise UserError(f"{query.where}: {query.why}")
