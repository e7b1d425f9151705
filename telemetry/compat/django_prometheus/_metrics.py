"""The HTTP families as attributes of one object, each registered by a call that a subclass can change."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import prometheus_client

from telemetry.catalogue.http import http_catalogue
from telemetry.compat.django_prometheus import _recorded
from telemetry.compat.django_prometheus.conf import NAMESPACE, PROMETHEUS_LATENCY_BUCKETS
from telemetry.spec import Family, FamilyType

_logger = logging.getLogger("telemetry")

BEFORE = {
    "requests_total": "django_http_requests_before_middlewares_total",
    "responses_total": "django_http_responses_before_middlewares_total",
    "requests_latency_before": "django_http_requests_latency_including_middlewares_seconds",
    "requests_unknown_latency_before": "django_http_requests_unknown_latency_including_middlewares_total",
}
"""By the attribute of `Metrics`; these have no labels, and nobody is asked for any."""

AFTER = {
    "requests_latency_by_view_method": "django_http_requests_latency_seconds_by_view_method",
    "requests_unknown_latency": "django_http_requests_unknown_latency_total",
    "requests_ajax": "django_http_ajax_requests_total",
    "requests_by_method": "django_http_requests_total_by_method_total",
    "requests_by_transport": "django_http_requests_total_by_transport_total",
    "requests_by_view_transport_method": "django_http_requests_total_by_view_transport_method_total",
    "requests_body_bytes": "django_http_requests_body_total_bytes",
    "responses_by_templatename": "django_http_responses_total_by_templatename_total",
    "responses_by_status": "django_http_responses_total_by_status_total",
    "responses_by_status_view_method": "django_http_responses_total_by_status_view_method_total",
    "responses_body_bytes": "django_http_responses_body_total_bytes",
    "responses_by_charset": "django_http_responses_total_by_charset_total",
    "responses_streaming": "django_http_responses_streaming_total",
    "exceptions_by_type": "django_http_exceptions_total_by_type_total",
    "exceptions_by_view": "django_http_exceptions_total_by_view_total",
}

_FAMILIES = {
    projection.family.name: projection.family
    for projection in http_catalogue(PROMETHEUS_LATENCY_BUCKETS[:-1]).projections
}
_OURS: dict[object, type[_recorded.Recorded]] = {
    prometheus_client.Counter: _recorded.Counter,
    prometheus_client.Gauge: _recorded.Gauge,
    prometheus_client.Histogram: _recorded.Histogram,
}


class Metrics:
    """django-prometheus's `Metrics`: override `register_metric` for other labels, `register` for more metrics.

    `metric_cls` is prometheus_client's class, and so is every metric's base; what is registered here is counted
    over all processes.
    """

    _instance: Self | None = None

    @classmethod
    def get_instance(cls) -> Self:
        """The one object of this very class."""
        instance: Self | None = cls.__dict__.get("_instance")
        if instance is None:
            instance = cls._instance = cls()
        return instance

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.register()

    def register(self) -> None:
        """Register the nineteen families."""
        for attribute, name in (*BEFORE.items(), *AFTER.items()):
            family = _FAMILIES[name]
            options: dict[str, Any] = {"namespace": NAMESPACE}
            metric_cls: type[Any] = prometheus_client.Counter
            if family.type is FamilyType.HISTOGRAM:
                metric_cls = prometheus_client.Histogram
                options["buckets"] = family.buckets
            elif family.labels:
                name = name.removesuffix("_total")  # the name that overriding code knows
            # A list, also where it is empty: overriding code extends it.
            metric = self.register_metric(metric_cls, name, family.help, list(family.labels), **options)
            setattr(self, attribute, self._taken(metric))

    def register_metric(
        self, metric_cls: Any, name: str, documentation: str, labelnames: Iterable[str] = (), **kwargs: Any
    ) -> Any:
        """A metric of this class, name, HELP and labels.

        Unchanged, one of the nineteen is what code adds to the built-in family by hand. Changed, it takes that
        family's place; any other is one more family on the page. What has a registry of its own, and kinds other
        than counter, gauge and histogram, are left to prometheus_client.

        Raises:
            ValueError: name, labels or buckets are not valid, or another metric has the name.
        """
        labels = tuple(labelnames)
        ours = _OURS.get(metric_cls)
        if ours is None or kwargs.get("registry", prometheus_client.REGISTRY) is not prometheus_client.REGISTRY:
            return metric_cls(name, documentation, labelnames=labels, **kwargs)
        family = _FAMILIES.get(name) or _FAMILIES.get(f"{name}_total")
        if family is None or kwargs.get("namespace", "") != NAMESPACE or kwargs.get("subsystem"):
            return ours(name, documentation, labels, **kwargs)
        if family.name in BEFORE.values() and (labels or not _same_buckets(family, kwargs)):
            _logger.warning("telemetry: %s stays as it is: nothing gives it labels or other buckets", family.name)
        elif (labels, documentation) != (family.labels, family.help) or not _same_buckets(family, kwargs):
            return ours(name, documentation, labels, **kwargs)
        made = _recorded.histogram if family.type is FamilyType.HISTOGRAM else _recorded.counter
        return made(family)

    def _taken(self, metric: Any) -> Any:
        """Ours, where overriding code has made prometheus_client's own: that would count one process only."""
        if type(metric) not in _OURS:
            return metric
        prometheus_client.REGISTRY.unregister(metric)
        options = {"buckets": metric._upper_bounds} if isinstance(metric, prometheus_client.Histogram) else {}
        name = metric._name.removeprefix(f"{NAMESPACE}_")
        return Metrics.register_metric(
            self, type(metric), name, metric._documentation, metric._labelnames, namespace=NAMESPACE, **options
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def _same_buckets(family: Family, options: dict[str, Any]) -> bool:
    given = options.get("buckets", family.buckets)
    return tuple(float(edge) for edge in given if edge != float("inf")) == family.buckets
