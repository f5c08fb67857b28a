"""News: three sentences about a topic, one of which may be about something else.

Half of the reports hold such a distractor, so that counting the words of one example does not give the
topic away: the other two sentences, or the line that names the topic, do.
"""

from __future__ import annotations

import random

from minitune.data.grammar import fill
from minitune.data.lexicon import Lexicon, Topic


class NewsWriter:
    def __init__(self, lexicon: Lexicon):
        self.words, self.days = lexicon.news, lexicon.common.days
        self.topics = {topic.name: topic for topic in self.words.topics}

    def document(self, rng: random.Random) -> str:
        """A report as the pretraining text has it, in 70% of cases with a line that names the topic."""
        topic = rng.choice(self.words.topics)
        text = self.report(rng, topic, distractor=rng.random() < 0.5)
        named = rng.random()
        if named < 0.58:
            return f"{text} {fill(self.words.closing.draw(rng), topic=topic.name)}"
        if named < 0.70:
            return f"{fill(self.words.opening.draw(rng), topic=topic.name)} {text}"
        return text

    def report(self, rng: random.Random, topic: Topic, distractor: bool) -> str:
        """Three sentences of the topic, one of them replaced by a sentence of another topic if asked."""
        sentences = [self.sentence(rng, topic) for _ in range(3)]
        if distractor:
            others = [other for other in self.words.topics if other is not topic]
            sentences[rng.randrange(3)] = self.sentence(rng, rng.choice(others))
        return " ".join(sentences)

    def sentence(self, rng: random.Random, topic: Topic) -> str:
        """`on monday the young striker missed a penalty .`"""
        subject = rng.choice(topic.subjects)
        if rng.random() < 0.35:
            subject = f"{rng.choice(self.words.adjectives)} {subject}"
        core = f"the {subject} {rng.choice(topic.verbs)} {rng.choice(topic.objects)}"
        where = rng.random()
        if where < 0.2:
            return f"{fill(rng.choice(self.words.before), day=rng.choice(self.days))} {core} ."
        if where < 0.5:
            return f"{core} {fill(rng.choice(self.words.after), day=rng.choice(self.days))} ."
        return f"{core} ."
