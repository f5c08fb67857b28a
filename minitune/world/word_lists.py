"""The word lists of the toy world, read from `data/words/*.toml` into the records of the lexicon.

Everything that the world can say is in those files. A teacher who edits them changes the world, so
each mistake in them is told with the file and the key where it stands.
"""

from __future__ import annotations

from pathlib import Path

from minitune.errors import UserError
from minitune.files import shared
from minitune.world.lexicon import (
    Aspect,
    Common,
    Domain,
    Entities,
    Instruct,
    Lexicon,
    Link,
    News,
    People,
    Places,
    Relation,
    Reviews,
    Scenes,
    Topic,
)
from minitune.world.sections import Section


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
        aspects = [Aspect(name, False, good + own_good, bad + own_bad) for name in domain.lines("singular", least=0)]
        aspects += [Aspect(name, True, good + own_good, bad + own_bad) for name in domain.lines("plural", least=0)]
        aspects += [Aspect(name, False, good, bad) for name in domain.lines("people", least=0)]
        if len(aspects) < 2:
            raise UserError(f"{domain.where} names fewer than two parts; add some to singular, plural or people")
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
        verdicts=wording.weighted_lines("verdicts", slots=("word", "noun")),
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
    slots = ("s", "day", "relative", "job", "job2", "town", "country", "instrument", "product")
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
        endings=wording.lines("endings", slots=("animal", "job", "product")),
        answers={word: wording.lines(f"answers_{word}", slots=("b",)) for word in ("yes", "no", "maybe")},
    )


def _places(file: Section) -> Places:
    slots = ("name", "kind", "food", "price", "area")
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
    tags, slots = file.section("tags"), ("name", "place", "thing", "things")
    sentences = file.section("relations").lines("sentences", slots=("one", "two"))
    return Entities(links, sentences, tags.lines("sentences", slots=slots), tags.lines("double"))


def _instruct(file: Section) -> Instruct:
    wordings, more = file.section("wordings"), file.section("more")
    return Instruct(
        speakers=file.lines("speakers", least=2),
        markers=file.lines("markers"),
        numbers=file.lines("numbers", least=7),
        opposites=file.pairs("opposites"),
        wordings={kind: wordings.lines(kind, slots=("colour",)) for kind in wordings.table},
        more={kind: more.patterns(kind, slots=("colour",)) for kind in wordings.table},
    )
