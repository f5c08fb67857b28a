"""The weights of a model of another library: `model.safetensors` or `pytorch_model.bin`, whole or in shards.

A file in shards has an index beside it, which says in which shard each tensor lies. Nothing of a file is run:
`safetensors` holds nothing but tensors, and a `pytorch_model.bin` is read with `weights_only=True`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from minitune.errors import UserError
from minitune.files import check_is_file, read_made_json
from minitune.models.pickled import Refused, first_line, load_pickled
from minitune.models.tensor_file import library, read_safetensors, same_numbers
from minitune.schema import FLOATS, unusable

FORMATS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read


def read_foreign_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the folder, by the source's name, on the CPU.

    Raises:
        UserError: no file of weights, a damaged one, a shard that is missing, two shards that differ in a tensor;
            numbers that are not finite or beyond float32; only safetensors, and the library is not installed.
    """
    tensors: dict[str, Tensor] = {}
    for path, names in find_weights(folder).items():
        part = read_safetensors(path) if path.suffix == ".safetensors" else read_pickled(path)
        if lost := [name for name in names if name not in part]:
            raise UserError(f"{path} lacks {lost[0]}, which the index puts there; save the model anew")
        for name, tensor in part.items():
            if name in tensors and not same_numbers(tensor, tensors[name]):
                raise UserError(f"{path} has {name} with other numbers than another shard has; save the model anew")
        tensors |= part
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dtype not in FLOATS:
            raise UserError(f"{folder}: {name} is of {tensor.dtype}; save the model in float32, float16 or bfloat16")
        if bad := unusable(tensor):
            raise UserError(f"{folder}: {name} has {bad}; save the model anew")
    return tensors


def find_weights(folder: Path) -> dict[Path, list[str]]:
    """The files of weights, with the tensors that the index puts into each; no names = all that the file has."""
    there = [name for name in FORMATS if any((folder / file).exists() for file in (name, f"{name}.index.json"))]
    if not there:
        raise UserError(f"{folder} has no weights; {' or '.join(FORMATS)} was expected, or its shards with their index")
    if there == ["model.safetensors"]:
        library()  # a sentence where it is not installed
    chosen = there[0] if find_spec("safetensors") else "pytorch_model.bin"
    if (folder / chosen).exists():
        return {folder / chosen: []}
    index = folder / f"{chosen}.index.json"
    content = read_made_json(index)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(file, str) for file in places.values()):
        raise UserError(f"{index} is damaged: it has no weight_map from tensors to files; save the model anew")
    shards: dict[Path, list[str]] = {}
    for name, file in places.items():
        if Path(file).name != file or not file.endswith(Path(chosen).suffix):
            raise UserError(f"{index} names the shard {file!r}; a {Path(chosen).suffix} file beside it was expected")
        shards.setdefault(folder / file, []).append(name)
    if missing := [path.name for path in shards if not path.exists()]:
        raise UserError(f"{folder} lacks the shard {missing[0]} that {index.name} names; copy it there too")
    return shards


def read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        check_is_file(path)
        tensors = load_pickled(path)
    except UserError:
        raise
    except Refused as error:
        raise UserError(f"{path} is refused: {error}; save the model anew, as safetensors") from None
    except Exception as error:  # what a damaged pickle can raise has no end
        raise UserError(f"{path} is damaged or no file of weights ({first_line(error)}); save the model anew") from None
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
    ):
        raise UserError(f"{path} is no table of tensors by name; save the model's own state_dict there")
    return dict(tensors)
