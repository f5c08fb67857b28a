"""Reviews of films, food, books and hotels.

A review has a polarity. Its sentences hold opinions, an opinion being a word said of a part: `the plot
was clever`. A negation turns an opinion round (`was not dull`), and with two opinions that disagree, the
main clause, or what follows a "but", decides. Conjunctions join like with like ("clever and gripping"),
which is how a model can find out which words are of one kind (Hatzivassiloglou and McKeown 1997).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from minitune.world.grammar import a, fill, was
from minitune.world.lexicon import Aspect, Domain, Lexicon

HELD_OUT_PERCENT = 15


class ReviewWriter:
    """Writes reviews: whole ones for the pretraining text, ones without a verdict for the tasks.

    About 15% of the pairs of opinion word and aspect are kept for the tasks alone.
    """

    def __init__(self, lexicon: Lexicon, seed: int, joined: bool = True):
        self.words, self.common = lexicon.reviews, lexicon.common
        self.seed = seed
        self.joined = joined  # False: each sentence of the pretraining text holds one opinion, joined to none
        self.text_choices = self._choices(lambda word, aspect: not self.is_held_out(word, aspect))
        self.task_choices = self._choices(lambda word, aspect: True)

    def is_held_out(self, word: str, aspect: str) -> bool:
        """Whether this pair never occurs in the pretraining text; the same on every machine."""
        return zlib.crc32(f"{self.seed}/{word}/{aspect}".encode()) % 100 < HELD_OUT_PERCENT

    def _choices(self, allowed: Callable[[str, str], bool]) -> dict[tuple, tuple]:
        """For each (domain, aspect, good) the adjectives, and with a fourth key the verbs."""
        choices = {}
        for domain in self.words.domains:
            for aspect in domain.aspects:
                for good in (True, False):
                    adjectives = aspect.good if good else aspect.bad
                    verbs = self.words.good_verbs if good else self.words.bad_verbs
                    key = (domain.name, aspect.name)
                    choices[*key, good] = tuple(w for w in adjectives if allowed(w, aspect.name)) or adjectives
                    choices[*key, good, "verb"] = tuple(v for v in verbs if allowed(v[0], aspect.name))
        return choices

    # ---- whole reviews ----

    def document(self, rng: random.Random) -> str:
        """A review as the pretraining text has it: opinions, often a neutral sentence and a verdict."""
        domain, good = rng.choice(self.words.domains), rng.random() < 0.5
        pen = Pen(self, rng, domain, self.text_choices, verdict_share=0.04)
        count = rng.choice((1, 2, 2, 3))
        contrast_at = rng.randrange(count) if rng.random() < 0.25 else -1
        if self.joined:
            sentences = [pen.contrast(good) if i == contrast_at else pen.agreeing(good) for i in range(count)]
        else:
            sentences = [pen.alone(good) for _ in range(count)]
        if rng.random() < 0.6:
            sentences.insert(rng.randrange(len(sentences) + 1), pen.neutral())
        place = rng.random()
        if place < 0.68:
            sentences.append(pen.verdict(good))
        elif place < 0.75:
            sentences.insert(0, pen.verdict(good))
        return " ".join(sentences)

    def sentiment(self, rng: random.Random, good: bool) -> str:
        """A review of one or two opinion sentences without a verdict."""
        pen = Pen(self, rng, rng.choice(self.words.domains), self.task_choices)
        count = rng.choice((1, 2, 2))
        contrast_at = rng.randrange(count) if rng.random() < 0.25 else -1
        sentences = [pen.contrast(good) if i == contrast_at else pen.agreeing(good) for i in range(count)]
        if rng.random() < 0.4:
            sentences.insert(rng.randrange(len(sentences) + 1), pen.neutral())
        return " ".join(sentences)

    def rating(self, rng: random.Random, good_ones: int) -> str:
        """A review of exactly four opinions, `good_ones` of them good, in two sentences."""
        pen = Pen(self, rng, rng.choice(self.words.domains), self.task_choices)
        signs = [i < good_ones for i in range(4)]
        rng.shuffle(signs)
        aspects = rng.sample(pen.domain.aspects, min(4, len(pen.domain.aspects)))
        sentences = []
        for i in (0, 2):
            first = pen.clause(aspects[i % len(aspects)], signs[i])
            second = pen.clause(aspects[(i + 1) % len(aspects)], signs[i + 1])
            joint = "and" if signs[i] == signs[i + 1] else "but"
            sentences.append(f"{first} {joint} {second} .")
        if rng.random() < 0.3:
            sentences.insert(rng.randrange(3), pen.neutral())
        return " ".join(sentences)


class Pen:
    """Writes the sentences of one review."""

    def __init__(
        self,
        writer: ReviewWriter,
        rng: random.Random,
        domain: Domain,
        choices: dict,
        verdict_share: float = 0,
    ):
        self.words, self.common = writer.words, writer.common
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
        return self.rng.choice(self.choices[self.domain.name, aspect.name, good])

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
        verbs = self.choices[self.domain.name, aspect.name, good != negated, "verb"]
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
            if word in self.choices[self.domain.name, two.name, good]:
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
