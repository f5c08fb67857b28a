"""Lesson 24, what can continue a text and what can be talked to, by its name or its folder."""

from dataclasses import replace

import pytest
import torch

from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.models.generate import generate
from minitune.predictors.speaker import Sampling, Speaker
from minitune.predictors.writer import Writer, Writing
from minitune.questions.question import Question
from minitune.tuned.saved import save_tuned
from minitune.tuned.voice import Voice, is_tuned, tuned_writer, voice_of
from tests import tiny
from tests.predictors.replies import WHATS, checkpoint, slowly, writer

pytestmark = pytest.mark.lesson24
ASKED = Question((), "so {text:whole} {text_b} :", is_pair=True, kind="reply", room=7)
EXAMPLES = [Writing(f"is it {word}", "so sad", text_b=word) for word in ("great", "dull")]


def tuned(folder, bases, what, kind="gpt", asked=ASKED, examples=EXAMPLES):
    """A method, trained and saved; returns what was trained."""
    method = Method.parse(what, ["steps=2", "lr=0.05", *WHATS.get(what, [])])
    predictor = method.build(tiny.checkpoint(kind), asked, seed=7)
    fit(method, predictor, examples, [], seed=7)
    base = replace(tiny.checkpoint(kind), name=str(bases / kind))
    save_tuned(folder, method, predictor, asked, base, {"task": "toy"})
    return predictor


def said(voice, text, most, how=None):
    return "".join(voice.go_on(voice.read(text, most), most, how or Sampling()))


# parity: a text goes on as full passes say


def test_a_model_as_it_was_pretrained_continues_a_text(bases):
    voice = voice_of(str(bases / "gpt"))
    base = tiny.checkpoint("gpt")
    ids = base.tokenizer.encode("the soup was")
    assert voice.read("the soup was", 12) == ids and voice.context == 61 and voice.before == ()
    (row,) = generate(base.model, [ids], 12, stop_id=base.tokenizer.end_id)
    assert said(voice, "the soup was", 12) == base.tokenizer.decode(row)
    how = Sampling(1.3, top_k=9, seed=4)
    (row,) = generate(base.model, [ids], 12, stop_id=base.tokenizer.end_id, temperature=1.3, top_k=9, seed=4)
    assert said(voice, "the soup was", 12, how) == base.tokenizer.decode(row)


@pytest.mark.parametrize("what", [what for what in WHATS if what != "frozen"])
def test_a_tuned_writer_continues_a_text_with_what_was_tuned(what, bases, tmp_path):
    predictor = tuned(tmp_path / "it", bases, what)
    voice, t = voice_of(str(tmp_path / "it")), predictor.tokenizer
    soft = [t.soft_id] * (3 if what in ("prompt-tuning", "p-tuning") else 0)
    ids = [*soft, *t.encode("the soup was")]
    assert voice.read("the soup was", 9) == ids, "a soft prompt stands before every text, or it is not there at all"
    assert said(voice, "the soup was", 9) == t.decode(slowly(predictor, ids, 9))
    assert voice.context == {"prefix-tuning": 61 - 5, "p-tuning-v2": 61 - 4}.get(what, 61)


# the room, by hand


@pytest.mark.parametrize(("what", "taken"), [("frozen", 0), ("prompt-tuning", 3), ("prefix-tuning", 5)])
def test_text_and_new_tokens_fill_the_context_and_no_more(what, taken):
    made = writer(what, "so {text} :")
    t = made.tokenizer
    before = (t.soft_id,) * made.template.count("soft")
    voice = Voice(Speaker.of(made.model), t, made.model.context, before)
    room = 61 - taken
    fits = voice.read(" ".join(["great"] * (room - 9)), 9)
    assert len(fits) == voice.context - 9
    list(voice.go_on(fits, 9, Sampling()))
    text = " ".join(["great"] * (room - 8))
    sentence = rf"it has {room - 8} tokens, and beside 9 new ones the context has room for {room - 9}: ask for at "
    with pytest.raises(UserError, match=rf"{sentence}most 8 with --max-new-tokens, or shorten it"):
        voice.read(text, 9)
    with pytest.raises(UserError, match=rf"it has {room} tokens, .* for {room - 9}: shorten it$"):
        voice.read(" ".join(["great"] * room), 9)
    with pytest.raises(UserError, match="the context has room for 0: ask for at most"):
        voice.read("great", 100)


