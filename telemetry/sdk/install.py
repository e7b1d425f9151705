"""Makes the store the place where the process's global meter provider aggregates."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader

from telemetry.sdk.consumer import Extra, Limits
from telemetry.sdk.provider import StoreMeterProvider, adopt
from telemetry.spec import Family
from telemetry.store.base import Store

_logger = logging.getLogger("telemetry")


def install_meter_provider(
    store: Store,
    reader: MetricReader,
    *,
    limits: Limits,
    scopes: Mapping[str, str],
    extra: Extra,
    declared: Mapping[str, Family],
) -> MeterProvider:
    """The global meter provider, recording into `store`: the one that is set already, or a new one.

    Where somebody set a provider that is not the SDK's, it is left alone: what is measured through it
    is not on `/metrics`, and the log says so.

    Raises:
        ConfigurationError: a scope is not valid.
    """
    current = metrics.get_meter_provider()
    if isinstance(current, MeterProvider):
        adopt(current, store, limits=limits, scopes=scopes, extra=extra, declared=declared)
        current.add_metric_reader(reader)
        return current
    provider = StoreMeterProvider([reader], store=store, limits=limits, scopes=scopes, extra=extra, declared=declared)
    metrics.set_meter_provider(provider)
    if metrics.get_meter_provider() is not provider:
        _logger.warning(
            "telemetry: the global meter provider is a %s; what is measured through it is not on /metrics",
            type(metrics.get_meter_provider()).__name__,
        )
    return provider
