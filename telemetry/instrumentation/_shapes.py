"""What is private by its shape alone: e-mail addresses, card and social security numbers, tokens in paths."""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "REDACTED"
"""What stands where something private was."""

# Between groups of digits, as they are written, and as they are in URLs.
_GAP = r"(?:[- .+]|%20|%2[Dd])"
_SHAPES = re.compile(
    # Trace ids and UUIDs stay, whatever digits they are made of.
    r"(?P<id>\b(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b)"
    # Possessive, and from the beginning of a word only: each character is looked at once.
    r"|(?:(?<![\w.+-])[\w.+-]++|\"[^\"]{1,64}+\"|%22(?:(?!%22)[!-~]){1,64}+%22)(?:@|%40)[\w-]++(?:\.[\w-]++)++"
    rf"|(?<![0-9])[0-9]{{3}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}(?![0-9])"
    rf"|(?<![0-9])[0-9]{{4}}(?P<four>{_GAP})[0-9]{{4}}(?P=four)[0-9]{{4}}(?P=four)[0-9]{{1,7}}(?![0-9])"
    rf"|(?<![0-9])[0-9]{{4}}(?P<six>{_GAP})[0-9]{{6}}(?P=six)[0-9]{{5}}(?![0-9])"
    r"|(?<![0-9])(?P<digits>[2-6][0-9]{12,18})(?![0-9])"
)
# Most texts hold nothing of the kind; this finds that out ten times as fast, for it begins with a set.
_MAYBE = re.compile(
    r"[@%0-9](?:(?<=@)|(?<=%)40|(?<=[0-9])[0-9]{2}"
    rf"(?:{_GAP}[0-9]{{2}}{_GAP}[0-9]|[0-9](?:{_GAP}[0-9]{{4}}|[0-9]{{9}})))"
).search
# Words, as things are named, with up to three digits behind them, or a number, as a date; possessive, so linear.
_WORD = r"(?:[0-9]{4,8}+|(?:[A-Z]?[a-z]{1,20}+(?:[A-Z][a-z]{2,20}+){0,3}+|[A-Z]{1,20}+)?+[0-9]{0,3}+)"
_HARMLESS = re.compile(rf"(?=.{{0,64}}\Z){_WORD}(?:[-_.~:]{_WORD})*+").fullmatch
_ID = re.compile(r"[0-9]{1,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def without_tokens(path: str) -> str:
    """A path with `REDACTED` for each segment that may be a secret, as services put them into URLs of webhooks.

    Shown are segments that are made of words, short numbers and `-_.~:`, all others are not.
    """
    return "/".join([segment if _HARMLESS(segment) else REDACTED for segment in path.split("/")])


def without_typed(path: str, captured: Iterable[object]) -> str:
    """A path with `REDACTED` for what a route has `captured` of it as text, but for numbers and UUIDs."""
    for value in captured:
        if isinstance(value, str) and value and _ID(value) is None:
            segments = path.split("/")
            if value in segments:
                path = "/".join([REDACTED if segment == value else segment for segment in segments])
            else:
                path = path.replace(value, REDACTED)
    return path


def without_shapes(text: str) -> str:
    """The text with `REDACTED` for everything of these shapes; in time linear in its length."""
    return text if _MAYBE(text) is None else _SHAPES.sub(_shape, text)


def _shape(found: re.Match[str]) -> str:
    if found["id"] is not None:
        return found[0]
    digits = found["digits"]
    return found[0] if digits is not None and not _luhn(digits) else REDACTED


def _luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1): a card's is, and one in ten of other numbers'."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0
