"""Answers to a user's own texts: all of them, in their order, and what was not read."""

import pytest
import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.methods.ask import to_example, words_as_example
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.question import Question
from minitune.tuned.answers import answers_to, as_table
from minitune.tuned.queries import Written, ask_rows, ask_texts, check_all, given_texts
from tests import tiny
from tests.naming import expect
from tests.tiny import NUMBER, TAGS, TEXT
from tests.tuned.shared import PAIRS, TEXTS, build

pytestmark = pytest.mark.lesson04
SPANS = Question(("O", "B-X", "I-X"), "{text}", kind="spans")


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


# a text becomes an example


def test_texts_of_every_kind_of_question():
    asked = tiny.question("bert")
    assert to_example("  great soup ", asked) == Example("great soup")
    assert to_example("great soup||a film", PAIRS["bert"]) == Example("great soup", "a film")
    assert to_example("a || b || c", PAIRS["bert"]) == Example("a", "b || c")
    assert to_example("great || soup", TAGS) == TaggedWords(("great", "||", "soup"), (0, 0, 0))
    assert to_example("great | soup", TEXT) == Writing("great | soup")


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("", tiny.question("bert"), "empty text"),
        (" \n", tiny.question("bert"), "empty text"),
        ("", TAGS, "empty text"),
        ("", TEXT, "empty text"),
        ("a || b", tiny.question("bert"), r"single texts, and 'a \|\| b' is two"),
        ("a", PAIRS["bert"], r'pairs of texts; write both, as in "one text \|\| another text"'),
        ("a ||  ", PAIRS["bert"], "pairs of texts"),
        ("|| b", PAIRS["bert"], "empty text"),
        ("\udce9 soup", tiny.question("bert"), "half a character"),
        ("a || \ud83c", PAIRS["bert"], "half a character"),
    ],
)
def test_what_is_no_text_for_the_question_is_one_sentence(text, question, expected):
    with pytest.raises(UserError, match=expected):
        to_example(text, question)


@pytest.mark.parametrize("words", ["great soup", [], ["great", 3], None, {"great": 1}, ["great", "\ud83c"]])
def test_what_is_no_list_of_words_is_refused(words):
    with pytest.raises(UserError, match=r"a list of words was expected|half a character"):
        words_as_example(words)
    assert words_as_example(["New  York", "", " so\n"]) == TaggedWords(("New York", "", "so"), (0, 0, 0))


# answers


def answer(predictor, question, texts, *more):
    return answers_to(predictor, question, ask_texts(given_texts(texts), question), *more)


def test_a_line_for_each_text_in_its_order(kind):
    predictor = build(kind)
    lines = as_table(answer(predictor, tiny.question(kind), TEXTS), "opinion").splitlines()
    assert len(lines) == 2 + len(TEXTS), "a text with a line break takes one line of the table"
    assert lines[0].split() == ["text", "opinion"]
    assert [line.split()[-1] for line in lines[2:]] == predictor.answers([Example(text) for text in TEXTS])


def test_probabilities_are_those_of_the_scores_by_name(kind):
    predictor = build(kind)
    with torch.no_grad():
        predictor.readout.linear.weight.mul_(100)  # as it was drawn, all texts have nearly the same chances
    answers = answer(predictor, tiny.question(kind), TEXTS, True)
    expected = predictor.scores([Example(text) for text in TEXTS]).softmax(dim=1)
    assert (expected - expected[0]).abs().max() > 0.01, "all texts have the same chances: this shows nothing"
    for row, chances, value in zip(expected.tolist(), answers.chances, answers.values, strict=True):
        assert list(chances.values()) == pytest.approx(row, abs=2e-6) and list(chances) == list(tiny.LABELS)
        assert max(chances, key=chances.get) == value, "the likeliest class is not the answer"
    lines = as_table(answers).splitlines()
    assert lines[0].split() == ["text", "answer", *tiny.LABELS]
    for line, row in zip(lines[2:], expected.tolist(), strict=True):
        told = [float(cell) for cell in line.split()[-3:]]
        wrong = {"of the first text, in every line": expected[0].tolist()} if row != expected[0].tolist() else {}
        expect(told, row, wrong, tolerance=1e-3)


@pytest.mark.parametrize(
    ("question", "said"), [(TAGS, "tags"), (SPANS, "tags"), (TEXT, "a text"), (NUMBER, "a number")]
)
def test_no_probabilities_where_there_are_no_classes(question, said):
    method = "lora+number" if question is NUMBER else "lora"
    with pytest.raises(UserError, match=f"answers with {said}, .* leave out --probabilities"):
        answer(build("gpt", method, question), question, TEXTS, True)


