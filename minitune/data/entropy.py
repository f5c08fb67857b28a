r"""The grammar's own entropy: how surprising its choices are, which no model of its text can undercut.

    H = E[ -ln p(text) ]      p(text) = product of the probabilities of the choices that made it

For news every text has one derivation, so noting the choices while the grammar writes gives p(text) exactly.
(A review can be written in several ways; noting its choices would overstate its surprise.)
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence


class NotingRandom(random.Random):
    """A random generator that sums up -ln p of the choices made with it, in `nats`."""

    nats = 0.0

    def choice(self, options: Sequence):
        self.nats += math.log(len(options))
        return super().choice(options)

    def chance(self, probability: float) -> bool:
        happens = self.random() < probability
        self.nats -= math.log(probability if happens else 1 - probability)
        return happens
