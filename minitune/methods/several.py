"""Several methods at once: by name with settings for those that have them, and all that suit a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minitune.errors import UserError
from minitune.methods.asked import ASKED
from minitune.methods.method import NAMED, Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.questions.kinds import KINDS
from minitune.settings import names_of, parted
from minitune.training.loop import TrainConfig

PLAIN = ("frozen", "full")  # of the answers to "what may change?"
GIVEN = ("bare", "manual", "head", "focal", "beside", "verbalizer")  # of the others: not searched, and long in use
WITHOUT_A_BLANK = ("bare", "pet")  # of the answers to how it is asked


def parse_all(names: Sequence[str], settings: Sequence[str] | Mapping[str, Any] = ()) -> list[Method]:
    """Methods, each with those of the settings that it has.

    Raises:
        UserError: as of `Method.parse`; a setting that none of them has.
    """
    given = dict(settings) if isinstance(settings, Mapping) else dict(map(parted, settings))
    methods = [Method.parse(name) for name in names]
    known = [{*names_of((*m.configs, TrainConfig()))} for m in methods]
    for name in given:
        if not any(name in its for its in known):
            having = ", ".join(sorted(set().union(*known)))
            raise UserError(f"no method here has a setting {name!r}; among them they have {having}")
    return [
        Method.parse(name, {key: value for key, value in given.items() if key in its})
        for name, its in zip(names, known, strict=True)
    ]


def all_methods(kind_name: str = "classes") -> list[str]:
    """The combinations that suit a question of this kind; zero-shot first, where there is such a thing.

    What is searched for, or learned at the blank, stands beside a frozen model and one that is trained whole: the
    product of all would not end within a day.
    """
    kind = KINDS[kind_name]
    named = [name for name in NAMED if kind.is_choice and (name != "pet" or kind_name == "classes")]
    if kind.read_by:
        return [*named, *(what for what in WHAT if what not in kind.without)]
    possible = [
        f"{what}@{asked}+{read}"
        for what in WHAT
        for asked in ASKED
        for read in READ
        if read != "number" and (READ[read].at_the_blank or what != "output")
        if asked not in WITHOUT_A_BLANK or not READ[read].at_the_blank
        if (asked == "pet") == (read == "distilled")
        if what in PLAIN or (asked in GIVEN and read in GIVEN)
    ]
    return [*named, *(method for method in possible if method not in NAMED.values())]
