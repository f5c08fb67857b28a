"""The control that counts words: naive Bayes and ridge by hand, trained on the draw, and told where it is better."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from minitune.data.bags import bags_of, columns_of
from minitune.data.examples import Dataset, Example, TestSet, TrainSet, draw
from minitune.experiments.bag_of_words import NaiveBayes, Ridge, fit_bag, measure_bag, solved, words_in
from minitune.experiments.baselines import Row, bag_of_words, known_words
from minitune.experiments.compare import compare
from minitune.experiments.compare_report import compare_table
from minitune.experiments.control import control_of, told_of_all, told_of_one
from minitune.predictors.tagger import TaggedWords
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from tests import tiny

pytestmark = pytest.mark.lesson07


def texts(*pairs):
    return [Example(text, label=label) for text, label in pairs]


# shapes


def test_bags_count_the_words_that_have_a_column():
    columns = columns_of([["b", "a", "b"], ["c"]])
    assert columns == {"a": 0, "b": 1, "c": 2}
    bags = bags_of([["b", "b", "x"], [], ["c", "a"]], columns)
    assert bags.to_dense().tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 1]]
    assert bags_of([[], ["x"]], {}).shape == (2, 0)


# numbers worked by hand

TRAIN = texts(("great great film", 1), ("great plot", 1), ("dull film", 0))  # 5 words of one class, 2 of the other


def test_naive_bayes_by_hand():
    """Four different words. P(great | 1) = (3 + 1) / (5 + 4), P(great | 0) = (0 + 1) / (2 + 4), and so on."""
    bayes = NaiveBayes.fit(TRAIN, 2)
    scores = bayes.scores(texts(("great great film", 0)))[0].tolist()
    good = math.log(2 / 3) + 2 * math.log(4 / 9) + math.log(2 / 9)
    bad = math.log(1 / 3) + 2 * math.log(1 / 6) + math.log(2 / 6)
    causes = {
        "Laplace's smoothing is forgotten": math.log(2 / 3) + 2 * math.log(3 / 5) + math.log(1 / 5),
        "the different words are counted by class, not over all": good + 3 * math.log(9 / 8),
        "a word counts once, however often it occurs": good - math.log(4 / 9),
        "the prior is left out": good - math.log(2 / 3),
        "the prior is counted in words, not in texts": good - math.log(2 / 3) + math.log(5 / 7),
    }
    named = [cause for cause, value in causes.items() if scores[1] == pytest.approx(value)]
    assert scores == pytest.approx([bad, good]), f"{named[0] if named else 'another formula'}: {scores[1]}, not {good}"


def test_words_that_no_training_text_has_say_nothing():
    bayes = NaiveBayes.fit(TRAIN, 2)
    known, unseen = bayes.scores(texts(("great film", 0), ("great unseen film unseen", 0))).tolist()
    assert known == pytest.approx(unseen), "a word of the test counts among the words, or as one that was never seen"
    nothing = bayes.scores(texts(("unseen", 0)))[0].tolist()
    assert nothing == pytest.approx([math.log(1 / 3), math.log(2 / 3)]), "nothing is left but the prior"


def test_a_class_that_the_draw_lacks_is_never_the_answer():
    bayes = NaiveBayes.fit(texts(("a b", 0), ("c", 2)), 3)
    scores = bayes.scores(texts(("a", 0), ("z", 0)))
    assert (scores[:, 1] == -math.inf).all() and not scores[:, [0, 2]].isinf().any()


def test_a_text_that_says_nothing_is_shared_among_equal_classes():
    test = TestSet(texts(("unseen", 0), ("unseen", 1)), ("bad", "good"))
    train = TrainSet(texts(("dull slow plot", 0), ("great", 1)), ("bad", "good"))
    assert measure_bag(fit_bag(train), test)["accuracy"] == 0.5
    lone = measure_bag(fit_bag(train), TestSet(texts(("unseen", 1)), ("bad", "good")))["accuracy"]
    assert lone == 0.5, "a tie goes to the first class, so that the score depends on the labels' order"


def test_a_tie_is_a_tie_in_whatever_order_the_words_are_added():
    words = "abcdefgh"
    up, down = (
        " ".join(f"{word} " * n for word, n in zip(words, ns, strict=True)) for ns in (range(1, 9), range(8, 0, -1))
    )
    scores = NaiveBayes.fit(texts((up, 0), (down, 1)), 2).scores(texts((" ".join(words), 0)))[0]
    assert scores[0] == scores[1], "the same chances in another order are added to another sum, and one class wins"


def test_words_are_cut_as_everywhere_and_a_second_texts_are_kept_apart():
    assert words_in(Example("Great, GREAT film!")) == ["great", ",", "great", "film", "!"]
    assert words_in(Example("很好 Film")) == ["很", "好", "film"], "a script without spaces is cut by character"
    assert words_in(Example("a plot", "A plot")) == ["a", "plot", "b:a", "b:plot"]
    assert words_in(Example("a", "")) == words_in(Example("a", None)) == ["a"]
    same, other = Example("so", "no", 1), Example("no", "so", 0)
    bayes = NaiveBayes.fit([same, other], 2)
    assert bayes.answers([same, other]) == [1, 0], "the two texts of a pair are one bag: who says what is lost"


def test_ridge_by_hand():
    """One word, 0, 1 and 2 times; y = 1, 2, 6. Centered x = -1, 0, 1 and y = -2, -1, 3: w = 5 / (2 + 1)."""
    ridge = Ridge.fit(texts(("x", 1.0), ("x a", 2.0), ("x a a", 6.0)))
    place = ridge.columns["a"]
    causes = {5 / 2: "the penalty is forgotten", 14 / 6: "x is not centered", 5 / 4: "the penalty counts twice"}
    said = causes.get(round(ridge.weight[place].item(), 9), "another formula")
    assert ridge.weight[place].item() == pytest.approx(5 / 3), said
    assert ridge.weight[ridge.columns["x"]].item() == pytest.approx(0.0), "what all texts have tells nothing"
    read = ridge.numbers(texts(("x a a", 0), ("unseen", 0))).tolist()
    assert read == pytest.approx([3 + 5 / 3, 3 - 5 / 3]), "the mean of the numbers is penalized or left out"


# an independent computation


def test_naive_bayes_equals_products_of_chances_counted_with_a_loop():
    dice = np.random.default_rng(0)
    some = [Example(" ".join(dice.choice(list("abcdefg"), 5)), label=int(dice.integers(3))) for _ in range(20)]
    bayes = NaiveBayes.fit(some, 3)
    for text in ("a b c", "a a z g", "d"):
        chances = []
        for label in range(3):
            its = [e for e in some if e.label == label]
            counts = Counter(word for e in its for word in e.text.split())
            chance = len(its) / len(some)
            for word in text.split():
                chance *= (counts[word] + 1) / (counts.total() + 7) if word != "z" else 1
            chances.append(chance)
        assert bayes.scores([Example(text)])[0].exp().tolist() == pytest.approx(chances)


def test_ridge_equals_the_closed_form():
    dice = np.random.default_rng(1)
    some = [Example(" ".join(dice.choice(list("abcdefgh"), 6)), label=float(dice.normal(3, 2))) for _ in range(15)]
    ridge = Ridge.fit(some, penalty=0.7)
    x = bags_of([words_in(e) for e in some], ridge.columns).to_dense().double().numpy()
    y = np.array([e.label for e in some])
    off = x - x.mean(axis=0)
    weight = np.linalg.solve(off.T @ off + 0.7 * np.eye(x.shape[1]), off.T @ (y - y.mean()))
    assert ridge.weight.numpy() == pytest.approx(weight, abs=1e-8)
    assert ridge.numbers(some).numpy() == pytest.approx(y.mean() + off @ weight, abs=1e-8)


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_unknowns():
    a = torch.tensor([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]], dtype=torch.float64)
    b, taken = torch.tensor([1.0, 2, 3], dtype=torch.float64), []
    x = solved(lambda v: taken.append(1) or a @ v, b)
    assert torch.allclose(a @ x, b) and len(taken) <= 3
    assert solved(lambda v: a @ v, 0 * b).tolist() == [0, 0, 0]


# what it is trained on

POOL = tuple(
    Example(f"the {thing} was {how}", label=label)
    for label, hows in enumerate((("awful", "dull"), ("great", "witty")))
    for how in hows
    for thing in ("plot", "hero", "soup", "bed")
)
TEST = texts(("awful", 0), ("dull", 0), ("great", 1), ("witty", 1), ("witty", 1), ("novel novel", 1))
DATA = Dataset("toy", ("bad", "good"), POOL, tuple(TEST))


def test_each_draw_trains_its_own_on_its_examples_alone():
    row = bag_of_words(DATA, 1, seeds=6)
    by_hand = [measure_bag(fit_bag(draw(DATA, 1, seed)[0]), DATA.test) for seed in range(6)]
    assert row.draws == [its["accuracy"] for its in by_hand] and len(set(row.draws)) > 1, "all draws are one"
    whole = measure_bag(fit_bag(DATA.pool), DATA.test)["accuracy"]
    assert min(row.draws) < whole, "it was trained on the pool, not on the draw"
    assert row.balanced == pytest.approx(np.mean([its["balanced accuracy"] for its in by_hand]))
    train = draw(DATA, 1, 5)[0]
    assert row.trainable == 2 * len({word for e in train for word in e.text.split()}) + 2, (
        "words of the test are counted"
    )


def test_the_test_set_cannot_train_and_the_training_set_cannot_test():
    with pytest.raises(TypeError, match="TestSet is given where a TrainSet belongs"):
        fit_bag(DATA.test)
    with pytest.raises(TypeError, match="TrainSet is given where a TestSet belongs"):
        measure_bag(fit_bag(DATA.pool), DATA.pool)


def test_the_prior_is_the_trainings_and_not_the_tests():
    train = TrainSet(texts(("a", 0), ("b", 1)), ("bad", "good"))
    uneven = TestSet(texts(*[("unseen", 1)] * 9, ("unseen", 0)), ("bad", "good"))
    assert measure_bag(fit_bag(train), uneven)["accuracy"] == 0.5, "the prior was counted in the test"


def test_shuffled_labels_are_shuffled_for_it_too():
    honest, shuffled = (bag_of_words(DATA, None, 8, shuffle).score for shuffle in (False, True))
    assert honest > 0.85 and shuffled < honest - 0.1


def test_one_answer_to_nearly_all_is_called_so():
    data = Dataset("toy", ("bad", "good"), tuple(POOL[:8] + POOL[8:9]), tuple(texts(*[("unseen", 1)] * 20)))
    assert bag_of_words(data, None, 1).lopsided == "100% bad"


def test_of_numbers_it_ranks_and_is_off_by_something():
    pool = tuple(Example("soup " + "good " * n, label=float(n)) for n in range(8))
    data = Dataset("n", (), pool, pool[::3], by_class=False)
    row = bag_of_words(data, 6, seeds=2)
    assert row.draws == pytest.approx([1.0, 1.0]) and 0 < row.error < 2 and row.balanced is None


# where it is shown


def test_a_comparison_shows_it_and_names_what_is_not_clearly_better():
    asked = tiny.question("bert", labels=("bad", "good"), label_words={"bad": ("awful",), "good": ("great",)})
    rows = compare(DATA, tiny.checkpoint("bert"), asked, ["frozen+head"], [1, 2], 2, settings={"steps": 1})
    its = [row for row in rows if row.method == "bag-of-words"]
    assert [row.shots for row in its] == [1, 2] and all(len(row.draws) == 2 for row in its)
    table = compare_table([Row("majority", 1, [0.5]), Row("bag-of-words", 1, [0.7]), Row("full", 1, [0.71])])
    assert "Not clearly better than bag-of-words: full\n" in table and "than majority" not in table
    other = Question(("O", "X"), "{text}", kind="tags")
    tagged = (TaggedWords(("the", "hero"), (0, 1)),) * 3
    words = Dataset("t", ("O", "X"), tagged, tagged, by_class=False)
    first = compare(words, tiny.checkpoint("bert"), other, ["frozen"], [2], 1, settings={"steps": 1})[0]
    assert (first.method, first.draws) == ("known-words", [1.0])


def test_known_words_are_scored_as_the_method_beside_them_is():
    train = (TaggedWords(("new", "york"), (1, 1)),)
    test = (TaggedWords(("new", "york", "yesterday"), (1, 1, 0)), TaggedWords(("york", "paris"), (1, 1)))
    data = Dataset("t", ("O", "X"), train, test, by_class=False)
    assert known_words(data, 1, 1, "f1").draws == [pytest.approx(2 * 3 / (3 + 4))], "words, not things"
    assert known_words(data, 1, 1).draws == [pytest.approx(2 * 1 / (2 + 2))], "things, not words"


def test_what_a_method_should_beat_depends_on_the_kind():
    assert control_of("classes", DATA.pool, DATA.test)[0] == "bag-of-words"
    assert control_of("reply", DATA.pool, DATA.test) is None and control_of("words", DATA.pool, DATA.test) is None
    tagged = TaggedWords(("the", "hero"), (0, 1))
    found = control_of("spans", TrainSet([tagged], ("O", "X")), TestSet([tagged], ("O", "X")))
    assert found == ("known-words", 1.0)


def test_where_it_is_better_a_sentence_says_so_and_what_to_do():
    base = tiny.checkpoint("bert")
    known = TaskData(DATA, tiny.question("bert", labels=DATA.labels))
    assert told_of_one(("bag-of-words", 0.7), "full", 0.7, known, base) == []
    (better,) = told_of_one(("bag-of-words", 0.7), "full", 0.65, known, base)
    assert better == "bag-of-words, which knows no language model, is better on the test: 0.700, and full 0.650"
    odd = tuple(Example("zyxw vutsr qponm", label=label) for label in (0, 1))
    foreign = TaskData(Dataset("mine", DATA.labels, odd, odd), known.question)
    _, advice = told_of_one(("bag-of-words", 0.7), "full", 0.65, foreign, base)
    assert "100% of the words had to be split" in advice
    assert "minitune pretrain bert --text FILE --out runs/my-bert, and then add --model runs/my-bert" in advice


def test_in_a_comparison_it_must_be_better_than_every_method():
    data = TaskData(DATA, tiny.question("bert", labels=DATA.labels))
    base = tiny.checkpoint("bert")
    rows = [Row("majority", 4, [0.9]), Row("bag-of-words", 4, [0.7]), Row("a", 4, [0.6]), Row("b", 4, [0.8])]
    assert told_of_all([*rows, Row("random-weights", 4, [0.1])], data, base) == []
    rows[3] = Row("b", 4, [0.69])
    (one,) = told_of_all([*rows, Row("random-weights", 4, [0.9])], data, base)
    assert one == "bag-of-words, which knows no language model, is better than every method here"
    more = [Row("bag-of-words", 16, [0.7]), Row("a", 16, [0.9]), Row("bag-of-words", 64, [0.7]), Row("a", 64, [0.6])]
    assert told_of_all([*rows, *more], data, base)[0].endswith("every method here at 4, 64 a class")
