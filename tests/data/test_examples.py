"""A user's own file: what is read, what is refused with the line that is wrong, and how few examples are drawn."""

import random
from collections import Counter

import pytest

from minitune.data.examples import (
    Dataset,
    Example,
    dataset_from_files,
    draw,
    draw_few,
    numbered,
    read_examples,
    read_rows,
    report_texts,
    take_each,
)
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
LABELS = ("bad", "fair", "good")


@pytest.fixture
def write(tmp_path):
    def write(content, name="reviews.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def pool(*counts):
    """Examples of each class, `counts` of them, shuffled."""
    examples = [Example(f"text {label} {i}", label=label) for label, count in enumerate(counts) for i in range(count)]
    return random.Random(0).sample(examples, len(examples))


# what is read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"good, very good",pos\n"a ""dull""\nfilm",neg\n'),
        ("a.CSV", '\ufefftext,label\r\n"good, very good",pos\r\n\r\n"a ""dull""\nfilm",neg'),
        ("a.tsv", 'text\tlabel\ngood, very good\tpos\n"a ""dull""\nfilm"\tneg\n'),
        ("a.jsonl", '{"text": "good, very good", "label": "pos"}\n\n{"text": "a \\"dull\\"\\nfilm", "label": "neg"}\n'),
    ],
)
def test_the_same_rows_in_every_format(write, name, content):
    expected = [("good, very good", None, "pos"), ('a "dull"\nfilm', None, "neg")]
    assert read_examples(write(content, name)) == expected


def test_columns_by_name_in_any_order_and_a_second_text(write):
    path = write("stars, id ,text_b,review\n5,1,and b,a\n1,2,more, c \n")
    assert read_examples(path, "review", "stars") == [("a", "and b", "5"), (" c ", "more", "1")]


def test_labels_may_be_numbers_and_truth_values_in_json(write):
    path = write('{"text": "a", "label": 1}\n{"text": "b", "label": false}\n{"text": "c", "label": " x "}', "a.jsonl")
    assert [label for *_, label in read_examples(path)] == ["1", "False", "x"]


def test_a_row_knows_the_line_that_it_ends_on(write):
    rows = read_rows(write('text,label\n"two\nlines",a\n\nb,c\n'))
    assert [line for line, _ in rows] == [3, 5]


def test_a_very_long_text_is_read_whole(write):
    text = "word " * 50_000
    assert read_examples(write(f"text,label\n{text},a\n"))[0][0] == text


