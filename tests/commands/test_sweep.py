"""`minitune sweep`: the table of rates, and the tasks of another world."""

import json

from tests.commands.helpers import REVIEWS, few_rows, run, write


def test_sweep_prints_a_table_and_writes_json(capsys, here, monkeypatch):
    few_rows(monkeypatch, 40)
    arguments = ["--rates", "0.01,1e-3", "--shots", "2", "--seeds", "2", "--set", "steps=2", "--json", "s.json"]
    status, out, err = run(capsys, "sweep", "frozen+head, lora", *arguments)
    assert (status, err) == (0, "") and out.count("*") == 3, "two stars, and what they say"
    assert "sentiment, bert, world 0, 2 examples a class, 2 draws" in out
    result = json.loads((here / "s.json").read_text())
    assert [(row["method"], row["rate"], len(row["scores"])) for row in result["rows"]] == [
        ("frozen+head", 0.001, 2),
        ("frozen+head", 0.01, 2),
        ("lora", 0.001, 2),
        ("lora", 0.01, 2),
    ]
    assert set(result["best"]) == {"frozen+head", "lora"} and result["set"] == ["steps=2"]
    assert (result["task"], result["model"], result["world"], result["shots"]) == ("sentiment", "bert", 0, 2)


def test_sweep_takes_the_tasks_of_another_world(capsys, here, monkeypatch):
    for split in ("train", "dev", "test"):
        (here / "w" / "tasks" / "sentiment").mkdir(parents=True, exist_ok=True)
        rows = [(f"{text} {split}", {"good": "positive", "bad": "negative"}[label]) for text, label in REVIEWS]
        write(here / "w" / "tasks" / "sentiment" / f"{split}.csv", rows)
    asked = []
    monkeypatch.setattr("minitune.world.folder.world_folder", lambda seed: asked.append(seed) or here / "w")
    arguments = ["--world", "7", "--rates", "0.01", "--shots", "all", "--seeds", "1", "--set", "steps=2"]
    status, out, err = run(capsys, "sweep", "frozen+head", *arguments, "--json", "s.json")
    assert (status, err, asked) == (0, "", [7]) and "world 7" in out
    assert json.loads((here / "s.json").read_text())["world"] == 7
