"""A user's file as a dataset: what is kept for the test, and what makes no dataset."""

from collections import Counter

import pytest

from minitune.data.examples import Example
from minitune.data.reading import Layout
from minitune.errors import UserError
from minitune.questions.from_file import file_data
from minitune.questions.split import repeated

pytestmark = pytest.mark.lesson04
LABELS = ("bad", "fair", "good")


def dataset(path, test, shots, kind="classes"):
    return file_data(path, test, shots, Layout(kind=kind)).dataset


def csv_of(*counts):
    rows = [f"text {label} {i},{LABELS[label]}" for label, count in enumerate(counts) for i in range(count)]
    return "text,label\n" + "\n".join(rows) + "\n"


def test_without_a_test_file_a_share_of_each_class_is_kept(write):
    path = write(csv_of(9, 7, 20))
    one, same = dataset(path, None, shots=4), dataset(path, None, shots=4)
    assert one == same
    assert one.name == "reviews" and one.labels == LABELS
    message = "the same share of each class, three sevenths: so much of the smallest one is left beside 4 to train on"
    assert Counter(e.label for e in one.test) == {0: 4, 1: 3, 2: 9}, message
    assert not set(one.test) & set(one.pool) and len(set(one.test) | set(one.pool)) == 36, "a row was lost or doubled"


def test_a_rare_class_does_not_make_the_test_a_handful_of_rows(write):
    data = file_data(write(csv_of(300, 2, 690)), shots=1)
    tested = Counter(e.label for e in data.test)
    assert tested == {0: 150, 1: 1, 2: 345}, "as many rows of every class as the rarest can give"
    assert any("fewer than 5 rows in the test, of which a score says little: 'fair' 1" in note for note in data.notes)
    few = Counter(e.label for e in file_data(write(csv_of(300, 17, 690)), shots=16).test)
    assert few == {0: 30, 1: 1, 2: 69}, "a tenth of each class at the least, where that leaves enough to train on"


def test_enough_is_left_to_draw_from(write):
    data = dataset(write(csv_of(5, 9, 9)), None, shots=4)
    counts = Counter(e.label for e in data.pool)
    assert counts[0] == 4 and Counter(e.label for e in data.test) == {0: 1, 1: 2, 2: 2}


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
        UserError, match=r"test.csv, line 4: the label 'good' is not in the training data, which has bad, fair"
    ):
        dataset(write(csv_of(5, 5)), write(csv_of(1, 1, 1), "test.csv"), shots=4)


def test_labels_become_their_places(write):
    path = write("text,text_b,label\na,b,good\nc,d,bad\ne,f,fair\n")
    data = dataset(path, write("text,text_b,label\ng,h,fair\n", "t.csv"), 1)
    assert data.pool == (Example("a", "b", 2), Example("c", "d", 0), Example("e", "f", 1))
    assert data.pool[2].where == f"{path}, line 4" and data.test == (Example("g", "h", 1),)


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
    assert len(dataset(few, write(few.read_bytes(), "t.csv"), 1).labels) == 10, (
        "one example a class is few, and no mistake"
    )


# numbers


def numbers(write, labels, shots=1):
    path = write("text,label\n" + "".join(f"text {i},{label}\n" for i, label in enumerate(labels)))
    return dataset(path, None, shots, "number")


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
    data = file_data(write('text;label\n"a; b";3,5\nc;-1,25\n'), layout=Layout(kind="number"))
    assert sorted(e.label for e in (*data.train, *data.test)) == [-1.25, 3.5]
    assert any("decimal point" in note for note in data.notes), "what is guessed must be said"
    with pytest.raises(UserError, match="'3,5' is no number"):
        dataset(write('text,label\na,"3,5"\nb,4\n'), None, 1, "number")


# train and test


def test_rows_of_the_test_that_are_trained_on_are_counted(write):
    train, test = write("text,label\na,bad\nb,bad\nc,good\n"), write("text,label\na,good\ne,bad\n", "t.csv")
    (note,) = repeated(dataset(train, test, 1))
    assert note.startswith("1 of the 2 test examples is"), "it is the same text, whatever its label"


def test_the_test_file_is_read_as_the_training_file_is(write):
    data = file_data(
        write("bad,it was dull\ngood,fine\n"), write("good,x\n", "t.csv"), layout=Layout(header=False, kind="classes")
    )
    assert data.test == (Example("x", None, 1),), "by itself the test file would have its columns the other way round"


def test_what_is_said_of_the_test_file_names_it_and_columns_are_spoken_of_once(write):
    train, test = write("text,label,when\na,bad,1\nb,good,2\n"), write("text;label;when\nc;bad;1\n", "t.csv")
    notes = file_data(train, test).notes
    assert sum("not used: when" in note for note in notes) == 1, "what is known of the columns is said twice"
    assert f"{test}: the columns are separated by semicolons" in notes
