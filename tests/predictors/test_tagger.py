"""A tagger reads every word by itself: at its first token, wherever the template puts the text."""

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.predictors.tagger import NO_TAG, OUTSIDE, UNREAD, TaggedWords, Tagger
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.readout.head import TokenHead
from minitune.training.checkpoint import random_twin
from tests import tiny
from tests.naming import expect

pytestmark = [pytest.mark.lesson04, pytest.mark.lesson21]
LABELS = ("O", "NAME", "THING")
EXAMPLES = [
    TaggedWords(("the", "zqhero", "was", "great"), (0, 1, 0, 0)),
    TaggedWords(("soup",), (2,)),
    TaggedWords(("a", "dull", "film", ",", "zqzq", "and", "soup", "."), (0, 0, 2, 0, 1, 0, 2, 0)),
    TaggedWords(("bed",), (2,)),
]
WHOLE = ("the", "was", "great", "soup", "a", "dull", "film", "and", "bed")  # each is one token


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def build(kind, template="{text}"):
    base = tiny.checkpoint(kind)
    head = TokenHead(24, 3, seed=4)
    torch.nn.init.normal_(head.linear.bias, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(head.linear.weight, generator=torch.Generator().manual_seed(2))
    return Tagger(base.model, base.tokenizer, Template.parse(template), head, LABELS)


# shapes


def test_shapes(kind):
    tagger = build(kind)
    batch = tagger.collate(tagger.items(EXAMPLES))
    width = batch["input_ids"].shape[1]
    assert batch["label"].shape == (4, width) and tagger(batch).shape == (4, width, 3)
    assert tagger.loss(batch).shape == ()
    counts = [len(tags) for tags in tagger.predictions(tagger.items(EXAMPLES))]
    of_tokens = [sum(len(tagger.tokenizer.encode(word)) for word in example.words) for example in EXAMPLES]
    expect(counts, [4, 1, 8, 1], {"each token of a word has a tag, and not its first one alone": of_tokens})


# by hand


def test_a_words_tag_stands_at_its_first_token_and_nowhere_else(kind):
    tagger = build(kind, "so {text} is it ?")
    t = tagger.tokenizer
    item = tagger.item(EXAMPLES[0])
    split = len(t.encode("zqhero"))
    assert split > 2
    before = 2 if kind == "bert" else 1  # [CLS] so
    after = len(item.labels) - before - split - 3
    expected = [UNREAD] * before + [0, 1] + [UNREAD] * (split - 1) + [0, 0] + [UNREAD] * after
    assert item.labels == expected, "a word has its tag at its first token, and only there"
    for place, label in enumerate(item.labels):
        if label == 1:
            assert item.rendered.ids[place] == t.encode("zqhero")[0], "the tag is not at the first sub-token"


def test_a_text_that_is_cut_keeps_its_tags_in_place(kind):
    tagger = build(kind, "{text} so")
    words = ("great", "zqzq", "soup") * 30
    item = tagger.item(TaggedWords(words, (0, 1, 2) * 30))
    t = tagger.tokenizer
    assert item.rendered.cut > 0 and len(item.labels) == len(item.rendered.ids) == 61
    first = {0: t.word_id("great"), 1: t.encode("zqzq")[0], 2: t.word_id("soup")}
    read = [(label, item.rendered.ids[place]) for place, label in enumerate(item.labels) if label != UNREAD]
    assert all(first[label] == token for label, token in read)
    assert [label for label, _ in read] == ([0, 1, 2] * 30)[: len(read)]
    assert len(tagger.predictions([item])[0]) == len(read) < 90, "what was cut has no answer"


def test_f1_by_hand(kind, monkeypatch):
    tagger = build(kind)
    items = tagger.items(EXAMPLES)  # right: 0 1 0 0 | 2 | 0 0 2 0 1 0 2 0 | 2, six words are something
    given = [[0, 1, 1, 0], [0], [0, 0, 1, 0, 1, 0, 2, 0], [2]]  # six are named, four of them right
    monkeypatch.setattr(tagger, "predictions", lambda items: given)
    message = "only words that are something, or are said to be, count: the others are most, and easy"
    expect(tagger.measure(items)["f1"], 2 * 4 / (6 + 6), {
        "words that are nothing count among the hits": 2 * 11 / (6 + 6),
        "accuracy over all words": 11 / 14,
        f"all words count; {message}": 2 * 11 / 28,
        "precision or recall without the factor 2": 4 / 12,
    })  # fmt: skip
    given = [[0] * 4, [0], [0] * 8, [0]]
    assert tagger.measure(items)["f1"] == 0.0, "accuracy would be 8 / 14: most words are nothing"
    given = [list(example.tags) for example in EXAMPLES]
    assert tagger.measure(items)["f1"] == 1.0
    nothing = tagger.items([TaggedWords(("soup",), (OUTSIDE,))])
    given = [[OUTSIDE]]
    assert tagger.measure(nothing)["f1"] == 0.0, "nothing to find and nothing found is no division by zero"


def test_the_loss_is_the_mean_over_words_not_over_tokens(kind):
    tagger = build(kind)
    items = tagger.items(EXAMPLES)
    batch = tagger.collate(items)
    scores = tagger(batch)
    losses = [
        F.cross_entropy(scores[row, place], torch.tensor(label))
        for row, item in enumerate(items)
        for place, label in enumerate(item.labels)
        if label != UNREAD
    ]
    assert len(losses) == 14, "padding or the rest of a word counts"
    torch.testing.assert_close(tagger.loss(batch), torch.stack(losses).mean(), rtol=1e-5, atol=1e-6)


# invariants


def test_predictions_do_not_depend_on_the_batch_or_the_order(kind):
    tagger = build(kind)
    together = tagger.predictions(tagger.items(EXAMPLES))
    assert len({str(row) for row in together}) > 1
    alone = [tagger.predictions(tagger.items([example]))[0] for example in EXAMPLES]
    assert together == alone, "padding is read, or the rows came back in the order of their lengths"
    backwards = tagger.predictions(tagger.items(EXAMPLES[::-1]))
    assert backwards[::-1] == together


def test_scores_of_real_words_do_not_depend_on_padding(kind):
    tagger = build(kind)
    short = tagger(tagger.collate(tagger.items(EXAMPLES[1:2])))
    padded = tagger(tagger.collate(tagger.items(EXAMPLES)))[1:2, : short.shape[1]]
    torch.testing.assert_close(padded, short, rtol=1e-4, atol=1e-5)


def test_labels_change_no_prediction(kind):
    tagger = build(kind)
    other = [TaggedWords(e.words, tuple(2 - tag for tag in e.tags)) for e in EXAMPLES]
    assert tagger.answers(other) == tagger.answers(EXAMPLES)


def test_a_whole_word_is_read_at_its_own_place(kind):
    """By hand, from the model: the hidden state of the word's own token, put through the head."""
    tagger = build(kind)
    example = TaggedWords(WHOLE, (0,) * len(WHOLE))
    t = tagger.tokenizer
    ids = [t.word_id(word) for word in WHOLE]
    ids = [t.cls_id, *ids, t.sep_id] if kind == "bert" else ids
    hidden = tagger.model(torch.tensor([ids])).hidden[0]
    start = int(kind == "bert")
    best = tagger.readout.linear(hidden[start : start + len(WHOLE)]).argmax(dim=-1).tolist()
    assert tagger.predictions([tagger.item(example)]) == [best]
    assert tagger.answers([example]) == [" ".join(LABELS[tag] for tag in best)]


def test_placeholders_before_and_after_the_text_take_no_tag(kind):
    method = Method.parse("prompt-tuning", ["length=4"])
    asked = Question(LABELS, "{soft:3} {text} {soft:1}", kind="tags", is_own=True)
    tagger = method.build(tiny.checkpoint(kind), asked, seed=0)
    item = tagger.item(EXAMPLES[2])
    soft = [place for place, part in enumerate(item.rendered.origin) if part == "soft"]
    assert len(soft) == 4 and all(item.labels[place] == UNREAD for place in soft)
    assert [label for label in item.labels if label != UNREAD] == list(EXAMPLES[2].tags)
    with pytest.raises(UserError, match="no placeholder"):
        method.build(tiny.checkpoint(kind), Question(LABELS, "{text}", kind="tags", is_own=True), seed=0)


def test_a_prefix_leaves_tags_where_they_are(kind):
    """Hidden states are of the text alone: place 0 is the text's first, not the prefix's."""
    tagger = Method.parse("p-tuning-v2", ["length=5", "spread=0.01"]).build(
        tiny.checkpoint(kind), Question(LABELS, "{text}", kind="tags"), seed=0
    )
    batch = tagger.collate(tagger.items(EXAMPLES))
    assert tagger(batch).shape[:2] == batch["label"].shape


@pytest.mark.parametrize("word", ["", "\u200b", "\u0301", "\x00"])
def test_a_word_that_leaves_no_token_shifts_no_other_words_tag(kind, word):
    tagger = build(kind)
    item = tagger.item(TaggedWords(("great", word, "soup", "film"), (0, 1, 2, 0)))
    places = {item.rendered.ids[place]: label for place, label in enumerate(item.labels) if label != UNREAD}
    t = tagger.tokenizer
    assert places[t.word_id("soup")] == 2 and places[t.word_id("film")] == 0 and places[t.word_id("great")] == 0


def test_every_word_has_one_tag_whatever_was_read(kind, monkeypatch):
    tagger = build(kind)
    words = ("great", "\u0301", "zqzq", "soup") * 20
    example = TaggedWords(words, (0,) * len(words))
    item = tagger.item(example)
    read = sum(item.is_read)
    assert read == sum(label != UNREAD for label in item.labels) < 80
    monkeypatch.setattr(tagger, "predictions", lambda items: [[n % 3 for n in range(read)]])
    (tags,) = tagger.tags([example])
    assert len(tags) == len(words) and tagger.answers([example]) == [" ".join(tags)]
    assert [tag for tag in tags if tag != NO_TAG] == [LABELS[n % 3] for n in range(read)]
    place = tags.index(NO_TAG) if kind == "bert" else 2
    assert place == (1 if kind == "bert" else 2), "the tag of the word without a token went to another one"
    assert set(tags[-20:]) == {NO_TAG}, "what stands behind the cut was not read"


def test_a_word_that_is_cut_inside_is_read_at_its_first_token(kind):
    tagger = build(kind)
    room = 61 - (2 if kind == "bert" else 0)
    words = ("great",) * (room - 1) + ("zqzq", "soup")
    assert tagger.item(TaggedWords(words, (0,) * len(words))).is_read == [True] * room + [False]


@pytest.mark.parametrize("template", ["{text} so {text}", "{mask} so"])
def test_a_template_that_does_not_show_the_words_once_is_refused(kind, template):
    with pytest.raises(UserError, match="in one place"):
        build(kind, template)


# gradients, and whether it learns


def test_only_words_give_a_gradient(kind):
    tagger = build(kind)
    batch = tagger.collate(tagger.items(EXAMPLES))
    scores = tagger(batch)
    scores.retain_grad()
    F.cross_entropy(scores.flatten(0, 1), batch["label"].flatten(), ignore_index=UNREAD).backward()
    assert torch.equal(scores.grad.abs().sum(dim=-1) > 0, batch["label"] != UNREAD)


def test_learns_its_examples(kind):
    method = Method.parse("full", ["lr=0.01", "steps=40"])
    tagger = method.build(random_twin(tiny.checkpoint(kind)), Question(LABELS, "{text}", kind="tags"), seed=0)
    assert tagger.measure(tagger.items(EXAMPLES))["f1"] < 0.9
    fit(method, tagger, EXAMPLES, [], seed=0)
    assert tagger.measure(tagger.items(EXAMPLES))["f1"] == 1.0
    assert tagger.answers(EXAMPLES)[0] == "O NAME O O"
