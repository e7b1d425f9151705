"""The one error of a comparison."""

from __future__ import annotations

from telemetry.errors import TelemetryError


class InputError(TelemetryError, ValueError):
    """What was given cannot be compared: the message names the file or URL, the place in it and what is valid."""
