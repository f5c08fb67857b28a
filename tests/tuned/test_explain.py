"""What a tuned method looked at: the text token by token, the likeliest words, the scores."""

import math

import pytest
import torch

from minitune.data.examples import Example
from minitune.methods.ask import to_example
from minitune.predictors.writer import Writing
from minitune.tuned.explain import explain as explain_example
from tests import tiny
from tests.naming import expect
from tests.tiny import TAGS, TEXT
from tests.tuned.shared import build, lines_of, rows_under

pytestmark = pytest.mark.lesson04


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def explain(predictor, question, text):
    return explain_example(predictor, to_example(text, question))


@pytest.mark.parametrize("name", ["prompt-tuning", "p-tuning"])
def test_an_explanation_shows_where_the_prompt_and_the_blank_are(kind, name):
    asked = tiny.question(kind, template="{soft:2} {text} it was {soft:1} {mask}", is_own=True)
    rows = lines_of(explain(build(kind, name, asked), asked, "great soup"))
    soft = "<|soft|>" if kind == "gpt" else "[SOFT]"
    origins = [(token, rest.split("  ")[0]) for token, rest in rows]
    prompt = (soft, "soft prompt: a learned vector")
    bare = lambda word: f"_{word}" if kind == "gpt" else word  # noqa: E731
    expected = [prompt, prompt, (bare("great"), "text"), (bare("soup"), "text"), (bare("it"), "template")]
    expected += [(bare("was"), "template"), prompt]
    if kind == "bert":
        expected = [("[CLS]", "special"), *expected, ("[MASK]", "template: the blank"), ("[SEP]", "special")]
    assert origins == expected
    marks = [
        (place, rest)
        for place, (_, rest) in enumerate(rows)
        if "answer is read" in rest or "blank" in rest.split("  ")[-1]
    ]
    place = 8 if kind == "bert" else 6
    word = "the answer is read here" if kind == "bert" else "the word after this is the blank"
    assert marks[0][0] == place and marks[0][1].endswith(word) and len(marks) == 1


def test_an_explanation_agrees_with_the_prediction(kind):
    for name in ("frozen+head", "prefix-tuning", "lora", "prompt-tuning+head", "frozen@manual+beside"):
        predictor = build(kind, name)
        text = explain(predictor, tiny.question(kind), "great soup")
        first = text.rpartition("softmax")[2].splitlines()[2].split()
        assert first[0] == predictor.answers([Example("great soup")])[0], f"{name}: the first class is not the answer"
        score = predictor.scores([Example("great soup")])[0]
        assert float(first[1]) == pytest.approx(score.max().item(), abs=1e-3)
        assert float(first[2]) == pytest.approx(score.softmax(0).max().item(), abs=1e-3)
        prefix = "a prefix of 8 learned keys and values"
        assert (prefix in text) == (name == "prefix-tuning")
        assert ("likeliest words at the blank" in text) == ("+" not in name or "manual" in name)


def test_a_head_is_read_at_its_own_place_and_not_at_the_blank(kind):
    rows = lines_of(explain(build(kind, "frozen@manual+head"), tiny.question(kind), "great soup"))
    read = [place for place, (_, rest) in enumerate(rows) if rest.endswith("the answer is read here")]
    assert read == [0 if kind == "bert" else len(rows) - 1]
    assert not any("word after this" in rest for _, rest in rows), "a head reads the state, not the next word"


def test_a_text_that_is_cut_says_so(kind):
    text = explain(build(kind), tiny.question(kind), "great soup " * 60)
    taken = 2 if kind == "bert" else 0
    assert f"{120 + taken - 61} tokens of the text are cut" in text
    text = explain(build(kind), tiny.question(kind), "great " * (60 - taken) + "soup so sad")
    assert text.count("cut") == 1 and "it passes the context: 'so sad'" in text, "what is cut is not what is told"
    pair = tiny.question(kind, is_pair=True)
    text = explain(build(kind, "frozen+head", pair), pair, "great soup || " + "bed " * 70)
    assert "it passes the context: 'bed bed" in text and "soup bed" not in text


def test_a_tagger_is_read_at_each_words_first_token(kind):
    predictor = build(kind, "lora", TAGS)
    rows = lines_of(explain(predictor, TAGS, "great zqzq soup"))
    read = [token for token, rest in rows if rest.endswith("read here")]
    t = predictor.tokenizer
    assert read == t.tokens([t.encode(word)[0] for word in ("great", "zqzq", "soup")])
    assert f"answer: {predictor.answers([to_example('great zqzq soup', TAGS)])[0]}" in explain(
        predictor, TAGS, "great zqzq soup"
    )


def test_a_writer_writes_from_the_end_of_the_question():
    predictor = build("gpt", "prefix-tuning", TEXT, "length=3")
    text = explain(predictor, TEXT, "great soup")
    rows = lines_of(text)
    assert [place for place, (_, rest) in enumerate(rows) if rest.endswith("written from here on")] == [2]
    assert f"answer: {predictor.write([Writing('great soup')])[0]}" in text and "a prefix of 3 learned" in text


def test_special_signs_in_a_text_stay_text(kind):
    rows = lines_of(explain(build(kind), tiny.question(kind), "[MASK] <|soft|> great"))
    assert sum(rest.startswith("text") for _, rest in rows) > 5, "a user's [MASK] became the blank"


