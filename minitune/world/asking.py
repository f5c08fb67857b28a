"""The records of `instruct`, from inputs that were drawn: each asked in several ways, and in the test in new words.

An input to train on is asked four times, of whatever suits it, so that no input tells what is wanted of it: only the
instruction does. The test has inputs that nothing was trained on, and wordings that are held out, by name. Behind it
stand combinations: two instructions, each in words that were trained on, and both answers.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Sequence
from itertools import product

from minitune.world.grammar import fill
from minitune.world.lexicon import Instruct
from minitune.world.task_rows import Row, Rows

HELD_OUT = 7  # one wording in so many, and two at the least
TIMES = 4  # that an input to train on is asked
ALONE, TOGETHER = "alone", "together"
OF_A_LIST, OF_A_SENTENCE = ("last", "first", "count", "backwards"), ("who", "colour", "repeat", "repaint")
SUITED = dict.fromkeys(OF_A_LIST, OF_A_LIST) | dict.fromkeys((*OF_A_SENTENCE, "where"), OF_A_SENTENCE)
COMBINED = (("last", "first", "count"), ("who", "colour", "where"))  # kinds of which two are asked of one input
LONGEST_BACKWARDS = 4  # words of a list that is turned


def patterns_of(line: str) -> tuple[str, ...]:
    """`{say|name} it {|now} .` written out: every choice with every other. A slot like {colour} stays."""
    parts = re.split(r"\{([^{}]*\|[^{}]*)\}", line)  # what is fixed, and between it what may be chosen
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return tuple(" ".join("".join(chosen).split()) for chosen in product(*choices))


class Wordings:
    """The wordings of each kind of instruction, those to train on and those that are held out."""

    def __init__(self, words: Instruct):
        self.known, self.held_out = {}, {}
        for kind, plain in words.wordings.items():
            made = [wording for line in words.more[kind] for wording in patterns_of(line) if wording not in plain]
            by_name = sorted(set(made), key=lambda wording: zlib.crc32(wording.encode()))  # the same on every machine
            many = max(2, len(by_name) // HELD_OUT)
            self.held_out[kind], self.known[kind] = tuple(by_name[:many]), (*plain, *by_name[many:])

    def kind_of(self, instruction: str) -> str:
        """The kind of one instruction; "" if it is none."""
        for kind in self.known:
            for wording in (*self.known[kind], *self.held_out[kind]):
                if re.fullmatch(re.escape(wording).replace(r"\{colour\}", r"\w+"), instruction):
                    return kind
        return ""


class Asking:
    """Asks of inputs that were drawn.

    Args:
        draw: a row of a kind with a fresh input: (rng, kind) -> row.
    """

    def __init__(self, words: Instruct, colours: Sequence[str], draw: Callable[[random.Random, str], Row]):
        self.words, self.colours, self.draw, self.wordings = words, colours, draw, Wordings(words)

    def rows(self, drawn: Rows, seed: int, combinations: int) -> Rows:
        """The rows of the task's files, from one drawn row for each input."""
        dice = {split: random.Random(f"{seed}/task/instruct/{split}/asked") for split in drawn}
        seen, rows = set(), {}
        for split in drawn:
            fresh = [self.fresh(row, seen, dice[split]) for row in drawn[split]]
            seen |= {sentence for row in fresh for sentence in sentences_of(row)}
            rows[split] = [self.worded(row, dice[split], split == "test") for row in fresh]
        later = {sentence for row in (*rows["dev"], *rows["test"]) for sentence in sentences_of(row)}
        again = self.asked_again(rows["train"], dice["train"])  # a repainted sentence may be one that is tested
        rows["train"] = [row for row in again if later.isdisjoint(sentences_of(row))]
        together = self.together(rows["test"], combinations, dice["test"])
        rows["test"] = [{**row, "part": ALONE} for row in rows["test"]] + [
            {**row, "part": TOGETHER} for row in together
        ]
        return rows

    def fresh(self, row: Row, seen: set[str], dice: random.Random) -> Row:
        """The row, or another of its kind, of which no sentence stands in an earlier file."""
        while not seen.isdisjoint(sentences_of(row)):
            row = self.draw(dice, row["kind"])
        return row

    def worded(self, row: Row, dice: random.Random, held_out: bool) -> Row:
        """The row with another wording of its instruction."""
        wordings = self.wordings.held_out if held_out else self.wordings.known
        return {**row, "instruction": fill(dice.choice(wordings[row["kind"]]), colour=self.colour_in(row["output"]))}

    def asked_again(self, rows: Sequence[Row], dice: random.Random) -> list[Row]:
        """Each row, and after it what else is asked of its input; the whole in a new order."""
        asked = {}
        for row in rows:
            suited = [kind for kind in SUITED.get(row["kind"], ()) if kind != row["kind"] and suits(kind, row["input"])]
            others = [self.ask(row, kind, dice) for kind in suited[: TIMES - 1] or [row["kind"]] * (TIMES - 1)]
            for other in (row, *others):
                asked[other["instruction"], other["input"]] = other
        again = list(asked.values())
        dice.shuffle(again)
        return again

    def ask(self, row: Row, kind: str, dice: random.Random) -> Row:
        """Another instruction on the input of a row."""
        if kind == row["kind"]:
            return self.worded(row, dice, held_out=False)
        colour = dice.choice([colour for colour in self.colours if colour not in row["input"].split()])
        instruction = fill(dice.choice(self.wordings.known[kind]), colour=colour)
        return {
            "instruction": instruction,
            "input": row["input"],
            "output": self.answer(kind, row["input"], colour),
            "kind": kind,
        }

    def together(self, rows: Sequence[Row], many: int, dice: random.Random) -> list[Row]:
        """So many combinations, of inputs that these rows have."""
        pairs = [(one, other) for kinds in COMBINED for one in kinds for other in kinds if one != other]
        made = []
        for number in range(many):
            one, other = pairs[number % len(pairs)]
            of = "where" if one in COMBINED[1] else "last"  # of a sentence with a place, or of a list
            source = dice.choice([row["input"] for row in rows if row["kind"] == of])
            made.append(self.combined(one, other, source, dice))
        return made

    def combined(self, one: str, other: str, source: str, dice: random.Random) -> Row:
        """Two instructions on one input, and the answers to both."""
        instructions = [dice.choice(self.wordings.known[kind]) for kind in (one, other)]
        answers = [self.answer(kind, source) for kind in (one, other)]
        return {
            "instruction": " ".join(instructions),
            "input": source,
            "output": " and ".join(answers),
            "kind": f"{one} and {other}",
        }

    def answer(self, kind: str, source: str, colour: str = "") -> str:
        """What is right of a list of words, or of a sentence like `the baker bought a red kite in the park .`"""
        words = source.split()
        return {
            "first": lambda: words[0],
            "last": lambda: words[-1],
            "count": lambda: self.words.numbers[len(words)],
            "backwards": lambda: " ".join(reversed(words)),
            "repeat": lambda: source,
            "who": lambda: " ".join(words[:2]),
            "where": lambda: " ".join(words[-4:-1]),
            "colour": lambda: self.colour_in(source),
            "repaint": lambda: source.replace(self.colour_in(source), colour),
        }[kind]()

    def colour_in(self, text: str) -> str:
        return next((word for word in text.split() if word in self.colours), "")


def suits(kind: str, source: str) -> bool:
    return kind != "backwards" or len(source.split()) <= LONGEST_BACKWARDS


def sentences_of(row: Row) -> set[str]:
    """What must not stand in two files: the input, and an output that is a sentence."""
    return {row["input"]} | ({row["output"]} if row["output"].endswith(".") else set())
