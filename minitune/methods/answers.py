"""Answers to many texts at once: as a table, or as a file with one column more."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from minitune.data.rows import DELIMITERS, read_rows
from minitune.errors import UserError
from minitune.files import write_text
from minitune.methods.ask import as_example, to_example
from minitune.methods.question import Question
from minitune.predictors.predictor import Predictor
from minitune.report import table


def predict_texts(predictor: Predictor, question: Question, texts: Sequence[str]) -> str:
    """A table: each text and its answer; a pair is written "one || another"."""
    answers = predictor.answers([to_example(text, question) for text in texts])
    return table(["text", "answer"], [[shortened(text), answer] for text, answer in zip(texts, answers, strict=True)])


def predict_file(predictor: Predictor, question: Question, path: Path, out: Path, text_column: str) -> int:
    """Write the rows of `path` to `out` with a column `answer` more; returns how many there are.

    Raises:
        UserError: a file that cannot be read, a column that is not there, an ending of `out` that is none of the kinds.
    """
    if out.suffix not in (*DELIMITERS, ".jsonl"):
        raise UserError(f"{out} ends in {out.suffix or 'nothing'}; let it end in .csv, .tsv or .jsonl")
    rows, examples = [], []
    for line, row in read_rows(path):
        if not isinstance(row.get(text_column), str) or not row[text_column].strip():
            raise UserError(
                f"{path}, line {line}: no text in the column {text_column!r}; the columns are {', '.join(row)}"
            )
        second = row.get("text_b")
        try:
            examples.append(as_example(row[text_column], None if second is None else str(second), question))
        except UserError as error:
            raise UserError(f"{path}, line {line}: {error}") from None
        rows.append(row)
    answers = predictor.answers(examples)
    answered = [{**row, "answer": answer} for row, answer in zip(rows, answers, strict=True)]
    write_text(
        out, "".join(json.dumps(r) + "\n" for r in answered) if out.suffix == ".jsonl" else as_csv(answered, out)
    )
    return len(answered)


def as_csv(rows: Sequence[dict], path: Path) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, names, delimiter=DELIMITERS[path.suffix], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


def shortened(text: str, width: int = 70) -> str:
    text = " ".join(text.split())  # a line each
    return text if len(text) <= width else text[: width - 3] + "..."
