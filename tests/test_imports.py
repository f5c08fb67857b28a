"""Imports run one way, downwards, and never in a circle: the rooms can be read from the lowest to the highest.

The modules are not run; their imports are read off their source, those inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from minitune.files import PACKAGE

FLOORS = (  # from the lowest. A room knows the rooms below it, none above it, and none beside it on its floor
    ("errors",),
    ("files", "given", "seeds", "writing"),
    ("report", "schema", "settings"),
    ("models",),
    ("data",),
    ("world", "tuning", "prompting", "readout", "training"),  # training trains any module that has a loss
    ("predictors",),
    ("questions",),
    ("searches",),
    ("methods",),
    ("experiments",),
    ("tuned",),
    ("exchange",),
    ("minitune",),  # the package's own face, minitune/__init__.py
    ("bench",),
    ("course",),
    ("commands",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ONE_WAY = "imports run downwards, " + " > ".join(", ".join(rooms) for rooms in reversed(FLOORS))
Imports = dict[str, dict[str, str]]  # module -> the modules that it imports, each with where: "data/rows.py, line 3"


@functools.cache
def imports_of(package: Path) -> Imports:
    """Which module of the package imports which other one."""
    files = {name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    imports: Imports = {}
    for module, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        is_face = module == package.name  # it opens a room when somebody asks for it, so only its top counts
        inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
        imports[module] = {}
        for node in tree.body if is_face else ast.walk(tree):
            for target in named_by(node, inside):
                while target not in files and "." in target:  # `from minitune.data.rows import read_rows`
                    target = target.rpartition(".")[0]
                if target in files:
                    where = f"{path.relative_to(package).as_posix()}, line {node.lineno}"
                    imports[module].setdefault(target, where)
    return imports


def name_of(path: Path, package: Path) -> str:
    """`data/rows.py` is minitune.data.rows, `data/__init__.py` is minitune.data."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_by(node: ast.AST, inside: str) -> Iterator[str]:
    """What an import in the package `inside` names in full; whether it is a module is not seen from here."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = inside.split(".")
        above = parts[: len(parts) + 1 - node.level] if node.level else []  # `from ..data import rows`
        start = ".".join([*above, *filter(None, [node.module])])
        yield from (f"{start}.{alias.name}" for alias in node.names)


def circles(package: Path) -> list[str]:
    """Each circle of imports that is met, as a sentence."""
    imports, done, found = imports_of(package), set(), []

    def follow(module: str, path: list[str]) -> None:
        if module in path:
            circle = [*path[path.index(module) :], module]
            steps = [f"{b} ({imports[a][b]})" for a, b in pairwise(circle)]
            found.append(f"{module} imports {', which imports '.join(steps)}: a circle; what they share belongs below")
        elif module not in done:
            for target in imports[module]:
                follow(target, [*path, module])
            done.add(module)

    for module in imports:
        follow(module, [])
    return found


def upward(package: Path) -> list[str]:
    """Each import of a room by a room that does not stand above it, as a sentence."""
    found = []
    for module, targets in imports_of(package).items():
        room = room_of(module)
        if room not in FLOOR_OF:
            found.append(f"{module} stands on no floor: give the room {room!r} its place in FLOORS")
            continue
        for target, where in targets.items():
            other = room_of(target)
            if other == room or FLOOR_OF.get(other, -1) < FLOOR_OF[room]:
                continue
            place = "above" if FLOOR_OF[other] > FLOOR_OF[room] else "beside"
            told = f"{module} imports {target} ({where}), and {other} stands {place} {room}"
            found.append(f"{told}; what both need belongs below both: {ONE_WAY}")
    return found


def room_of(module: str) -> str:
    """minitune.data.rows stands in data, minitune.files is a room by itself, and so is minitune, the face."""
    return module.split(".")[min(1, module.count("."))]


# the package


def test_no_module_imports_upwards():
    found = upward(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_no_modules_import_each_other_in_a_circle():
    found = circles(PACKAGE)
    assert not found, "\n" + "\n".join(found)


# the checks themselves


def write(folder: Path, files: dict[str, str]) -> Path:
    """A package called minitune with these modules; every room gets its __init__.py."""
    package = folder / "minitune"
    for name, source in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    return package


def the_one(found: list[str], planted: str) -> str:
    assert len(found) == 1, f"one {planted} was planted, and the check tells of {len(found)}: {found}"
    return found[0]


def test_every_module_is_read():
    imports = imports_of(PACKAGE)
    assert len(imports) == len(list(PACKAGE.rglob("*.py"))) > 60
    assert "minitune.errors" in imports["minitune.data.rows"] and imports["minitune.errors"] == {}


def test_every_way_to_write_an_import_is_understood(tmp_path):
    source = """
        import os, minitune.errors
        import minitune.models.gpt as gpt
        from minitune.models import bert, GPT
        from minitune.files import shared as s
        from . import batching
        from .tokenizers import Tokenizer
        from ..report import table
        from .. import __version__
        """
    below = ("errors.py", "files.py", "report.py", "models/gpt.py", "models/bert.py")
    beside = ("data/batching.py", "data/tokenizers.py")
    lines = "\n".join(line.strip() for line in source.splitlines())
    package = write(tmp_path, {**dict.fromkeys([*below, *beside], ""), "data/rows.py": lines})
    names = ["errors", "models.gpt", "models.bert", "models", "files", "data.batching", "data.tokenizers", "report"]
    found = imports_of(package)["minitune.data.rows"]
    assert list(found) == [*(f"minitune.{name}" for name in names), "minitune"]
    assert found["minitune.models.bert"] == "data/rows.py, line 4"


def test_a_circle_is_found_in_functions_and_under_type_checking_too(tmp_path):
    package = write(
        tmp_path,
        {
            "bench/one.py": "import minitune.bench.two\n",
            "bench/two.py": "def late():\n    from minitune.bench import three\n",
            "bench/three.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .one import One\n",
            "bench/four.py": "from minitune.bench.one import One\n",  # leads into the circle, and is none of it
        },
    )
    found = the_one(circles(package), "circle")
    for step in ("one (bench/three.py, line 3)", "two (bench/one.py, line 1)", "three (bench/two.py, line 2)"):
        assert f"minitune.bench.{step}" in found, found
    assert "four" not in found


def test_two_ways_to_one_module_are_no_circle(tmp_path):
    files = {"data/a.py": "from . import b, c", "data/b.py": "from . import c", "data/c.py": ""}
    assert circles(write(tmp_path, files)) == []


def test_an_upward_import_is_found(tmp_path):
    package = write(
        tmp_path, {"models/gpt.py": "\ndef late():\n    from minitune.methods import tune", "methods/tune.py": ""}
    )
    found = the_one(upward(package), "upward import")
    assert "minitune.models.gpt imports minitune.methods.tune (models/gpt.py, line 3)" in found
    assert "methods stands above models" in found and "imports run downwards" in found


def test_rooms_on_one_floor_do_not_know_each_other(tmp_path):
    files = {"tuning/lora.py": "from minitune.readout.head import Head", "readout/head.py": "import minitune.models"}
    package = write(tmp_path, {**files, "models/gpt.py": ""})
    found = the_one(upward(package), "upward import")
    assert "minitune.tuning.lora imports minitune.readout.head" in found and "readout stands beside tuning" in found


def test_a_room_that_has_no_floor_is_told(tmp_path):
    package = write(tmp_path, {"attic/box.py": "", "commands/cli.py": "from minitune.attic import box"})
    assert any("'attic' its place in FLOORS" in sentence for sentence in upward(package))


def test_the_face_may_open_any_room_late_and_no_room_below_it_may_ask_it(tmp_path):
    package = write(tmp_path, {"methods/tune.py": "import minitune", "commands/cli.py": "from minitune import load"})
    (package / "__init__.py").write_text("def lesson():\n    from minitune.commands import cli\n", encoding="utf-8")
    found = the_one(upward(package), "upward import")
    assert "minitune.methods.tune imports minitune (methods/tune.py, line 1)" in found
    assert circles(package) == []
