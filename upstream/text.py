"""What was given, as messages quote it."""

from __future__ import annotations


def shorten(text: str, length: int = 60) -> str:
    """The text, cut to `length` characters, its full length told where it was cut."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text):,} characters)"
