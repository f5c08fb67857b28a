"""The word lists of the toy world, read from `data/words/*.toml` into plain frozen records.

Everything that the world can say is in those files. A teacher who edits them changes the world, so
each mistake in them is told with the file and the key where it stands.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from minitune.data.grammar import Weighted
from minitune.errors import UserError
from minitune.files import read_text, shared


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


def load_lexicon(folder: Path | None = None) -> Lexicon:
    """Read the word lists of `folder` (the project's own when none is given).

    Raises:
        UserError: a file or a key is missing, a file is no TOML, or a value has the wrong form.
    """
    folder = folder or shared("data") / "words"
    return Lexicon(
        common=_common(Section.read(folder / "common.toml")),
        reviews=_reviews(Section.read(folder / "reviews.toml")),
        news=_news(Section.read(folder / "news.toml")),
        people=_people(Section.read(folder / "people.toml")),
        scenes=_scenes(Section.read(folder / "scenes.toml")),
        places=_places(Section.read(folder / "places.toml")),
        entities=_entities(Section.read(folder / "entities.toml")),
        instruct=_instruct(Section.read(folder / "instruct.toml")),
    )


def _common(file: Section) -> Common:
    return Common(frozenset(file.lines("function_words")), file.lines("days"), file.lines("relatives"))


def _reviews(file: Section) -> Reviews:
    opinions, wording = file.section("opinions"), file.section("wording")
    good, bad = opinions.lines("good"), opinions.lines("bad")
    domains = []
    for domain in file.sections("domains"):
        own_good, own_bad = domain.lines("good", least=0), domain.lines("bad", least=0)
        aspects = [
            Aspect(name, False, good + own_good, bad + own_bad) for name in domain.lines("singular", least=0)
        ]
        aspects += [
            Aspect(name, True, good + own_good, bad + own_bad) for name in domain.lines("plural", least=0)
        ]
        aspects += [Aspect(name, False, good, bad) for name in domain.lines("people", least=0)]
        if len(aspects) < 2:
            raise UserError(
                f"{domain.where} names fewer than two parts; add some to singular, plural or people"
            )
        nouns, visits = domain.lines("nouns"), domain.lines("visits")
        domains.append(Domain(domain.name, nouns, visits, tuple(aspects)))
    return Reviews(
        domains=tuple(domains),
        good_verdicts=file.section("verdicts").weights("good"),
        bad_verdicts=file.section("verdicts").weights("bad"),
        good_verbs=opinions.pairs("good_verbs"),
        bad_verbs=opinions.pairs("bad_verbs"),
        intensifiers=wording.lines("intensifiers"),
        negated_intensifiers=wording.lines("negated_intensifiers"),
        negators=wording.lines("negators"),
        openers=wording.lines("openers"),
        neutral=wording.lines("neutral", slots=("visit", "day", "relative")),
        verdicts=wording.weighted_lines("verdicts", slots=("word", "a word", "noun")),
    )


def _news(file: Section) -> News:
    topics = tuple(
        Topic(
            topic.name,
            topic.lines("subjects", least=2),
            topic.lines("verbs", least=2),
            topic.lines("objects", least=2),
        )
        for topic in file.sections("topics", least=2)
    )
    return News(
        topics=topics,
        adjectives=file.lines("adjectives"),
        before=file.lines("before", slots=("day",)),
        after=file.lines("after", slots=("day",)),
        opening=file.weighted_lines("opening", slots=("topic",)),
        closing=file.weighted_lines("closing", slots=("topic",)),
    )


def _people(file: Section) -> People:
    kinds = ("persons", "towns", "companies", "countries", "jobs", "instruments", "products")
    glue = file.section("glue")
    relations = []
    for relation in file.sections("relations"):
        spread = relation.text("spread", among=("even", "skewed"))
        relations.append(
            Relation(
                name=relation.name,
                subject=relation.text("subject", among=kinds),
                object=relation.text("object", among=kinds),
                skew=relation.number("skew") if spread == "skewed" else 0.0,
                verbs=relation.lines("verbs", least=2, slots=("o",)),
                frames=relation.lines("frames", slots=("s", "o")),
                reversed=relation.lines("reversed", slots=("s",)) if "reversed" in relation.table else (),
                held_out=relation.text("held_out", slots=("s", "o")),
            )
        )
    slots = ("s", "day", "relative", "job", "job2", "town", "product")
    return People(
        entities={kind: file.lines(kind, least=2) for kind in kinds},
        glue={kind: glue.lines(kind, slots=slots) for kind in ("person", "company", "town")},
        relations=tuple(relations),
    )


def _scenes(file: Section) -> Scenes:
    wording, kinds = file.section("wording"), file.section("kinds")
    return Scenes(
        ages=file.lines("ages", least=2),
        colours=file.lines("colours", least=2),
        places=file.lines("places", least=2),
        acts=file.pairs("acts"),
        meetings=file.pairs("meetings"),
        kinds={kind: kinds.lines(kind, least=2) for kind in kinds.table},
        openings=wording.lines("openings", slots=("day",)),
        endings=wording.lines("endings", slots=("animal", "job")),
        answers={word: wording.lines(f"answers_{word}", slots=("b",)) for word in ("yes", "no", "maybe")},
    )


def _places(file: Section) -> Places:
    slots = ("name", "kind", "a kind", "food", "price", "a price", "area")
    return Places(
        kinds=file.lines("kinds", least=2),
        foods=file.lines("foods", least=2),
        prices=file.lines("prices", least=2),
        areas=file.lines("areas", least=2),
        descriptions=file.lines("descriptions", slots=slots),
        glue=file.lines("glue", slots=("day", "job", "relative")),
    )


def _entities(file: Section) -> Entities:
    kinds, ends = ("persons", "towns", "companies"), ("h", "t")
    links = tuple(
        Link(
            label=link.text("label"),
            inverse=link.text("inverse", empty=True),
            head=link.text("head", among=kinds),
            tail=link.text("tail", among=kinds),
            head_first=link.lines("head_first", slots=ends),
            tail_first=link.lines("tail_first", slots=ends),
        )
        for link in file.sections("links", least=2)
    )
    tags, slots = file.section("tags"), ("name", "place", "thing", "a thing", "things")
    sentences = file.section("relations").lines("sentences", slots=("one", "two"))
    return Entities(links, sentences, tags.lines("sentences", slots=slots), tags.lines("double"))


def _instruct(file: Section) -> Instruct:
    wordings = file.section("wordings")
    return Instruct(
        speakers=file.lines("speakers", least=2),
        markers=file.lines("markers"),
        numbers=file.lines("numbers", least=7),
        opposites=file.pairs("opposites"),
        wordings={kind: wordings.lines(kind, slots=("colour",)) for kind in wordings.table},
    )


@dataclass(frozen=True)
class Section:
    """A table of a TOML file that remembers where it stands, so that a mistake can be found."""

    table: dict[str, object]
    file: str
    name: str = ""

    @classmethod
    def read(cls, path: Path) -> Section:
        try:
            return cls(tomllib.loads(read_text(path)), path.name)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path} is no valid TOML: {error}") from None

    @property
    def where(self) -> str:
        return f"{self.file}, table {self.name}" if self.name else self.file

    def value(self, key: str, kind: type | tuple[type, ...], form: str) -> object:
        if key not in self.table:
            raise UserError(f"{self.where} has no key {key!r}; it needs {form}")
        value = self.table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{self.where}: {key!r} is {value!r}; it should be {form}")
        return value

    def section(self, key: str) -> Section:
        return Section(self.value(key, dict, f"a table [{key}]"), self.file, key)

    def sections(self, key: str, least: int = 1) -> list[Section]:
        inside = self.section(key)
        if len(inside.table) < least:
            raise UserError(
                f"{self.where}: [{key}] holds {len(inside.table)} tables; it needs {least} or more"
            )
        return [inside.section(name) for name in inside.table]

    def number(self, key: str) -> float:
        return float(self.value(key, (int, float), "a number"))

    def text(
        self, key: str, slots: Iterable[str] = (), among: tuple[str, ...] = (), empty: bool = False
    ) -> str:
        value = self.value(key, str, "a string")
        if among and value not in among:
            raise UserError(f"{self.where}: {key!r} is {value!r}; it should be one of {', '.join(among)}")
        if value or not empty:
            self._check(key, value, slots)
        return value

    def lines(self, key: str, least: int = 1, slots: Iterable[str] = ()) -> tuple[str, ...]:
        value = self.value(key, list, "a list of strings")
        if len(value) < least:
            raise UserError(f"{self.where}: {key!r} has {len(value)} entries; it needs {least} or more")
        for line in value:
            self._check(key, line, slots)
        return tuple(value)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        pairs = tuple(tuple(line.split()) for line in self.lines(key))
        for pair in pairs:
            if len(pair) != 2:
                raise UserError(f"{self.where}: {' '.join(pair)!r} in {key!r} should be two words")
        return pairs

    def weights(self, key: str) -> Weighted:
        """A table of words and how often each is drawn: `great = 100`."""
        inside = self.section(key)
        for word in inside.table:
            self._check(key, word, ())
        return self._weighted(key, [(inside.number(word), word) for word in inside.table])

    def weighted_lines(self, key: str, slots: Iterable[str] = ()) -> Weighted:
        """Lines that start with how often each is drawn: `3 | it was {word} .`."""
        pairs = []
        for line in self.value(key, list, 'a list of strings such as "3 | a line ."'):
            number, bar, text = str(line).partition("|")
            if not bar or not number.strip().isdigit():
                raise UserError(
                    f"{self.where}: {line!r} in {key!r} should be a whole number, a bar, and the line"
                )
            self._check(key, text.strip(), slots)
            pairs.append((float(number), text.strip()))
        return self._weighted(key, pairs)

    def _weighted(self, key: str, pairs: list[tuple[float, str]]) -> Weighted:
        if not pairs or any(weight <= 0 for weight, _ in pairs):
            raise UserError(f"{self.where}: {key!r} needs at least one entry, each with a number above 0")
        return Weighted(tuple(text for _, text in pairs), tuple(weight for weight, _ in pairs))

    def _check(self, key: str, line: object, slots: Iterable[str]) -> None:
        if (
            not isinstance(line, str)
            or not line.isascii()
            or line != line.lower()
            or line != " ".join(line.split())
        ):
            raise UserError(
                f"{self.where}: {line!r} in {key!r} should be lower-case ASCII words, one space between"
            )
        if not line:
            raise UserError(f"{self.where}: {key!r} holds an empty string; write at least one word")
        slots = set(slots)
        bare = re.sub(r"\{([^{}]*)\}", lambda slot: "" if slot[1] in slots else slot[0], line)
        if "{" in bare or "}" in bare:
            known = ", ".join("{" + slot + "}" for slot in sorted(slots)) or "none"
            raise UserError(f"{self.where}: {line!r} in {key!r} has an unknown slot; known here: {known}")
