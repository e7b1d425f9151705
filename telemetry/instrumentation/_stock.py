"""What is asked of the stock instrumentors: which conventions they follow, and whether they are in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.instrumentation._semconv import (
    _OpenTelemetrySemanticConventionStability,
    _OpenTelemetryStabilitySignalType,
    _set_status,
    _StabilityMode,
)
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Span

StabilityMode = _StabilityMode
HTTP = _OpenTelemetryStabilitySignalType.HTTP
DATABASE = _OpenTelemetryStabilitySignalType.DATABASE
HTTP_SCHEMA = Schemas.V1_21_0.value
DATABASE_SCHEMA = Schemas.V1_25_0.value
"""The schemas that the stock instrumentors name for the stable conventions."""
NO_METERS = NoOpMeterProvider()
"""For the stock metrics, in place of which we have our own."""

_STABLE = {HTTP: StabilityMode.HTTP, DATABASE: StabilityMode.DATABASE}


def conventions(signal: _OpenTelemetryStabilitySignalType) -> StabilityMode:
    """Stable ones, unless `OTEL_SEMCONV_STABILITY_OPT_IN` asks for both; it has no word for the old ones alone."""
    stability: Any = _OpenTelemetrySemanticConventionStability
    stability._initialize()
    mode: StabilityMode = stability._get_opentelemetry_stability_opt_in_mode(signal)
    return _STABLE[signal] if mode is StabilityMode.DEFAULT else mode


@contextmanager
def follow_ours(signal: _OpenTelemetryStabilitySignalType) -> Iterator[None]:
    """Have stock instrumentors that are switched on in the block follow `conventions(signal)`."""
    mode, stability = conventions(signal), _OpenTelemetrySemanticConventionStability
    theirs = stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING
    stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = theirs | {signal: mode}
    try:
        yield
    finally:
        stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = theirs


def set_response_status(span: Span, status: int, mode: StabilityMode) -> None:
    """A response's status code on its server span, in the names of the conventions `mode`."""
    _set_status(span, {}, status, str(status), server_span=True, sem_conv_opt_in_mode=mode)


def is_in(stock: Any) -> bool:
    """Whether a stock instrumentor itself has been switched on, by `opentelemetry-instrument` or by hand."""
    instance = stock()
    return type(instance) is stock and bool(instance.is_instrumented_by_opentelemetry)
