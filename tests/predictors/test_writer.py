"""A writer reads a question and writes the answer: only the answer is learned, from where it will be written."""

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.models.generate import generate
from minitune.predictors.writer import ANSWER_ROOM, Writer, Writing
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.training.checkpoint import random_twin
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson20
EXAMPLES = [
    Writing("great soup", "the soup was great ."),
    Writing("a dull , slow and sad film", "it was dull ."),
    Writing("bed", "the bed was so good , and the room was great ."),
]
SOFT = {
    "prefix-tuning": ["length=5", "inner=11"],
    "p-tuning-v2": ["length=4"],
    "prompt-tuning": ["length=3"],
    "p-tuning": ["length=3"],
}


def score(written, example):
    return float(written == example.answer)


def build(what="full", template="{text}", *settings, examples=EXAMPLES):
    asked = Question((), template, kind="text", score=score, is_own=template != "{text}")
    method = Method.parse(what, [*SOFT.get(what, ()), *settings])
    return method, method.build(tiny.checkpoint("gpt"), asked, seed=3)


# by hand


def test_the_answer_and_its_end_are_the_only_labels():
    _, writer = build(template="{text} so")
    t = writer.tokenizer
    batch = writer.collate(writer.items(EXAMPLES[:2]))
    for row, example in enumerate(EXAMPLES[:2]):
        question, answer = [*t.encode(example.text), t.word_id("so")], [*t.encode(example.answer), t.end_id]
        asked, given = len(question), len(answer)
        whole = batch["input_ids"][row, : asked + given].tolist()
        expect(whole, question + answer, {
            "no end of text stands behind the answer: it is never learned": [*question, *answer[:-1], t.pad_id],
            "or so, in the longest row": [*question, *answer[:-1]],
            "the question stands behind the answer": answer + question,
        })  # fmt: skip
        expected = [-100] * (asked - 1) + answer
        expect(batch["label"][row, : asked + given].tolist(), [*expected, -100], {
            "each place's label is its own token, and not the next one": [-100, *expected],
            "the end is not learned: it never stops": [*expected[:-1], -100, -100],
            "the question is learned too": [*question[1:], *answer, -100],
        })  # fmt: skip
        assert (batch["label"][row, asked + given - 1 :] == -100).all(), (
            "the padding, or what follows the end, is learned"
        )
    assert (batch["label"] == t.end_id).sum() == 2, "without its end in the loss it never stops"


def test_the_loss_is_that_of_the_answers_tokens_worked_out_one_by_one():
    _, writer = build()
    t, model = writer.tokenizer, writer.model
    losses = []
    for example in EXAMPLES:
        ids = t.encode(example.text)
        for token in [*t.encode(example.answer), t.end_id]:
            logits = model.logits(model(torch.tensor([ids])).hidden[0, -1])
            losses.append(F.cross_entropy(logits, torch.tensor(token)))
            ids = [*ids, token]
    loss = writer.loss(writer.collate(writer.items(EXAMPLES)))
    right = torch.stack(losses)
    counts = [len(t.encode(example.answer)) + 1 for example in EXAMPLES]
    ends = torch.tensor(counts).cumsum(0) - 1
    of_each = [part.mean() for part in right.split(counts)]
    expect(loss, right.mean(), {
        "a mean of the answers' means: short answers weigh more": torch.stack(of_each).mean(),
        "the sum": right.sum(),
        "the end of text is not learned": right[[i for i in range(len(right)) if i not in ends.tolist()]].mean(),
        "only the first token of each answer": right[[0, *(ends[:-1] + 1).tolist()]].mean(),
    }, tolerance=1e-5)  # fmt: skip


