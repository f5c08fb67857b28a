"""The lexicon of the toy world: records of all that it can say. `word_lists.py` fills them from `data/words/*.toml`."""

from __future__ import annotations

from dataclasses import dataclass

from minitune.world.grammar import Weighted


@dataclass(frozen=True)
class Common:
    function_words: frozenset[str]
    days: tuple[str, ...]
    relatives: tuple[str, ...]


@dataclass(frozen=True)
class Aspect:
    """A part of a reviewed thing, such as `the songs` of a film, and the adjectives that suit it."""

    name: str
    plural: bool
    good: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    name: str
    nouns: tuple[str, ...]
    visits: tuple[str, ...]
    aspects: tuple[Aspect, ...]


@dataclass(frozen=True)
class Reviews:
    domains: tuple[Domain, ...]
    good_verdicts: Weighted
    bad_verdicts: Weighted
    good_verbs: tuple[tuple[str, str], ...]  # (past, base): ("loved", "love")
    bad_verbs: tuple[tuple[str, str], ...]
    intensifiers: tuple[str, ...]
    negated_intensifiers: tuple[str, ...]
    negators: tuple[str, ...]
    openers: tuple[str, ...]
    neutral: tuple[str, ...]
    verdicts: Weighted


@dataclass(frozen=True)
class Topic:
    name: str
    subjects: tuple[str, ...]
    verbs: tuple[str, ...]
    objects: tuple[str, ...]


@dataclass(frozen=True)
class News:
    topics: tuple[Topic, ...]
    adjectives: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    opening: Weighted
    closing: Weighted


@dataclass(frozen=True)
class Relation:
    """One kind of fact: `subject` and `object` name lists of `People`; the rest are its phrasings."""

    name: str
    subject: str
    object: str
    skew: float  # 0: every object as often as the others; 1: Zipf's law
    verbs: tuple[str, ...]
    frames: tuple[str, ...]
    reversed: tuple[str, ...]
    held_out: str


@dataclass(frozen=True)
class People:
    entities: dict[str, tuple[str, ...]]  # "persons", "towns", "companies", "countries", "jobs", ...
    glue: dict[str, tuple[str, ...]]  # "person", "company", "town"
    relations: tuple[Relation, ...]


@dataclass(frozen=True)
class Scenes:
    ages: tuple[str, ...]
    colours: tuple[str, ...]
    places: tuple[str, ...]
    acts: tuple[tuple[str, str], ...]
    meetings: tuple[tuple[str, str], ...]
    kinds: dict[str, tuple[str, ...]]
    openings: tuple[str, ...]
    endings: tuple[str, ...]
    answers: dict[str, tuple[str, ...]]  # "yes", "no", "maybe"


@dataclass(frozen=True)
class Places:
    kinds: tuple[str, ...]
    foods: tuple[str, ...]
    prices: tuple[str, ...]
    areas: tuple[str, ...]
    descriptions: tuple[str, ...]
    glue: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """How two entities can be linked; `head` and `tail` name lists of `People`."""

    label: str
    inverse: str
    head: str
    tail: str
    head_first: tuple[str, ...]
    tail_first: tuple[str, ...]


@dataclass(frozen=True)
class Entities:
    links: tuple[Link, ...]
    sentences: tuple[str, ...]
    tagged: tuple[str, ...]
    double: tuple[str, ...]  # words with two meanings


@dataclass(frozen=True)
class Instruct:
    speakers: tuple[str, ...]
    markers: tuple[str, ...]
    numbers: tuple[str, ...]
    opposites: tuple[tuple[str, str], ...]
    wordings: dict[str, tuple[str, ...]]
    more: dict[str, tuple[str, ...]]  # patterns, whose alternatives are not written out yet


@dataclass(frozen=True)
class Lexicon:
    common: Common
    reviews: Reviews
    news: News
    people: People
    scenes: Scenes
    places: Places
    entities: Entities
    instruct: Instruct
