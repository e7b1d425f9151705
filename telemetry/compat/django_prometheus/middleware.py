"""The two middlewares and their metrics, with the names and the hooks of django-prometheus 2.5.0.

As they are, they are those of `telemetry.middleware`. A subclass of the After middleware that overrides
`label_metric`, `_method`, `_transport` or `_get_view_name`, or whose `metrics_cls` registers a family otherwise,
is asked for labels at every request that reaches it, and such a family is recorded by itself. What a middleware
before it answers is not in these families: it has no labels yet.

In an async stack everything here runs in the loop's thread, so labels must come without waiting: a `request.user`
that has to be fetched is an error there, counted in `telemetry_dropped_total`. Methods `process_*` that a subclass
overrides are called in a thread, as Django does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry import middleware
from telemetry.catalogue.http import INVALID_METHOD, UNNAMED_VIEW
from telemetry.compat.django_prometheus import _home
from telemetry.compat.django_prometheus._metrics import AFTER, Metrics
from telemetry.compat.django_prometheus._recorded import Recorded
from telemetry.compat.django_prometheus.utils import Time, TimeSince
from telemetry.instrumentation._exchange import exchange_of
from telemetry.instrumentation._http_values import METHODS, announced_length, length_of, status_of
from telemetry.instrumentation._stream import on_end
from telemetry.instrumentation.http import HttpInstrumentation

__all__ = ["Metrics", "PrometheusAfterMiddleware", "PrometheusBeforeMiddleware"]

_LABELS = ("label_metric", "_method", "_transport", "_get_view_name")
_PROCESS = ("process_request", "process_view", "process_template_response", "process_response", "process_exception")
_BEGUN = "_telemetry_labelled"


class PrometheusBeforeMiddleware(middleware.PrometheusBeforeMiddleware):
    """The outermost. Its families have no labels."""

    metrics_cls: type[Metrics] = Metrics

    def __init__(self, get_response: Callable[[HttpRequest], Any], http: HttpInstrumentation | None = None) -> None:
        super().__init__(get_response, http)
        self.metrics = self.metrics_cls.get_instance()
        if _overridden(self, PrometheusBeforeMiddleware, ("process_request", "process_response")):
            self.get_response = _around(self, PrometheusBeforeMiddleware)

    def process_request(self, request: HttpRequest) -> Any:
        """For subclasses; does nothing."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """For subclasses; does nothing."""
        return response


class PrometheusAfterMiddleware(middleware.PrometheusAfterMiddleware):
    """The innermost, whose families can have labels of the project's own."""

    metrics_cls: type[Metrics] = Metrics

    def __init__(self, get_response: Callable[[HttpRequest], Any], http: HttpInstrumentation | None = None) -> None:
        super().__init__(get_response, http)
        self.metrics = self.metrics_cls.get_instance()
        self._labelled = self._families()
        if not self._labelled and not _overridden(self, PrometheusAfterMiddleware, _PROCESS):
            return
        self.get_response = _around(self, PrometheusAfterMiddleware)
        for name in ("process_view", "process_template_response"):
            if not self.is_async or _overridden(self, PrometheusAfterMiddleware, (name,)):
                delattr(self, name)  # the class's method, which Django calls in a thread where the stack is async

    async def _view_async(self, *args: Any) -> Any:
        return type(self).process_view(self, *args)

    async def _template_async(self, *args: Any) -> Any:
        return type(self).process_template_response(self, *args)

    def _families(self) -> frozenset[str]:
        """The attributes of `metrics` that are recorded by themselves."""
        registered = {attribute: getattr(self.metrics, attribute, None) for attribute in AFTER}
        metrics = {attribute: metric for attribute, metric in registered.items() if metric is not None}
        if _overridden(self, PrometheusAfterMiddleware, _LABELS):
            for metric in metrics.values():
                if isinstance(metric, Recorded):
                    metric.replace()
            return frozenset(metrics)
        return frozenset(
            attribute
            for attribute, metric in metrics.items()
            if not isinstance(metric, Recorded) or metric.layout.name.startswith("custom.")
        )

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        """What to count on: the metric with these labels, to which a subclass adds its own."""
        return metric.labels(**labels) if labels else metric

    def _method(self, request: HttpRequest) -> str:
        return METHODS.get(request.method or "", INVALID_METHOD)

    def _transport(self, request: HttpRequest) -> str:
        return "https" if request.is_secure() else "http"

    def _get_view_name(self, request: HttpRequest) -> str:
        match = request.resolver_match
        return (match.view_name if match is not None else None) or UNNAMED_VIEW

    def process_request(self, request: HttpRequest) -> Any:
        """A request has come through to here."""
        request.prometheus_after_middleware_event = Time()  # type: ignore[attr-defined]
        request.__dict__[_BEGUN] = False
        exchange = exchange_of(request)
        if exchange is not None and exchange.pending is None:
            self._counts(request)

    def process_view(
        self, request: HttpRequest, view_func: Any, *view_args: Any, **view_kwargs: Any
    ) -> HttpResponseBase | None:
        """A view is about to be called."""
        self.http.entered(request, self)
        if self._counts(request):
            self._record(
                "requests_by_view_transport_method",
                request,
                view=self._get_view_name,
                transport=self._transport,
                method=self._method,
            )
        return None

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        """A view has returned a response that is yet to be rendered."""
        self.http.template(request, response, self)
        if self._counts(request) and hasattr(response, "template_name"):
            self._record(
                "responses_by_templatename", request, response, templatename=lambda _: str(response.template_name)
            )
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A view has raised; the response to come has the time it took."""
        super().process_exception(request, exception)
        if self._counts(request):
            self._record("exceptions_by_type", request, type=lambda _: type(exception).__name__)
            self._record("exceptions_by_view", request, view=self._get_view_name)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """A response has left the view, or whatever answered in its place."""
        if not self._counts(request):
            return response
        status = status_of(response)
        self._record("responses_by_status", request, response, status=lambda _: status)
        self._record(
            "responses_by_status_view_method",
            request,
            response,
            status=lambda _: status,
            view=self._get_view_name,
            method=self._method,
        )
        if hasattr(response, "charset"):
            self._record("responses_by_charset", request, response, charset=lambda _: str(response.charset))
        started: float | None = getattr(request, "prometheus_after_middleware_event", None)
        if started is None:  # a subclass has not called `process_request`
            self._record("requests_unknown_latency", request, response)
            return response
        timed = {"view": self._get_view_name, "method": self._method}
        latency = self._metric("requests_latency_by_view_method", request, response, **timed)
        body = self._metric("responses_body_bytes", request, response)
        if not getattr(response, "streaming", False):
            content = getattr(response, "content", None)
            _observe(latency, TimeSince(started))
            _observe(body, None if content is None else len(content))
            return response
        self._record("responses_streaming", request, response)
        try:
            on_end(response, partial(_stream_ended, latency, body, started, announced_length(response)))
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.stream", exc)
        return response

    def _counts(self, request: HttpRequest) -> bool:
        """Whether this request is in the families recorded here; the first time, its beginning is."""
        exchange = exchange_of(request) if self._labelled else None
        try:
            if exchange is None or not self.http._counts(request, exchange):
                return False
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.counts", exc)
            return False
        if request.__dict__.get(_BEGUN) is False:
            request.__dict__[_BEGUN] = True
            self._record("requests_by_method", request, method=self._method)
            self._record("requests_by_transport", request, transport=self._transport)
            if request.headers.get("X-Requested-With") == "XMLHttpRequest":
                self._record("requests_ajax", request)
            _observe(self._metric("requests_body_bytes", request), length_of(request.META.get("CONTENT_LENGTH")))
        return True

    def _metric(self, family: str, request: HttpRequest, *response: Any, **labels: Callable[[HttpRequest], str]) -> Any:
        """What to count on, as `label_metric` says; None where the built-in family counts, or it fails."""
        if family not in self._labelled:
            return None
        try:
            named = {name: value(request) for name, value in labels.items()}
            return self.label_metric(getattr(self.metrics, family), request, *response, **named)
        except Exception as exc:  # noqa: BLE001  # the project's code, or labels that the family has not
            _home.home.failed("compat.label_metric", exc)
            return None

    def _record(
        self, family: str, request: HttpRequest, *response: Any, **labels: Callable[[HttpRequest], str]
    ) -> None:
        metric = self._metric(family, request, *response, **labels)
        if metric is not None:
            try:
                metric.inc()
            except Exception as exc:  # noqa: BLE001
                _home.home.failed("compat.inc", exc)


def _observe(metric: Any, value: float | None) -> None:
    if metric is not None and value is not None:
        try:
            metric.observe(value)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.observe", exc)


def _stream_ended(latency: Any, body: Any, started: float, announced: int | None, sent: int, *how: object) -> None:
    _observe(latency, TimeSince(started))
    _observe(body, announced if announced and not sent else sent)


def _overridden(instance: object, base: type, names: Sequence[str]) -> bool:
    return any(getattr(type(instance), name) is not getattr(base, name) for name in names)


def _around(instance: Any, base: type) -> Callable[[HttpRequest], Any]:
    """The next middleware between `process_request` and `process_response` of this one."""
    get_response = instance.get_response

    def around(request: HttpRequest) -> Any:
        response = instance.process_request(request)
        if response is None:
            response = get_response(request)
        return instance.process_response(request, response)

    def bridged(name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(instance, name)
        if iscoroutinefunction(method):
            return method  # type: ignore[no-any-return]
        return sync_to_async(method) if _overridden(instance, base, (name,)) else _directly(method)

    before, after = bridged("process_request"), bridged("process_response")

    async def around_async(request: HttpRequest) -> Any:
        response = await before(request)
        if response is None:
            response = await get_response(request)
        return await after(request, response)

    return around_async if instance.is_async else around


def _directly(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return call
