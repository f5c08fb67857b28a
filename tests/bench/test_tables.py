"""The tables that `minitune bench` prints, and the values that it writes."""

import json

import pytest

from minitune.bench import tables
from minitune.bench.measure import Figure
from minitune.bench.tables import TABLES, Table, as_json, as_text, bench

FIGURES = [
    Figure("a", "speed", 1234.4, "tokens/s"),
    Figure("b", "speed", 5.0, "tokens/s"),
    Figure("b", "memory", 2.5e6, "bytes"),
    Figure("a", "times", 1.25, "times"),
]


@pytest.fixture
def small(monkeypatch):
    """One table, whose work gives the figures in two parts."""
    columns = {"times": "how much faster", "speed": "how fast", "heat": "how hot", "memory": "how large"}
    asked = []
    work = [lambda seconds: asked.append(seconds) or FIGURES[:1], lambda seconds: FIGURES[1:]]
    monkeypatch.setattr(tables, "TABLES", {"small": Table("Read it so.", "work", columns, work)})
    return asked


def test_a_table_says_how_to_read_it_and_leaves_out_what_was_not_measured(small):
    found = bench(3.5)
    assert small == [3.5]
    assert as_text(found).splitlines() == [
        "Read it so.",
        "",
        "work  times  speed  memory",
        "----  -----  -----  ------",
        "a      1.25  1,234",
        "b                5  2.5 MB",
        "",
        "  times: how much faster",
        "  speed: how fast",
        "  memory: how large",
    ]


def test_a_measure_without_a_column_is_not_lost_without_a_word(small):
    with pytest.raises(KeyError, match="colour"):
        as_text({"small": [Figure("a", "colour", 1.0, "times")]})


def test_every_figure_is_written_with_its_name_value_and_unit(small):
    written = as_json(bench(0.0))
    assert json.loads(json.dumps(written)) == written
    assert written[2] == {"name": "b: memory", "value": 2.5e6, "unit": "bytes"}
    assert [row["name"] for row in written] == ["a: speed", "b: speed", "b: memory", "a: times"]


def test_every_column_is_explained():
    for table in TABLES.values():
        assert table.reading.endswith(".") and all(table.columns.values()) and table.work
