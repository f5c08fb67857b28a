"""Tensors by name in a .safetensors file, as transformers and peft keep their weights.

The library safetensors reads and writes it. It is no requirement of minitune: only the exchange of models needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from minitune.errors import UserError
from minitune.files import read_bytes


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """The whole file, with the mark that transformers asks for.

    Raises:
        UserError: the library is not there.
    """
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return library().save(copies, metadata={"format": "pt"})


def read_tensor_file(path: Path) -> dict[str, Tensor]:
    """Every tensor of the file, on the CPU.

    Raises:
        UserError: the library is not there; the file is missing, damaged or of another sort.
    """
    load = library().load
    content = read_bytes(path)
    try:
        return load(content)
    except Exception as error:  # the library's own exception, and others for lengths and names that make no sense
        raise UserError(f"{path} is damaged or no .safetensors file ({error}); save it again") from None


def library():
    """The module of the library that knows PyTorch's tensors.

    Raises:
        UserError: it is not there.
    """
    try:
        import safetensors.torch
    except ImportError:
        raise UserError(
            "weights of transformers and peft are read and written by the library safetensors, which is not installed: "
            'pip install "minitune[real]"'
        ) from None
    return safetensors.torch