@pytest.mark.parametrize("what", SOFT)
def test_the_loss_under_a_prompt_or_prefix_is_shifted_by_nothing(what):
    """The prefix is no text, and a soft prompt is in the question: labels stay where the answer is."""
    _, writer = build(what)
    t, losses = writer.tokenizer, []
    for example in EXAMPLES:
        ids = writer.question(example).ids
        for token in [*t.encode(example.answer), t.end_id]:
            logits = writer.model.logits(writer.model(torch.tensor([ids])).hidden[0, -1])
            losses.append(F.cross_entropy(logits, torch.tensor(token)))
            ids = [*ids, token]
    loss = writer.loss(writer.collate(writer.items(EXAMPLES)))
    torch.testing.assert_close(loss, torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)


def test_measure_by_hand(monkeypatch):
    _, writer = build()
    monkeypatch.setattr(writer, "write", lambda examples: [EXAMPLES[0].answer, "no", EXAMPLES[2].answer])
    found = writer.measure(writer.items(EXAMPLES))
    assert list(found) == ["score", "token accuracy", "loss"] and found["score"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("what", "taken"), [("full", 0), ("prefix-tuning", 5), ("prompt-tuning", 0)])
def test_question_and_answer_fit_into_the_context_together(what, taken):
    _, writer = build(what)
    t, context = writer.tokenizer, 61 - taken
    answer = ("it was so good " * 4).strip()
    item = writer.item(Writing("great soup " * 60, answer))
    assert len(item.rendered.ids) == context and item.rendered.cut > 0
    written = item.rendered.ids[item.start :]
    assert written == [*t.encode(answer), t.end_id], "the answer or its end is cut, and it learns never to stop"
    assert writer.loss(writer.collate([item])).isfinite()
    expect(len(writer.question(item.example).ids), context - ANSWER_ROOM, {
        "the question takes all of the context: nothing is left for the answer": context - 1,
        "the question is cut as beside the answer that it has in training": item.start,
    })  # fmt: skip
    assert len(writer.write([item.example])) == 1, "writing has less room than training"


# invariants


@pytest.mark.parametrize("what", ["full", "lora", "output", *SOFT])
def test_what_is_written_is_what_the_trained_model_finds_likeliest(what):
    """Each token of the answer is the argmax of a plain run over question and answer so far: the same positions, the
    same prefix, the same padding or none, as in the loss."""
    _, writer = build(what)
    t = writer.tokenizer
    if what == "lora":
        with torch.no_grad():
            for name, parameter in writer.named_parameters():
                if name.endswith(".B"):
                    parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    ids = [writer.question(example).ids for example in EXAMPLES]
    past = writer.model.door.past() if what in ("prefix-tuning", "p-tuning-v2") else None
    inside = writer.model.model if past else writer.model
    rows = generate(inside, ids, 6, stop_id=t.end_id, past_key_values=past)
    assert len({tuple(row) for row in rows}) > 1, "three questions have one answer: are they read?"
    rows_in_full = generate(inside, ids, ANSWER_ROOM, stop_id=t.end_id, past_key_values=past)
    message = "what is written goes on from something else than the prefix and the question"
    assert [t.decode(row) for row in rows_in_full] == writer.write(EXAMPLES), message
    for question, row in zip(ids, rows, strict=True):
        for place in range(len(row)):
            logits = writer.model.logits(writer.model(torch.tensor([question + row[:place]])).hidden[0, -1])
            assert logits.argmax().item() == row[place], f"{what}: token {place} is not the likeliest"


def test_writing_does_not_depend_on_the_batch():
    _, writer = build("prefix-tuning")
    together = writer.write(EXAMPLES)
    assert together == [writer.write([example])[0] for example in EXAMPLES] == writer.write(EXAMPLES, batch_size=2)


def test_answers_come_back_in_the_order_of_their_questions(monkeypatch):
    """Questions that leave an answer less room are written apart from the others."""
    _, writer = build(template="{text:whole} so")
    t = writer.tokenizer
    questions = [
        Writing(f"{'great ' * many}{word}") for many, word in ((50, "soup"), (1, "bed"), (45, "film"), (2, "hero"))
    ]
    words = [t.word_id(example.text.split()[-1]) for example in questions]
    rooms = []

    def echo(model, prompts, room, **rest):
        rooms.append(room)
        return [[prompt[-2]] for prompt in prompts]

    monkeypatch.setattr("minitune.predictors.writer.generate", echo)
    found = writer.tokens(questions)
    assert len(set(rooms)) == 3, f"{rooms}: all have the same room, and this shows nothing"
    expect(found, [[word] for word in words], {
        "in the order in which they were written, by room": [[words[row]] for row in (0, 2, 1, 3)],
    })  # fmt: skip


