"""`minitune tune`: what it trains, prints and writes, and what it refuses."""

from minitune.commands.tune import default_folder
from minitune.errors import UserError
from tests.commands.helpers import REVIEWS, few_rows, run, tune, write


def test_pairs_all_examples_and_labels_that_are_no_words(capsys, models, here, no_curve):
    labels = {"good": "5 stars", "bad": "1 star"}
    pairs = [
        (text, f"it was {word}", labels[label])
        for (text, label), word in zip(REVIEWS, "abcdefghijklmnopqrstuvwx", strict=True)
    ]
    write(here / "pairs.csv", pairs, header="text,text_b,label")
    status, out, err = tune(capsys, models, "p-tuning-v2+head", "--shots", "all", data="pairs.csv")
    assert (status, err) == (0, "") and "--label-words" not in out, "labels that are no words still serve a head"
    assert "9 / 3 / 12" in out, "half of the rows for the test, a fifth of the rest for dev"
    status, out, _ = run(capsys, "predict", "t", "the plot was dull || it was a")
    assert status == 0 and ("5 stars" in out or "1 star" in out)
    status, _, err = run(capsys, "predict", "t", "the plot was dull")
    assert status == 2 and "pairs of texts" in err
    status, _, err = tune(capsys, models, "lora", data="pairs.csv")
    assert status == 2 and "no label word" in err
    words = ["--label-words", "1 star=dull,awful;5 stars=witty"]
    assert tune(capsys, models, "lora", *words, data="pairs.csv")[0] == 0


def test_a_template_of_ones_own_is_kept(capsys, models, here, no_curve):
    own = "{soft:3} it {text} : {soft:2} {mask}"
    assert tune(capsys, models, "p-tuning", "--template", own)[0] == 0
    out = run(capsys, "explain", "t", "the plot was dull .")[1]
    assert out.count("soft prompt: a learned vector") == 5 and out.count(" template\n") == 2
    assert tune(capsys, models, "prompt-tuning+head", "--template", "{soft:3} {text}")[0] == 0, "a head needs no blank"


def test_tags_and_descriptions_from_end_to_end(capsys, models, here, no_curve, monkeypatch):
    few_rows(monkeypatch)
    arguments = ["--task", "tags", "--model", "bert", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "lora", *arguments)
    assert (
        (status, err) == (0, "")
        and "f1 on test" in out
        and (here / "runs" / "lora-tags-bert-4-0" / "tuned.pt").exists()
    )
    status, out, _ = run(capsys, "predict", "runs/lora-tags-bert-4-0", "rose gave the pearl to basil .")
    assert status == 0 and len(out.splitlines()[2].split()) == 14, "a tag for each word"
    status, out, _ = run(capsys, "explain", "runs/lora-tags-bert-4-0", "rose gave")
    assert status == 0 and out.count("the answer is read here") == 2
    arguments = ["--task", "describe", "--model", "gpt", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "prompt-tuning", *arguments, "--template", "{text} {soft:2}", "--out", "d")
    assert (status, err) == (0, "") and "score on test" in out, "a text that is written needs no blank"
    status, out, _ = run(capsys, "explain", "d", "the elm , pub , soup , cheap , river .")
    assert status == 0 and "written from here on" in out
    status, out, _ = run(capsys, "predict", "d", "the elm , pub , soup , cheap , river .")
    assert status == 0


def test_facts_from_end_to_end(capsys, here, no_curve):
    arguments = ["--task", "facts:born_in", "--model", "gpt", "--shots", "4", "--set", "steps=2"]
    status, out, err = run(capsys, "tune", "prompt-tuning", *arguments)
    assert (status, err) == (0, "") and (here / "runs" / "prompt-tuning-facts-born_in-gpt-4-0" / "tuned.pt").exists()
    status, out, _ = run(capsys, "explain", "runs/prompt-tuning-facts-born_in-gpt-4-0", "stella")
    assert status == 0 and len(out.partition("softmax")[2].strip().splitlines()) == 11, "the likeliest, not all words"


def test_methods_lists_them_all_and_help_lists_a_methods_settings(capsys, here):
    from minitune.methods.what import WHAT

    status, out, _ = run(capsys, "methods")
    assert status == 0 and all(any(line.startswith(f"{what} ") for line in out.splitlines()) for what in WHAT)
    status, out, _ = run(capsys, "tune", "lora+head", "--help")
    assert status == 0 and "rank=4" in out and "targets=query,value" in out and "GPT, words" in out and "--shots" in out
    status, out, _ = run(capsys, "tune", "-h")
    assert status == 0 and "rank=" not in out
    status, _, err = run(capsys, "tune", "lorra", "--help")
    assert status == 2 and "'lorra' is unknown" in err
    for command in ("predict", "explain", "sweep"):
        assert run(capsys, command, "--help")[0] == 0


def test_on_a_file_of_ones_own_the_test_score_has_that_of_a_bag_of_words_beside_it(capsys, models, here, no_curve):
    status, out, err = tune(capsys, models, "frozen+head", "--set", "lr=1e-9")
    assert (status, err) == (0, "") and "accuracy on test, bag-of-words" in out
    own, bag = (float(line.split()[-1]) for line in out.splitlines() if line.startswith("accuracy on test"))
    better = f"bag-of-words, which knows no language model, is better on the test: {bag:.3f}, and frozen+head {own:.3f}"
    assert own < bag and better in out, "nothing was learned, and the user is not told that counting words is better"
    status, out, _ = tune(capsys, models, "frozen+head", "--task", "sentiment", data=None)
    assert status == 0 and "bag-of-words" not in out


def test_a_tune_that_fails_leaves_the_last_one_whole(capsys, models, here, no_curve):
    tune(capsys, models, "frozen+head")
    before = (here / "t" / "tuned.pt").read_bytes()
    assert tune(capsys, models, "lora+head", "--set", "rank=99")[0] == 2
    assert (here / "t" / "tuned.pt").read_bytes() == before


def test_another_tuned_method_is_not_overwritten_unasked(capsys, models, here, no_curve):
    assert tune(capsys, models, "frozen+head")[0] == 0
    before = (here / "t" / "tuned.pt").read_bytes()
    again = ["tune", "lora", "--data", "reviews.csv", "--model", models / "bert", "--shots", 2, "--out", "t"]
    status, _, err = run(capsys, *again)
    assert status == 2 and "t holds frozen+head, tuned on reviews (shots 2, seed 0)" in err and "--force" in err
    assert (here / "t" / "tuned.pt").read_bytes() == before
    assert tune(capsys, models, "lora+head", "--force")[0] == 0
    assert (here / "t" / "tuned.pt").read_bytes() != before
    (here / "t" / "tuned.pt").write_bytes(b"a user's own")
    status, _, err = run(capsys, *again)
    assert status == 2 and "t holds a tuned.pt that is none of this version's" in err


def test_what_was_measured_is_shown_though_it_cannot_be_saved(capsys, models, here, no_curve, monkeypatch):
    def full(*_, **__):
        raise UserError("cannot write it: No space left on device")

    monkeypatch.setattr("minitune.tuned.tuned.save_tuned", full)
    status, out, err = tune(capsys, models, "frozen+head")
    assert status == 2 and "accuracy on test" in out and "No space left" in err


def test_each_default_folder_is_of_one_run():
    assert str(default_folder("lora+head", "topic", "bert", None, 0)) == "runs/lora+head-topic-bert-all-0"
    others = {default_folder("lora", "cost_$5_$", f"a/{'n' * 300}", 4, seed) for seed in range(3)}
    assert len(others) == 3 and all(len(folder.name) < 255 and "$" not in folder.name for folder in others)
