"""The labels that several areas share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from telemetry.business._fit import Text

CustomerId = Annotated[str, Text(length=64, values=200)]
"""The code of a customer."""
ErrorType = Annotated[str, Text(length=100, values=30)]
"""The class name of an exception, or a word for a failure."""


class Product(StrEnum):
    """What the service sells."""

    DRIFTWATCH = "DriftWatch"
    DELAYGUARD = "DelayGuard"
    DENIALSCOPE = "DenialScope"