def test_probabilities_carry_their_own_classes_name(kind):
    """Labels in an order that no alphabet gives."""
    asked = tiny.question(kind, labels=("good", "bad", "fair"))
    predictor = build(kind, "frozen+head", asked)
    (chances,) = answer(predictor, asked, TEXTS[:1], True).chances
    right = predictor.scores([Example(TEXTS[0])]).softmax(dim=1)[0].tolist()
    in_alphabet = dict(zip(sorted(asked.labels), right, strict=True))
    expect([chances[label] for label in asked.labels], right, {
        "the names are sorted, and the probabilities are not": [in_alphabet[label] for label in asked.labels],
    }, tolerance=1e-5)  # fmt: skip


def test_a_number_is_a_number(kind):
    regressor = build(kind, "frozen+number", NUMBER)
    answers = answer(regressor, NUMBER, [*TEXTS, "great soup " * 60])
    assert answers.values == [float(n) for n in regressor.answers([q.example for q in answers.queries])]
    assert len(set(answers.values)) > 1 and answers.cut[-1] > 0
    assert [line.split()[-1] for line in as_table(answers).splitlines()[2:]] == [f"{n:g}" for n in answers.values]


def test_what_is_cut_is_counted(kind):
    taken = 2 if kind == "bert" else 0
    answers = answer(build(kind), tiny.question(kind), ["great soup", "great soup " * 60, "bed " * 70])
    assert answers.cut == [0, 120 + taken - 61, 70 + taken - 61]
    (note,) = answers.notes()
    assert "2 of 3" in note and f"{sum(answers.cut)} tokens" in note
    assert answer(build(kind), tiny.question(kind), TEXTS).notes() == []


def test_the_question_of_a_writer_is_cut_where_an_answer_needs_the_room():
    answers = answer(build("gpt", "lora", TEXT), TEXT, ["great soup " * 20, "great"])
    assert answers.cut == [40 - (61 - 32), 0], "the context, but for the answer's 32 tokens"


def test_answers_without_an_end_are_counted(monkeypatch):
    writer = build("gpt", "lora", TEXT)
    great = writer.tokenizer.word_id("great")
    monkeypatch.setattr(writer, "tokens", lambda examples: [[great] * 32, [great] * 31, []])
    answers = answer(writer, TEXT, ["a", "b", "c"])
    assert answers.values == [" ".join(["great"] * 32), " ".join(["great"] * 31), ""]
    expect(answers.unended, 1, {"those that ended are counted": 2, "all of them": 3})
    assert [note for note in answers.notes() if note.startswith("answers that came to no end: 1 of 3")]


def test_a_word_without_a_token_and_words_behind_the_cut_have_no_tag(kind):
    texts = ["great \u0301 soup", "great soup " * 40]
    answers = answer(build(kind, "lora", TAGS), TAGS, texts)
    assert [len(tags) for tags in answers.values] == [3, 80], "a tag for each word"
    untagged = (1 if kind == "bert" else 0) + answers.cut[1]
    if kind == "bert":
        assert answers.values[0][1] == "-" and "-" not in (answers.values[0][0], answers.values[0][2])
    assert answers.notes()[1].startswith(f"words without a tag, marked -: {untagged};")


@pytest.mark.parametrize("bad", ["\u0301", "\x01 \u200b"])
@pytest.mark.parametrize("question", [tiny.question("bert"), TAGS])
def test_a_text_without_a_token_has_no_answer_and_the_others_have_theirs(bad, question):
    predictor = build("bert", "lora" if question is TAGS else "frozen+head", question)
    answers = answer(predictor, question, ["great", bad, "soup"])
    alone = answer(predictor, question, ["great", "soup"])
    assert answers.values == [alone.values[0], None, alone.values[1]], "an answer slipped to another row"
    assert answers.notes()[0].startswith("without an answer: 1 of 3 (text 2: the model reads no token of it")
    with pytest.raises(UserError, match=r"^text 1: the model reads no token of it"):
        answer(predictor, question, [bad, bad])


def test_half_a_pair_without_a_token_is_refused_too():
    with pytest.raises(UserError, match=r"^text 1: the model reads no token"):
        answer(build("bert", "frozen+head", PAIRS["bert"]), PAIRS["bert"], ["great || \u0301"])


def test_words_that_are_parted_already_keep_their_number(kind):
    rows = [Written("in.jsonl, line 1", {"tokens": ["great", "", "New York", "zqzq"], "n": 1})]
    tagger = build(kind, "lora", TAGS)
    answers = answers_to(tagger, TAGS, ask_rows(rows, TAGS, "tokens", "text_b"))
    assert len(answers.values[0]) == 4 and answers.values[0][1] == "-"
    assert answers.values == tagger.tags([TaggedWords(("great", "", "New York", "zqzq"), (0, 0, 0, 0))])
    with pytest.raises(UserError, match=r"in.jsonl, line 2: a list of words"):
        check_all(ask_rows([Written("in.jsonl, line 2", {"tokens": 3})], TAGS, "tokens", "text_b"))
