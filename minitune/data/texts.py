r"""The texts of a plain file: by one stated rule, line by line or paragraph by paragraph.

A line ends with \n, \r\n or \r, and with nothing else: a form feed, a vertical tab, U+0085, U+2028 and U+2029 are white
space inside a line, so no text is cut by a sign that nobody sees. Each line with something on it is a text; or, if
paragraphs are asked for, all lines up to the next blank one are. <|endoftext|>, which many joined files have between
two texts, ends one as well; other names of special tokens are letters like any others.

GPT reads a text as it stands, with its indents and the line breaks of a paragraph, but for white space at the ends of
lines. BERT reads words: any white space is one space to it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minitune.data.specials import SPECIALS
from minitune.data.words import count_words, pieces_of
from minitune.errors import UserError
from minitune.files import REPLACING, note_on_replaced, read_text

END = "<|endoftext|>"
WORDS = 2  # at the least: what follows one word, or is missing beside it, cannot be learned


@dataclass(frozen=True, repr=False)
class Texts(Sequence[str]):
    """The texts of a file. They are cut out of its content when they are asked for: a list would take several times
    the memory."""

    name: str
    content: str
    starts: array
    ends: array
    kind: str  # of the model that reads them
    paragraphs: bool
    lines: int  # with something on them
    blank: int  # lines
    blocks: int  # of lines, parted by blank ones
    marks: int  # END
    replaced: str  # what was no text in its encoding, in a sentence

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> str:
        text = self.content[self.starts[index] : self.ends[index]]
        if self.kind == "bert":
            return re.sub(r"\s{2,}|[^\S ]", " ", text).strip()
        return "\n".join(line.rstrip() for line in text.split("\n"))

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))

    @property
    def rule(self) -> str:
        return "the lines between two blank ones are a text" if self.paragraphs else "each line is a text"

    def summary(self) -> list[str]:
        """What was read and by which rule, and a hint where the other rule seems to be meant."""
        characters = words = 0
        for text in self:
            characters, words = characters + len(text), words + count_words(text)
        ended = f"; {END} ended a text {self.marks:,} time{'s' * (self.marks > 1)}" if self.marks else ""
        skipped = f"; blank lines skipped: {self.blank:,}" if self.blank else ""
        lines = [
            f"{self.name}, {self.rule}: {counted(len(self), 'text')} of {counted(words, 'word')}, "
            f"{counted(characters, 'character')}{skipped}{ended}"
        ]
        lines += [self.replaced] if self.replaced else []
        if named := [name for name in SPECIALS[self.kind] if name in self.content]:
            what = "tokens of these names" if len(named) > 1 else "token of this name"
            lines.append(f"hint: {', '.join(named)} in it: read as letters, not as the special {what}")
        if not self.paragraphs and self.blocks > 2 and 2 <= self.lines / self.blocks <= 30:
            lines.append(
                f"hint: the file looks like prose, {self.blocks:,} paragraphs of {self.lines / self.blocks:.0f} lines "
                "with blank lines between them; --paragraphs makes each paragraph a text"
            )
        if self.paragraphs and len(self) == 1 < self.lines:
            lines.append(
                "hint: no blank line parts the file, so all of it is one text; without --paragraphs each line is"
            )
        return lines


def read_texts(path: Path, kind: str, paragraphs: bool = False, encoding: str | None = None) -> Texts:
    """The texts of a file, for a model of the kind "gpt" or "bert".

    Raises:
        UserError: all that `read_text` raises; the file is no text, or has fewer than two words.
    """
    content, replaced = read_text(path, encoding), note_on_replaced(path) if encoding == REPLACING else []
    if "\0" in content:
        raise UserError(
            f"{path} holds characters of code 0, so it is no text in this encoding; save it as UTF-8, or name its own, "
            "as in --encoding utf-16-le"
        )
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    content = with_ends_apart(content) if END in content else content
    starts, ends, lines, blank, blocks, marks, after_blank = array("q"), array("q"), 0, 0, 0, 0, True
    for start, end in line_spans(content):
        if end - start == len(END) and content.startswith(END, start):
            marks, after_blank = marks + 1, True
            continue
        if not content[start:end].strip():
            blank, after_blank = blank + 1, True
            continue
        if paragraphs and not after_blank:
            ends[-1] = end
        else:
            starts.append(start)
            ends.append(end)
        lines, blocks, after_blank = lines + 1, blocks + after_blank, False
    texts = Texts(path.name, content, starts, ends, kind, paragraphs, lines, blank, blocks, marks, "".join(replaced))
    words = 0
    for piece in (piece for text in texts for piece in pieces_of(text)):
        words += count_words(piece)
        if words >= WORDS:
            return texts
    found = counted(words, "word") if starts else f"nothing on its {counted(blank, 'line')}"
    raise UserError(f"{path} has {found}: there is no text to learn from; two words at the least were expected")


def with_ends_apart(content: str) -> str:
    """The same text, each END in it a line of its own."""
    first, *others = re.split(rf"\n?[^\S\n]*{re.escape(END)}[^\S\n]*\n?", content)
    lines = [first, *(line for other in others for line in (END, other))]
    return "\n".join(filter(None, lines))


def line_spans(content: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(content):
        end = content.find("\n", start)
        end = len(content) if end < 0 else end
        yield start, end
        start = end + 1


def counted(number: int, noun: str) -> str:
    """1 text, 2,000 texts."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
