r"""The grammar's own entropy: how surprising its choices are, which no model of its text can undercut.

    H = E[ -ln p(text) ]      p(text) = product of the probabilities of the choices that made it

For news nearly every text has one derivation, so noting the choices while the grammar writes gives p(text).
(A review can be written in several ways; noting its choices would overstate its surprise.)
"""

from __future__ import annotations

from minitune.world.grammar import NotingRandom
from minitune.world.world import World


def news_and_its_surprise(world: World, count: int) -> list[tuple[str, float]]:
    """New reports, none of them in the pretraining text but by chance, each with -ln p(report) in nats."""
    reports = []
    for index in range(count):
        rng = NotingRandom(f"{world.seed}/entropy/{index}")
        text = world.news.document(rng)
        reports.append((text, rng.nats))
    return reports
