"""An extension of Sphinx: mathematics as MathML, written while the site is made, so that a page needs no script.

A browser stretches brackets and roots only with a font that is made for mathematics, and many machines have none: the
site brings one (STIX Two Math, under the Open Font License, from the package ziamath), inside its style sheet, since a
page that is opened as a file may not load fonts from other folders.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import ziamath
from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert

FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
KEPT = ((0x20, 0x7F), (0xA0, 0xFF), (0x370, 0x3FF), (0x2010, 0x22FF), (0x27E0, 0x2AFF), (0x1D400, 0x1D7FF))
STYLE = """@font-face {{ font-family: "minitune math"; src: url(data:font/woff;base64,{data}) format("woff"); }}
math {{ font-family: "minitune math", math; }}
"""


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


def style() -> str:
    """The style sheet with the font: letters, Greek, operators and arrows of it, half a megabyte."""
    options = subset.Options(flavor="woff", layout_features=["*"])
    font = subset.load_font(str(FONT), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in KEPT for code in range(first, last + 1)])
    subsetter.subset(font)
    file = io.BytesIO()
    subset.save_font(font, file, options)
    return STYLE.format(data=base64.b64encode(file.getvalue()).decode())


def write_style(app) -> None:
    (Path(app.outdir) / "_static" / "math.css").write_text(style(), encoding="utf-8")


def setup(app) -> dict:
    app.add_css_file("math.css")
    app.connect("build-finished", lambda app, error: None if error else write_style(app))
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
