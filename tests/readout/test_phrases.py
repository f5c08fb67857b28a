"""Lesson 07, label words of several tokens: several blanks for BERT, a word spelled out by GPT."""

import math

import pytest
import torch
from torch import nn

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import ExampleBatches
from minitune.prompting.template import Template
from minitune.readout.phrases import Phrases, fills_for, word_reader
from minitune.readout.verbalizer import Verbalizer
from minitune.training.loop import TrainConfig, train
from tests.conftest import make_bert, make_gpt
from tests.naming import expect

pytestmark = pytest.mark.lesson07
MASK = 4
WORDS = [[(7,), (8, 9)], [(10, 11, 12)], [(13,), (14, 15), (16, 17)]]  # classes of unequal counts, words too
EXAMPLES = [
    Example("great soup", label=1),
    Example("the film was awful , and the hero was dull . it was sad", label=0),
    Example("[MASK] great [SEP] soup", label=1),
    Example("the bed was soft " * 9, label=1),
    Example("a dull plot", label=0),
]


class Scores(nn.Module):
    """A model whose scores are the hidden state itself."""

    def logits(self, hidden):
        return hidden


def hidden_of(readout, width=24, rows=5, seed=0):
    shape = rows, len(readout.fills), readout.length, width
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def build(tokenizer, words, template="{text} it was {mask}", weights=None):
    """A classifier whose label words are given in letters."""
    model = (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer), context=48)
    ids = [[tuple(tokenizer.encode(word)) for word in of_class] for of_class in words]
    mask = tokenizer.mask_id if tokenizer.kind == "bert" else None
    template = Template.parse(template)
    return Classifier(model, tokenizer, template, Phrases(ids, mask, template.blanks, weights))


LABEL_WORDS = [["awful", "not great", "zq"], ["great", "so very good indeed"]]


# shapes


@pytest.mark.parametrize("mask_id", [None, MASK])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_score_for_each_class(rows, mask_id):
    readout = Phrases(WORDS, mask_id)
    for model in (make_gpt(), make_bert()):
        assert readout(hidden_of(readout, rows=rows), model).shape == (rows, 3)
    assert not list(readout.parameters()) and not readout.state_dict(), "nothing new is learned or stored"


def test_a_batch_has_a_row_for_each_variation(tokenizer):
    classifier = build(tokenizer, LABEL_WORDS)
    variations, length = len(classifier.readout.fills), classifier.readout.length
    batch = classifier.collate(classifier.items(EXAMPLES))
    assert len(batch["input_ids"]) == len(EXAMPLES) * variations and batch["label"].shape == (5,)
    assert batch["blanks"].shape == (5, variations, length), "a variation has other places than the word has tokens"
    assert classifier.read(batch).shape == (5, variations, length, 24)
    assert classifier(batch).shape == (5, 2) and classifier.loss(batch).shape == ()


# numbers worked by hand


def test_what_stands_in_the_blank():
    message = "each token of BERT's is guessed with those before it in their places, and with no other"
    assert fills_for((7,), MASK) == [(4,)]
    assert fills_for((7, 8, 9), MASK) == [(4, 4, 4), (7, 4, 4), (7, 8, 4)], message
    message = "GPT is given what comes before the token that it says: all of the word but its last token"
    assert fills_for((7,), None) == [()] and fills_for((7, 8, 9), None) == [(7, 8)] * 3, message
    assert fills_for((7, 8), MASK, blanks=2) == [None] * 2, "the template has a blank for each token"
    assert Phrases([[(7,), (8, 9)], [(8, 5)]], MASK).fills == ((4,), (4, 4), (8, 4)), "what is the same is read once"
    assert Phrases(WORDS).fills == ((), (8,), (10, 11), (14,), (16,)), "one variation for each beginning"
    assert Phrases([[(7, 8)], [(7, 9)]]).fills == ((7,),), "two words that begin alike are read together"


THREE = [[(0,), (1, 3)], [(2,)], [(3, 1, 0), (1, 1), (5,)]]  # unequal numbers of words, and of tokens
WEIGHTS = [[3.0, 1.0], [7.0], [0.5, 1.0, 2.0]]


def by_class(log_p, readout, mask_id, of_tokens, of_words, places=None):
    """Scores (B, C) by a formula of one word's log-probabilities (B, m), and one of a class's word scores (B, W) and
    weights (W,)."""
    scores = []
    for words, weights in zip(THREE, WEIGHTS, strict=True):
        of_class = []
        for word in words:
            fills = [readout.fills.index(fill) for fill in fills_for(word, mask_id)]
            at = places or range(len(word))
            of_class.append(of_tokens(torch.stack([log_p[:, fills[j], at[j], word[j]] for j in range(len(word))], 1)))
        scores.append(of_words(torch.stack(of_class, dim=1), torch.tensor(weights, dtype=torch.float64)))
    return torch.stack(scores, dim=1)


