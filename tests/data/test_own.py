"""A user's file as a dataset: what is kept for the test, and what makes no dataset."""

from collections import Counter

import pytest

from minitune.data.examples import Example
from minitune.data.labelled import Labelled
from minitune.data.own import class_dataset, number_dataset, numbered, read_own, repeated
from minitune.data.rows import Layout
from minitune.errors import UserError

pytestmark = pytest.mark.lesson04
LABELS = ("bad", "fair", "good")


def dataset(path, test, shots, seed=0):
    return class_dataset(read_own(path, test, Layout()), shots, seed)


def csv_of(*counts):
    rows = [f"text {label} {i},{LABELS[label]}" for label, count in enumerate(counts) for i in range(count)]
    return "text,label\n" + "\n".join(rows) + "\n"


def test_without_a_test_file_one_is_split_off_balanced_and_by_seed(write):
    path = write(csv_of(9, 7, 20))
    one, same, other = (dataset(path, None, shots=4, seed=seed) for seed in (1, 1, 2))
    assert one == same and one.test != other.test
    assert one.name == "reviews" and one.labels == LABELS
    assert Counter(e.label for e in one.test) == {0: 3, 1: 3, 2: 3}, "half of the smallest class, at the most"
    assert not set(one.test) & set(one.pool) and len(set(one.test) | set(one.pool)) == 36, "a row was lost or doubled"


def test_enough_is_left_to_draw_from(write):
    data = dataset(write(csv_of(5, 9, 9)), None, shots=4)
    counts = Counter(e.label for e in data.pool)
    assert counts[0] == 4 and len(data.test) == 3


def test_with_a_test_file_nothing_is_split(write):
    data = dataset(write(csv_of(2, 2, 3)), write(csv_of(0, 1, 1), "test.csv"), shots=2)
    assert len(data.pool) == 7 and [e.label for e in data.test] == [1, 2], "labels are numbered as in the training data"


def test_what_makes_no_dataset_is_refused(write):
    with pytest.raises(UserError, match=r"every row of .* has the label 'fair'; two classes"):
        dataset(write(csv_of(0, 5)), None, shots=1)
    with pytest.raises(UserError, match=r"'fair' has 4 examples .* 4 a class were asked for beside a test set"):
        dataset(write(csv_of(9, 4, 9)), None, shots=4)
    with pytest.raises(UserError, match=r"'fair' has 3 examples .* 4 a class were asked for: add some"):
        dataset(write(csv_of(9, 3)), write(csv_of(1, 1), "test.csv"), shots=4)
    with pytest.raises(
        UserError, match=r"test.csv has labels that the training data lacks: \['good'\]; .*'bad', 'fair'"
    ):
        dataset(write(csv_of(5, 5)), write(csv_of(1, 1, 1), "test.csv"), shots=4)


def test_labels_become_their_places(tmp_path):
    rows = [Labelled("a", None, "good", 2), Labelled("b", "c", "bad", 3)]
    assert numbered(rows, LABELS, tmp_path) == (Example("a", None, 2), Example("b", "c", 0))


def test_far_too_many_classes_are_no_classes(write):
    ids = write("text,label\n" + "".join(f"text {i},id{i}\n" for i in range(11)))
    with pytest.raises(
        UserError, match=r"'label' of .* 11 different labels in 11 rows: .*--label-column.*--kind number"
    ):
        dataset(ids, None, 1)
    many = write("text,label\n" + "".join(f"text {i},id{i // 2}\n" for i in range(2002)), "many.csv")
    with pytest.raises(UserError, match="1001 different labels in 2002 rows"):
        dataset(many, None, 1)
    few = write("text,label\n" + "".join(f"text {i},id{i}\n" for i in range(10)), "few.csv")
    assert len(dataset(few, few, 1).labels) == 10, "one example a class is few, and no mistake"


# numbers


def numbers(write, labels, shots=1):
    path = write("text,label\n" + "".join(f"text {i},{label}\n" for i, label in enumerate(labels)))
    return number_dataset(read_own(path, None, Layout()), shots)


def test_numbers_are_kept_as_they_are_and_drawn_in_all(write):
    data = numbers(write, ["3.7", "-12", "1e3", " 0 ", "5"], shots=3)
    assert not data.by_class and data.labels == () and (len(data.pool), len(data.test)) == (3, 2)
    assert sorted(e.label for e in (*data.pool, *data.test)) == [-12.0, 0.0, 3.7, 5.0, 1000.0]
    assert numbers(write, range(20), shots=3) == numbers(write, range(20), shots=3)
    assert len(numbers(write, range(20), shots=3).test) == 10, "half is kept for the test, at the most"


@pytest.mark.parametrize("label", ["good", "nan", "inf", "1e31", "1_000", "3 4"])
def test_what_is_no_number_is_refused_with_its_line(write, label):
    with pytest.raises(UserError, match=rf"reviews.csv, line 3: the label '{label}' is no number"):
        numbers(write, ["1", label, "2"])


def test_numbers_that_are_all_the_same_or_too_few_are_refused(write):
    with pytest.raises(UserError, match=r"every row of .* has the label 4"):
        numbers(write, [4, 4])
    with pytest.raises(UserError, match="3 examples, and 3 were asked for beside a test set"):
        numbers(write, [1, 2, 3], shots=3)


def test_a_decimal_comma_is_one_where_semicolons_separate(write):
    own = read_own(write('text;label\n"a; b";3,5\nc;-1,25\n'), None, Layout())
    data = number_dataset(own, 1)
    assert sorted(e.label for e in (*data.pool, *data.test)) == [-1.25, 3.5]
    assert any("decimal point" in note for note in own.notes), "what is guessed must be said"
    with pytest.raises(UserError, match="'3,5' is no number"):
        number_dataset(read_own(write('text,label\na,"3,5"\nb,4\n'), None, Layout()), 1)


# train and test


def test_rows_of_the_test_that_are_trained_on_are_counted(write):
    train, test = write("text,label\na,bad\nb,bad\nc,good\n"), write("text,label\na,good\ne,bad\n", "t.csv")
    assert repeated(dataset(train, test, 1)) == 1, "it is the same text, whatever its label"


def test_the_test_file_is_read_as_the_training_file_is(write):
    own = read_own(write("bad,it was dull\ngood,fine\n"), write("good,x\n", "t.csv"), Layout(header=False))
    assert own.columns.text == "2" and own.test == [Labelled("x", None, "good", 1)], (
        "by itself the test file would have its columns the other way round"
    )


def test_what_is_said_of_the_test_file_names_it_and_columns_are_spoken_of_once(write):
    train, test = write("text,label,when\na,bad,1\nb,good,2\n"), write("text;label;when\nc;bad;1\n", "t.csv")
    first, second = read_own(train, test, Layout()).notes
    assert "not used: when" in first and second == f"{test}: the columns are separated by semicolons"
