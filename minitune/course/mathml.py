"""An extension of Sphinx: mathematics as MathML, written while the site is made, so that a page needs no script."""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert


def inline(writer, node: nodes.Node) -> None:
    writer.body.append(written(node.astext(), "inline"))
    raise nodes.SkipNode


def block(writer, node: nodes.Node) -> None:
    writer.body.append(written(node.astext(), "block"))
    raise nodes.SkipNode


def written(formula: str, display: str) -> str:
    """The formula as MathML. `1{,}024` is one number, which the converter takes apart."""
    made = convert(formula.strip(), display=display)
    return re.sub(r"(?<=\d)</mn><mrow><mo>&#x0002C;</mo></mrow><mn>(?=\d)", ",", made)


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
