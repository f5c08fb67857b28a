"""Tensors in .safetensors files: what was written is read, bit for bit; a sentence where the library is missing."""

import sys

import pytest
import torch

from minitune.errors import UserError
from minitune.models.tensor_file import library, read_safetensors, to_bytes


def test_what_was_written_is_read(tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="needs the extra `real`")
    wide = torch.arange(12.0).reshape(3, 4)
    tensors = {"turned": wide.T, "twin": wide, "part": wide[1:], "none": torch.zeros(0, 2)}
    (tmp_path / "t").write_bytes(to_bytes(tensors))
    again = read_safetensors(tmp_path / "t")
    assert set(again) == set(tensors) and all(torch.equal(again[name], tensors[name]) for name in tensors)
    with safetensors.safe_open(tmp_path / "t", "pt") as file:
        assert file.metadata() == {"format": "pt"}, "transformers refuses a file without it"


def test_files_that_are_no_tensors(tmp_path):
    pytest.importorskip("safetensors", reason="needs the extra `real`")
    for content in (b"", b"no tensors at all", b"\xff" * 40):
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(UserError, match=r"t is damaged or no \.safetensors file"):
            read_safetensors(tmp_path / "t")
    with pytest.raises(UserError, match=r"there is no file .*gone; check the path"):
        read_safetensors(tmp_path / "gone")
    with pytest.raises(UserError, match="it is a folder; a file was expected"):
        read_safetensors(tmp_path)


def test_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for call in (library, lambda: to_bytes({}), lambda: read_safetensors(tmp_path)):
        with pytest.raises(UserError, match=r'not installed: pip install "minitune\[real\]"'):
            call()
