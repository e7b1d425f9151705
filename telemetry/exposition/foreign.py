"""The metrics that a project registered with prometheus_client itself, beside ours.

They stay prometheus_client's own `Metric`s and are written by its own encoders: infos, state
sets, summaries, timestamps and all are exactly what they were without us.

In prometheus_client's multi-process mode they are what its files hold, of all processes. As before, a collector
that keeps no values there (a class of the project's own) is not on the page then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_logger = logging.getLogger("telemetry.exposition")


class ForeignMetrics:
    """Reads a registry's collectors, but for those that `skip` says yes to (our own, the process's).

    With `multiproc_dir` (`PROMETHEUS_MULTIPROC_DIR`) it reads the files there instead.
    """

    def __init__(
        self, registry: CollectorRegistry, skip: Callable[[Collector], bool], multiproc_dir: str | None = None
    ) -> None:
        self._registry = registry
        self._skip = skip
        self._multiproc_dir = multiproc_dir
        self._reported: set[int] = set()

    def collect(self) -> list[Metric]:
        """What the collectors give now. One that raises is left out with all its metrics, and logged once."""
        metrics: list[Metric] = []
        if self._multiproc_dir is not None:
            try:
                return list(MultiProcessCollector(None, self._multiproc_dir).collect())  # type: ignore[no-untyped-call]
            except Exception:  # noqa: BLE001 - the page must go on without it
                self._report(
                    self, "the metrics in PROMETHEUS_MULTIPROC_DIR are left out of the page: %r", self._multiproc_dir
                )
                return metrics
        target = self._registry.get_target_info()
        if target:
            info = Metric("target", "Target metadata", "info")
            info.add_sample("target_info", target, 1)
            metrics.append(info)
        # `registry.collect()` is one generator over all collectors: the first to raise would end it.
        with self._registry._lock:
            collectors = list(self._registry._collector_to_names)
        for collector in collectors:
            try:
                if not self._skip(collector):
                    metrics += [_checked(metric) for metric in collector.collect()]
            except Exception:  # noqa: BLE001 - the page must go on without it
                self._report(
                    collector, "a collector is left out of the page, it raised: %s", type(collector).__qualname__
                )
        return metrics

    def _report(self, culprit: object, message: str, name: str) -> None:
        if id(culprit) not in self._reported:
            self._reported.add(id(culprit))
            _logger.exception(message, name)


def _checked(metric: object) -> Metric:
    if not isinstance(metric, Metric):
        raise TypeError(f"collect() gave {metric!r}, which is not a prometheus_client Metric")
    return metric
