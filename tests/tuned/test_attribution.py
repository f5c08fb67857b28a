"""Which tokens moved an answer: against finite differences, and against asking again without a word."""

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
        assert found.by_gradient[place] == pytest.approx(slope, abs=1e-6, rel=1e-4), (
            "the gradient is not that of the input embedding: of a tied weight, or of another token?"
        )


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
        assert found.by_leaving_out[gone] == pytest.approx(whole - without, abs=1e-9)


def test_a_pair_loses_the_words_of_both_texts():
    question = tiny.question("bert", is_pair=True)
    found = attribute(build("bert", "frozen+head", question), Example("great soup", "a dull plot"))
    assert found.words == ["great", "soup", "a", "dull", "plot"]


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
    answered, answer = with_answer(predictor, replace(example, label=0))
    assert predictor.labels[answered.label] == answer
    predictor, example, _ = case("a text", "gpt")
    answered, answer = with_answer(predictor, example)
    assert answered == Writing(example.text, answer)
