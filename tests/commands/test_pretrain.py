"""`minitune pretrain`: a model of a user's own text, and what is done with it."""

from tests.commands.helpers import REVIEWS, compare_own, run


def test_pretrain_on_a_users_text_then_compare_with_it(capsys, here):
    text = "\n".join(text for text, _ in REVIEWS) + "\nit was good .\nit was bad .\n"
    (here / "mine.txt").write_text(text)
    status, out, _ = run(capsys, "pretrain", "bert", "--text", "mine.txt", "--size", "nano", "--steps", 3, "--out", "m")
    assert status == 0 and "held-out loss" in out
    assert {path.name for path in (here / "m").iterdir()} >= {"model.pt", "tokenizer.json", "run.json", "report.png"}
    status, out, _ = compare_own(capsys, here, "--methods", "frozen+head", kind="m")
    assert status == 0
    again = run(capsys, "pretrain", "bert", "--text", "mine.txt", "--steps", 3, "--out", "m")
    assert again[0] == 2 and "finished" in again[2], "a finished model must not be overwritten"
