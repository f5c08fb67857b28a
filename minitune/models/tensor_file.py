"""Files of tensors: what `torch.save` writes, checked before it is unpacked, and .safetensors of transformers and peft.

The library safetensors is no requirement of minitune: only the exchange of models needs it.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from minitune.errors import UserError
from minitune.files import check_is_file


def check_parts(path: Path) -> None:
    """See that a file is an archive as torch.save writes it, before anything of it is unpacked.

    Raises:
        OSError, zipfile.BadZipFile, ...: it is none, a part is damaged or there twice, or is packed and could be of any
            size.
    """
    with zipfile.ZipFile(path) as parts:
        names = [name.lower() for name in parts.namelist()]  # PyTorch's reader takes "A" for "a"
        if len(set(names)) < len(names):
            raise zipfile.BadZipFile("a part is there twice")
        for part in parts.infolist():
            if part.compress_type != zipfile.ZIP_STORED or part.file_size > os.path.getsize(path):
                raise zipfile.BadZipFile(f"its part {part.filename} is packed")
        if damaged := parts.testzip():  # reads each part against its checksum
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """A whole .safetensors file, with the mark that transformers asks for.

    Raises:
        UserError: the library is not there.
    """
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return library().save(copies, metadata={"format": "pt"})


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors file, on the CPU.

    Raises:
        UserError: the library is not there; the file is missing, damaged or of another sort.
    """
    load = library().load_file
    check_is_file(path)
    try:
        return load(path)
    except Exception as error:  # the library's own exception, and others for lengths and names that make no sense
        raise UserError(f"{path} is damaged or no .safetensors file ({error}); save it again") from None


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same, whatever their dtypes."""
    return one.shape == other.shape and torch.equal(one.double(), other.double())


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
            'pip install "minitune[real]" (in a clone: pip install -e ".[real]")'
        ) from None
    return safetensors.torch
