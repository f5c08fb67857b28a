"""Lesson 07, the verbalizer: words at the blank stand for classes."""

import math

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.readout.verbalizer import Verbalizer, parse_label_words, verbalizer
from tests.conftest import make_bert, make_gpt
from tests.naming import expect

pytestmark = pytest.mark.lesson07


class Scores(nn.Module):
    """A model whose scores are the hidden state itself."""

    def logits(self, hidden):
        return hidden


@pytest.fixture
def hidden():
    return torch.randn(5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


# shapes


@pytest.mark.parametrize("rows", [1, 5])
def test_a_score_for_each_class(hidden, rows):
    for model in (make_gpt(), make_bert()):
        assert Verbalizer([[3], [4, 5, 6], [7, 8]])(hidden[:rows], model).shape == (rows, 3)


def test_nothing_new_is_learned_or_stored():
    readout = Verbalizer([[3], [4, 5]])
    assert not list(readout.parameters()) and not readout.state_dict()
    assert readout.reads == "blank"


# numbers worked by hand


WORDS, WEIGHTS = [[0, 1], [2], [3, 4, 5]], [[3.0, 1.0], [7.0], [1.0, 2.0, 0.5]]


def by_class(logits, formula, weights=WEIGHTS):
    """Scores (B, C) by a formula of one class's logits (B, W) and weights (W,)."""
    weights = [torch.tensor(its, dtype=torch.float64) for its in weights]
    return torch.stack([formula(logits[:, ids], its) for ids, its in zip(WORDS, weights, strict=True)], dim=1)


def share(x, w):
    """log( sum of w e^x / sum of w ): (B, W), (W,) -> (B,)"""
    return ((w * x.exp()).sum(dim=1) / w.sum()).log()


def padded(x, w):
    """What a class of fewer than three words would score, were its padding words as well."""
    more = 3 - len(w)
    return share(torch.cat([x, x[:, :1].expand(-1, more)], dim=1), torch.cat([w, torch.ones(more, dtype=w.dtype)]))


MISTAKES = {
    "the weights of words are not used": lambda x, w: share(x, torch.ones_like(w)),
    "probabilities are summed: a class is likelier for having more words": lambda x, w: share(x, w) + w.sum().log(),
    "the sum is divided by the number of words, not by that of their weights": lambda x, w: (w * x.exp()).mean(1).log(),
    "the mean of logits, not of probabilities": lambda x, w: (w * x).sum(dim=1) / w.sum(),
    "the likeliest word alone is read": lambda x, w: (x + w.log()).amax(dim=1) - w.sum().log(),
    "the first word alone is read": lambda x, w: x[:, 0],
    "logits are multiplied with the weights, and not probabilities": lambda x, w: (w * x).logsumexp(1) - w.sum().log(),
    "weights are added to logits without their logarithm": lambda x, w: (x + w).logsumexp(dim=1) - w.sum().log(),
    "the padding to classes of equal width is counted as words": padded,
}


def test_a_score_is_the_log_of_the_weighted_mean_of_probabilities():
    drawn = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    scores = Verbalizer(WORDS, WEIGHTS)(drawn, Scores())
    wrong = {cause: by_class(drawn, formula) for cause, formula in MISTAKES.items()}
    wrong["the softmax runs over the batch"] = by_class(drawn.log_softmax(dim=0), share)
    expect(scores, by_class(drawn, share), wrong, tolerance=1e-6)


def test_without_weights_all_words_count_alike():
    p = torch.tensor([[0.1, 0.2, 0.3, 0.15, 0.2, 0.05]], dtype=torch.float64)
    scores = Verbalizer(WORDS)(p.log(), Scores()).exp()
    equal = [[1.0] * len(its) for its in WEIGHTS]
    wrong = {c: by_class(p.log(), f, equal).exp() for c, f in MISTAKES.items() if "sum" in c or "mean of" in c}
    wrong = {c: value for c, value in wrong.items() if "divided" not in c}  # that is right where each weighs 1
    expect(scores, [[0.15, 0.3, 0.4 / 3]], wrong, tolerance=1e-6)


def test_only_the_shares_of_the_weights_count():
    drawn = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    doubled = [[2 * weight for weight in its] for its in WEIGHTS]
    wrong = {cause: lambda f=formula: by_class(drawn, f, doubled) for cause, formula in MISTAKES.items()}
    whole = Verbalizer(WORDS, WEIGHTS)(drawn, Scores())
    expect(Verbalizer(WORDS, doubled)(drawn, Scores()), whole, wrong, tolerance=1e-6)


def test_chances_are_among_all_words_of_the_model():
    drawn = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    readout, p = Verbalizer(WORDS, WEIGHTS), drawn.softmax(dim=-1)
    right = by_class(p.log(), share).exp()
    wrong = {
        "e to the power of the score: not divided by all words": readout(drawn, Scores()).exp(),
        "divided by the classes' words alone": readout(drawn, Scores()).softmax(dim=-1),
        "the softmax runs over the batch": readout(drawn, Scores()).exp() / drawn.exp().sum(dim=0)[0],
    }
    expect(readout.chances(drawn, Scores()), right, wrong, tolerance=1e-6)


def test_the_mean_of_logits_would_choose_another_class():
    logits = torch.tensor([[5.0, -5, 2, 2]], dtype=torch.float64)
    scores = Verbalizer([[0, 1], [2, 3]])(logits, Scores())
    assert scores[0, 0].item() == pytest.approx(math.log((math.exp(5) + math.exp(-5)) / 2), rel=1e-6)
    assert scores.argmax().item() == 0, "the mean of logits, 0 against 2, chooses class 1"


# invariants


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_that_knows_nothing_ties_whatever_the_number_of_words(dtype):
    words = [[0], [1, 2], [3, 4, 5], [6, 7, 8, 9, 10]]
    scores = Verbalizer(words)(torch.full((2, 11), 0.7, dtype=dtype), Scores())
    assert scores.dtype == dtype, "the scores were cast: the weights are to be in the model's numbers, not the reverse"
    tolerance = 4 * torch.finfo(dtype).eps
    message = "a class must not be likelier for having more words, nor for padding to equal width"
    torch.testing.assert_close(scores, scores[:, :1].expand(2, 4), rtol=0, atol=tolerance, msg=message)


def test_permuting_the_classes_permutes_the_scores(hidden, gpt):
    words, order = [[3, 9], [4], [7, 8, 1]], [2, 0, 1]
    permuted = Verbalizer([words[i] for i in order])(hidden, gpt)
    torch.testing.assert_close(permuted, Verbalizer(words)(hidden, gpt)[:, order], rtol=0, atol=1e-12)


def test_the_order_of_a_class_s_words_does_not_matter(hidden, gpt):
    one, other = (Verbalizer([[5], words])(hidden, gpt) for words in ([3, 9, 1], [1, 3, 9]))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_one_row_equals_its_place_in_a_batch(hidden, bert):
    readout = Verbalizer([[3], [4, 5]])
    alone = torch.cat([readout(row[None], bert) for row in hidden])
    torch.testing.assert_close(readout(hidden, bert), alone, rtol=0, atol=1e-12)


def test_words_follow_the_order_of_the_labels_not_of_the_mapping(tokenizer):
    great, awful, dull = (tokenizer.word_id(word) for word in ("great", "awful", "dull"))
    readout = verbalizer({"good": ["great"], "bad": ["awful", "dull"]}, ["bad", "good"], tokenizer)
    logits = torch.zeros(1, len(tokenizer))
    logits[0, great] = 5.0
    assert readout(logits, Scores()).argmax().item() == 1, "words were matched to another class"
    logits[0, [awful, dull]] = 9.0
    assert readout(logits, Scores()).argmax().item() == 0


# parity with an independent computation


def test_equals_a_loop_over_softmax_up_to_a_constant(hidden, model):
    words = [[3, 9], [4], [7, 8, 1]]
    probabilities = model.logits(hidden).softmax(dim=-1)
    expected = torch.stack([probabilities[:, ids].mean(dim=1).log() for ids in words], dim=1)
    scores = Verbalizer(words)(hidden, model)
    torch.testing.assert_close(scores.log_softmax(-1), expected.log_softmax(-1), rtol=0, atol=1e-10)


# gradients


def test_gradients_reach_every_word_and_are_finite():
    logits = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)
    words = [[3], [4, 5, 6]]
    assert torch.autograd.gradcheck(lambda x: Verbalizer(words)(x, Scores()), logits)
    Verbalizer(words)(logits, Scores()).square().sum().backward()
    moved = (logits.grad != 0).any(dim=0).nonzero().flatten().tolist()
    assert moved == [3, 4, 5, 6] and logits.grad.isfinite().all()


