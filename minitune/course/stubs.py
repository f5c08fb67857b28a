"""The stub of an exercise: what a learner is given in place of the solution."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from minitune.course.cells import Cell

HINT = "# your turn"
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def stub(solution: str) -> str:
    """The cell as a learner gets it: signatures, decorators, docstrings and `# your turn` comments stay, bodies go.

    What is not inside a function (constants, the fields of a class) is given, and stays.
    """
    lines = solution.splitlines()
    comments = comments_of(solution)
    for function in reversed(list(outermost_functions(ast.parse(solution)))):
        first = function.body[0]
        has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        head = lines[first.lineno - 1].encode()[: first.col_offset].decode()
        indent = head if not head.strip() else re.match(r"\s*", head)[0] + "    "
        end = function.end_lineno
        if has_docstring:
            start = first.end_lineno
        else:
            start = min([first.lineno, *(part.lineno for part in getattr(first, "decorator_list", ()))]) - 1
            while is_comment(lines[start - 1]):
                start -= 1
        hints = [indent + text for text in hints_within(comments, start + 1, end)]
        if head.strip() and not has_docstring:  # "def one(x): return x"
            lines[first.lineno - 1] = head.rstrip()
            start = first.lineno
        lines[start:end] = [*hints, f"{indent}raise NotImplementedError"]
    return "\n".join(lines)


def without_hints(solution: str) -> str:
    """The solution as it is shown: `# your turn` lines are for the stub alone."""
    lines, comments = solution.splitlines(), comments_of(solution)
    gone = set(hint_lines(comments, 1, len(lines)))
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in gone)


def outermost_functions(tree: ast.AST) -> Iterator[FUNCTION]:
    """Functions, and methods of classes, in the order of the text; what is defined inside a function is its body."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, FUNCTION):
            yield node
        else:
            yield from outermost_functions(node)


def is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def comments_of(source: str) -> dict[int, str]:
    """The comments that have a line of their own, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip()}


def hint_lines(comments: dict[int, str], first: int, last: int) -> list[int]:
    """The lines of `# your turn` comments, with the comment lines that go on directly below one."""
    found = []
    for line in range(first, last + 1):
        text = comments.get(line, "")
        if text.startswith(HINT) or (text and line - 1 in found):
            found.append(line)
    return found


def hints_within(comments: dict[int, str], first: int, last: int) -> list[str]:
    return [comments[line] for line in hint_lines(comments, first, last)]


def with_stubs(source: str, cells: list[Cell]) -> str:
    """A lesson's file with a stub in the place of each exercise's solution."""
    for cell in reversed(cells):
        if "exercise" in cell.tags:
            lines = source.split("\n")
            end = cell.line - 1 + len(cell.text.split("\n"))
            lines[cell.line - 1 : end] = stub(cell.text).split("\n")
            source = "\n".join(lines)
    return source
