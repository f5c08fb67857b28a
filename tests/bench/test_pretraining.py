"""The bench: its arithmetic. What it measures is for people to read; no test looks at a clock."""

from minitune.bench import pretraining as bench
from minitune.training.checkpoint import load_checkpoint


def test_a_ratio_compares_neighbours_in_time():
    drifting = [1.0, 10.0, 1.0, 10.0, 1.0]  # the machine was busy in every other round, for both
    assert bench.ratio([2 * t for t in drifting], drifting) == 2.0


def test_jobs_take_turns():
    called = []
    times = bench.in_turn({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, seconds=0.0)
    assert "".join(called) == "aabb" + "ab" * len(times["a"]) and len(times["a"]) == len(times["b"]) >= 5


def test_the_sizes_are_those_of_the_shipped_models():
    assert {kind: load_checkpoint(kind).model.config for kind in ("gpt", "bert")} == bench.CONFIGS


def test_the_steps_train_and_the_products_have_the_shapes_of_a_step():
    for kind in bench.CONFIGS:
        step = bench.our_step(kind)
        step()
        bench.products_of_a_step(kind)()
        batch = bench.training_batch(kind, 100)
        assert batch["input_ids"].min() >= 10 and batch["input_ids"].max() < 100


def test_figures_are_shown_by_unit():
    assert str(bench.Figure("x", 1234.5, "tokens/s")) == "1,234 tokens/s"
    assert str(bench.Figure("x", 2_500_000, "bytes")) == "2.5 MB"
    assert str(bench.Figure("x", 1.305, "times")) in ("1.30", "1.31")
    assert "x" in bench.bench_table([bench.Figure("x", 0.5, "share").__dict__])