def mean(x):
    """(B, m) -> (B,)"""
    return x.mean(dim=1)


def share(x, w):
    """log( sum of w e^x / sum of w ): (B, W), (W,) -> (B,)"""
    return ((w * x.exp()).sum(dim=1) / w.sum()).log()


OF_TOKENS = {
    "log-probabilities are summed over the tokens of a word: short words win": lambda x: x.sum(dim=1),
    "the mean is over the length of the longest word, padded places too": lambda x: x.sum(dim=1) / 3,
    "the first token alone is read": lambda x: x[:, 0],
    "the last token alone is read": lambda x: x[:, -1],
    "the mean of the tokens' probabilities, not of their logarithms": lambda x: x.exp().mean(dim=1).log(),
}
OF_WORDS = {
    "the weights of words are not used": lambda x, w: share(x, torch.ones_like(w)),
    "chances are summed over the words: a class is likelier for having more of them": lambda x, w: (
        share(x, w) + w.sum().log()
    ),
    "the sum is divided by the number of words, not by that of their weights": lambda x, w: (w * x.exp()).mean(1).log(),
    "the mean of the words' scores, not of their chances": lambda x, w: (w * x).sum(dim=1) / w.sum(),
    "the likeliest word alone is read": lambda x, w: (x + w.log()).amax(dim=1) - w.sum().log(),
    "the padding to classes of equal width is counted as words": lambda x, w: (
        ((w * x.exp()).sum(dim=1) + 3 - len(w)) / (w.sum() + 3 - len(w))
    ).log(),
}


@pytest.mark.parametrize("mask_id", [None, MASK])
def test_the_mean_over_tokens_then_the_weighted_mean_over_words(mask_id):
    readout = Phrases(THREE, mask_id, weights=WEIGHTS)
    hidden = hidden_of(readout, width=6)
    log_p = hidden.log_softmax(dim=-1)

    def by(log_p, of_tokens=mean, of_words=share, places=None):
        return by_class(log_p, readout, mask_id, of_tokens, of_words, places)

    wrong = {cause: by(log_p, of_tokens=formula) for cause, formula in OF_TOKENS.items()}
    wrong |= {cause: by(log_p, of_words=formula) for cause, formula in OF_WORDS.items()}
    of_places = hidden.flatten(1, 2).clone()
    of_places[:, readout.read] = of_places[:, readout.read].log_softmax(dim=1)
    wrong |= {
        "the softmax runs over the batch": by(hidden.log_softmax(dim=0)),
        "the softmax runs over the places that are read": by(of_places.view_as(hidden)),
        "logits are read, and not log-probabilities": by(hidden),
        "every token is read at the first place": by(log_p, places=(0, 0, 0)),
        "the padding to words of equal length is counted as tokens": padded_tokens(readout, log_p, mask_id),
    }
    expect(readout(hidden, Scores()), by(log_p), wrong, tolerance=1e-7)
    chances = {"the chances are still logarithms": by(log_p)}
    expect(readout.chances(hidden, Scores()), by(log_p).exp(), chances, tolerance=1e-12)


def padded_tokens(readout, log_p, mask_id):
    """As if a word's unused places were token 0, read at the first place that anything is read at."""
    nothing = log_p.flatten(1, 2)[:, readout.read[0], 0]

    def mean_and_more(x):
        return (x.sum(dim=1) + (3 - x.shape[1]) * nothing) / x.shape[1]

    return by_class(log_p, readout, mask_id, mean_and_more, share)


# invariants


@pytest.mark.parametrize("mask_id", [None, MASK])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_that_knows_nothing_ties_whatever_the_length_of_the_words(dtype, mask_id):
    readout = Phrases(WORDS, mask_id, weights=[[2, 5], [3], [1, 1, 4]])
    scores = readout(torch.full((2, len(readout.fills), 3, 20), 0.7, dtype=dtype), Scores())
    message = "the shortest word wins where log-probabilities are summed over its tokens and not averaged"
    assert scores.dtype == dtype
    torch.testing.assert_close(
        scores, scores[:, :1].expand(2, 3), rtol=0, atol=16 * torch.finfo(dtype).eps, msg=message
    )


