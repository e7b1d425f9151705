"""The stock Prometheus exporter, made whole under concurrent scrapes."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import REGISTRY, CollectorRegistry, Metric

from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import inner_collector

_logger = logging.getLogger("telemetry")


class StorePrometheusReader(PrometheusMetricReader):
    """A `PrometheusMetricReader` through which `registry.collect()` sees every metric of the service.

    No scope labels and no `target_info`: the families are those of `/metrics`. `collector` is what stands
    in the registry, for those who render the registry and must skip it.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        super().__init__(disable_target_info=True, scope_info_enabled=False, registry=CollectorRegistry())
        self._public = registry
        self.collector = _WholeCollector(self)
        registry.register(self.collector)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Leave the registry."""
        self._public.unregister(self.collector)


class _WholeCollector:
    """One scrape at a time, and each one whole: the stock collector hands its data to whoever comes first."""

    def __init__(self, reader: PrometheusMetricReader) -> None:
        self._inner = inner_collector(reader)
        self._lock = ForkLock()
        self._failed = False

    def describe(self) -> Iterable[Metric]:
        """Nothing: being registered must not collect."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All families."""
        with self._lock:
            try:
                return list(self._inner.collect())
            except Exception:
                if not self._failed:
                    _logger.exception("telemetry: the Prometheus registry goes without our metrics; logged once")
                self._failed = True
                return ()
