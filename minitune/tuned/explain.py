"""What a tuned method reads, where, and what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from minitune.data.examples import Example
from minitune.data.long_texts import encode_enough
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor, inputs_of, over
from minitune.predictors.speaker import prefix_of
from minitune.predictors.tagger import NO_TAG, UNREAD, TaggedWords, Tagger
from minitune.predictors.writer import Item, Writer, Writing
from minitune.readout.calibrated import Calibrated
from minitune.readout.phrases import Phrases
from minitune.readout.verbalizer import Verbalizer
from minitune.report import shortened, table

LIKELIEST = 10
SHOWN_OF_CUT = 100  # tokens
LIKELIER = 3  # tokens that are told beside one that was written
ORIGINS = {
    "soft": "soft prompt: a learned vector",
    "words": "template",
    "mask": "template: the blank",
    "tokens": "template: found by a search",
    "demonstrations": "a demonstration",
    "before": "said before",
}


def explain(
    predictor: Predictor,
    example: Example | TaggedWords | Writing,
    lacks: Sequence[str] = (),
    found: Sequence[str] = (),
) -> str:
    """The tokens and where each comes from, where the answer is read, and what is said there.

    Of classes: the likeliest words at the blank, the words of each class, and the scores before and after calibration.
    Of tags: each word's. Of a written text: each token, and what was likelier.

    Args:
        lacks: the parts that the base came without; one without its MLM head has no words to say at a blank.
        found: what was searched for, in words.
    """
    item = item_of(predictor, example)
    rendered = item.rendered
    parts = ["\n".join(found)] if found else []
    if prefix := prefix_of(predictor.model):
        parts.append(f"a prefix of {prefix.length} learned keys and values stands before the text, in every layer")
    parts.append(table(["place", "token", "from", ""], tokens_read(predictor, item)))
    if rendered.cut:
        most = "at least " * rendered.is_cut_more
        parts.append(
            f"{most}{rendered.cut} tokens of the text are cut, for it passes the context: {unread(predictor, example)}"
        )
    if isinstance(predictor, Classifier):
        if predictor.readout.reads == "blanks" and rendered.blanks == rendered.blanks[:1]:
            fills = ", ".join(" ".join(predictor.tokenizer.tokens(f)) or "nothing" for f in predictor.readout.fills)
            parts.append(f"some label words have several tokens, so the blank holds in turn: {fills}")
        if rendered.blanks and "MLM head" not in lacks:
            parts += words_said(predictor, item)
        parts.append(class_scores(predictor, example))
        return "\n\n".join(parts)
    if isinstance(predictor, Tagger):
        parts.append(table(["word", "tag", "probability", "next"], tags_given(predictor, item, example)))
    if isinstance(predictor, Writer):
        parts.append(table(["written", "probability", "others"], tokens_written(predictor, example)))
    return "\n\n".join([*parts, f"answer: {predictor.answers([example])[0]}"])


def item_of(predictor: Predictor, example: Example | TaggedWords | Writing) -> Any:
    """As it is read: a writer's question is cut before an answer is written, for the answer's room."""
    if not isinstance(predictor, Writer):
        return predictor.items([example])[0]
    question = predictor.question(example)
    start = len(question.ids)
    question.add([predictor.tokenizer.end_id], "answer")
    return Item(question, start, example)


def unread(predictor: Predictor, example: Example | TaggedWords | Writing) -> str:
    """What was cut, the beginnings of it."""
    origin = predictor.render([example])[0].origin
    cuts = {part.kind: part.cut for part in predictor.template.parts}
    texts = {"text": " ".join(example.words) if isinstance(example, TaggedWords) else example.text}
    texts["text_b"] = getattr(example, "text_b", None)
    tokenizer, ends = predictor.tokenizer, []
    for slot, text in texts.items():
        if slot in origin:
            kept = origin.count(slot)
            ids, is_all = encode_enough(tokenizer, text.strip(), kept + SHOWN_OF_CUT)
            if gone := ids[: len(ids) - kept * is_all] if cuts[slot] == "start" else ids[kept:]:
                ends.append(f"{tokenizer.decode(gone)!r}")
    return " and ".join(shortened(end) for end in ends)


# ---- what is read, and where ----


def tokens_read(predictor: Predictor, item: Any) -> list[list[str]]:
    """Each token, where it comes from, and what is read there."""
    rendered, tokenizer = item.rendered, predictor.tokenizer
    marks = dict.fromkeys(read_at(predictor, item), "the answer is read here")
    if isinstance(predictor, Writer):
        marks = {item.start: "the answer is written from here on"}
    elif isinstance(predictor, Classifier) and predictor.readout.reads != "text" and tokenizer.kind == "gpt":
        marks = dict.fromkeys(marks, "the word after this is the blank")
    return [
        [str(place), token, ORIGINS.get(part, part), marks.get(place, "")]
        for place, (token, part) in enumerate(zip(tokenizer.tokens(rendered.ids), rendered.origin, strict=True))
    ]


def read_at(predictor: Predictor, item: Any) -> list[int]:
    """The places of the tokens whose hidden states are read."""
    if isinstance(predictor, Tagger):
        return [place for place, label in enumerate(item.labels) if label != UNREAD]
    if isinstance(predictor, Classifier) and predictor.readout.reads != "text":
        return item.rendered.blanks if predictor.readout.reads == "blanks" else item.rendered.blanks[:1]
    return [len(item.rendered.ids) - 1 if predictor.tokenizer.kind == "gpt" else 0]


# ---- what is made of it ----


def words_said(predictor: Classifier, item: Any) -> list[str]:
    """The likeliest of all words at the first blank, and the words of each class there, as tables."""
    logits, tokenizer = at_first_blank(predictor, item), predictor.tokenizer  # (V,)
    chances = logits.softmax(dim=-1)
    top = chances.topk(min(LIKELIEST, len(chances)))
    rows = [[token, f"{p:.3f}"] for token, p in zip(tokenizer.tokens(top.indices), top.values.tolist(), strict=True)]
    tables = [table(["likeliest words at the blank", "probability"], rows)]
    readout = getattr(predictor.readout, "readout", predictor.readout)  # a calibrated one holds another
    if isinstance(readout, Verbalizer) and len(predictor.labels) <= LIKELIEST:
        read = readout.ids.tolist(), readout.weights.tolist()
        rows = [
            [label, *tokenizer.tokens([word]), f"{logits[word]:.3f}", f"{chances[word]:.2g}", f"{weight:g}"]
            for label, ids, weights in zip(predictor.labels, *read, strict=True)
            for word, weight in zip(ids, weights, strict=True)
            if weight
        ]
        tables.append(table(["class", "its words", "score", "probability", "weight"], rows))
    if isinstance(readout, Phrases) and len(predictor.labels) <= LIKELIEST:
        tables.append(
            table(["class", "its words", "mean score of a token", "weight"], phrases_said(predictor, item, readout))
        )
    return tables


def phrases_said(predictor: Classifier, item: Any, readout: Phrases) -> list[list[str]]:
    """Each word of several tokens, with the mean log-probability of its tokens."""
    scores = over(predictor, [item], lambda batch: readout.word_scores(predictor.read(batch), predictor.model))[0]
    return [
        [label, " ".join(predictor.tokenizer.tokens(tokens[used])), f"{score:.3f}", f"{weight:g}"]
        for label, *its in zip(
            predictor.labels, readout.tokens, readout.used, scores.tolist(), readout.weights.tolist(), strict=True
        )
        for tokens, used, score, weight in zip(*its, strict=True)
        if weight
    ]


def at_first_blank(predictor: Classifier, item: Any) -> Tensor:
    """The scores of all words there: (V,)."""

    def logits(batch: dict[str, Tensor]) -> Tensor:
        hidden = predictor.model(**inputs_of(batch, predictor.model.kind)).hidden  # (1, T, D)
        return predictor.model.logits(hidden[:, item.rendered.blanks[0]])  # (1, D) -> (1, V)

    return over(predictor, [item._replace(hidden=None, variations=())], logits)[0].float().cpu()


def class_scores(predictor: Classifier, example: Example) -> str:
    """The scores of the likeliest classes, and what calibration took off them, as a table."""
    scores = predictor.scores([example])[0]
    columns = {"score": scores, "softmax": scores.softmax(dim=0)}
    if isinstance(predictor.readout, Calibrated):
        prior = predictor.readout.log_prior.float().cpu()
        before = scores + prior
        columns = {
            "score before calibration": before,
            "softmax before": before.softmax(dim=0),
            "asked about nothing": prior.exp(),
            **columns,
        }
    order = scores.argsort(descending=True)[:LIKELIEST].tolist()
    rows = [[predictor.labels[i], *(f"{column[i]:.3f}" for column in columns.values())] for i in order]
    return table(["class", *columns], rows)


def tags_given(predictor: Tagger, item: Any, example: TaggedWords) -> list[list[str]]:
    """Each word with its tag, how likely that is, and which tag comes next."""
    chances = over(predictor, [item], lambda batch: predictor(batch).softmax(dim=-1))[0]  # (T, C)
    read = iter(chances[place] for place in read_at(predictor, item))
    rows = []
    for word, is_read in zip(example.words, item.is_read, strict=True):
        if not is_read:
            rows.append([word, NO_TAG, "", ""])
            continue
        best = next(read).topk(2)
        tag, second = (predictor.labels[i] for i in best.indices)
        p, other = best.values.tolist()
        rows.append([word, tag, f"{p:.3f}", f"{second} {other:.3f}"])
    return rows


def tokens_written(predictor: Writer, example: Writing) -> list[list[str]]:
    """Each token of the answer, its end among them, with its probability; and what else might have been written."""
    (written,) = predictor.tokens([example])
    question = predictor.question(example)
    start = len(question.ids)
    end = [predictor.tokenizer.end_id] if predictor.has_ended(example, written) else []
    question.add([*written, *end], "answer")
    item = Item(question, start, example)
    places = slice(item.start - 1, len(item.rendered.ids) - 1)  # a token is said at the place before it
    chances = over(predictor, [item], lambda batch: predictor.logits(batch).softmax(dim=-1))[0, places]  # (A, V)
    rows = []
    for token, its in zip(item.rendered.ids[item.start :], chances, strict=True):
        others = [i for i in its.topk(LIKELIER + 1).indices.tolist() if i != token][:LIKELIER]
        named = zip(predictor.tokenizer.tokens(others), its[others].tolist(), strict=True)
        (name,) = predictor.tokenizer.tokens([token])
        rows.append([name, f"{its[token]:.3f}", "  ".join(f"{other} {p:.3f}" for other, p in named)])
    return rows
