"""What may be recorded: labels that are members of an enum, literals or bounded strings, and numbers in a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, get_args, get_origin

from telemetry.errors import SpecError


class Reason(StrEnum):
    """Why a measurement was dropped."""

    WRONG_LABELS = "wrong_labels"
    UNKNOWN_VALUE = "unknown_value"
    NOT_A_STRING = "not_a_string"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    NOT_PRINTABLE = "not_printable"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    FAILED = "failed"


class Unfit(ValueError):
    """A value cannot be recorded; the detail names the offender, what was given and what is valid."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Text:
    """The bounds of an open label: characters in a value, and distinct values in one process.

    The first values to come have series of their own, what comes beyond them is counted together.
    """

    length: int
    values: int


@dataclass(frozen=True, slots=True)
class Label:
    """One label: `values` are all that is valid, or empty where any text up to `length` characters is.

    `budget` is how many values have series of their own. `enum` is the type of the values where it is one.
    """

    name: str
    values: tuple[str, ...]
    length: int
    budget: int
    enum: type[StrEnum] | None = None

    @classmethod
    def of(cls, owner: str, name: str, annotation: object) -> Label:
        """Read a label from its annotation: an enum of strings, `Literal["a", "b"]`, or `Annotated[str, Text(...)]`.

        Raises:
            SpecError: the annotation is none of these, has no values, or an empty one, or bounds below 1.
        """
        who = f"business metric {owner!r}: label {name!r}"
        given = get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, StrEnum):
            return cls._closed(who, name, [member.value for member in annotation], annotation)
        if get_origin(annotation) is Literal:
            return cls._closed(who, name, given)
        texts = [extra for extra in given[1:] if isinstance(extra, Text)] if get_origin(annotation) is Annotated else []
        if len(texts) != 1 or given[0] is not str:
            raise SpecError(
                f"{who} is annotated {annotation!r}; "
                'give a StrEnum, Literal["a", "b"] or Annotated[str, Text(length=..., values=...)]'
            )
        bounds = texts[0]
        for bound, number in (("length", bounds.length), ("values", bounds.values)):
            if number < 1:
                raise SpecError(f"{who}: {bound} is {number!r}; give a whole number of at least 1")
        return cls(name, (), bounds.length, bounds.values)

    @classmethod
    def _closed(cls, who: str, name: str, values: Sequence[object], enum: type[StrEnum] | None = None) -> Label:
        texts = tuple(value for value in values if isinstance(value, str) and value)
        if not texts or len(texts) != len(values):
            raise SpecError(f"{who} has the values {list(values)!r}; give one or more texts, none of them empty")
        return cls(name, texts, max(map(len, texts)), len(texts), enum)

    def check(self, given: object) -> str:
        """The value as a plain string; of an open label, a database's id (an int of at least 0) is one too.

        Raises:
            Unfit: it is not one of the valid values.
        """
        if not self.values and isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            text = int.__repr__(given)
        elif isinstance(given, str):
            text = str.__str__(given)
        else:
            valid = "a string" if self.values else "a string or an id (an int of at least 0)"
            raise Unfit(Reason.NOT_A_STRING, f"label {self.name!r} is {shorten(given)}; valid: {valid}")
        if self.values:
            if text not in self.values:
                raise Unfit(
                    Reason.UNKNOWN_VALUE, f"label {self.name!r} is {shorten(text)}; valid: {', '.join(self.values)}"
                )
        elif not text:
            raise Unfit(Reason.EMPTY, f"label {self.name!r} is empty; valid: 1 to {self.length} characters")
        elif len(text) > self.length:
            raise Unfit(
                Reason.TOO_LONG,
                f"label {self.name!r} is {shorten(text)} ({len(text)} characters); valid: up to {self.length}",
            )
        elif not text.isprintable():
            raise Unfit(Reason.NOT_PRINTABLE, f"label {self.name!r} is {shorten(text)}; valid: printable characters")
        return text


def shorten(given: object) -> str:
    """At most 60 characters of what was given, for a message."""
    try:
        text = ascii(given[:60] if isinstance(given, str) else given)
    except Exception:  # noqa: BLE001
        return f"a {type(given).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_number(given: object, low: float, high: float) -> float:
    """The number given.

    Raises:
        Unfit: it is not an int or a float, not finite, or not in the range.
    """
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise Unfit(Reason.NOT_A_NUMBER, f"value {shorten(given)}; valid: an int or a float")
    if given != given or given in (math.inf, -math.inf):
        raise Unfit(Reason.NOT_FINITE, f"value {given!r}; valid: a finite number")
    if not low <= given <= high:
        raise Unfit(Reason.OUT_OF_RANGE, f"value {shorten(given)}; valid: {low:g} to {high:g}")
    return given
