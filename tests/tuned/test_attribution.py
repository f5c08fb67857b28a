"""Which tokens moved an answer: against finite differences, and against asking again without a word."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from minitune.data.examples import Example
from minitune.methods.ask import to_example
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.tuned.attribution import attribute, inner_model, log_chances, plot, strongest, watched, with_answer
from tests import tiny
from tests.naming import expect
from tests.tiny import NUMBER, TAGS, TEXT
from tests.tuned.shared import build

pytestmark = pytest.mark.lesson04
LONG_WORDS = {"good": ("great", "so good"), "bad": ("awful",), "fair": ("sad", "slow soup")}
CASES = {  # method, question, text
    "words": ("lora", None, "great soup was dull"),
    "words of several tokens": ("full", tiny.question("gpt", label_words=LONG_WORDS), "great soup was dull"),
    "a head": ("frozen+head", None, "great soup was dull"),
    "calibrated": ("frozen+calibrated", None, "great soup was dull"),
    "word scores": ("output", None, "great soup was dull"),
    "a soft prompt": ("prompt-tuning", None, "great soup was dull"),
    "a prefix": ("prefix-tuning", None, "great soup was dull"),
    "a number": ("full+number", NUMBER, "great soup"),
    "tags": ("lora", TAGS, "great zqzq soup"),
    "a text": ("prefix-tuning", TEXT, "great soup"),
}


@cache
def case(name, kind):
    """A predictor, an example, and what is found of it."""
    method, question, text = CASES[name]
    question = question or tiny.question(kind)
    predictor, example = build(kind, method, question).double().eval(), to_example(text, question)
    return predictor, example, attribute(predictor, example)


BOTH = [(name, kind) for name in CASES for kind in ("gpt", "bert") if name != "a text" or kind == "gpt"]


# shapes


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_every_token_and_every_word_has_its_effect(name, kind):
    predictor, example, found = case(name, kind)
    rendered = predictor.render([example])[0]
    assert found.tokens == predictor.tokenizer.tokens(rendered.ids) and len(found.by_gradient) == len(found.tokens)
    assert found.words == CASES[name][2].split() and len(found.by_leaving_out) == len(found.words)
    assert found.answer == predictor.answers([example])[0]
    assert any(value != 0 for value in found.by_gradient)


# numbers: a token's embedding made a little longer, one token at a time


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_gradient_times_input_is_what_a_longer_embedding_does(name, kind):
    predictor, example, found = case(name, kind)
    answered, _ = with_answer(predictor, example)
    rendered = predictor.render([example])[0]
    step = 1e-5
    for place in (0, len(rendered.ids) // 2, len(rendered.ids) - 1):
        behind = "several" in name and "mask" in rendered.origin and place > rendered.origin.index("mask")
        if rendered.origin[place] == "mask" or behind:  # behind a blank of another length a token has another place
            continue
        differences = []
        for sign in (1, -1):

            def lengthen(module, arguments, inputs, sign=sign, place=place):
                ids = arguments[0] if arguments else inputs.pop("input_ids", None)
                embeds = inputs.pop("inputs_embeds", None)
                embeds = module.token_embedding(ids) if embeds is None else embeds
                scale = torch.ones_like(embeds)
                scale[:, place] += sign * step
                return (), {**inputs, "inputs_embeds": embeds * scale}

            handle = inner_model(predictor).register_forward_pre_hook(lengthen, with_kwargs=True)
            differences.append(log_chances(predictor, [answered])[0])
            handle.remove()
        slope = (differences[0] - differences[1]) / (2 * step)
        wrong, chance = {}, math.exp(log_chances(predictor, [answered])[0])
        if abs(slope) > 0.01:
            wrong["the sign is turned: above 0 is towards the answer"] = -slope
        if abs(slope) > 0.01 and chance < 0.95:
            wrong["of the probability, and not of its logarithm"] = slope * chance
        try:
            expect(found.by_gradient[place], slope, wrong, tolerance=1e-4 if wrong else 1e-6)
        except AssertionError as error:
            hint = "the gradient without the input, of another token, or of a tied weight, not of the input embedding?"
            raise AssertionError(f"place {place}: {error} ({hint})") from None


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_leaving_out_asks_again_without_the_word(name, kind):
    predictor, example, found = case(name, kind)
    answered, _ = with_answer(predictor, example)
    words = CASES[name][2].split()
    for gone in range(len(words)):
        rest = words[:gone] + words[gone + 1 :]
        if isinstance(answered, TaggedWords):
            tags = answered.tags[:gone] + answered.tags[gone + 1 :]
            shorter = TaggedWords(tuple(rest), tags)
        else:
            shorter = replace(answered, text=" ".join(rest))
        (whole,), (without,) = (log_chances(predictor, [one]) for one in (answered, shorter))
        wrong = {
            "the sign is turned: above 0 is towards the answer": without - whole,
            "what is left is told, and not what the word did": without,
        }
        expect(found.by_leaving_out[gone], whole - without, wrong, tolerance=1e-9)


@pytest.mark.parametrize("text", ["great soup was dull", "the bed", "so sad ."])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_it_is_the_answer_that_is_explained_and_not_the_label_that_was_given(kind, text):
    """The label of an example is whatever its file says; of a user's text it is 0."""
    predictor = build(kind, "frozen+head").double().eval()
    with torch.no_grad():
        predictor.readout.linear.bias.copy_(torch.tensor([0.0, 5.0, 1.0]))
    said = predictor.scores([Example(text)])[0].argmax().item()
    assert said != 0, "the answer is the first class, which is also every text's own label: this shows nothing"
    rest = " ".join(text.split()[1:])

    def effect(label):
        whole, without = log_chances(predictor, [Example(text, label=label), Example(rest, label=label)])
        return whole - without

    for given in range(3):
        found = attribute(predictor, Example(text, label=given))
        wrong = {"of the label that was given, and not of the answer": effect(given)} if given != said else {}
        expect(found.by_leaving_out[0], effect(said), wrong, tolerance=1e-6)
        assert found.answer == tiny.LABELS[said]
        expect(found.by_gradient, attribute(predictor, Example(text, label=said)).by_gradient)


