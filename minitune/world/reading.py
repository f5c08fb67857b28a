"""Reading the pretraining text: what stands in it, and what should not."""

from __future__ import annotations

import re
from collections import Counter

from minitune.world.oracles import Opinion, Oracles, sentences_of
from minitune.world.task_rows import Row
from minitune.world.tasks import TASKS
from minitune.world.world import World


class Reading:
    """What is found while the pretraining text is read once."""

    def __init__(self, world: World):
        self.world, self.oracles = world, Oracles(world.lexicon)
        self.function_words = world.lexicon.common.function_words
        tasks = (row for name in TASKS for split in world.task(name).values() for row in split)
        self.task_runs = {run for row in tasks for text in texts_of(row) for run in self.runs(text)}
        self.quotes = self.unseen_wordings = self.reviews = 0
        self.pairs: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()
        patterns = [relation.held_out for relation in world.lexicon.people.relations]
        asking = world.asking.wordings
        patterns += [w for its in (asking.known, asking.held_out) for wordings in its.values() for w in wordings]
        for task in TASKS.values():
            patterns += [template.split("}", 1)[1].strip() for template in task.unseen_templates]
        self.forbidden = [Wording(line) for line in patterns]

    def runs(self, text: str) -> set[str]:
        """Every five content words in a row; found in another way than the world does it."""
        words = [word for word in text.split() if word.isalpha() and word not in self.function_words]
        return {" ".join(words[at : at + 5]) for at in range(len(words) - 4)}

    def add(self, text: str) -> None:
        self.quotes += not self.task_runs.isdisjoint(self.runs(text))
        self.unseen_wordings += any(wording.stands_in(text) for wording in self.forbidden)
        sentences = sentences_of(text)
        opinions = [self.oracles.sentence_opinions(words) for words in sentences]
        if any(opinions):
            self.add_review(sentences, opinions)

    def add_review(self, sentences: list[list[str]], opinions: list[list[Opinion]]) -> None:
        self.reviews += 1
        has_contrast = has_neutral = False
        for words, found in zip(sentences, opinions, strict=True):
            contrast = any(not opinion.decides for opinion in found)
            has_contrast |= contrast
            has_neutral |= not found and not self.oracles.verdicts.keys() & set(words)
            self.counts["sentences"] += bool(found)
            self.counts["joined"] += len(found) > 1 and not contrast
            self.counts["opinions"] += len(found)
            self.counts["negated"] += sum(opinion.negated for opinion in found)
            self.pairs.update((opinion.word, opinion.aspect) for opinion in found)
        self.counts["contrast"] += has_contrast
        self.counts["neutral"] += has_neutral


def texts_of(row: Row) -> list[str]:
    """What a reader of a row reads, the phrasings of facts too.

    Not the world's own `texts_of`: a field that the one forgets, the other finds.
    """
    texts = [row[field] for field in ("text", "text_b", "instruction", "input", "output") if field in row]
    texts += [" ".join(row["tokens"])] if "tokens" in row else []
    return texts + ([row["phrasing"].replace("{mask}", row["object"])] if "phrasing" in row else [])


class Wording:
    """A line with slots that is looked for in many texts, its longest fixed part first to be fast."""

    def __init__(self, line: str):
        line = line.removesuffix("{mask}").strip()
        fixed = re.split(r"\{.*?\}", line)
        self.longest = max(fixed, key=len)
        pattern = r"\w+".join(map(re.escape, fixed))
        self.pattern = re.compile(rf"(?<!\S){pattern}(?!\S)")

    def stands_in(self, text: str) -> bool:
        return self.longest in text and bool(self.pattern.search(text))
