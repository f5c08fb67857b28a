"""`minitune predict` and `minitune explain`: what a tuned method says, and what it looked at."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from minitune.data.examples import Example
from minitune.data.rows import DELIMITERS, read_rows
from minitune.errors import UserError
from minitune.files import write_text
from minitune.methods.method import Question
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Joined, inputs_of, over
from minitune.predictors.tagger import UNREAD, TaggedWords, Tagger
from minitune.predictors.writer import Writer, Writing, prefix_of
from minitune.report import table

BETWEEN = "||"  # stands between the two texts of a pair
LIKELIEST = 5


def to_example(text: str, question: Question) -> Example | TaggedWords | Writing:
    """A text that a user wrote, as the task's own examples are; a pair is written "one || another".

    Raises:
        UserError: whatever `as_example` finds wrong.
    """
    first, between, second = text.partition(BETWEEN)
    if question.is_pair:
        return as_example(first, second, question)
    if between and question.kind == "classes":
        raise UserError(f"this was trained on single texts, and {text!r} is two with {BETWEEN} between them")
    return as_example(text, None, question)


def as_example(text: str, text_b: str | None, question: Question) -> Example | TaggedWords | Writing:
    """An example of its text, or its two.

    Raises:
        UserError: it is empty, or one text where the question is about two, or two where it is about one.
    """
    text, text_b = text.strip(), (text_b or "").strip()
    if not text:
        raise UserError("there is an empty text; write one, between quotes")
    if any("\ud800" <= character <= "\udfff" for character in text + text_b):
        raise UserError("a text holds half a character (a lone surrogate like \\ud83c); write it whole or remove it")
    if text_b and not question.is_pair:
        raise UserError("this was trained on single texts, and here are two")
    if question.is_pair and not text_b:
        raise UserError(f'this was trained on pairs of texts; write both, as in "one text {BETWEEN} another text"')
    if question.kind == "tags":
        return TaggedWords(tuple(text.split()), tuple(0 for _ in text.split()))
    return Writing(text) if question.kind == "text" else Example(text, text_b or None)


def predict_texts(joined: Joined, question: Question, texts: Sequence[str]) -> str:
    """A table: each text and its answer."""
    answers = joined.answers([to_example(text, question) for text in texts])
    return table(["text", "answer"], [[shortened(text), answer] for text, answer in zip(texts, answers, strict=True)])


def predict_file(joined: Joined, question: Question, path: Path, out: Path, text_column: str) -> int:
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
    answers = joined.answers(examples)
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


def explain(joined: Joined, question: Question, text: str) -> str:
    """The tokens and where each comes from, the likeliest words at the blank, and the scores of the classes."""
    example = to_example(text, question)
    item = joined.items([example])[0]
    rendered, tokenizer = item.rendered, joined.tokenizer
    prefix = prefix_of(joined.model)
    parts = []
    if prefix:
        parts.append(f"a prefix of {prefix.length} learned keys and values stands before the text, in every layer")
    marks = dict.fromkeys(read_at(joined, item), "the answer is read here")
    if isinstance(joined, Writer):
        marks = {item.start: "the answer is written from here on"}
    elif isinstance(joined, Classifier) and joined.readout.reads == "blank" and tokenizer.kind == "gpt":
        marks = dict.fromkeys(marks, "the word after this is the blank")
    names = {"soft": "soft prompt: a learned vector", "words": "template", "mask": "template: the blank"}
    rows = [
        [str(place), token, names.get(part, part), marks.get(place, "")]
        for place, (token, part) in enumerate(zip(tokenizer.tokens(rendered.ids), rendered.origin, strict=True))
    ]
    parts.append(table(["place", "token", "from", ""], rows))
    if rendered.cut:
        parts.append(f"{rendered.cut} tokens of the text are cut: it passes the context")
    if isinstance(joined, Classifier):
        if rendered.blanks:
            parts.append(table(["likeliest words at the blank", "probability"], likeliest(joined, item)))
        scores = joined.scores([example])[0]
        chances = scores.softmax(dim=0)
        order = scores.argsort(descending=True)[: 2 * LIKELIEST].tolist()
        cells = [[joined.labels[i], f"{scores[i]:.3f}", f"{chances[i]:.3f}"] for i in order]
        parts.append(table(["class", "score", "softmax"], cells))
    else:
        parts.append(f"answer: {joined.answers([example])[0]}")
    return "\n\n".join(parts)


def read_at(joined: Joined, item) -> list[int]:
    """The places of the tokens whose hidden states are read."""
    if isinstance(joined, Tagger):
        return [place for place, label in enumerate(item.labels) if label != UNREAD]
    if isinstance(joined, Classifier) and joined.readout.reads == "blank":
        return item.rendered.blanks[:1]
    return [len(item.rendered.ids) - 1 if joined.tokenizer.kind == "gpt" else 0]


def likeliest(joined: Classifier, item) -> list[list[str]]:
    """The likeliest of all words at the first blank, with their probabilities."""

    def at_blank(batch):
        hidden = joined.model(**inputs_of(batch, joined.model.kind)).hidden  # (1, T, D)
        return joined.model.logits(hidden[:, item.rendered.blanks[0]]).softmax(dim=-1)  # (1, D) -> (1, V)

    top = over(joined, [item._replace(hidden=None)], at_blank)[0].topk(LIKELIEST)
    tokens = joined.tokenizer.tokens(top.indices)
    return [[token, f"{chance:.3f}"] for token, chance in zip(tokens, top.values.tolist(), strict=True)]


def shortened(text: str, width: int = 70) -> str:
    text = " ".join(text.split())  # a line each
    return text if len(text) <= width else text[: width - 3] + "..."