def test_ten_words_are_told_and_those_of_each_class(kind):
    asked = tiny.question(kind, label_words={"good": ("great:3", "good"), "bad": ("awful",), "fair": ("slow",)})
    predictor = build(kind, "lora", asked)
    text = explain(predictor, asked, "great soup")
    assert len(rows_under(text, "likeliest words at the blank")) == 10
    words = rows_under(text, "class  its words" if "class  its words" in text else "class")
    mark = "_" if kind == "gpt" else ""
    told = [("bad", "awful", "1"), ("fair", "slow", "1"), ("good", "great", "3"), ("good", "good", "1")]
    assert [(row[0], row[1], row[4]) for row in words] == [(label, mark + word, weight) for label, word, weight in told]
    scores = {row[0]: float(row[1]) for row in rows_under(text.rpartition("\n\n")[2], "class")}
    item = predictor.items([Example("great soup")])[0]
    with torch.no_grad():
        hidden = predictor.model(torch.tensor([item.rendered.ids])).hidden[0]
        at = [predictor.model.logits(state)[predictor.tokenizer.word_id("awful")].item() for state in hidden]
    blank = item.rendered.blanks[0]
    wrong = {} if blank == len(at) - 1 else {"words are told of the last token, and not of the blank": at[-1]}
    wrong |= {"words are told of the first token, and not of the blank": at[0]}
    expect(float(words[0][2]), at[blank], wrong, tolerance=6e-4)
    assert scores["bad"] == pytest.approx(float(words[0][2]), abs=2e-3), "a class of one word scores what its word does"


def test_scores_are_told_before_and_after_calibration(kind):
    predictor = build(kind, "frozen+calibrated")
    predictor.calibrate()
    text = explain(predictor, tiny.question(kind), "great soup")
    rows = rows_under(text.rpartition("\n\n")[2], "class")
    plain = build(kind, "zero-shot").scores([Example("great soup")])[0]
    for label, before, _, prior, after, _ in rows:
        place = tiny.LABELS.index(label)
        assert float(before) == pytest.approx(plain[place].item(), abs=2e-3)
        assert float(after) == pytest.approx(plain[place].item() - math.log(float(prior)), abs=1e-2)
    assert sum(float(row[3]) for row in rows) == pytest.approx(1, abs=2e-3)


def test_each_word_of_a_tagger_has_its_tag_and_the_next(kind):
    predictor = build(kind, "lora", TAGS)
    example = to_example("great zqzq soup", TAGS)
    rows = rows_under(explain(predictor, TAGS, "great zqzq soup"), "word")
    assert [row[0] for row in rows] == ["great", "zqzq", "soup"] and [row[1] for row in rows] == predictor.tags(
        [example]
    )[0]
    assert all(float(row[2]) >= float(row[4]) > 0 for row in rows)


def test_each_token_that_is_written_has_its_probability():
    predictor = build("gpt", "lora", TEXT)
    rows = rows_under(explain(predictor, TEXT, "great soup"), "written")
    written = predictor.tokens([Writing("great soup")])[0]
    assert [row[0] for row in rows] == predictor.tokenizer.tokens(written), "this one has come to no end in 32 tokens"
    ids, right, late = predictor.question(Writing("great soup")).ids, [], []
    for token in written:
        with torch.no_grad():
            chances = predictor.model.logits(predictor.model(torch.tensor([[*ids, token]])).hidden[0]).softmax(dim=-1)
        right.append(chances[-2, token].item())
        late.append(chances[-1, token].item())
        ids = [*ids, token]
    wrong = {"the chance of a token is read at its own place, and not at the one before": late}
    expect([float(row[1]) for row in rows], right, wrong, tolerance=2e-3)
    assert all(float(row[1]) >= float(row[3]) for row in rows), "what was written is the likeliest at each place"


def test_what_was_searched_is_told_first(kind):
    text = explain_example(build(kind), Example("great soup"), found=("trigger: so so",))
    assert text.startswith("trigger: so so\n\nplace")


def test_words_of_several_tokens_are_told_with_what_stood_in_the_blank(kind):
    words = {"good": ("so great:3", "good"), "bad": ("awful",), "fair": ("sad", "very slow")}
    asked = tiny.question(kind, label_words=words)
    predictor = build(kind, "frozen+verbalizer+calibrated", asked)
    text = explain(predictor, asked, "great soup")
    said = next(part for part in text.split("\n\n") if part.startswith("some label words have several tokens"))
    tokenizer, readout = predictor.tokenizer, predictor.readout.readout
    assert said.count(",") == len(readout.fills), "each thing that the blank held is told"
    rows = [line.split() for part in text.split("\n\n") if part.startswith("class  its") for line in part.splitlines()]
    told = {(row[0], " ".join(row[1:-2])): (float(row[-2]), row[-1]) for row in rows[2:]}
    names = {
        (label, " ".join(tokenizer.tokens(tokenizer.encode(w.split(":")[0])))) for label in words for w in words[label]
    }
    assert set(told) == names and sorted(weight for _, weight in told.values()) == ["1", "1", "1", "1", "3"]
    good = math.log(
        sum(math.exp(score) * float(weight) / 4 for (label, _), (score, weight) in told.items() if label == "good")
    )
    example = to_example("great soup", asked)
    hidden = predictor.read(predictor.collate(predictor.items([example])))
    assert readout(hidden, predictor.model)[0, 2].item() == pytest.approx(good, abs=2e-3)
