"""The operators' page: what stands between its markers is generated, the rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from telemetry.errors import SpecError

_MARKED = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)
_OPENING = re.compile(r"<!-- generated: ")
_FENCE = re.compile(r"^```promql\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)


def fill(page: str, parts: Mapping[str, str]) -> str:
    """The page with every part between its markers.

    Raises:
        SpecError: a part has no markers, or more than one pair, or markers name no part.
    """
    found = [match["name"] for match in _MARKED.finditer(page)]
    if len(found) != len(_OPENING.findall(page)):
        raise SpecError("page: a marker '<!-- generated: NAME -->' is not followed by '<!-- end of generated -->'")
    if sorted(found) != sorted(parts):
        raise SpecError(f"page: the markers are {sorted(found)}; valid: one pair for each of {sorted(parts)}")
    return _MARKED.sub(lambda match: f"{match[1]}\n{parts[match['name']]}\n\n{match[3]}", page)


def expressions(page: str) -> Iterator[tuple[int, str]]:
    """Each PromQL expression and its line: those of a ```promql block stand apart by empty lines."""
    for fence in _FENCE.finditer(page):
        line = page.count("\n", 0, fence.start("body")) + 1
        for block in re.split(r"(\n[ \t]*\n)", fence["body"]):
            if block.strip():
                yield line, block.strip()
            line += block.count("\n")