# does it learn?


def test_learns_through_the_model(gpt, hidden):
    hidden, readout, labels = hidden.requires_grad_(), Verbalizer([[3], [4, 5]]), torch.tensor([0, 1, 1, 0, 1])
    optimizer = torch.optim.Adam([hidden], lr=0.1)
    for _ in range(60):
        loss = nn.functional.cross_entropy(readout(hidden, gpt), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


# what is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"good": ["great"]}, "the class 'bad' has no label word; give each class one, as in 'bad=...;good=...'"),
        ({"good": ["great"], "bad": []}, "'bad' has no label word"),
        ({"good": ["great"], "bad": ["awful"], "fair": ["soup"]}, r"given for \['fair'\], and the labels are"),
        ({"good": ["great", "soup"], "bad": ["soup"]}, "'soup' stands for 'bad' and for 'good'"),
        ({"good": ["great", "great"], "bad": ["soup"]}, "'great' is given twice for 'good'"),
        ({"good": ["zqzq"], "bad": ["soup"]}, r"'zqzq' is not one token .* \+ .*"),
    ],
)
def test_label_words_that_cannot_stand_for_classes(tokenizer, words, message):
    with pytest.raises(UserError, match=message):
        verbalizer(words, ["bad", "good"], tokenizer)


def test_words_that_one_token_folds_together_are_shared(bert_tokenizer):
    with pytest.raises(UserError, match="'Great' stands for"):
        verbalizer({"bad": ["great"], "good": ["Great"]}, ["bad", "good"], bert_tokenizer)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "1e39", "1e-46"])
