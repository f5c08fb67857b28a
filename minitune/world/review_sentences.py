"""The sentences of a review: opinions, alone, joined or at odds; neutral sentences; and the verdict.

An opinion is a word said of a part: `the plot was clever`. A negation turns it round (`was not dull`), and with
two opinions that disagree, the main clause, or what follows a "but", decides. Conjunctions join like with like
("clever and gripping"), which is how a model can find out which words are of one kind (Hatzivassiloglou and
McKeown 1997).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from minitune.world.grammar import a, fill, was
from minitune.world.lexicon import Aspect, Domain, Lexicon

Key = tuple[str, str, bool]  # domain, aspect, good


@dataclass(frozen=True)
class Choices:
    """What may be said of each part, for it or against it."""

    adjectives: dict[Key, tuple[str, ...]]
    verbs: dict[Key, tuple[tuple[str, str], ...]]  # (past, base)


class Pen:
    """Writes the sentences of one review."""

    def __init__(
        self, lexicon: Lexicon, rng: random.Random, domain: Domain, choices: Choices, verdict_share: float = 0
    ):
        self.words, self.common = lexicon.reviews, lexicon.common
        self.rng, self.domain, self.choices = rng, domain, choices
        self.verdict_share = verdict_share  # how often an aspect is called "great" instead of "clever"
        self.unused: list[Aspect] = []

    def two_aspects(self) -> tuple[Aspect, Aspect]:
        """Two parts that the review has not spoken of, as long as there are any."""
        if len(self.unused) < 2:
            self.unused = self.rng.sample(self.domain.aspects, len(self.domain.aspects))
        return self.unused.pop(), self.unused.pop()

    def word(self, aspect: Aspect, good: bool) -> str:
        if self.verdict_share and self.rng.random() < self.verdict_share:
            return (self.words.good_verdicts if good else self.words.bad_verdicts).draw(self.rng)
        return self.rng.choice(self.choices.adjectives[self.domain.name, aspect.name, good])

    def predicate(self, aspect: Aspect, good: bool) -> str:
        """`clever`, `very clever`, `not dull`, `hardly dull`."""
        rng = self.rng
        if rng.random() >= 0.26:
            word = self.word(aspect, good)
            return f"{rng.choice(self.words.intensifiers)} {word}" if rng.random() < 0.36 else word
        word, negator = self.word(aspect, not good), rng.choice(self.words.negators)
        if negator == "not" and rng.random() < 0.36:
            return f"not {rng.choice(self.words.negated_intensifiers)} {word}"
        return f"{negator} {word}"

    def clause(self, aspect: Aspect, good: bool) -> str:
        """`the plot was clever`, `i enjoyed the plot`, `i did not enjoy the plot`."""
        rng = self.rng
        negated = rng.random() < 0.26
        verbs = self.choices.verbs[self.domain.name, aspect.name, good != negated]
        if not verbs or rng.random() < 0.85:
            return f"the {aspect.name} {was(aspect.plural)} {self.predicate(aspect, good)}"
        who = rng.choice(("i", "we"))
        past, base = rng.choice(verbs)
        return f"{who} did not {base} the {aspect.name}" if negated else f"{who} {past} the {aspect.name}"

    def alone(self, good: bool) -> str:
        """A sentence of one opinion."""
        aspect, _ = self.two_aspects()
        return f"{self.opened(self.clause(aspect, good))} ."

    def agreeing(self, good: bool) -> str:
        """A sentence whose opinions, one or several, all go the same way."""
        rng = self.rng
        one, two = self.two_aspects()
        it = f"the {one.name} {was(one.plural)}"
        form = rng.random()
        if form < 0.12:
            sentence = self.clause(one, good)
        elif form < 0.46:
            first, second = self.different_words(one, good, 2)
            second = second if rng.random() < 0.8 else f"{rng.choice(self.words.intensifiers)} {second}"
            sentence = f"{it} {self.intensified(first)} and {second}"
        elif form < 0.50:
            first, second = self.different_words(one, not good, 2)
            sentence = f"{it} neither {first} nor {second}"
        elif form < 0.54:
            sentence = f"{it} {self.word(one, good)} and not {self.word(one, not good)}"
        elif form < 0.72:
            sentence = f"{self.clause(one, good)} and {self.clause(two, good)}"
        elif form < 0.88:
            first, second, third = self.different_words(one, good, 3)
            phrase = f"{first} {one.name}"
            sentence = f"{phrase if one.plural else a(phrase)} , {second} and {third}"
        elif form < 0.94:
            if rng.random() < 0.2 and (word := self.shared_word(one, two, not good)):
                sentence = f"{it} not {word} , and nor {was(two.plural)} the {two.name}"
            elif word := self.shared_word(one, two, good):
                sentence = f"{it} {self.intensified(word)} , and so {was(two.plural)} the {two.name}"
            else:
                sentence = self.clause(one, good)
        else:
            word = self.shared_word(one, two, good)
            both = f"both the {one.name} and the {two.name} were"
            sentence = f"{both} {self.intensified(word)}" if word else self.clause(two, good)
        return f"{self.opened(sentence)} ."

    def contrast(self, good: bool) -> str:
        """A sentence of two opinions that disagree; `good` is what the deciding one says."""
        rng = self.rng
        one, two = self.two_aspects()
        against, deciding = self.clause(one, not good), self.clause(two, good)
        form = rng.random()
        if form < 0.45:
            return f"{self.opened(against)} but {deciding} ."
        if form < 0.6:
            return f"{self.opened(against)} , yet {deciding} ."
        although = rng.choice(("although", "although", "even though"))
        if form < 0.8:
            return f"{although} {against} , {deciding} ."
        return f"{self.opened(deciding)} , {although} {against} ."

    def different_words(self, aspect: Aspect, good: bool, count: int) -> list[str]:
        words: list[str] = []
        while len(words) < count:
            if (word := self.word(aspect, good)) not in words:
                words.append(word)
        return words

    def shared_word(self, one: Aspect, two: Aspect, good: bool) -> str:
        """A word that suits both parts, or "" where chance finds none."""
        for _ in range(8):
            word = self.word(one, good)
            if word in self.choices.adjectives[self.domain.name, two.name, good]:
                return word
        return ""

    def intensified(self, word: str) -> str:
        return f"{self.rng.choice(self.words.intensifiers)} {word}" if self.rng.random() < 0.36 else word

    def opened(self, sentence: str) -> str:
        """Now and then `i thought the plot was clever`."""
        if self.rng.random() < 0.2 and sentence.startswith("the "):
            return f"{self.rng.choice(self.words.openers)} {sentence}"
        return sentence

    def neutral(self) -> str:
        rng = self.rng
        slots = {
            "visit": rng.choice(self.domain.visits),
            "day": rng.choice(self.common.days),
            "relative": rng.choice(self.common.relatives),
        }
        return fill(rng.choice(self.words.neutral), **slots)

    def verdict(self, good: bool) -> str:
        word = (self.words.good_verdicts if good else self.words.bad_verdicts).draw(self.rng)
        return fill(self.words.verdicts.draw(self.rng), word=word, noun=self.rng.choice(self.domain.nouns))
