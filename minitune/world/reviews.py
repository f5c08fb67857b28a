"""Reviews of films, food, books and hotels, each good or bad as a whole.

The pretraining text has whole reviews, with neutral sentences and a verdict. The tasks have reviews that tell
their polarity by opinions alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from minitune.world.grammar import is_held_out
from minitune.world.lexicon import Lexicon
from minitune.world.review_sentences import Choices, Pen


class ReviewWriter:
    """Writes reviews: whole ones for the pretraining text, ones without a verdict for the tasks.

    About 15% of the pairs of opinion word and aspect are kept for the tasks alone.
    """

    def __init__(self, lexicon: Lexicon, seed: int, joined: bool = True):
        self.lexicon, self.seed = lexicon, seed
        self.joined = joined  # False: each sentence of the pretraining text holds one opinion, joined to none
        self.text_choices = self._choices(lambda word, aspect: not self.is_held_out(word, aspect))
        self.task_choices = self._choices(lambda word, aspect: True)

    def is_held_out(self, word: str, aspect: str) -> bool:
        """Whether this pair never occurs in the pretraining text."""
        return is_held_out(f"{self.seed}/{word}/{aspect}")

    def _choices(self, allowed: Callable[[str, str], bool]) -> Choices:
        """The words and verbs of each part that `allowed(word, aspect)` lets through."""
        words = self.lexicon.reviews
        choices = Choices({}, {})
        for domain in words.domains:
            for aspect in domain.aspects:
                for good in (True, False):
                    adjectives = aspect.good if good else aspect.bad
                    verbs = words.good_verbs if good else words.bad_verbs
                    key = domain.name, aspect.name, good
                    choices.adjectives[key] = tuple(w for w in adjectives if allowed(w, aspect.name)) or adjectives
                    choices.verbs[key] = tuple(verb for verb in verbs if allowed(verb[0], aspect.name))
        return choices

    def pen(self, rng: random.Random, choices: Choices, verdict_share: float = 0) -> Pen:
        """A pen for a review of something in a random domain."""
        return Pen(self.lexicon, rng, rng.choice(self.lexicon.reviews.domains), choices, verdict_share)

    # ---- whole reviews ----

    def document(self, rng: random.Random) -> str:
        """A review as the pretraining text has it: opinions, often a neutral sentence and a verdict."""
        pen = self.pen(rng, self.text_choices, verdict_share=0.04)
        good = rng.random() < 0.5
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
        pen = self.pen(rng, self.task_choices)
        count = rng.choice((1, 2, 2))
        contrast_at = rng.randrange(count) if rng.random() < 0.25 else -1
        sentences = [pen.contrast(good) if i == contrast_at else pen.agreeing(good) for i in range(count)]
        if rng.random() < 0.4:
            sentences.insert(rng.randrange(len(sentences) + 1), pen.neutral())
        return " ".join(sentences)

    def rating(self, rng: random.Random, good_ones: int) -> str:
        """A review of exactly four opinions, `good_ones` of them good, in two sentences."""
        pen = self.pen(rng, self.task_choices)
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
