"""Reading a TOML file of words so that every mistake in it is told with its file and its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from minitune.errors import UserError
from minitune.files import read_text
from minitune.world.grammar import Weighted


@dataclass(frozen=True)
class Section:
    """A table of a TOML file that remembers where it stands, so that a mistake can be found."""

    table: dict[str, object]
    file: str
    name: str = ""

    @classmethod
    def read(cls, path: Path) -> Section:
        try:
            return cls(tomllib.loads(read_text(path)), path.name)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path} is no valid TOML: {error}") from None

    @property
    def where(self) -> str:
        return f"{self.file}, table {self.name}" if self.name else self.file

    def value(self, key: str, kind: type | tuple[type, ...], form: str) -> object:
        if key not in self.table:
            raise UserError(f"{self.where} has no key {key!r}; it needs {form}")
        value = self.table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{self.where}: {key!r} is {value!r}; it should be {form}")
        return value

    def section(self, key: str) -> Section:
        return Section(self.value(key, dict, f"a table [{key}]"), self.file, key)

    def sections(self, key: str, least: int = 1) -> list[Section]:
        inside = self.section(key)
        if len(inside.table) < least:
            raise UserError(f"{self.where}: [{key}] holds {len(inside.table)} tables; it needs {least} or more")
        return [inside.section(name) for name in inside.table]

    def number(self, key: str) -> float:
        return float(self.value(key, (int, float), "a number"))

    def text(self, key: str, slots: Iterable[str] = (), among: tuple[str, ...] = (), empty: bool = False) -> str:
        value = self.value(key, str, "a string")
        if among and value not in among:
            raise UserError(f"{self.where}: {key!r} is {value!r}; it should be one of {', '.join(among)}")
        if value or not empty:
            self._check(key, value, slots)
        return value

    def lines(self, key: str, least: int = 1, slots: Iterable[str] = ()) -> tuple[str, ...]:
        value = self.value(key, list, "a list of strings")
        if len(value) < least:
            raise UserError(f"{self.where}: {key!r} has {len(value)} entries; it needs {least} or more")
        for line in value:
            self._check(key, line, slots)
        return tuple(value)

    def patterns(self, key: str, slots: Iterable[str] = ()) -> tuple[str, ...]:
        """Lines in which {one|another} leaves a choice."""
        lines = self.value(key, list, "a list of strings")
        for line in lines:
            self._check(key, re.sub(r"\{[^{}]*\|[^{}]*\}", "choice", line) if isinstance(line, str) else line, slots)
        return tuple(lines)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        pairs = tuple(tuple(line.split()) for line in self.lines(key))
        for pair in pairs:
            if len(pair) != 2:
                raise UserError(f"{self.where}: {' '.join(pair)!r} in {key!r} should be two words")
        return pairs

    def weights(self, key: str) -> Weighted:
        """A table of words and how often each is drawn: `great = 100`."""
        inside = self.section(key)
        for word in inside.table:
            self._check(key, word, ())
        return self._weighted(key, [(inside.number(word), word) for word in inside.table])

    def weighted_lines(self, key: str, slots: Iterable[str] = ()) -> Weighted:
        """Lines that start with how often each is drawn: `3 | it was {word} .`."""
        pairs = []
        for line in self.value(key, list, 'a list of strings such as "3 | a line ."'):
            number, bar, text = str(line).partition("|")
            if not bar or not number.strip().isdigit():
                raise UserError(f"{self.where}: {line!r} in {key!r} should be a whole number, a bar, and the line")
            self._check(key, text.strip(), slots)
            pairs.append((float(number), text.strip()))
        return self._weighted(key, pairs)

    def _weighted(self, key: str, pairs: list[tuple[float, str]]) -> Weighted:
        if not pairs or any(weight <= 0 for weight, _ in pairs):
            raise UserError(f"{self.where}: {key!r} needs at least one entry, each with a number above 0")
        return Weighted(tuple(text for _, text in pairs), tuple(weight for weight, _ in pairs))

    def _check(self, key: str, line: object, slots: Iterable[str]) -> None:
        if not isinstance(line, str) or not line.isascii() or line != line.lower() or line != " ".join(line.split()):
            raise UserError(f"{self.where}: {line!r} in {key!r} should be lower-case ASCII words, one space between")
        if not line:
            raise UserError(f"{self.where}: {key!r} holds an empty string; write at least one word")
        slots = set(slots)
        slots |= {f"a {slot}" for slot in slots}  # with its article
        bare = re.sub(r"\{([^{}]*)\}", lambda slot: "" if slot[1] in slots else slot[0], line)
        if "{" in bare or "}" in bare:
            known = ", ".join("{" + slot + "}" for slot in sorted(slots)) or "none"
            raise UserError(f"{self.where}: {line!r} in {key!r} has an unknown slot; known here: {known}")
