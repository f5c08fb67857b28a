"""From a user's own file to examples and a question."""

from pathlib import Path

import pytest

from minitune.data.reading import Layout
from minitune.errors import UserError
from minitune.methods.file_report import describe, words_asked
from minitune.questions.from_file import file_data
from tests.conftest import LINES
from tests.questions.shared import write

pytestmark = pytest.mark.lesson07


def file_of(path, test, shots, checkpoint):
    return file_data(path, test, shots).for_model(checkpoint)


def test_labels_that_are_single_tokens_are_their_own_words(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(f"{line} {i}", ("great", "awful")[i % 2]) for i, line in enumerate(LINES)])
    data, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert data.labels == ("awful", "great") and question.label_words == {"awful": ("awful",), "great": ("great",)}
    assert question.template.endswith("{mask}") and not question.is_pair
    assert len(data.test) == 4 and len(data.pool) == 4, "half is kept for the test, but never a training shot"


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("great soup", "awful film"), True),
        (("great_soup", "zqzq"), False),
        (("great soup", "great film"), True),
        (("great", "猫"), False),
        (("the soup was great and the film was good", "awful"), False),
    ],
)
def test_labels_of_several_words_are_their_own_words_where_that_costs_little(tmp_path, checkpoint, names, taken):
    write(tmp_path / "a.csv", [(f"{line} {i}", names[i % 2]) for i, line in enumerate(LINES)])
    _, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert dict(question.label_words) == ({name: (name,) for name in sorted(names)} if taken else {})


def test_a_class_without_a_word_is_said_with_the_way_out(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(line, ("5 stars", "1 star")[i % 2]) for i, line in enumerate(LINES)])
    _, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert not question.label_words
    assert "--label-words" in words_asked(question, ["full+head", "full"], "bert")[0]
    assert not words_asked(question, ["full+head"], "bert"), "nobody asked for a verbalizer"


def test_what_was_read_is_counted(tmp_path, checkpoint):
    long = "the plot was clever and gripping . " * 5
    write(tmp_path / "a.csv", [(long, "great"), ("the plot \u4f60\u597d", "awful")] * 2)
    text = "\n".join(describe(file_data(tmp_path / "a.csv", None, 1), checkpoint))
    assert "4 rows" in text and "awful 2, great 2" in text
    assert "2 texts are longer than the context" in text, "a text that is cut must be counted"
    assert "4 unknown tokens" in text, "two characters that BERT's tokenizer has never seen, twice"


def test_foreign_text_points_to_pretraining(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("quarterly revenue exceeded expectations", "great"), ("shares tumbled", "awful")] * 3)
    lines = describe(file_data(tmp_path / "a.csv", None, 1), checkpoint)
    assert any("100% of the words" in line and "minitune pretrain bert --text" in line for line in lines)


def test_pairs_are_read_with_both_texts(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [("a", "b", "great"), ("c", "d", "awful")] * 2, header=("text", "text_b", "label"))
    data, question = file_of(tmp_path / "a.csv", None, 1, checkpoint)
    assert question.is_pair and {e.text_b for e in data.test} <= {"b", "d"} and "{text_b}" in question.template


# kinds


def test_floats_are_numbers_unless_classes_are_asked_for(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(f"a {i}", f"{i / 3:.2f}") for i in range(8)])
    data, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    assert question.kind == "number" and question.labels == () and not data.by_class
    assert "numbers from 0 to 2.33" in describe(file_data(tmp_path / "a.csv"), checkpoint)[0]
    assert any("--kind classes" in note for note in file_data(tmp_path / "a.csv").notes), "a guess must be said"
    write(tmp_path / "b.csv", [(f"a {i}", 1 + i % 3) for i in range(9)])
    assert any("--kind number" in note for note in file_data(tmp_path / "b.csv").notes)
    assert file_data(tmp_path / "b.csv").labels == ("1", "2", "3")
    asked = file_data(tmp_path / "b.csv", layout=Layout(kind="number"))
    assert asked.question.kind == "number" and not any("--kind" in note for note in asked.notes)
    notes = file_data(tmp_path / "b.csv", layout=Layout(kind="classes")).notes
    assert not any("--kind" in note for note in notes), "what was asked for is no guess"


def test_tags_are_known_by_the_ending_or_the_first_row_or_asked_for(tmp_path, checkpoint):
    lines = "Rose B-PER\nmet O\n\nBasil B-PER\nleft O\n"
    for name in ("a.conll", "a.txt"):
        (tmp_path / name).write_text(lines)
    (tmp_path / "a.jsonl").write_text('{"tokens": ["Rose"], "tags": ["PER"]}\n{"tokens": ["a"], "tags": ["O"]}\n')
    data = file_data(tmp_path / "a.conll")
    assert data.labels == ("O", "B-PER", "I-PER") and data.question.kind == "spans"
    assert file_data(tmp_path / "a.txt", layout=Layout(kind="tags")).dataset == data.dataset
    assert "B- begins a thing" in describe(data, checkpoint)[0] and "2 sentences" in describe(data, checkpoint)[0]
    plain = file_data(tmp_path / "a.jsonl")
    assert plain.labels == ("O", "PER") and "neighbours" in describe(plain, checkpoint)[0]
    (tmp_path / "t.conll").write_text("Rome B-LOC\n")
    with pytest.raises(UserError, match=r"t.conll, the sentence that ends on line 1: the label 'B-LOC' is not in the"):
        file_data(tmp_path / "a.conll", tmp_path / "t.conll")
    (tmp_path / "o.conll").write_text("a O\n\nb O\n")
    with pytest.raises(UserError, match=r"every word of .* has the tag O"):
        file_data(tmp_path / "o.conll")


def test_what_is_wrong_with_two_files_is_said(tmp_path):
    write(tmp_path / "a.csv", [(f"a {i % 2}", i % 2) for i in range(8)])
    assert any("4 of the 4 test examples are in the training" in note for note in file_data(tmp_path / "a.csv").notes)
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(UserError, match="is the training file itself"):
        file_data(tmp_path / "a.csv", tmp_path / "link.csv")
    with pytest.raises(UserError, match="no kind 'stars' of labels; choose one of classes, number, tags"):
        file_data(tmp_path / "a.csv", layout=Layout(kind="stars"))
    with pytest.raises(UserError, match="home of somebody who is not known"):
        file_data(Path("~nobody_of_that_name/a.csv"))


# what is said of words


@pytest.mark.parametrize(
    ("share", "expected"), [(0, None), (1, None), (2, "in part"), (3, "in part"), (4, "hardly"), (9, "hardly")]
)
def test_the_warning_comes_long_before_half_of_the_words_are_split(tmp_path, checkpoint, share, expected):
    text = " ".join(["zqzqzq"] * share + ["the"] * (10 - share))
    write(tmp_path / "a.csv", [(text, "good"), (text, "bad")] * 2)
    told = [line for line in describe(file_data(tmp_path / "a.csv"), checkpoint) if "had to be split" in line]
    assert len(told) == (expected is not None) and all(expected in line for line in told)


def test_the_words_that_will_answer_are_shown(tmp_path, checkpoint):
    write(tmp_path / "a.csv", [(f"{line} {i}", ("great", "awful")[i % 2]) for i, line in enumerate(LINES)])
    _, question = file_of(tmp_path / "a.csv", None, 2, checkpoint)
    (line,) = words_asked(question, ["frozen+head", "zero-shot"], "bert")
    assert "zero-shot asks: '... it was awful / great .'" in line and "--label-words" in line
    assert words_asked(question, ["frozen+head"], "bert") == []
