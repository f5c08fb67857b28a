"""Links and images in the text of a lesson, which is written as it is seen from the folder lessons/."""

from __future__ import annotations

import re
from collections.abc import Callable

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+)\)")
CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)


def relink(text: str, change: Callable[[str, bool], str]) -> str:
    """`text` with each target that is a file of the lessons changed by `change(target, is_image)`; code stays."""

    def changed(match: re.Match) -> str:
        target = match["target"]
        if re.match(r"[a-z]+:|#|/", target):
            return match[0]
        return f"{match['image']}[{match['text']}]({change(target, bool(match['image']))})"

    parts = CODE.split(text)  # code at every second place
    return "".join(part if place % 2 else LINK.sub(changed, part) for place, part in enumerate(parts))


def targets(text: str) -> list[str]:
    """All files that a text links to or shows."""
    found: list[str] = []
    relink(text, lambda target, _: found.append(target) or target)
    return found