@pytest.mark.parametrize("mask_id", [None, MASK])
def test_permuting_the_classes_permutes_the_scores(mask_id, tokenizer):
    order = [2, 0, 1]
    words = [["awful", "not great"], ["great soup"], ["dull"]]
    one, two = build(tokenizer, words), build(tokenizer, [words[i] for i in order])
    torch.testing.assert_close(two.scores(EXAMPLES), one.scores(EXAMPLES)[:, order], rtol=0, atol=1e-5)


def test_scores_do_not_depend_on_the_batch_or_the_order(tokenizer):
    classifier = build(tokenizer, LABEL_WORDS)
    together = classifier.scores(EXAMPLES)
    for batch_size in (1, 2):
        torch.testing.assert_close(classifier.scores(EXAMPLES, batch_size), together, rtol=0, atol=1e-5)
    order = [3, 0, 4, 2, 1]
    message = "an example's variations went to another example"
    torch.testing.assert_close(
        classifier.scores([EXAMPLES[i] for i in order]), together[order], rtol=0, atol=1e-5, msg=message
    )


def test_labels_change_no_input_and_no_score(tokenizer):
    classifier = build(tokenizer, LABEL_WORDS)
    flipped = [Example(e.text, label=1 - e.label) for e in EXAMPLES]
    one, two = (classifier.collate(classifier.items(examples)) for examples in (EXAMPLES, flipped))
    assert all(torch.equal(one[name], two[name]) for name in one if name != "label"), "the label chose the input"
    assert torch.equal(classifier.scores(EXAMPLES), classifier.scores(flipped))


# parity with an independent computation


@pytest.mark.parametrize("template", ["{text} it was {mask}", "{soft:1} {text:start} so {mask}"])
def test_scores_equal_a_loop_over_words_and_tokens(template, tokenizer):
    weights = [[1.0, 2.0, 0.5], [1.0, 4.0]]
    classifier = build(tokenizer, LABEL_WORDS, template, weights)
    model, t = classifier.model, tokenizer
    for example, scores in zip(EXAMPLES, classifier.scores(EXAMPLES), strict=True):
        for c, (words, its_weights) in enumerate(zip(LABEL_WORDS, weights, strict=True)):
            chances = []
            for word in words:
                ids, log_p = t.encode(word), []
                for j, token in enumerate(ids):
                    if t.kind == "gpt":  # one token after the other, each with those before it; the same text kept
                        whole = classifier.template.render(example, t, 48, ids[:-1]).ids
                        row = whole[: len(whole) - (len(ids) - 1) + j]
                        logits = model.logits(model(torch.tensor([row])).hidden[0, -1])
                    else:
                        row = classifier.template.render(example, t, 48, [t.mask_id] * len(ids)).ids
                        first = row.index(t.mask_id)
                        row[first : first + j] = ids[:j]
                        logits = model.logits(model(torch.tensor([row])).hidden[0, first + j])
                    log_p.append(logits.log_softmax(-1)[token].item())
                chances.append(math.exp(sum(log_p) / len(log_p)))
            expected = math.log(sum(w * p for w, p in zip(its_weights, chances, strict=True)) / sum(its_weights))
            message = f"{example.text!r}: another place is read, or another token"
            assert scores[c].item() == pytest.approx(expected, abs=1e-4), message


def test_equals_the_plain_verbalizer_for_words_of_one_token(tokenizer):
    words, weights = [["awful", "dull"], ["great"]], [[2.0, 1.0], [1.0]]
    classifier = build(tokenizer, words, weights=weights)
    plain = Verbalizer([[tokenizer.word_id(word) for word in of_class] for of_class in words], weights)
    other = Classifier(classifier.model, tokenizer, classifier.template, plain)
    one, two = (c.scores(EXAMPLES).log_softmax(-1) for c in (classifier, other))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_a_template_with_a_blank_for_each_token(bert_tokenizer):
    """Wherever the blanks stand; all are guessed at once."""
    words, t = [["was great"], ["great soup"]], bert_tokenizer
    classifier = build(t, words, "{mask} : {text} it was {mask} .")
    assert classifier.readout.fills == (None,)
    for example, scores in zip(EXAMPLES, classifier.scores(EXAMPLES), strict=True):
        row = classifier.template.render(example, t, 48).ids
        first, last = 1, len(row) - 3  # [CLS] [MASK] : ... it was [MASK] . [SEP]
        assert row[first] == row[last] == t.mask_id
        hidden = classifier.model(torch.tensor([row])).hidden[0, [first, last]]
        log_p = classifier.model.logits(hidden).log_softmax(-1)  # (2, V)
        expected = torch.stack([log_p[[0, 1], t.encode(word)].mean() for (word,) in words])
        torch.testing.assert_close(scores.double(), expected, rtol=0, atol=1e-5)