# what is refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", " \n\n", "a.csv is empty"),
        ("a.csv", "text,label\n", "first line and no rows below"),
        ("a.csv", "good film,pos\nbad film,neg\n", r"no column 'text'.* 'good film', 'pos': name yours with"),
        ("a.csv", "text,stars\na,5\n", r"no column 'label'.* 'text', 'stars'"),
        ("a.csv", "text,label\ngood,pos\na, b,neg\n", r"line 3: 3 fields, and the first line names 2 .*text, label"),
        ("a.csv", "text,label\ngood,pos\nbad\n", "line 3: 1 fields"),
        ("a.csv", 'text,label\n"go"od,pos\n', "line 2: .*mend the line's quotes"),
        ("a.csv", 'text,label\ngood,pos\n"bad,neg\n', "line 3: .*mend the line's quotes"),
        ("a.csv", "text,label\ngood,\n", "line 2: the column 'label' is empty"),
        ("a.csv", "text,label\ngood,pos\n  ,neg\n", "line 3: the column 'text' is empty"),
        ("a.csv", "text,label,text_b\na,b, \n", "line 2: the column 'text_b' is empty"),
        ("a.csv", "text,label,text\na,b,c\n", "the column 'text' twice"),
        ("a.csv", b"text,label\ncaf\xe9,pos\n", "not UTF-8: byte 14 is 0xe9"),
        ("a.csv", "text,label\ngood,pos\n".encode("utf-16"), "not UTF-8"),
        ("a.xlsx", "text,label\n", r"ends in .xlsx; a .csv, .tsv or .jsonl"),
        ("a", "text,label\n", "ends in nothing"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", "label"\n', "line 2: no valid JSON .*column 22"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n\n["a", "b"]\n', "line 3: a JSON object"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a"}\n', "line 2.*no column 'label'"),
        ("a.jsonl", '{"text": 7, "label": "b"}\n', "line 1: the column 'text' is empty or no text"),
        ("a.jsonl", '{"text": "a", "label": null}\n', "line 1: the column 'label' is empty or no text"),
        ("a.jsonl", '{"text": "a \\ud83c b", "label": "b"}\n', r"line 1: the column 'text' .*half a character"),
        ("a.jsonl", '{"a": ' * 5000 + "1" + "}" * 5000, "line 1: JSON that cannot be read"),
        ("a.jsonl", '\n{"text": ' + "1" * 5000 + "}", "line 2: JSON that cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(write, name, content, message):
    with pytest.raises(UserError, match=message):
        read_examples(write(content, name))


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read_examples(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_examples(tmp_path / "folder.csv")


def test_whatever_a_file_holds_the_error_is_a_sentence(write):
    rng = random.Random(0)
    parts = ["text", "label", ",", "\t", '"', "\n", "\r", "{", "}", ":", "\x00", "é", "1", " ", "[", "null", "\\u"]
    for round_number in range(300):
        content = "text,label\n" * rng.randrange(2) + "".join(rng.choices(parts, k=rng.randrange(25)))
        data = content.encode(rng.choice(["utf-8", "latin-1"]))
        path = write(data, f"a{round_number}.{rng.choice(['csv', 'tsv', 'jsonl'])}")
        try:
            rows = read_examples(path)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error).replace(repr(content), "")
        else:
            assert all(text.strip() and label for text, _, label in rows)


# datasets


def csv_of(*counts):
    rows = [f"text {label} {i},{LABELS[label]}" for label, count in enumerate(counts) for i in range(count)]
    return "text,label\n" + "\n".join(rows) + "\n"


def test_without_a_test_file_one_is_split_off_balanced_and_by_seed(write):
    path = write(csv_of(9, 7, 20))
    one, same, other = (dataset_from_files(path, None, shots=4, seed=seed) for seed in (1, 1, 2))
    assert one == same and one.test != other.test
    assert one.name == "reviews" and one.labels == LABELS
    assert Counter(e.label for e in one.test) == {0: 3, 1: 3, 2: 3}, "half of the smallest class, at the most"
    assert not set(one.test) & set(one.pool) and len(set(one.test) | set(one.pool)) == 36, "a row was lost or doubled"


def test_enough_is_left_to_draw_from(write):
    data = dataset_from_files(write(csv_of(5, 9, 9)), None, shots=4)
    counts = Counter(e.label for e in data.pool)
    assert counts[0] == 4 and len(data.test) == 3


def test_with_a_test_file_nothing_is_split(write):
    data = dataset_from_files(write(csv_of(2, 2, 3)), write(csv_of(0, 1, 1), "test.csv"), shots=2)
    assert len(data.pool) == 7 and [e.label for e in data.test] == [1, 2], "labels are numbered as in the training data"


def test_what_makes_no_dataset_is_refused(write):
    with pytest.raises(UserError, match=r"every row of .* has the label 'fair'; two classes"):
        dataset_from_files(write(csv_of(0, 5)), None, shots=1)
    with pytest.raises(UserError, match=r"'fair' has 4 examples .* 4 a class were asked for beside a test set"):
        dataset_from_files(write(csv_of(9, 4, 9)), None, shots=4)
    with pytest.raises(UserError, match=r"'fair' has 3 examples .* 4 a class were asked for: add some"):
        dataset_from_files(write(csv_of(9, 3)), write(csv_of(1, 1), "test.csv"), shots=4)
    with pytest.raises(
        UserError, match=r"test.csv has labels that the training data lacks: \['good'\]; .*'bad', 'fair'"
    ):
        dataset_from_files(write(csv_of(5, 5)), write(csv_of(1, 1, 1), "test.csv"), shots=4)


def test_labels_become_their_places(tmp_path):
    rows = [("a", None, "good"), ("b", "c", "bad")]
    assert numbered(rows, LABELS, tmp_path) == (Example("a", None, 2), Example("b", "c", 0))


# draws


def test_a_draw_is_balanced_disjoint_and_by_seed():
    examples = pool(20, 9, 12)
    for seed in range(20):
        train, dev = draw_few(examples, 4, seed, LABELS)
        assert Counter(e.label for e in train) == Counter(e.label for e in dev) == {0: 4, 1: 4, 2: 4}
        assert not set(train) & set(dev), "an example is in train and in dev"
        assert (train, dev) == draw_few(examples, 4, seed, LABELS)
    assert len({tuple(draw_few(examples, 4, seed, LABELS)[0]) for seed in range(20)}) == 20


@pytest.mark.parametrize(("counts", "shots", "dev"), [((6, 5, 9), 4, 1), ((4, 4, 4), 4, 0), ((4, 9, 9), 4, 0)])
def test_dev_is_as_large_as_the_smallest_class_allows(counts, shots, dev):
    train, rest = draw_few(pool(*counts), shots, 0, LABELS)
    assert len(train) == 3 * shots and len(rest) == 3 * dev


def test_every_example_may_be_drawn():
    examples = pool(6, 6, 6)
    seen = {e for seed in range(60) for e in draw_few(examples, 2, seed, LABELS)[0]}
    assert seen == set(examples)


def test_a_class_too_small_or_absent_is_refused():
    with pytest.raises(UserError, match=r"'fair' has 3 examples"):
        draw_few(pool(9, 3, 9), 4, 0, LABELS)
    with pytest.raises(UserError, match="'good' has 0 examples"):
        draw_few(pool(9, 9), 4, 0, LABELS)


def test_take_each_splits_without_loss():
    examples = pool(5, 8)
    for seed in range(20):
        taken, rest = take_each(examples, 3, random.Random(seed))
        assert Counter(e.label for e in taken) == {0: 3, 1: 3}
        assert sorted(taken + rest, key=str) == sorted(examples, key=str)


def data_of(*counts, dev=(), by_class=True):
    return Dataset("toy", LABELS, tuple(pool(*counts)), (), tuple(dev), by_class)


def test_so_many_a_class_or_in_all():
    data = data_of(20, 9, 12)
    assert draw(data, 4, 1) == draw_few(data.pool, 4, 1, LABELS), "balanced, where a class has a name"
    train, dev = draw(data_of(20, 9, 12, by_class=False), 8, 1)
    assert (len(train), len(dev)) == (8, 8) and not set(train) & set(dev)
    train, dev = draw(data_of(3, 3, 3, by_class=False), 7, 1)
    assert (len(train), len(dev)) == (7, 2), "dev is what is left"
    assert draw(data_of(3, 3, 3, by_class=False), 9, 1)[1] == []


def test_all_of_the_pool_with_the_dev_set_beside_it_or_a_fifth_kept():
    beside = [Example("dev", label=0)]
    data = data_of(4, 4, 2, dev=beside)
    assert draw(data, None, 3) == (list(data.pool), beside)
    for by_class in (True, False):
        train, dev = draw(data_of(4, 4, 2, by_class=by_class), None, 3)
        assert (len(train), len(dev)) == (8, 2) and not set(train) & set(dev), "an example is in train and in dev"
    train, dev = draw(Dataset("toy", LABELS, (Example("one"),), ()), None, 3)
    assert (len(train), dev) == (1, [])


def test_a_draw_of_any_kind_is_by_seed_and_changes_nothing():
    for shots in (None, 5):
        data = data_of(9, 9, 9, by_class=False)
        before = data.pool
        assert draw(data, shots, 1) == draw(data, shots, 1) != draw(data, shots, 2)
        assert data.pool == before
    assert draw(data_of(9, 9, 9), 2, 1) != draw(data_of(9, 9, 9), 2, 2)


def test_more_than_there_are_is_refused():
    with pytest.raises(UserError, match="10 examples were asked for, and toy has 9"):
        draw(data_of(3, 3, 3, by_class=False), 10, 0)
    with pytest.raises(UserError, match="'fair' has 2 examples to draw from; lower --shots"):
        draw(data_of(3, 2, 3), 3, 0)


# what a tokenizer makes of texts


def test_the_report_of_texts_by_hand(bert_tokenizer):
    texts = ["the plot was zqzq .", "猫 great !"]  # of 6 words one is split and one unknown
    report = report_texts(texts, bert_tokenizer, context=7)
    length = len(bert_tokenizer.encode(texts[0]))
    assert (report.texts, report.tokens, report.unknown) == (2, length + 3, 1)
    assert report.cut == (length > 7)
    assert report.split_words == pytest.approx(2 / 6)
    assert "2 texts" in str(report) and "33% of the words split" in str(report)


def test_the_report_counts_words_as_often_as_they_occur_and_no_punctuation(gpt_tokenizer):
    report = report_texts(["great zqzq great ! ?", "great"], gpt_tokenizer, context=5)
    assert report.split_words == pytest.approx(1 / 4) and report.unknown == 0 and report.cut == 1
