"""Oracles: readers that know the grammar, and answer each task from its text alone.

What an oracle can read off the text is there to be learned, so an oracle near 1 shows that a task is hard
and not noisy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from minitune.world.entities import slots_and_words
from minitune.world.grammar import fill
from minitune.world.lexicon import Lexicon
from minitune.world.scenes import Event, Phrase, SceneWriter

NEGATORS = {"not", "never", "hardly", "far", "neither", "nor"}


@dataclass(frozen=True)
class Opinion:
    """A word said of a part of the reviewed thing, and whether that speaks for it."""

    word: str
    aspect: str
    negated: bool
    good: bool
    decides: bool  # False where the other half of a contrast has the last word


class Oracles:
    def __init__(self, lexicon: Lexicon):
        self.lexicon = lexicon
        reviews = lexicon.reviews
        aspects = [aspect for domain in reviews.domains for aspect in domain.aspects]
        self.aspects = {aspect.name for aspect in aspects}
        self.verbs = {form: True for pair in reviews.good_verbs for form in pair}
        self.verbs |= {form: False for pair in reviews.bad_verbs for form in pair}
        self.past_of = {base: past for past, base in reviews.good_verbs + reviews.bad_verbs}
        self.verdicts = dict.fromkeys(reviews.good_verdicts.items, True)
        self.verdicts |= dict.fromkeys(reviews.bad_verdicts.items, False)
        self.polarity = {word: True for aspect in aspects for word in aspect.good}
        self.polarity |= {word: False for aspect in aspects for word in aspect.bad}
        self.polarity |= self.verbs | self.verdicts
        self.scenes = SceneWriter(lexicon)
        self.past = {past: (past, base) for past, base in lexicon.scenes.acts + lexicon.scenes.meetings}
        self.base = {base: (past, base) for past, base in self.past.values()}

    # ---- reviews ----

    def sentiment(self, text: str) -> str:
        votes = sum(1 if opinion.good else -1 for opinion in self.opinions(text) if opinion.decides)
        return "positive" if votes > 0 else "negative"

    def rating(self, text: str) -> str:
        return str(1 + sum(opinion.good for opinion in self.opinions(text)))

    def opinions(self, text: str) -> list[Opinion]:
        return [opinion for sentence in sentences_of(text) for opinion in self.sentence_opinions(sentence)]

    def sentence_opinions(self, words: list[str]) -> list[Opinion]:
        """Every opinion of one sentence, in order."""
        if not self.aspects.intersection(words):
            return []
        found: list[Opinion] = []
        spoken_of: list[str] = []  # the parts that a word now belongs to
        waiting: list[tuple[str, bool]] = []  # words that came before their part: "i loved the soup"
        negated = False
        decisive = self._decisive(words)
        for at, word in enumerate(words):
            if word in NEGATORS:
                negated = True
            elif word in self.aspects:
                said_of_both = "both" in words and words.index("both") < at <= words.index("both") + 5
                spoken_of = [*spoken_of, word] if said_of_both else [word]
                if words[at - 3 : at - 1] in (["so", "was"], ["so", "were"], ["nor", "was"], ["nor", "were"]):
                    waiting, negated = [(found[-1].word, found[-1].negated)], False
                for known, was_negated in waiting:
                    found.append(self._opinion(known, word, was_negated, decisive[at]))
                waiting = []
            elif word in self.polarity:
                if word in self.verbs or not spoken_of:
                    waiting.append((word, negated))
                else:
                    found += [self._opinion(word, aspect, negated, decisive[at]) for aspect in spoken_of]
                negated = False
        return found

    def _opinion(self, word: str, aspect: str, negated: bool, decides: bool) -> Opinion:
        good = self.polarity[word] != negated
        return Opinion(self.past_of.get(word, word), aspect, negated, good, decides)

    def _decisive(self, words: list[str]) -> list[bool]:
        """For each word whether it stands in the main clause, or after the "but"."""
        for turn in ("but", "yet"):
            if turn in words:
                return [at > words.index(turn) for at in range(len(words))]
        if "although" not in words and "though" not in words:
            return [True] * len(words)
        turn = words.index("although" if "although" in words else "though")
        if self.aspects.intersection(words[:turn]):
            return [at < turn for at in range(len(words))]
        end = words.index(",", turn)
        return [at > end for at in range(len(words))]

    # ---- news ----

    def topic(self, text: str) -> str:
        """The topic that most sentences can be about with all their words."""
        votes: Counter[str] = Counter()
        for words in sentences_of(text):
            for topic in self.lexicon.news.topics:
                known = {*topic.subjects, *topic.verbs, *(phrase.split()[-1] for phrase in topic.objects)}
                hits = len(known.intersection(words))
                votes[topic.name] += 10 * (hits == 3) + hits
        return max(sorted(votes), key=votes.__getitem__)

    # ---- scenes ----

    def entail(self, text: str, text_b: str) -> str:
        return self.scenes.judge(self.read_event(text), self.read_event(text_b))

    def read_event(self, text: str) -> Event:
        """The event that a sentence tells: what `Event.text` wrote, read back."""
        words, place = text.removesuffix(" .").split(), ""
        if words[-1] in self.lexicon.scenes.places and words[-3:-1] == ["in", "the"]:
            words, place = words[:-3], words[-1]
        negated = "not" in words
        if "by" in words:
            by = words.index("by")
            verb = self.past[words[by - 1]]
            said = words[: by - 2 - negated]
            return self._event(words[by + 1 :], verb, said, place, True, negated)
        at = next(i for i, word in enumerate(words) if word in (self.base if negated else self.past))
        verb = self.base[words[at]] if negated else self.past[words[at]]
        return self._event(words[: at - 2 * negated], verb, words[at + 1 :], place, False, negated)

    def _event(self, agent, verb, patients, place, passive, negated) -> Event:
        joint = next((word for word in patients if word in ("and", "or")), "")
        at = patients.index(joint) if joint else len(patients)
        phrases = [self._phrase(part) for part in (patients[:at], patients[at + 1 :]) if part]
        return Event(self._phrase(agent), verb, tuple(phrases), joint, place, passive, negated)

    def _phrase(self, words: list[str]) -> Phrase:
        return Phrase(words[-1], " ".join(words[1:-1]), words[0] == "the")

    # ---- entities ----

    def relations(self, text: str, head: str, tail: str) -> str:
        for link in self.lexicon.entities.links:
            for label, first, second in ((link.label, head, tail), (link.inverse, tail, head)):
                clauses = [fill(line, h=first, t=second) for line in link.head_first + link.tail_first]
                if label and any(f" {clause} " in f" {text} " for clause in clauses):
                    return label
        return ""

    def tags(self, tokens: list[str]) -> list[str]:
        """The tags of the sentence frame that fits; clauses are joined by ", and"."""
        clause, joint, rest = " ".join(tokens[:-1]).partition(" , and ")
        found = self._clause_tags(clause.split())
        return found + (["O", "O", *self._clause_tags(rest.split())] if joint else []) + ["O"]

    def _clause_tags(self, words: list[str]) -> list[str]:
        for frame in self.lexicon.entities.tagged:
            pieces = [part for piece in slots_and_words(frame) for part in _one_a_word(piece)]
            if len(pieces) == len(words) and all(
                piece in (word, "ARTICLE", "NAME", "PLACE", "THING") for piece, word in zip(pieces, words, strict=True)
            ):
                return [piece if piece in ("NAME", "PLACE", "THING") else "O" for piece in pieces]
        return ["O"] * len(words)


def _one_a_word(piece: str) -> list[str]:
    """A piece of a frame as one entry for each word that it stands for."""
    if piece.startswith("{a "):
        return ["ARTICLE", piece[3:-1].upper()]
    return [piece[1:-1].upper().removesuffix("S")] if piece.startswith("{") else [piece]


def sentences_of(text: str) -> list[list[str]]:
    """The words of each sentence, without its stop."""
    sentences: list[list[str]] = [[]]
    for word in text.split():
        if word in (".", "?", "!"):
            sentences.append([])
        else:
            sentences[-1].append(word)
    return [words for words in sentences if words]
