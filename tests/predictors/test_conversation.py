"""Lesson 24, a conversation: what was said stands before the question, and the oldest is forgotten first."""

from dataclasses import replace

import pytest

from minitune.errors import UserError
from minitune.models.generate import generate
from minitune.predictors.conversation import Conversation
from minitune.predictors.speaker import Sampling
from minitune.predictors.writer import Writing
from tests.naming import expect
from tests.predictors.replies import EXAMPLES, WHATS, slowly, writer

pytestmark = pytest.mark.lesson24
SHORT = "so {text:whole} {text_b} :"  # leaves room for several turns in 61 tokens
ASKED = [
    Writing("great", text_b="soup"),
    Writing("the hero was", text_b="dull ."),
    Writing("good", text_b=""),
    Writing("a dull film", text_b="with the hero"),
]


class Told:
    """Speaks what it is told to, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked, self.rooms = list(answers), [], []

    def speak(self, ids, most, stop_id, sampling=None):
        self.asked.append(list(ids))
        self.rooms.append(most)
        yield from self.answers.pop(0)[:most]


def talking(*answers, what="frozen", template=SHORT, room=9):
    """A conversation whose answers are given."""
    made = writer(what, template, room)
    conversation = Conversation(made)
    conversation.speaker = Told(*(made.tokenizer.encode(answer) for answer in answers))
    return conversation


def tokens_of(t, turn):
    """An earlier turn as it is read, by hand."""
    return [*t.encode(f"so {turn.text} {turn.text_b}".strip() + " :"), *t.encode(turn.answer), t.end_id]


def say(conversation, example, sampling=None):
    return "".join(conversation.answer(conversation.ask(example), sampling))


# by hand


def test_the_second_turn_stands_behind_the_first_and_its_end():
    conversation = talking("good .", "sad")
    t = conversation.writer.tokenizer
    assert [say(conversation, example) for example in ASKED[:2]] == ["good .", "sad"]
    first, second = t.encode("so great soup :"), t.encode("so the hero was dull . :")
    said = [*first, *t.encode("good ."), t.end_id]
    expect(conversation.speaker.asked[0], first)
    expect(conversation.speaker.asked[1], [*said, *second], {
        "an earlier answer has no end: the next question goes on with it": [*said[:-1], *second],
        "what was said stands behind the question": [*second, *said],
        "the earlier question is left out": [*said[len(first) :], *second],
        "the earlier answer is left out": [*first, *second],
        "nothing is remembered": second,
    })  # fmt: skip
    assert conversation.turns == [replace(ASKED[0], answer="good ."), replace(ASKED[1], answer="sad")]


def test_what_is_asked_by_hand():
    conversation = talking("good .")
    t = conversation.writer.tokenizer
    say(conversation, ASKED[0])
    question = t.encode("so good :")
    asked = conversation.ask(ASKED[2])
    assert asked.ids == [*tokens_of(t, conversation.turns[0]), *question]
    assert (asked.example, asked.forgotten) == (ASKED[2], 0)
    assert len(conversation.turns) == 1, "a question is no turn before it is answered"


def test_the_placeholders_stand_once_before_the_last_question():
    conversation = talking("good .", "sad", "so", what="prompt-tuning")
    t = conversation.writer.tokenizer
    for example in ASKED[:3]:
        say(conversation, example)
    first, second, third = (t.encode(f"so {text} :") for text in ("great soup", "the hero was dull .", "good"))
    answers = [[*t.encode(answer), t.end_id] for answer in ("good .", "sad")]
    soft = [t.soft_id] * 3
    expected = [*first, *answers[0], *second, *answers[1], *soft, *third]
    assert conversation.speaker.asked[2] == expected, "the prompt has three vectors, for one place"
    assert conversation.speaker.asked[0] == [*soft, *first]


def test_the_oldest_turn_is_forgotten_first_and_counted():
    conversation = talking(*["it was"] * 9)
    writer, seen = conversation.writer, []
    for number in range(9):
        example = ASKED[number % 4] if number != 5 else Writing("the plot", text_b="slow " * 30)
        question, before = writer.question(example).ids, list(conversation.turns)
        asked = conversation.ask(example)
        left = list(before)  # by hand: one after the other, until the answer has its room too
        while sum(len(tokens_of(writer.tokenizer, turn)) for turn in left) + len(question) + 9 > 61:
            left.pop(0)

        def read(turns, question=question):
            return [i for turn in turns for i in tokens_of(writer.tokenizer, turn)] + question

        wrong = {
            "the newest turns are forgotten, and not the oldest": before[: len(left)],
            "what no longer fits is kept: the list grows for ever": before,
        }
        expect(conversation.turns, left, {cause: turns for cause, turns in wrong.items() if turns != left})
        expect(asked.forgotten, len(before) - len(left))
        wrong = {
            "the turns are read from the newest to the oldest": read(left[::-1]),
            "the oldest turns are read, and the newest left out": read(before[: len(left)]),
        }
        expect(asked.ids, read(left), {cause: ids for cause, ids in wrong.items() if ids != read(left)})
        list(conversation.answer(asked))
        seen.append(asked.forgotten)
    assert 0 in seen[1:] and max(seen) >= 2, f"forgotten were {seen}: this test shows nothing"


def test_a_turn_that_just_fits_is_kept():
    conversation = talking("so")
    t = conversation.writer.tokenizer
    old, room = Writing("great", "soup", text_b=""), 61 - 9 - len(t.encode("so good :"))
    others = len(tokens_of(t, old)) + len(tokens_of(t, Writing("sad", text_b="")))
    for answer, forgotten in ((room - others, 0), (room - others + 1, 1)):
        conversation.turns = [old, Writing("sad", " ".join(["dull"] * answer), text_b="")]
        asked = conversation.ask(ASKED[2])
        assert asked.forgotten == forgotten == 2 - len(conversation.turns) and len(asked.ids) <= 52


def test_an_answer_that_comes_to_no_end_is_kept_with_one():
    conversation = talking("great " * 20, "so")
    t = conversation.writer.tokenizer
    assert say(conversation, ASKED[0]) == " ".join(["great"] * 9) and conversation.speaker.rooms == [9]
    asked = conversation.ask(ASKED[2]).ids
    answer = asked[: -len(t.encode("so good :"))][-2:]
    assert answer == [t.word_id("great"), t.end_id], "the next turn would go on with this answer"


# invariants


def test_an_answer_that_is_broken_off_is_not_kept():
    conversation = talking("good .", "the hero was so sad", "so")
    say(conversation, ASKED[0])
    steps = conversation.answer(conversation.ask(ASKED[1]))
    assert next(steps) == "the"
    steps.close()
    before = list(conversation.turns)
    assert len(before) == 1, "half an answer is remembered as a whole one"
    say(conversation, ASKED[2])
    assert conversation.speaker.asked[2] == [
        *tokens_of(conversation.writer.tokenizer, before[0]),
        *conversation.writer.question(ASKED[2]).ids,
    ]


def test_nothing_is_said_before_somebody_listens():
    conversation = talking("good .")
    conversation.answer(conversation.ask(ASKED[0]))
    assert conversation.speaker.asked == [] and conversation.turns == []


def test_after_a_reset_it_is_the_first_turn():
    conversation = talking("good .", "sad", "so")
    for example in ASKED[:2]:
        say(conversation, example)
    conversation.reset()
    assert conversation.turns == []
    say(conversation, ASKED[0])
    assert conversation.speaker.asked[2] == conversation.speaker.asked[0]


@pytest.mark.parametrize(
    ("example", "sentence"),
    [
        (Writing("great", text_b="soup " * 60), r"takes 12 tokens more than the context of 61 has room for, beside an"),
        (Writing("great " * 62, text_b="so"), "may not be cut"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_and_forgets_nothing(example, sentence):
    conversation = talking("good .", "sad")
    say(conversation, ASKED[0])
    before = list(conversation.turns)
    with pytest.raises(UserError, match=sentence):
        conversation.ask(example)
    assert conversation.turns == before, "a question that was never asked has cost a turn"


@pytest.mark.parametrize("what", ["frozen", "prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize("free", [0, 1, 3, 8])
def test_a_question_that_nearly_fills_the_context_is_answered_in_what_is_left(what, free):
    """What may not be cut leaves the answer less than its room: every place up to the context is used, and no more."""
    conversation = Conversation(writer(what, SHORT, room=9))
    made = conversation.writer
    say(conversation, ASKED[0])
    others = len(made.question(Writing("great", text_b="")).ids) - 1
    example = Writing("great " * (made.model.context - others - free), text_b="")
    if free == 0:
        with pytest.raises(UserError, match="may not be cut"):
            conversation.ask(example)
        assert len(conversation.turns) == 1
        return
    asked = conversation.ask(example)
    assert asked.forgotten == 1 and len(asked.ids) == made.model.context - free
    expected = slowly(made, asked.ids, free)
    message = "the answer's room is counted without the prompt's placeholders, and passes the context"
    assert "".join(conversation.answer(asked)) == made.tokenizer.decode(expected), message


# parity


@pytest.mark.parametrize("what", WHATS)
def test_the_first_turn_answers_as_the_writer_writes(what):
    conversation = Conversation(writer(what))
    for example, written in zip(EXAMPLES, conversation.writer.write(EXAMPLES), strict=True):
        conversation.reset()
        assert say(conversation, example) == written


@pytest.mark.parametrize("what", WHATS)
def test_the_second_turn_is_that_of_full_passes(what):
    """Over all that was said, with what was tuned: a prefix before the first turn, a soft prompt in the last one."""
    conversation = Conversation(writer(what, SHORT))
    made = conversation.writer
    for example in ASKED:
        asked = conversation.ask(example)
        expected = slowly(made, asked.ids, 9)
        assert "".join(conversation.answer(asked)) == made.tokenizer.decode(expected)
    assert asked.forgotten or len(conversation.turns) > 2


def test_it_may_be_drawn_and_the_seed_tells_what():
    conversation, how = Conversation(writer("lora", SHORT)), Sampling(1.6, top_k=9, seed=5)
    made = conversation.writer
    said = say(conversation, ASKED[0], how)
    settings = {"temperature": 1.6, "top_k": 9, "seed": 5, "stop_id": made.tokenizer.end_id}
    (row,) = generate(made.model, [made.question(ASKED[0]).ids], 9, **settings)
    assert said == made.tokenizer.decode(row)
    conversation.reset()
    assert say(conversation, ASKED[0], Sampling(1.6, top_k=9, seed=6)) != said