def test_a_weight_that_float32_cannot_hold_is_refused(tokenizer, weight):
    """1e39 is infinite there and 1e-46 is 0: the loss would be no number, and the model's weights were blamed."""
    with pytest.raises(UserError, match=rf"'great:{weight}' has the weight {weight}; a number above 0"):
        verbalizer({"bad": ["awful"], "good": [f"great:{weight}", "good"]}, ["bad", "good"], tokenizer)


@pytest.mark.parametrize("weight", ["1e30", "1e-30"])
def test_far_weights_and_their_logarithms_are_numbers(tokenizer, weight):
    read = verbalizer({"bad": ["awful"], "good": [f"great:{weight}", "good"]}, ["bad", "good"], tokenizer)
    assert read.weights.isfinite().all() and read.weights.log()[:, 0].isfinite().all()


# reading label words


def test_label_words_are_read():
    read = parse_label_words(" positive = great, good ,; negative=bad;")
    assert read == {"positive": ("great", "good"), "negative": ("bad",)}
    assert list(read) == ["positive", "negative"]


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("", "label words are empty"),
        (" ; ", "label words are empty"),
        ("positive", "cannot read the label words 'positive'"),
        ("positive=", "cannot read"),
        ("positive= , ;", "cannot read"),
        ("=great", "cannot read"),
        ("a=x;b", "cannot read the label words 'b'"),
        ("a=x;b=y;a=z", "'a' stands twice"),
    ],
)
def test_label_words_that_cannot_be_read(string, message):
    with pytest.raises(UserError, match=message):
        parse_label_words(string)
