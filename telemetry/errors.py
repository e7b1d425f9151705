"""Every error that this package raises, so that a caller can catch the family or the member."""

from __future__ import annotations


class TelemetryError(Exception):
    """Base of all errors raised by `telemetry`."""


class SpecError(TelemetryError, ValueError):
    """A definition is wrong: the message names the offender, what was given and what is valid."""


class ConfigurationError(TelemetryError, ValueError):
    """A setting or an environment variable is wrong; the message names it and what is valid."""


class StoreError(TelemetryError):
    """Base of the errors of the shared store."""


class StoreUnavailable(StoreError):
    """Files cannot be had (no directory, no space, no locks, lock busy): the store serves from memory."""


class SegmentCorrupt(StoreError):
    """A file of the store does not hold what its header promises; it is skipped and counted."""
