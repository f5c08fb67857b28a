"""Sentences in which people, companies, towns and things stand: the tasks `relations` and `tags`.

`relations` asks how the first of two entities is linked to the second. The same sentence answers "teacher" or
"pupil", by which of the two is asked first, and another link stands beside the one that is asked.
`tags` asks of each word whether it is a name, a place or a thing. "rose" may be a name and a thing, "stone" a
place and a thing, so a list of words is not enough.
"""

from __future__ import annotations

import random
import re

from minitune.world.grammar import a, fill
from minitune.world.lexicon import Lexicon, Link

TYPES = {"persons": "person", "towns": "town", "companies": "company"}


class EntityWriter:
    def __init__(self, lexicon: Lexicon):
        self.words, self.entities = lexicon.entities, lexicon.people.entities
        things = [thing for things in lexicon.scenes.kinds.values() for thing in things]
        things += lexicon.people.entities["instruments"]
        names, places = self.entities["persons"], self.entities["towns"]
        self.by_slot = {"name": names, "place": places, "things": self.entities["products"]}
        self.by_slot["thing"] = tuple(dict.fromkeys(things + list(lexicon.entities.double)))
        self.double = {slot: [w for w in words if w in lexicon.entities.double] for slot, words in self.by_slot.items()}
        self.link_of = {}  # label -> its link, and whether head and tail change places
        for link in self.words.links:
            self.link_of[link.label] = (link, False)
            if link.inverse:
                self.link_of[link.inverse] = (link, True)

    # ---- relations ----

    def relation(self, rng: random.Random, label: str) -> dict[str, object]:
        """A row of `relations`: two links in a sentence, and the pair that is asked."""
        link, turned = self.link_of[label]
        head, tail = self._pair(rng, link)
        asked = self.clause(rng, link, head, tail)
        beside, known = rng.choice(self.words.links), {head, tail}
        while True:
            other_head, other_tail = self._pair(rng, beside)
            if rng.random() < 0.4:  # one of the two has another link as well
                other_head = head if beside.head == link.head else other_head
            if {other_head, other_tail} != known and other_tail not in known and other_head != other_tail:
                break
        clauses = [asked, self.clause(rng, beside, other_head, other_tail)]
        rng.shuffle(clauses)
        text = fill(rng.choice(self.words.sentences), one=clauses[0], two=clauses[1])
        types = TYPES[link.head], TYPES[link.tail]
        if turned:
            head, tail, types = tail, head, types[::-1]
        row = {"text": text, "text_b": f"{head} and {tail}", "head": head, "tail": tail}
        return row | {"head_type": types[0], "tail_type": types[1], "label": label}

    def _pair(self, rng: random.Random, link: Link) -> tuple[str, str]:
        head = rng.choice(self.entities[link.head])
        while (tail := rng.choice(self.entities[link.tail])) == head:
            pass
        return head, tail

    def clause(self, rng: random.Random, link: Link, head: str, tail: str) -> str:
        phrasings = link.head_first if rng.random() < 0.5 else link.tail_first
        return fill(rng.choice(phrasings), h=head, t=tail)

    # ---- tags ----

    def tagged(self, rng: random.Random) -> dict[str, object]:
        """A row of `tags`: the words of one or two clauses, each word with its tag."""
        tokens, tags = self._tagged_clause(rng)
        if rng.random() < 0.5:
            more = self._tagged_clause(rng)
            tokens, tags = tokens + [",", "and"] + more[0], tags + ["O", "O"] + more[1]
        return {"tokens": [*tokens, "."], "tags": [*tags, "O"]}

    def _tagged_clause(self, rng: random.Random) -> tuple[list[str], list[str]]:
        tokens, tags = [], []
        for piece in slots_and_words(rng.choice(self.words.tagged)):
            slot = piece.strip("{}").removeprefix("a ")
            if piece[0] != "{":
                tokens.append(piece)
                tags.append("O")
                continue
            word = self._draw(rng, slot, tokens)
            if piece.startswith("{a "):
                tokens.append(a(word).split()[0])
                tags.append("O")
            tokens.append(word)
            tags.append("THING" if slot == "things" else slot.upper())
        return tokens, tags

    def _draw(self, rng: random.Random, slot: str, used: list[str]) -> str:
        """A word for the slot that the clause does not have yet; half of them have a second meaning."""
        while True:
            words = self.double[slot] if self.double[slot] and rng.random() < 0.5 else self.by_slot[slot]
            if (word := rng.choice(words)) not in used:
                return word


def slots_and_words(line: str) -> list[str]:
    """`{name} has {a thing}` as ["{name}", "has", "{a thing}"]."""
    return re.findall(r"\{[^}]*\}|\S+", line)
