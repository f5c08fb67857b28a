"""Lists whose labels mean something else in each of them: a text that asks for learning from the context.

    dull this is kite . fresh this is olive . witty this is olive . boring this is kite . clever this is

Each list picks what it sorts by (the polarity of opinions, or the topic of news), two classes, a word for each class,
and a phrase between text and word. The word tells nothing by itself, and another list has other words: the lines above
are the only place to find out what is to be said. Its lines are words, clauses or sentences. A label word never is one
that a task uses, and about 15% of all label words are kept for measuring.

Chan et al. 2022 (arXiv 2205.05055): what makes a text ask for in-context learning is that things come in bursts, and
that what a word stands for varies.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from minitune.world.grammar import is_held_out
from minitune.world.tasks import TASKS
from minitune.world.world import World

LINKS = ("this is {word} .", "we call this {word} .", ": {word} .", "here we say {word} .")
LONGEST = 110  # words of a list: as many lines as fit, and a little room for words of several tokens
KINDS = ("polarity", "topic")
FORMS = ("word", "clause", "sentences")


@dataclass(frozen=True)
class Listing:
    """The lines of one list, and what it sorts by."""

    kind: str
    link: str
    words: tuple[str, str]  # of the two classes
    lines: tuple[tuple[str, str], ...]  # text and word

    def write(self, upto: int | None = None) -> str:
        """The list as one text; of the first `upto` lines alone if that is given."""
        return " ".join(f"{text} {self.link.replace('{word}', word)}" for text, word in self.lines[:upto])

    def question(self, index: int) -> str:
        """The list up to where the word of line `index` has to be said."""
        text, _ = self.lines[index]
        return f"{self.write(index)} {text} {self.link.partition(' {word}')[0]}".strip()


class ListWriter:
    """Writes lists from the sentences of a world."""

    def __init__(self, world: World):
        self.world = world
        self.words, self.held_out_words = label_words(world)

    def document(self, rng: random.Random) -> str:
        """A list as the pretraining text has it, drawn again where it quotes a task."""
        while self.world.quotes_a_task(text := self.listing(rng, self.words).write()):
            pass
        return text

    def documents(self, count: int) -> Iterator[str]:
        for index in range(count):
            yield self.document(random.Random(f"{self.world.seed}/list/{index}"))

    def listing(self, rng: random.Random, words: tuple[str, ...]) -> Listing:
        """A list whose label words are two of `words`."""
        kind, form, link = rng.choice(KINDS), rng.choice(FORMS), rng.choice(LINKS)
        classes = rng.sample(self.classes(kind), 2)
        chosen = tuple(rng.sample(words, 2))
        lines, length = [], 0
        while True:
            which = rng.randrange(2)
            text = self.text(rng, kind, form, classes[which])
            length += len(f"{text} {link}".split())
            if length > LONGEST:
                return Listing(kind, link, chosen, tuple(lines))
            lines.append((text, chosen[which]))

    def classes(self, kind: str) -> list:
        return [False, True] if kind == "polarity" else list(self.world.lexicon.news.topics)

    def text(self, rng: random.Random, kind: str, form: str, which) -> str:
        """A word, a clause or one or two sentences of this class: a topic, or whether the opinion is good."""
        count = rng.choice((1, 1, 2))
        if kind == "topic":
            if form == "word":
                return rng.choice(which.subjects)
            if form == "clause":
                return f"the {rng.choice(which.subjects)} {rng.choice(which.verbs)} {rng.choice(which.objects)}"
            return " ".join(self.world.news.sentence(rng, which) for _ in range(count))
        pen = self.world.reviews.pen(rng, self.world.reviews.text_choices)
        aspect, _ = pen.two_aspects()
        if form == "word":
            return pen.word(aspect, which)
        if form == "clause":
            return pen.clause(aspect, which)
        return " ".join(pen.contrast(which) if rng.random() < 0.15 else pen.agreeing(which) for _ in range(count))


def label_words(world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that stand for a class in lists, and those kept for measuring: things, animals and names.

    None is a label word of a task, and none says anything of a review or of news.
    """
    lexicon = world.lexicon
    candidates = [word for things in lexicon.scenes.kinds.values() for word in things]
    candidates += [word for words in lexicon.people.entities.values() for word in words]
    candidates += lexicon.scenes.colours
    of_tasks = {word for task in TASKS.values() for words in task.label_words.values() for word in words}
    words = sorted({word for word in candidates if " " not in word} - of_tasks)
    kept = {word for word in words if is_held_out(f"{world.seed}/label/{word}")}
    return tuple(word for word in words if word not in kept), tuple(sorted(kept))
