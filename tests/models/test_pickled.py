"""A file of torch.save is read twice: what it claims is compared with what is there before any memory is taken."""

import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict

import pytest
import torch

from minitune.models.pickled import DryRun, Refused, load_pickled

PLAIN = {
    "a": torch.arange(12.0).view(3, 4).T,
    "b": torch.tensor([1.5, 2.5], dtype=torch.float64),
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "none": torch.zeros(0, 3),
    "number": torch.tensor(7),
    "kinds": [torch.ones(2).to(kind) for kind in (torch.float16, torch.bfloat16, torch.uint16, torch.float8_e5m2)],
    "state": torch.nn.Linear(2, 3).state_dict(),
    "values": ("text", 3, -(2**70), 2.5, None, True, {"a": [()]}, torch.Size([2])),
}


@pytest.mark.parametrize("zipped", [True, False])
def test_dense_tensors_and_plain_values_are_read(tmp_path, zipped):
    expected = dict(PLAIN, kinds=PLAIN["kinds"] if zipped else [])  # torch cannot write these in the oldest form
    torch.save(expected, tmp_path / "t", _use_new_zipfile_serialization=zipped)
    found = load_pickled(tmp_path / "t")
    assert all(torch.equal(found[name], PLAIN[name]) for name in ("a", "b", "parameter", "none", "number"))
    assert found["values"] == PLAIN["values"] and isinstance(found["state"], OrderedDict)
    assert [tensor.dtype for tensor in found["kinds"]] == [tensor.dtype for tensor in expected["kinds"]]


def other_tensors():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "a sparse tensor": torch.eye(3).to_sparse(),
            "a sparse tensor (csr)": torch.eye(3).to_sparse_csr(),
            "a meta tensor": torch.empty(3, device="meta"),
            "a nested tensor": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            "a quantized tensor": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        }


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_are_none_of_ours_are_named(tmp_path, zipped):
    for name, tensor in other_tensors().items():
        try:
            torch.save({"a": tensor}, tmp_path / "t", _use_new_zipfile_serialization=zipped)
        except AttributeError:  # torch itself cannot write some of them in the oldest form
            continue
        with pytest.raises(Refused, match=rf"^it holds {name.partition(' (')[0]}.*dense tensors of plain numbers"):
            load_pickled(tmp_path / "t")


def pickled(*opcodes):
    return pickle.PROTO + b"\2" + b"".join(opcodes) + pickle.STOP


def name(module, function):
    return pickle.GLOBAL + f"{module}\n{function}\n".encode()


def text(value):
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def number(value):
    digits = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(digits)]) + digits


def storage(count, kind="FloatStorage"):
    """A claim of so many numbers in the file's first storage."""
    parts = (pickle.MARK, text("storage"), name("torch", kind), text("0"), text("cpu"), number(count), pickle.TUPLE)
    return b"".join(parts) + pickle.BINPERSID


def tensor(count, size, stride):
    arguments = (number(0), number(size), pickle.TUPLE1, number(stride), pickle.TUPLE1, pickle.NEWFALSE, pickle.NONE)
    called = name("torch._utils", "_rebuild_tensor_v2") + pickle.MARK + storage(count) + b"".join(arguments)
    return called + pickle.TUPLE + pickle.REDUCE


GIGA = 2**30
BOMBS = {
    "a storage said to be large": (
        pickled(tensor(GIGA, 3, 1)),
        "says that a tensor takes 4,294,967,296 bytes, and has",
    ),
    "one number shown a billion times": (pickled(tensor(1, GIGA, 0)), r"shape \(1073741824,\) with fewer numbers"),
    "a view beyond its storage": (pickled(tensor(4, 2, GIGA)), "with fewer numbers"),
    "zeros by the gigabyte": (
        pickled(name("__builtin__", "bytearray"), number(GIGA), pickle.TUPLE1, pickle.REDUCE),
        r"more than tensors and plain values \('__builtin__.bytearray'\)",
    ),
    "an empty tensor of any size": (
        pickled(name("torch", "Tensor"), number(GIGA), pickle.TUPLE1, pickle.REDUCE),
        r"'torch.Tensor'",
    ),
    "code": (
        pickled(name("os", "mkdir"), text("trace"), pickle.TUPLE1, pickle.REDUCE),
        r"'os.mkdir'\), and loading it might run code",
    ),
}


