"""What sites make of the old middlewares and their metrics."""

from __future__ import annotations

import threading
from typing import Any

from django.http import HttpRequest, HttpResponse

from telemetry.compat.django_prometheus import middleware
from telemetry.compat.django_prometheus.middleware import Metrics


class Tenants(Metrics):
    """A label more in the families of statuses and of methods."""

    def register_metric(
        self, metric_cls: Any, name: str, documentation: str, labelnames: Any = (), **kwargs: Any
    ) -> Any:
        if name in (
            "django_http_responses_total_by_status",
            "django_http_requests_total_by_method",
            "django_http_ajax_requests_total",
        ):
            labelnames.extend(["tenant"])
        return super().register_metric(metric_cls, name, documentation, labelnames=labelnames, **kwargs)


class TenantsAfter(middleware.PrometheusAfterMiddleware):
    metrics_cls = Tenants

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if "tenant" in metric._labelnames:
            labels["tenant"] = request.headers["X-Tenant"]
        return super().label_metric(metric, request, response, **labels)


class Grouped(middleware.PrometheusAfterMiddleware):
    """Says by itself what the view and the method are."""

    def _get_view_name(self, request: HttpRequest) -> str:
        return "any"

    def _method(self, request: HttpRequest) -> str:
        return super()._method(request).lower()


class Hooked(middleware.PrometheusAfterMiddleware):
    """Does work of its own in the methods that Django calls."""

    seen: list[tuple[str, bool]] = []

    def _saw(self, what: str) -> None:
        self.seen.append((what, threading.current_thread() is threading.main_thread()))

    def process_request(self, request: HttpRequest) -> Any:
        self._saw("request")
        return super().process_request(request)

    def process_view(self, request: HttpRequest, view_func: Any, *view_args: Any, **view_kwargs: Any) -> Any:
        self._saw("view")
        return super().process_view(request, view_func, *view_args, **view_kwargs)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        self._saw("response")
        response["X-Hooked"] = "1"
        return super().process_response(request, response)


class Passing(Grouped):
    """Lets the beginning of each request pass."""

    def process_request(self, request: HttpRequest) -> Any:
        return None


class HookedBefore(middleware.PrometheusBeforeMiddleware):
    def process_request(self, request: HttpRequest) -> Any:
        return HttpResponse("early", status=418) if request.path == "/ok" else super().process_request(request)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response["X-Outer"] = "1"
        return super().process_response(request, response)


class Reckless(Metrics):
    """Wants labels where nobody gives them."""

    def register_metric(
        self, metric_cls: Any, name: str, documentation: str, labelnames: Any = (), **kwargs: Any
    ) -> Any:
        labelnames.append("pod")
        return super().register_metric(metric_cls, name, documentation, labelnames, **kwargs)


class ByItself(Metrics):
    """Does all that the base does."""

    def register_metric(
        self, metric_cls: Any, name: str, documentation: str, labelnames: Any = (), **kwargs: Any
    ) -> Any:
        if name == "django_http_responses_total_by_status":
            labelnames.append("more")
        if name == "django_http_responses_body_total_bytes":
            kwargs["buckets"] = (10, 20)
        return metric_cls(name, documentation, labelnames=labelnames, **kwargs)


class ByItselfAfter(middleware.PrometheusAfterMiddleware):
    metrics_cls = ByItself

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if "more" in metric._labelnames:
            labels["more"] = "x"
        return super().label_metric(metric, request, response, **labels)


class RecklessBefore(middleware.PrometheusBeforeMiddleware):
    metrics_cls = Reckless


class RecklessAfter(middleware.PrometheusAfterMiddleware):
    metrics_cls = Reckless
