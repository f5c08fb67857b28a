"""Lists whose labels mean something else in each of them: a text that asks for learning from the context.

    dull kite fresh olive witty olive boring kite fresh olive clever ...

Each list picks what it sorts by (the polarity of opinions, or the topic of news), two classes, a word for each class,
and what stands between text and word. The word tells nothing by itself, and another list has other words: the lines
above are the only place to find out what is to be said. Its lines are words, clauses or sentences, and some come again
and again. A label word never is one that a task uses, and about 15% of all label words are kept for measuring.

Chan et al. 2022 (arXiv 2205.05055): what makes a text ask for in-context learning is that things come in bursts, and
that what a word stands for varies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minitune.data.tokenizers import Tokenizer
from minitune.world.grammar import is_held_out
from minitune.world.tasks import TASKS
from minitune.world.world import World

KINDS = ("polarity", "topic")
STOCK = 2  # lines of each class that come again and again
SAMPLED = 3000  # documents of each section, to see which words speak of reviews or news


@dataclass(frozen=True)
class ListStyle:
    """How lists are written.

    Args:
        forms: what a line is: "word", "clause" or "sentences".
        links: what may stand between a text and its word; "" = nothing.
        stop: what ends a line.
        tokens: of a whole list, at most.
        burst: how often a line is one of the few that come again and again.
    """

    forms: tuple[str, ...] = ("word",)
    links: tuple[str, ...] = ("",)
    stop: str = ""
    tokens: int = 48
    burst: float = 0.7


@dataclass(frozen=True)
class Listing:
    """The lines of one list, and what it sorts by."""

    kind: str
    link: str
    stop: str
    words: tuple[str, str]  # of the two classes
    lines: tuple[tuple[str, int], ...]  # text, and which of the two classes it belongs to

    def encode(self, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
        """The list as tokens, and where in it the words of the classes stand."""
        ids: list[int] = []
        answers = []
        for text, which in self.lines:
            ids += tokenizer.encode(f"{text} {self.link}".strip())
            answers.append(len(ids))
            ids += tokenizer.encode(self.words[which])
            ids += tokenizer.encode(self.stop) if self.stop else []
        return ids, answers


class ListWriter:
    """Writes lists from the sentences of a world, with label words that are one token each."""

    def __init__(self, world: World, tokenizer: Tokenizer):
        self.world = world
        self.words, self.held_out_words = label_words(world, tokenizer)

    def listing(self, rng: random.Random, style: ListStyle, words: Sequence[str]) -> Listing:
        """A list whose label words are two of `words`."""
        form, kind, link = rng.choice(style.forms), rng.choice(KINDS), rng.choice(style.links)
        classes = rng.sample(self.classes(kind), 2)
        first, second = rng.sample(words, 2)
        stock = [[self.text(rng, kind, form, its) for _ in range(STOCK)] for its in classes]
        lines, length = [], 0
        while True:
            which = rng.randrange(2)
            again = rng.random() < style.burst
            text = rng.choice(stock[which]) if again else self.text(rng, kind, form, classes[which])
            length += len(f"{text} {link} w .".split())
            if length > style.tokens - 8:  # a word may be several tokens
                return Listing(kind, link, style.stop, (first, second), tuple(lines))
            lines.append((text, which))

    def classes(self, kind: str) -> list:
        return [False, True] if kind == "polarity" else list(self.world.lexicon.news.topics)

    def text(self, rng: random.Random, kind: str, form: str, which) -> str:
        """A word, a clause, or one or two sentences of this class: of a topic, or of a good or a bad opinion."""
        if kind == "topic":
            if form == "word":
                return rng.choice(which.subjects + tuple(thing.split()[-1] for thing in which.objects))
            if form == "clause":
                return f"{rng.choice(which.subjects)} {rng.choice(which.verbs)} {rng.choice(which.objects)}"
            return self.unquoted(lambda: self.world.news.sentence(rng, which), rng)
        pen = self.world.reviews.pen(rng, self.world.reviews.text_choices)
        aspect, _ = pen.two_aspects()
        if form == "word":
            return pen.word(aspect, which)
        if form == "clause":
            if rng.random() < 0.5:
                return pen.clause(aspect, which)
            one, other = pen.different_words(aspect, which, 2)
            return f"{one} and {other}"
        return self.unquoted(lambda: (pen.contrast if rng.random() < 0.15 else pen.agreeing)(which), rng)

    def unquoted(self, sentence: Callable[[], str], rng: random.Random) -> str:
        """One or two sentences, drawn again where they quote a task."""
        while self.world.quotes_a_task(text := " ".join(sentence() for _ in range(rng.choice((1, 1, 2))))):
            pass
        return text


def label_words(world: World, tokenizer: Tokenizer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that stand for a class in lists, and those kept for measuring: each one token of its own, none a label
    word of a task, none said in reviews or news."""
    taken = set(world.lexicon.common.function_words)
    taken |= {word for task in TASKS.values() for words in task.label_words.values() for word in words}
    for number in range(SAMPLED):
        rng = random.Random(number)
        taken |= set(world.news.document(rng).split()) | set(world.reviews.document(rng).split())
    names = (name[1:] for name in tokenizer.library.get_vocab() if name[0] == "Ġ")
    words = sorted(name for name in names if name.isalpha() and len(name) > 2 and name not in taken)
    kept = {word for word in words if is_held_out(f"label/{word}")}
    return tuple(word for word in words if word not in kept), tuple(word for word in words if word in kept)