def write_zip(path, content, data=b"\0" * 16, packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as parts:
        parts.writestr("archive/data.pkl", content)
        parts.writestr("archive/data/0", data)
        parts.writestr("archive/version", "3\n")


def write_old(path, content, data=b"\0" * 16):
    content = content.replace(pickle.TUPLE + pickle.BINPERSID, pickle.NONE + pickle.TUPLE + pickle.BINPERSID)  # a view
    header = [pickle.dumps(one, protocol=2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    path.write_bytes(b"".join([*header, content, pickle.dumps(["0"], protocol=2), struct.pack("<q", 4), data]))


@pytest.mark.parametrize("write", [write_zip, write_old])
@pytest.mark.parametrize("case", BOMBS, ids=[name.replace(" ", "-") for name in BOMBS])
def test_a_file_of_a_few_bytes_takes_no_more_memory_than_it_holds(case, write, tmp_path, monkeypatch):
    content, expected = BOMBS[case]
    write(tmp_path / "t", content)
    monkeypatch.setattr(
        torch, "load", lambda *_, **__: pytest.fail("the tensors were made before their sizes were seen")
    )
    with pytest.raises(Refused, match=expected):
        load_pickled(tmp_path / "t")


@pytest.mark.parametrize("write", [write_zip, write_old])
def test_the_files_of_these_tests_are_well_formed(write, tmp_path):
    """Else they would be refused for another reason."""
    write(tmp_path / "t", pickled(tensor(4, 2, 2)))
    assert torch.equal(load_pickled(tmp_path / "t"), torch.zeros(2))


def test_many_storages_cannot_be_more_than_an_old_file(tmp_path):
    one = [storage(4).replace(text("0"), text(str(key))) for key in range(100)]
    write_old(tmp_path / "t", pickled(pickle.MARK, *one, pickle.TUPLE))
    size = (tmp_path / "t").stat().st_size
    write_old(tmp_path / "t", pickled(pickle.MARK, *(part.replace(number(4), number(size // 8)) for part in one), b"t"))
    with pytest.raises(Refused, match=r"tensors of .* bytes, and has .* in all"):
        load_pickled(tmp_path / "t")


def test_packed_and_double_parts_are_refused(tmp_path):
    write_zip(tmp_path / "t", pickled(tensor(4, 2, 1)), bytes(10**7), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "t").stat().st_size < 20_000
    with pytest.raises(zipfile.BadZipFile, match=r"data.pkl is packed|data/0 is packed"):
        load_pickled(tmp_path / "t")
    write_zip(tmp_path / "t", pickled(tensor(4, 2, 1)))
    with zipfile.ZipFile(tmp_path / "t", "a") as parts:
        parts.writestr("archive/DATA.pkl", b"other")
    with pytest.raises(zipfile.BadZipFile, match="a part is there twice"):
        load_pickled(tmp_path / "t")


def test_opcodes_that_take_memory_by_themselves_are_not_read(tmp_path):
    import io

    for opcode in (pickle.BYTEARRAY8, pickle.BINBYTES8, pickle.STACK_GLOBAL, pickle.INST, pickle.NEWOBJ, pickle.DUP):
        with pytest.raises(KeyError):
            DryRun(io.BytesIO(pickled(opcode + struct.pack("<Q", GIGA))), lambda key: 0).load()
    far = pickled(pickle.NONE, pickle.LONG_BINPUT + struct.pack("<I", 2**31))  # C's reader makes a table of that length
    assert DryRun(io.BytesIO(far), lambda key: 0).load() is None
