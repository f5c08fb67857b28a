"""A world on disk: the committed files, and when a folder is written again."""

from __future__ import annotations

from itertools import islice

import pytest

from minitune import outputs
from minitune.errors import UserError
from minitune.files import shared
from minitune.world import folder
from minitune.world.folder import as_csv, as_jsonl
from minitune.world.tasks import SPLITS, load_split
from minitune.writing import write_text
from tests.world.shared import world_of

pytestmark = pytest.mark.lesson01


def test_the_committed_files_are_the_world_of_seed_0():
    """After a change of the word lists or the grammar, write them again: `minitune data`."""
    world, data = world_of(0), shared("data")
    with open(data / "sample.txt", encoding="utf-8") as file:
        assert [line.rstrip("\n") for line in islice(file, 300)] == list(world.documents(300))
    for name, ending, write in (
        ("sentiment", "csv", as_csv),
        ("entail", "csv", as_csv),
        ("tags", "jsonl", as_jsonl),
    ):
        committed = (data / "tasks" / name / f"dev.{ending}").read_text(encoding="utf-8")
        assert committed == write(world.task(name)["dev"])


def test_rows_come_back_from_their_files_as_they_were(tmp_path):
    rows = [{"text": 'one , "two"', "label": "positive"}, {"text": "three", "label": "negative"}]
    (tmp_path / "tasks" / "sentiment").mkdir(parents=True)
    (tmp_path / "tasks" / "sentiment" / "dev.csv").write_text(as_csv(rows), encoding="utf-8")
    assert load_split("sentiment", "dev", tmp_path) == rows
    rows = [{"tokens": ["in", "stone"], "tags": ["O", "PLACE"]}]
    (tmp_path / "tasks" / "tags").mkdir()
    (tmp_path / "tasks" / "tags" / "dev.jsonl").write_text(as_jsonl(rows), encoding="utf-8")
    assert load_split("tags", "dev", tmp_path) == rows


def test_a_folder_is_written_once_and_again_when_the_grammar_has_changed(tmp_path, monkeypatch):
    written = []

    def write(out, seed, joined):
        written.append((out, seed, joined))
        write_text(out / folder.STAMP, folder.fingerprint())

    monkeypatch.setattr(folder, "write_whole_world", write)
    place = folder.world_folder(7, root=tmp_path)
    assert folder.world_folder(7, root=tmp_path) == place and written == [(place, 7, True)], "it was there already"
    assert folder.world_folder(7, joined=False, root=tmp_path) != place, "two worlds in one folder"
    monkeypatch.setattr(folder, "fingerprint", lambda: "of another grammar")
    folder.world_folder(7, root=tmp_path)
    assert written.count((place, 7, True)) == 2, "the text of an older grammar would be read"


def test_a_folder_that_was_not_written_to_its_end_is_written_again(tmp_path, monkeypatch):
    def stop(*what):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_whole_world", stop)
    with pytest.raises(KeyboardInterrupt):
        folder.world_folder(7, root=tmp_path)
    assert not list(tmp_path.rglob("made-by")), "half a world is taken for a whole one"


class SmallWorld:
    def __init__(self, seed, joined=True):
        self.text = ["a text", "ünd one more"]

    def task(self, name):
        return {split: [{"text": name}] for split in SPLITS}

    def documents(self, count=None):
        return self.text[:count]


def test_a_full_disk_leaves_nothing_that_blocks_the_next_try(tmp_path, monkeypatch):
    write = outputs.write_to_disk

    def full(path, content):
        if path.name == "text.txt":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(folder, "World", SmallWorld)
    monkeypatch.setattr(outputs, "write_to_disk", full)
    with pytest.raises(UserError, match=r"cannot write .*w: No space left"):
        folder.write_whole_world(tmp_path / "w", 0)
    assert list(tmp_path.iterdir()) == [], "half a world is left, and the next try is refused"
    monkeypatch.setattr(outputs, "write_to_disk", write)
    folder.check_is_free(tmp_path / "w", force=False)
    folder.write_whole_world(tmp_path / "w", 0)
    assert (tmp_path / "w" / "text.txt").read_text(encoding="utf-8") == "a text\nünd one more\n"
    assert (tmp_path / "w" / "tasks" / "topic" / "dev.csv").read_text() == "text\ntopic\n"
    assert (tmp_path / "w" / "words").is_dir() and (tmp_path / "w" / "made-by").is_file()
    with pytest.raises(UserError, match=r"is there already: .*--force"):
        folder.check_is_free(tmp_path / "w", force=False)
    folder.check_is_free(tmp_path / "w", force=True)


def test_a_users_file_with_the_name_of_one_of_the_worlds_stays(tmp_path):
    (tmp_path / "notes").touch()
    folder.check_is_free(tmp_path, force=True)
    (tmp_path / "text.txt").write_text("mine")
    with pytest.raises(UserError, match=r"text.txt is there and belongs to no whole world"):
        folder.check_is_free(tmp_path, force=True)
