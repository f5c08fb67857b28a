"""What a tuned method reads, where, and what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from minitune.data.examples import Example
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor, inputs_of, over
from minitune.predictors.tagger import UNREAD, TaggedWords, Tagger
from minitune.predictors.writer import Writer, Writing, prefix_of
from minitune.report import shortened, table

LIKELIEST = 5


def explain(predictor: Predictor, example: Example | TaggedWords | Writing, lacks: Sequence[str] = ()) -> str:
    """The tokens and where each comes from, the likeliest words at the blank, and the scores of the classes.

    Args:
        lacks: the parts that the base came without; one without its MLM head has no words to say at a blank.
    """
    item = predictor.items([example])[0]
    rendered, tokenizer = item.rendered, predictor.tokenizer
    prefix = prefix_of(predictor.model)
    parts = []
    if prefix:
        parts.append(f"a prefix of {prefix.length} learned keys and values stands before the text, in every layer")
    marks = dict.fromkeys(read_at(predictor, item), "the answer is read here")
    if isinstance(predictor, Writer):
        marks = {item.start: "the answer is written from here on"}
    elif isinstance(predictor, Classifier) and predictor.readout.reads != "text" and tokenizer.kind == "gpt":
        marks = dict.fromkeys(marks, "the word after this is the blank")
    names = {"soft": "soft prompt: a learned vector", "words": "template", "mask": "template: the blank"}
    rows = [
        [str(place), token, names.get(part, part), marks.get(place, "")]
        for place, (token, part) in enumerate(zip(tokenizer.tokens(rendered.ids), rendered.origin, strict=True))
    ]
    parts.append(table(["place", "token", "from", ""], rows))
    if rendered.cut:
        parts.append(
            f"{rendered.cut} tokens of the text are cut, for it passes the context: {unread(predictor, example)}"
        )
    if isinstance(predictor, Classifier):
        if predictor.readout.reads == "blanks" and rendered.blanks == rendered.blanks[:1]:
            fills = ", ".join(" ".join(tokenizer.tokens(fill)) or "nothing" for fill in predictor.readout.fills)
            parts.append(f"some label words have several tokens, so the blank holds in turn: {fills}")
        if rendered.blanks and "MLM head" not in lacks:
            parts.append(table(["likeliest words at the blank", "probability"], likeliest(predictor, item)))
        scores = predictor.scores([example])[0]
        chances = scores.softmax(dim=0)
        order = scores.argsort(descending=True)[: 2 * LIKELIEST].tolist()
        cells = [[predictor.labels[i], f"{scores[i]:.3f}", f"{chances[i]:.3f}"] for i in order]
        parts.append(table(["class", "score", "softmax"], cells))
    else:
        parts.append(f"answer: {predictor.answers([example])[0]}")
    return "\n\n".join(parts)


def unread(predictor: Predictor, example: Example | TaggedWords | Writing) -> str:
    """The beginnings of what was cut."""
    origin = predictor.render([example])[0].origin
    texts = {"text": " ".join(example.words) if isinstance(example, TaggedWords) else example.text}
    texts["text_b"] = getattr(example, "text_b", None)
    tokenizer, ends = predictor.tokenizer, []
    for slot, text in texts.items():
        if slot in origin and (end := tokenizer.encode(text)[origin.count(slot) :]):
            ends.append(f"{tokenizer.decode(end)!r}")
    return " and ".join(shortened(end) for end in ends)


def read_at(predictor: Predictor, item) -> list[int]:
    """The places of the tokens whose hidden states are read."""
    if isinstance(predictor, Tagger):
        return [place for place, label in enumerate(item.labels) if label != UNREAD]
    if isinstance(predictor, Classifier) and predictor.readout.reads != "text":
        return item.rendered.blanks if predictor.readout.reads == "blanks" else item.rendered.blanks[:1]
    return [len(item.rendered.ids) - 1 if predictor.tokenizer.kind == "gpt" else 0]


def likeliest(predictor: Classifier, item) -> list[list[str]]:
    """The likeliest of all words at the first blank, with their probabilities."""

    def at_blank(batch):
        hidden = predictor.model(**inputs_of(batch, predictor.model.kind)).hidden  # (1, T, D)
        return predictor.model.logits(hidden[:, item.rendered.blanks[0]]).softmax(dim=-1)  # (1, D) -> (1, V)

    top = over(predictor, [item._replace(hidden=None, variations=())], at_blank)[0].topk(LIKELIEST)
    tokens = predictor.tokenizer.tokens(top.indices)
    return [[token, f"{chance:.3f}"] for token, chance in zip(tokens, top.values.tolist(), strict=True)]
