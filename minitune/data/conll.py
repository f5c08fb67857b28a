"""Words and their tags as CoNLL's files have them: a line for each word, and an empty line between sentences.

The tag is in the last column, and the word in the first one, or in the second where the first counts the words (Tjong
Kim Sang and De Meulder 2003; CoNLL-U). Columns are separated by tabs, or by spaces.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from typing import NamedTuple

from minitune.data.reading import BadRow, Reading

CONLL = (".conll", ".bio", ".iob")
COMMENT = re.compile(r"#(\s|$)")  # unless the line has the columns and the tag of a word: "#" may be one
SEVERAL = re.compile(r"\d+[-.]\d+")  # 3-4 in CoNLL-U: a word that the lines after it give in parts


class Line(NamedTuple):
    number: int
    fields: list[str]
    may_be_comment: bool


def conll_rows(reading: Reading, text: str) -> list[tuple[str, dict[str, list[str]]]]:
    """A row for each sentence, with a list for each column; its place is the line that it ends on."""
    lines = lines_of(text)
    width = usual_width(lines)
    columns = [str(place + 1) for place in range(width)]
    tags = {line.fields[width - 1] for line in lines if len(line.fields) >= width > 0 and not line.may_be_comment}

    def is_word(line: Line) -> bool:
        if not line.may_be_comment:
            return True
        fits = len(line.fields) >= width and not any(line.fields[width:])
        return fits and (width == 1 or line.fields[width - 1] in tags)

    def as_row(sentence: list[Line]) -> dict[str, list[str]]:
        for number, fields, _ in sentence:
            if len(fields) < width or any(fields[width:]):
                alone = ": a word and its tag were expected" if len(fields) == 1 else ""
                raise BadRow(
                    f"line {number} has {len(fields)} column{'s' * (len(fields) > 1)} ({' '.join(fields)!r}{alone}), "
                    f"and most lines have {width}",
                    "mend the line; an empty line ends a sentence",
                    "another number of columns",
                )
        return {name: [line.fields[place] for line in sentence] for place, name in enumerate(columns)}

    words = [line for line in lines if not line.fields or is_word(line)]
    sentences = [list(group) for is_one, group in groupby(words, lambda line: bool(line.fields)) if is_one]
    return reading.each([(f"the sentence that ends on line {s[-1].number}", s) for s in sentences], as_row)


def lines_of(text: str) -> list[Line]:
    """The fields of each line; none of an empty line, and of the mark of a new document."""
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip("\r").replace("\ufeff", "")  # where files were joined, a mark is in the middle
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        if not line.strip() or line.startswith("-DOCSTART-"):
            fields = []
        elif SEVERAL.fullmatch(fields[0]) and len(fields) > 2:
            continue
        lines.append(Line(number, fields, bool(COMMENT.match(line))))
    return lines


def usual_width(lines: list[Line]) -> int:
    """The number of columns that most lines have, without those at the end that are empty on every line."""
    rows = [line.fields for line in lines if line.fields and not line.may_be_comment]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    rows = [row for row in rows if len(row) == width]
    while width > 1 and not any(row[width - 1] for row in rows):
        width -= 1
    return width
