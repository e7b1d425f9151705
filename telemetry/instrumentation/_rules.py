"""The rules of this process, and the two questions that everything which cleans asks them."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from telemetry.instrumentation._shapes import REDACTED, without_shapes


@dataclass(frozen=True, slots=True)
class Rules:
    """What is private in this process beyond what is built in."""

    names: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    exception_messages: bool = False


current = Rules()


def masked(text: str) -> str:
    """The text with `REDACTED` for e-mail addresses, card and SSN-shaped numbers and the project's patterns."""
    text = without_shapes(text)
    for pattern in current.patterns:
        text = pattern.sub(REDACTED, text)
    return text


def are_the_projects(names: Set[str]) -> bool:
    """Whether the project has listed one of these plain names, or all there are."""
    return not current.names.isdisjoint((*names, "*"))
