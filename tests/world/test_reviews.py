"""Reviews: what is kept for the tasks stays out of the text, and opinions are joined or not as asked."""

from __future__ import annotations

import random

import pytest

from minitune.world.oracles import Oracles, sentences_of
from minitune.world.reviews import ReviewWriter
from minitune.world.word_lists import load_lexicon

pytestmark = pytest.mark.lesson01
LEXICON = load_lexicon()
ORACLES = Oracles(LEXICON)


def reviews(writer, count=2000):
    return [writer.document(random.Random(i)) for i in range(count)]


def test_a_pair_that_is_kept_for_the_tasks_never_stands_in_the_text():
    writer = ReviewWriter(LEXICON, seed=3)
    said = {(o.word, o.aspect) for text in reviews(writer) for o in ORACLES.opinions(text)}
    said = {(word, aspect) for word, aspect in said if word not in ORACLES.verdicts}
    assert not any(writer.is_held_out(*pair) for pair in said), "a pair of the tasks stands in the text"
    asked = [o for i in range(300) for o in ORACLES.opinions(writer.sentiment(random.Random(i), i % 2 == 0))]
    assert any(writer.is_held_out(o.word, o.aspect) for o in asked), "the tasks hold nothing that the text lacks"


def test_unjoined_reviews_have_one_opinion_a_sentence():
    for joined in (True, False):
        texts = reviews(ReviewWriter(LEXICON, seed=3, joined=joined), 300)
        most = max(len(ORACLES.sentence_opinions(words)) for text in texts for words in sentences_of(text))
        assert (most > 1) == joined, f"joined={joined}, and a sentence has {most} opinions"
