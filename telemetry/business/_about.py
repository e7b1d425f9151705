"""What stands beside the labels of a declaration: who answers for the metric, its unit, and its question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

from telemetry.errors import SpecError

_SUFFIXES = {"s": "_seconds", "By": "_bytes"}
"""How the names of metrics with these units end (https://prometheus.io/docs/practices/naming/)."""
_COUNTED = re.compile(r"\{[a-z ]+\}\Z")


class About(TypedDict):
    """What stands beside the name and the labels: all of it, in every declaration."""

    owner: str
    """Who answers for the metric."""
    unit: str
    """The UCUM unit of its values: "s", "By", "1" for a ratio, or in braces what is counted: "{alert}"."""
    question: str
    """What the metric is there to answer."""


def check_about(name: str, about: Mapping[str, object]) -> None:
    """Check what stands beside the metric `name`, which is without `_total`.

    Raises:
        SpecError: something is missing, unknown, or not as it must be; the message names it.
    """
    who = f"business metric {name!r}"
    wanted = About.__annotations__.keys()
    for key in wanted:
        given = about.get(key)
        if not isinstance(given, str) or not given.strip():
            raise SpecError(f"{who}: the {key} is missing; give {', '.join(wanted)}")
    if unknown := sorted(about.keys() - wanted):
        raise SpecError(f"{who}: {', '.join(unknown)} is unknown; valid: {', '.join(wanted)}")
    if not str(about["question"]).endswith("?"):
        raise SpecError(f"{who}: the question {about['question']!r} does not end with a question mark")
    unit = str(about["unit"])
    if unit not in ("1", *_SUFFIXES) and not _COUNTED.match(unit):
        valid = ", ".join(map(repr, _SUFFIXES))
        raise SpecError(f"{who}: the unit is {unit!r}; valid: {valid}, '1', or what is counted as in '{{alert}}'")
    for known, suffix in _SUFFIXES.items():
        if (unit == known) != name.endswith(suffix):
            raise SpecError(f"{who}: the unit is {unit!r}; metrics named *{suffix}, and only they, have {known!r}")
