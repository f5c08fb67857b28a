"""News: three sentences about a topic, one of which may be about something else.

Half of the reports hold such a distractor, so that counting the words of one example does not give the
topic away: the other two sentences, or the line that names the topic, do.
"""

from __future__ import annotations

import random

from minitune.world.grammar import chance, fill
from minitune.world.lexicon import Lexicon, Topic


class NewsWriter:
    def __init__(self, lexicon: Lexicon):
        self.words, self.days = lexicon.news, lexicon.common.days
        self.topics = {topic.name: topic for topic in self.words.topics}

    def document(self, rng: random.Random) -> str:
        """A report as the pretraining text has it, in 70% of cases with a line that names the topic."""
        topic = rng.choice(self.words.topics)
        text = self.report(rng, topic, distractor=chance(rng, 0.5))
        if chance(rng, 0.58):
            return f"{text} {fill(self.words.closing.draw(rng), topic=topic.name)}"
        if chance(rng, 0.29):
            return f"{fill(self.words.opening.draw(rng), topic=topic.name)} {text}"
        return text

    def report(self, rng: random.Random, topic: Topic, distractor: bool) -> str:
        """Three sentences of the topic, one of them replaced by a sentence of another topic if asked."""
        topics = [topic, topic, topic]
        if distractor:
            others = [other for other in self.words.topics if other is not topic]
            topics[rng.choice((0, 1, 2))] = rng.choice(others)
        return " ".join(self.sentence(rng, its_topic) for its_topic in topics)

    def sentence(self, rng: random.Random, topic: Topic) -> str:
        """`on monday the young striker missed a penalty .`"""
        subject = rng.choice(topic.subjects)
        if chance(rng, 0.35):
            subject = f"{rng.choice(self.words.adjectives)} {subject}"
        core = f"the {subject} {rng.choice(topic.verbs)} {rng.choice(topic.objects)}"
        if chance(rng, 0.2):
            return f"{self.time(rng, self.words.before)} {core} ."
        if chance(rng, 0.375):
            return f"{core} {self.time(rng, self.words.after)} ."
        return f"{core} ."

    def time(self, rng: random.Random, phrases: tuple[str, ...]) -> str:
        """`on monday`, `at last`: a day is drawn only where there is a place for it."""
        phrase = rng.choice(phrases)
        return fill(phrase, day=rng.choice(self.days)) if "{" in phrase else phrase
