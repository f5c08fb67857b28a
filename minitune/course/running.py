"""A lesson with its outputs: run in a kernel by jupytext and nbclient, which the extra `pages` brings."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from minitune.course.table import Lesson
from minitune.errors import UserError
from minitune.files import PACKAGE

PAGES = ("jupytext", "nbclient", "ipykernel")
SECONDS = 3600  # the longest that a cell may take


def has(*modules: str) -> bool:
    return all(importlib.util.find_spec(name) for name in modules)


def need(what: str, *modules: str) -> None:
    """Raises:
    UserError: a module that `what` needs is not installed; the sentence has the command.
    """
    missing = [name for name in modules if not has(name)]
    if missing:
        raise UserError(
            f"{what} needs {', '.join(missing)}, which is not installed here: pip install -e '.[pages]' in the "
            "project's folder brings it"
        )


def executed(lesson: Lesson, figures: Path):
    """The lesson as a notebook of `nbformat`, run in an empty folder; what it draws is saved in `figures`.

    Raises:
        UserError: the extra `pages` is not installed; a cell failed.
    """
    need("running a lesson with its outputs", *PAGES)
    import jupytext
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = jupytext.read(lesson.path)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    paths = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder, environment(MINITUNE_FIGURES=str(figures), PYTHONPATH=paths):
        quiet = ["--log-level=ERROR"]  # the kernel would warn on stderr that it talks over TCP
        where = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=SECONDS, resources=where, extra_arguments=quiet)
        try:
            client.execute()
        except CellExecutionError as error:
            raise UserError(f"{lesson.path} does not run: {error.ename}: {error.evalue}") from None
        except CellTimeoutError:
            raise UserError(f"{lesson.path} does not run: a cell did not end in {SECONDS} seconds") from None
    return notebook


@contextmanager
def environment(**values: str):
    """What the kernel finds in its environment; a lesson that is shown is never the fast one."""
    values |= {"MINITUNE_FAST": "", "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore", "JUPYTER_PLATFORM_DIRS": "1"}
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def printed(cell) -> str:
    """What a cell of an executed notebook printed; progress bars, warnings and where figures went are left out."""
    text = "".join(out.get("text", "") for out in cell.outputs if out.output_type == "stream" and out.name == "stdout")
    return "\n".join(line for line in text.splitlines() if not line.startswith("figure: ")).strip("\n")
