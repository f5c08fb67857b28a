"""What `torch.save` wrote, read without trust: first what the file claims, by a dry run; then the tensors themselves.

A file of a few kilobytes can ask for gigabytes: a part that is packed, a storage said to be large, one number shown a
billion times. And there are tensors that are none of ours: sparse, quantized, nested, without numbers. So the pickle is
read twice: the first time every tensor is only a claim, whose size is compared with the bytes that are there.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import torch

from minitune.models.tensor_file import check_parts

BYTES = {  # of a number, by the name of its storage
    **{"DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "UntypedStorage": 1},
    **{"LongStorage": 8, "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1},
    **{"ComplexDoubleStorage": 16, "ComplexFloatStorage": 8},
}
OTHER_TENSORS = {  # by what is in the name of the function that makes them
    **{"sparse": "a sparse tensor", "qtensor": "a quantized tensor", "nested": "a nested tensor"},
    **{"meta": "a meta tensor, which has no numbers", "from_type": "a tensor of a class of its own"},
}
OPCODES = (  # those that torch's own reader knows; others can take memory by themselves
    *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "APPEND", "APPENDS", "SETITEM", "SETITEMS"),
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"),
    *("NONE", "NEWFALSE", "NEWTRUE", "BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1", "BINUNICODE"),
    *("SHORT_BINSTRING", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT"),
)
LONGEST = 60  # characters of a foreign name that a sentence shows
OLD_HEADER = 3  # pickles before the content in a file from before PyTorch 1.6: a magic number, a version, the machine


class Refused(Exception):
    """Why a file is not read, as half a sentence that begins with "it"."""


class Storage(NamedTuple):
    """The claim that so many bytes are in the file."""

    nbytes: int


class Kind(NamedTuple):
    """The kind of a storage or of a tensor's numbers."""

    itemsize: int


def load_pickled(path: Path) -> Any:
    """The content of a file that `torch.save` wrote, on the CPU: dense tensors and plain values.

    Raises:
        Refused: it holds something else, or says that it holds more than there is.
        Exception: it is damaged; what a damaged pickle can raise has no end.
    """
    if zipfile.is_zipfile(path):
        check_parts(path)
        with zipfile.ZipFile(path) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist()}
            (name,) = (name for name in sizes if name.endswith("data.pkl"))
            folder = name.removesuffix("data.pkl")
            with parts.open(name) as file:
                DryRun(file, lambda key: sizes[f"{folder}data/{key}"]).load()
    else:  # the oldest form: storages after the pickles, one after the other
        there = path.stat().st_size
        with path.open("rb") as file:
            for _ in range(OLD_HEADER):
                DryRun(file, lambda key: 0).load()
            run = DryRun(file, lambda key: there)
            run.load()
        if (said := sum(run.storages.values())) > there:
            raise Refused(f"it says that it holds tensors of {said:,} bytes, and has {there:,} in all")
    return torch.load(path, map_location="cpu", weights_only=True)


class DryRun(pickle._Unpickler):  # the one in Python: the one in C takes memory for what a file merely claims
    """Reads a pickle and makes nothing of it but plain values and claims. No function of the file's choice is called.

    Args:
        size_of: the bytes that the file has for a storage, by its key.
    """

    dispatch: ClassVar = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in OPCODES
    }

    def __init__(self, file: BinaryIO, size_of: Callable[[str], int]):
        super().__init__(file)
        self.size_of = size_of
        self.storages: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in MAKERS:
            return MAKERS[module, name]
        if module in ("torch", "torch.storage") and name in BYTES:
            return Kind(BYTES[name])
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return Kind(getattr(torch, name).itemsize)
        if module.startswith("torch.") and (kind := next((part for part in OTHER_TENSORS if part in name), None)):
            raise Refused(f"it holds {OTHER_TENSORS[kind]}, and dense tensors of plain numbers were expected")
        asked = f"{module}.{name}"[:LONGEST]
        raise Refused(f"it holds more than tensors and plain values ({asked!r}), and loading it might run code")

    def persistent_load(self, pid: Any) -> Storage:
        _, kind, key, _, count, *_ = pid
        nbytes = natural(count) * kind.itemsize
        if nbytes > (there := self.size_of(key)):
            raise Refused(f"it says that a tensor takes {nbytes:,} bytes, and has {there:,} for it")
        self.storages[key] = nbytes
        return Storage(nbytes)


def claimed(
    storage: Storage, offset: int, size: Sequence[int], stride: Sequence[int], kind: Kind | None = None
) -> None:
    """See that a tensor has as many numbers in the file as its shape says.

    Raises:
        Refused: it has fewer.
    """
    count, offset = math.prod(map(natural, size)), natural(offset)
    last = offset + sum((length - 1) * natural(step) for length, step in zip(size, stride, strict=True))
    if count and max(count, last + 1) * (kind.itemsize if kind else 1) > storage.nbytes:
        raise Refused(f"it holds a tensor of the shape {tuple(size)} with fewer numbers than that")


def natural(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError(f"a size of {type(number).__name__} or out of range")
    return number


MAKERS: dict[tuple[str, str], Callable] = {
    ("torch._utils", "_rebuild_tensor"): lambda storage, offset, size, stride: claimed(storage, offset, size, stride),
    ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, stride, *_: claimed(
        storage, offset, size, stride
    ),
    ("torch._utils", "_rebuild_tensor_v3"): lambda storage, offset, size, stride, grad, hooks, kind, *_: claimed(
        storage, offset, size, stride, kind
    ),
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): OrderedDict,
}


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error) or type(error).__name__).strip().splitlines()[0]