def test_a_pair_loses_the_words_of_both_texts():
    question = tiny.question("bert", is_pair=True)
    found = attribute(build("bert", "frozen+head", question), Example("great soup", "a dull plot"))
    told = {"the second text's words are left out of the telling": ["great", "soup"]}
    expect(found.words, ["great", "soup", "a", "dull", "plot"], told)
    shorter = [Example("soup", "a dull plot"), Example("great soup", "a dull")]
    predictor = build("bert", "frozen+head", question)
    answered, _ = with_answer(predictor, Example("great soup", "a dull plot"))
    whole, *without = log_chances(predictor, [answered, *(replace(its, label=answered.label) for its in shorter)])
    found = [found.by_leaving_out[0], found.by_leaving_out[4]]
    expect(found, [whole - its for its in without], tolerance=1e-5)


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_what_stands_in_the_blank_counts_for_the_blank(kind):
    """With words of several tokens the question is read several times; all that each token did is told once."""
    predictor, example, found = case("words of several tokens", kind)
    answered, _ = with_answer(predictor, example)
    rendered = predictor.render([example])[0]
    (item,) = predictor.items([answered])
    with watched(inner_model(predictor)) as seen, torch.enable_grad():
        chance = predictor.log_chance(predictor.collate([item]))
    (gradient,) = torch.autograd.grad(chance.sum(), seen)
    products = (gradient * seen[0]).sum(dim=-1)
    everything = sum(
        products[row, place].item() for row, its in enumerate(item.variations) for place in range(len(its.ids))
    )
    in_blank = sum(
        products[row, place].item()
        for row, its in enumerate(item.variations)
        for place, part in enumerate(its.origin)
        if part == "mask"
    )
    assert abs(in_blank) > 1e-6
    if "mask" in rendered.origin:
        right, lost = everything, everything - in_blank
    else:  # a GPT's blank is behind the last token, so nothing of the question itself
        right, lost = everything - in_blank, everything
    expect(sum(found.by_gradient), right, {"the blank's part is dropped, or told for another token": lost})


def test_the_only_word_of_a_text_cannot_be_left_out_where_nothing_would_be_read():
    found = attribute(build("gpt", "frozen+head"), Example("great"))
    assert found.by_leaving_out == [None]
    assert attribute(build("bert", "frozen+head"), Example("great")).by_leaving_out[0] is not None


# invariants


def test_nothing_is_left_behind_in_the_model():
    predictor, example, _ = case("words", "bert")
    before = predictor.scores([example])
    attribute(predictor, example)
    assert not inner_model(predictor)._forward_pre_hooks and torch.equal(predictor.scores([example]), before)
    assert all(parameter.grad is None for parameter in predictor.parameters()), "a gradient stays for the next step"
    with pytest.raises(RuntimeError), watched(inner_model(predictor)):
        raise RuntimeError
    assert not inner_model(predictor)._forward_pre_hooks


def test_a_text_of_which_one_word_decides(tmp_path):
    """A figure is drawn whatever the words are; of many bars the strongest stay, in their order."""
    predictor = build("gpt", "full")
    found = attribute(predictor, Example("great $x^ soup " * 9))
    plot(found, "full: $ood", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000
    bars = [(str(i), (-1.0) ** i * i) for i in range(100)]
    assert strongest(bars) == bars[40:] and strongest(bars[:3]) == bars[:3]


def test_the_answer_stands_in_the_labels_place():
    predictor, example, _ = case("words", "gpt")
    for given in range(3):
        answered, answer = with_answer(predictor, replace(example, label=given))
        assert predictor.labels[answered.label] == answer, "the label that was given stays"
    predictor, example, _ = case("a text", "gpt")
    answered, answer = with_answer(predictor, example)
    assert answered == Writing(example.text, answer)
