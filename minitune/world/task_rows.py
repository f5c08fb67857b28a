"""The rows of the tasks: balanced over the labels, and no text twice.

A row is a dict as it stands in the task's file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from minitune.world.grammar import fill
from minitune.world.people import Fact, PeopleWriter
from minitune.world.tasks import SPLITS

Row = dict[str, object]
Rows = dict[str, list[Row]]  # split -> rows


def balanced(seed: str, sizes: dict[str, int], labels: dict[str, tuple[str, ...]], make: Callable[..., Row]) -> Rows:
    """Rows of `make(rng, label)`: each label of a split equally often, no text twice in all three."""
    seen, rows = set(), {}
    for split in SPLITS:
        rng = random.Random(f"{seed}/{split}")
        rows[split] = []
        for index in range(sizes[split]):
            label = labels[split][index % len(labels[split])]
            while (key := tuple(texts_of(row := make(rng, label)))) in seen:
                pass
            seen.add(key)
            rows[split].append(row)
        rng.shuffle(rows[split])
    return rows


def texts_of(row: Row) -> Iterator[str]:
    """What a reader of a row reads: its fields of text, each by itself."""
    for field in ("text", "text_b", "instruction", "input", "output"):
        if field in row:
            yield row[field]
    if "tokens" in row:
        yield " ".join(row["tokens"])


def fact_rows(seed: int, people: PeopleWriter, counts: dict[Fact, int]) -> Rows:
    """Facts as sentences with a blank for the object.

    Half of the facts of each relation are for training and choosing prompts, in all phrasings of the text
    that end in the object; the others are the test, in the phrasing that the text never uses.
    """
    rng = random.Random(f"{seed}/task/facts")
    rows: Rows = {split: [] for split in SPLITS}
    for relation in people.words.relations:
        facts = [fact for fact in people.facts if fact.relation == relation.name]
        rng.shuffle(facts)
        half = len(facts) // 2
        seen = ["{s} " + verb for verb in relation.verbs] + list(relation.frames)
        seen = [phrasing for phrasing in seen if phrasing.endswith("{o}")]
        for index, fact in enumerate(facts):
            split = "test" if index >= half else "dev" if index % 5 == 4 else "train"
            for phrasing in [relation.held_out] if split == "test" else seen:
                rows[split].append(
                    {
                        "subject": fact.subject,
                        "relation": fact.relation,
                        "object": fact.object,
                        "phrasing": fill(phrasing, s=fact.subject, o="{mask}"),
                        "count": counts.get(fact, 0),
                        "held_out": split == "test",
                    }
                )
    return rows