# gradients


@pytest.mark.parametrize("mask_id", [None, MASK])
def test_gradients_reach_the_places_that_are_read_and_no_other(mask_id):
    readout = Phrases(WORDS, mask_id)
    hidden = hidden_of(readout, width=20, rows=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: readout(x, Scores()), hidden)
    readout(hidden, Scores()).square().sum().backward()
    moved = (hidden.grad != 0).any(dim=-1).all(dim=0)  # (K, L)
    read = [1] * 8 if mask_id else [1, 2, 3, 2, 2]  # places, of each variation
    assert moved.sum(dim=1).tolist() == read
    assert hidden.grad.isfinite().all()


# does it learn?


def test_learns_its_examples(tokenizer):
    classifier = build(tokenizer, [["awful", "was bad"], ["great"]])
    classifier.model.load_state_dict(random_model(classifier.model.config, seed=0).state_dict())
    train(classifier, ExampleBatches(classifier, EXAMPLES, 5, 0).batch, TrainConfig(steps=24, lr=0.02))
    assert classifier.accuracy(EXAMPLES) == 1.0


def test_a_frozen_model_reads_each_example_once(tokenizer):
    classifier = build(tokenizer, LABEL_WORDS)
    changing = classifier.collate(classifier.items(EXAMPLES))
    classifier.model.requires_grad_(False)
    read = classifier.collate(classifier.items(EXAMPLES))
    assert set(read) == {"hidden", "label"}
    torch.testing.assert_close(classifier(read), classifier(changing), rtol=0, atol=1e-10)


# which words are read how, and which not at all


def test_words_of_one_token_at_one_blank_are_read_by_the_plain_verbalizer(tokenizer):
    plain = word_reader({"good": ["great:3", "soup"], "bad": ["awful"]}, ["bad", "good"], tokenizer)
    great, soup, awful = (tokenizer.word_id(word) for word in ("great", "soup", "awful"))
    assert isinstance(plain, Verbalizer)
    wrong = {"classes are in the order in which their words are given": [[great, soup], [awful, awful]]}
    expect(plain.ids, [[awful, awful], [great, soup]], wrong)
    lost = {"the weights are lost on the way to the read-out": [[1, 0], [1, 1]]}
    expect(plain.weights, [[1, 0], [3, 1]], lost)
    several = word_reader({"good": ["so great:3", "soup"], "bad": ["awful"]}, ["bad", "good"], tokenizer)
    assert isinstance(several, Phrases)
    expect(several.weights, [[1, 0], [3, 1]], lost)
    assert several.tokens[1, 0, : len(tokenizer.encode("so great"))].tolist() == tokenizer.encode("so great")


def test_the_first_piece_of_a_word_does_not_stand_for_it(tokenizer):
    """Two words that begin alike are two words: by their first pieces the classes would be one."""
    words = {"good": ["great soup"], "bad": ["great bread"]}
    readout = word_reader(words, ["bad", "good"], tokenizer)
    model = (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer), context=48)
    scores = Classifier(model, tokenizer, Template.parse("{text} it was {mask}"), readout).scores(EXAMPLES)
    assert (scores[:, 0] - scores[:, 1]).abs().min() > 1e-4, "words are read by their first pieces, which are the same"


@pytest.mark.parametrize(
    ("words", "blanks", "message"),
    [
        ({"good": ["great"], "bad": [" "]}, 1, "' ' cannot be read at a blank: .* makes it nothing"),
        ({"good": ["great soup"], "bad": ["great  soup"]}, 1, "stands for 'bad' and for 'good'|stands for 'good'"),
        ({"good": ["great soup", "Great soup"], "bad": ["awful"]}, 1, "'Great soup' is given twice"),
        ({"good": ["great soup"], "bad": ["awful"]}, 2, "'awful' does not fit the template: .* has 2 blanks"),
        ({"good": ["great soup"], "bad": ["it was awful"]}, 2, r"it \+ was \+ awful, .* take words of 2 tokens"),
        ({"good": ["猫 soup"], "bad": ["awful"]}, 1, r"'猫 soup' cannot be read at a blank: .* \[UNK\] \+ soup"),
        ({"good": ["great soup:0"], "bad": ["awful"]}, 1, "'great soup:0' has the weight 0"),
    ],
)
def test_words_that_cannot_be_read(words, blanks, message, bert_tokenizer):
    with pytest.raises(UserError, match=message):
        word_reader(words, ["bad", "good"], bert_tokenizer, blanks)