def test_token_accuracy_counts_the_answers_tokens_alone():
    _, writer = build(template="{text} so")
    items = writer.items(EXAMPLES)
    hits = tokens = everywhere = places = 0
    for item in items:
        ids = torch.tensor([item.rendered.ids])
        with torch.no_grad():
            likeliest = writer.model.logits(writer.model(ids).hidden)[0].argmax(dim=-1).tolist()
        for place in range(len(item.rendered.ids) - 1):
            is_hit = likeliest[place] == item.rendered.ids[place + 1]
            everywhere, places = everywhere + is_hit, places + 1
            if place + 1 >= item.start:
                hits, tokens = hits + is_hit, tokens + 1
    counts = writer.token_hits(writer.collate(items)).sum(dim=0).tolist()
    expect(counts, [hits, tokens], {"the question's tokens count too": [everywhere, places]})


def test_answers_are_not_read_while_writing():
    _, writer = build()
    blank = [Writing(example.text) for example in EXAMPLES]
    assert writer.write(blank) == writer.write(EXAMPLES) == writer.answers(EXAMPLES)


def test_what_is_written_stops_at_the_end_and_shows_no_special_token(monkeypatch):
    _, writer = build()
    t = writer.tokenizer
    great = t.word_id("great")
    monkeypatch.setattr(
        "minitune.predictors.writer.generate", lambda *args, **rest: [[great, t.sep_id, great]] * len(args[1])
    )
    assert writer.write(EXAMPLES[:1]) == ["great great"]
    seen = {}
    monkeypatch.setattr("minitune.predictors.writer.generate", lambda *args, **rest: seen.update(rest) or [[great]])
    writer.write(EXAMPLES[:1])
    assert seen.get("stop_id") == t.end_id, "it writes on behind the end"


def test_dropout_is_off_while_writing_and_back_on_afterwards():
    _, writer = build("prefix-tuning", "{text}", "dropout=0.9")
    writer.train()
    assert writer.write(EXAMPLES) == writer.write(EXAMPLES) and writer.training and writer.model.door.training


# whether it learns


def test_learns_its_answers_and_to_stop():
    method = Method.parse("full", ["lr=0.01", "steps=50"])
    asked = Question((), "{text}", kind="text", score=score)
    writer = method.build(random_twin(tiny.checkpoint("gpt")), asked, seed=0)
    assert writer.measure(writer.items(EXAMPLES))["score"] == 0.0
    fit(method, writer, EXAMPLES, [], seed=0)
    assert writer.write(EXAMPLES) == [example.answer for example in EXAMPLES]
    assert writer.measure(writer.items(EXAMPLES))["score"] == 1.0


# what is refused


def test_a_bert_is_no_writer():
    base = tiny.checkpoint("bert")
    with pytest.raises(UserError, match="a bert fills blanks and writes no text; take a GPT"):
        Writer(base.model, base.tokenizer, Template.parse("{text}"), score)


def test_positions_that_do_not_go_on_from_the_prefix_are_refused():
    with pytest.raises(UserError, match="shift=true"):
        build("p-tuning-v2", "{text}", "shift=false")


def test_placeholders_are_wanted_by_a_soft_prompt_alone():
    with pytest.raises(UserError, match="no placeholder"):
        build("prompt-tuning", "{text} so")


def test_a_prefix_that_leaves_an_answer_no_room_is_refused():
    with pytest.raises(UserError):
        build("prefix-tuning", "{text}", "length=60")[1].items(EXAMPLES)


def test_an_empty_question_is_refused():
    with pytest.raises(UserError, match="no token"):
        build()[1].items([Writing("", "good")])
