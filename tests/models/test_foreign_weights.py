"""Weights of another library: one file or shards, pickled or safetensors, and what is wrong with them."""

import json
import os
import sys

import pytest
import torch

from minitune.errors import UserError
from minitune.models.foreign_weights import FORMATS, read_foreign_weights

STATE = {"a.weight": torch.arange(12.0).view(3, 4), "b": torch.tensor([0.5, -2.0]), "c": torch.tensor([3])}


def save(tensors, path):
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch", reason="needs the extra `real`").save_file(tensors, path)
    else:
        torch.save(tensors, path)


def shards(folder, name):
    """Two shards with their index."""
    stem, _, ending = name.rpartition(".")
    parts = {f"{stem}-00001-of-00002.{ending}": ["a.weight", "c"], f"{stem}-00002-of-00002.{ending}": ["b"]}
    for file, names in parts.items():
        save({name: STATE[name] for name in names}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, names in parts.items() for name in names}}
    (folder / f"{name}.index.json").write_text(json.dumps(index))
    return list(parts)


def same(found, expected=STATE):
    return set(found) == set(expected) and all(torch.equal(found[name], t) for name, t in expected.items())


@pytest.mark.parametrize("name", FORMATS)
def test_one_file_and_shards_hold_the_same(tmp_path, name):
    (tmp_path / "one").mkdir()
    save(STATE, tmp_path / "one" / name)
    assert same(read_foreign_weights(tmp_path / "one"))
    shards(tmp_path, name)
    assert same(read_foreign_weights(tmp_path))


def test_a_file_of_the_oldest_form_is_read(tmp_path):
    torch.save(STATE, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert same(read_foreign_weights(tmp_path))


def test_safetensors_come_first(tmp_path):
    save({"b": STATE["b"]}, tmp_path / "model.safetensors")
    save(STATE, tmp_path / "pytorch_model.bin")
    assert same(read_foreign_weights(tmp_path), {"b": STATE["b"]})


def test_without_the_library_pickled_weights_are_read_and_safetensors_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r'not installed: pip install "minitune\[real\]"'):
        read_foreign_weights(tmp_path)
    save(STATE, tmp_path / "pytorch_model.bin")
    assert same(read_foreign_weights(tmp_path))


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_a_file_that_asks_to_run_code_is_refused_and_runs_nothing(tmp_path):
    torch.save({"a": Evil(tmp_path / "trace")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="loading it might run code"):
        read_foreign_weights(tmp_path)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_refused(tmp_path, name):
    save(STATE, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    pieces = [b"", b"hello", whole[:20], whole[: len(whole) // 2], whole[:-9], b"\0" * 99]
    if name.endswith("bin"):
        place = whole.index(STATE["a.weight"].numpy().tobytes())
        pieces.append(whole[:place] + b"\x01" + whole[place + 1 :])
    for damaged in pieces:
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(UserError, match=rf"{name} is damaged or no"):
            read_foreign_weights(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_shards_that_do_not_fit_their_index_are_refused(tmp_path, name):
    first, second = shards(tmp_path, name)
    save({"other": STATE["b"]}, tmp_path / second)
    with pytest.raises(UserError, match=rf"{second} lacks b, which the index puts there"):
        read_foreign_weights(tmp_path)
    (tmp_path / first).unlink()
    with pytest.raises(UserError, match=f"lacks the shard {first} that {name}.index.json names"):
        read_foreign_weights(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "has no weight_map"),
        ([], "has no weight_map"),
        ({"weight_map": {}}, "has no weight_map"),
        ({"weight_map": {"a": 1}}, "has no weight_map"),
        ({"weight_map": {"a": "../elsewhere.bin"}}, "names the shard '../elsewhere.bin'; a .bin file beside it"),
        ({"weight_map": {"a": "config.json"}}, "names the shard 'config.json'"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, index, message):
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=message):
        read_foreign_weights(tmp_path)


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        torch.save(STATE | {"b": torch.tensor([1.0, number]).to(dtype)}, tmp_path / "pytorch_model.bin")
        with pytest.raises(UserError, match=r": b has numbers that are not finite"):
            read_foreign_weights(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_numbers_beyond_float32_are_refused_and_not_made_infinite(tmp_path, name):
    wide = torch.tensor([1.0, 3.5e38, -1e300, 3.4e38], dtype=torch.float64)
    save(STATE | {"b": wide}, tmp_path / name)
    with pytest.raises(UserError, match=r": b has numbers beyond float32, which ends at 3.4e38, 2 of 4; save"):
        read_foreign_weights(tmp_path)
    save(STATE | {"b": wide[::3].contiguous()}, tmp_path / name)
    assert read_foreign_weights(tmp_path)["b"].float().isfinite().all(), "what float32 can hold is taken"


@pytest.mark.parametrize("name", FORMATS)
def test_one_name_in_two_shards_is_refused_where_the_numbers_differ(tmp_path, name):
    _, second = shards(tmp_path, name)
    save({"b": STATE["b"], "a.weight": STATE["a.weight"]}, tmp_path / second)
    assert same(read_foreign_weights(tmp_path))
    save({"b": STATE["b"], "a.weight": STATE["a.weight"] + 1}, tmp_path / second)
    with pytest.raises(UserError, match=rf"{second} has a.weight with other numbers than another shard has"):
        read_foreign_weights(tmp_path)


def test_what_is_no_table_of_tensors_is_refused(tmp_path):
    for content in ([STATE["b"]], {"model": STATE}, {1: STATE["b"]}, STATE["b"]):
        torch.save(content, tmp_path / "pytorch_model.bin")
        with pytest.raises(UserError, match="is no table of tensors by name"):
            read_foreign_weights(tmp_path)
    torch.save({"b": STATE["b"].to(torch.float8_e5m2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"is of torch.float8_e5m2; save the model in float32"):
        read_foreign_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(UserError, match=r"has no weights; model.safetensors or pytorch_model.bin was expected"):
        read_foreign_weights(tmp_path)