def test_nothing_to_continue_is_refused():
    base = checkpoint()
    with pytest.raises(UserError, match="there is nothing to continue: write a text, between quotes"):
        Voice(Speaker(base.model), base.tokenizer, 61).read("", 3)


def test_it_stops_at_the_end_of_text_and_shows_no_half_character():
    made = writer("frozen", "so {text} :")
    voice, t = Voice(Speaker.of(made.model), made.tokenizer, 61), made.tokenizer
    texts = ["is it good", "the plot", "the hero was dull", "so", "great soup ."]
    rows = {text: slowly(made, t.encode(text), 20) for text in texts}
    assert min(map(len, rows.values())) < 20, "none of them comes to an end: this test shows nothing"
    assert {text: said(voice, text, 20) for text in texts} == {text: t.decode(row) for text, row in rows.items()}


# who can be talked to


def test_the_writer_of_a_folder_is_what_was_saved(bases, tmp_path):
    predictor = tuned(tmp_path / "it", bases, "lora")
    opened = tuned_writer(str(tmp_path / "it"))
    assert isinstance(opened.predictor, Writer) and opened.predictor.room == 7
    assert opened.predictor.tokens(EXAMPLES) == predictor.tokens(EXAMPLES)
    assert is_tuned(str(tmp_path / "it")) and not is_tuned(str(bases / "gpt")) and not is_tuned("gpt")


def test_a_base_that_has_moved_may_be_named(bases, tmp_path):
    method = Method.parse("lora", ["steps=2", *WHATS["lora"]])
    predictor = method.build(tiny.checkpoint("gpt"), ASKED, seed=7)
    save_tuned(tmp_path / "it", method, predictor, ASKED, replace(tiny.checkpoint("gpt"), name="nowhere"), {})
    for opener in (voice_of, tuned_writer):
        with pytest.raises(UserError, match="nowhere"):
            opener(str(tmp_path / "it"))
    voice = voice_of(str(tmp_path / "it"), str(bases / "gpt"))
    ids = predictor.tokenizer.encode("the soup")
    assert said(voice, "the soup", 5) == predictor.tokenizer.decode(slowly(predictor, ids, 5))


def test_gradients_are_not_switched_off_for_who_listens(bases):
    voice = voice_of(str(bases / "gpt"))
    for _ in voice.go_on(voice.read("the soup", 4), 4, Sampling()):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


# what is refused


def test_a_bert_continues_nothing(bases):
    with pytest.raises(UserError, match=r"bert is a bert, which fills blanks and writes no text; take a GPT"):
        voice_of(str(bases / "bert"))


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_model_as_it_was_pretrained_is_nobody_to_talk_to(bases, kind):
    with pytest.raises(UserError, match=rf"is a {kind} as it was pretrained, and nobody to talk to; .*--task instruct"):
        tuned_writer(str(bases / kind))


def test_what_was_tuned_for_classes_is_told_with_them(bases, tmp_path):
    tuned(tmp_path / "it", bases, "lora", asked=tiny.question("gpt"), examples=tiny.EXAMPLES)
    for opener in (voice_of, tuned_writer):
        with pytest.raises(UserError, match=r"was tuned for the classes bad, fair, good, and writes no text; give the"):
            opener(str(tmp_path / "it"))


def test_what_was_tuned_for_numbers_is_told_as_something_else(bases, tmp_path):
    examples = [replace(example, label=float(n)) for n, example in enumerate(tiny.EXAMPLES)]
    tuned(tmp_path / "it", bases, "lora+number", asked=Question((), "{text}", kind="number"), examples=examples)
    with pytest.raises(UserError, match=r"was tuned for something else, and writes no text"):
        tuned_writer(str(tmp_path / "it"))


def test_a_folder_that_is_none_is_refused(tmp_path):
    for opener in (voice_of, tuned_writer):
        with pytest.raises(UserError, match="nothing_here"):
            opener(str(tmp_path / "nothing_here"))
