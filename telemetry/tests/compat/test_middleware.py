"""The middlewares under their old names: as they are, and as a site's subclasses make them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings

from telemetry.compat.django_prometheus import _home, middleware
from telemetry.compat.django_prometheus._home import Home
from telemetry.compat.django_prometheus._metrics import AFTER as AFTER_FAMILIES
from telemetry.compat.django_prometheus._metrics import BEFORE as BEFORE_FAMILIES
from telemetry.compat.django_prometheus.middleware import Metrics
from telemetry.projections import evaluate_all
from telemetry.samples import HistogramValue
from telemetry.tests.compat import subclasses
from telemetry.tests.compat.subclasses import Grouped, Hooked, HookedBefore
from telemetry.tests.instrumentation.conftest import project_settings  # noqa: F401 - for every test here
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording

HERE = subclasses.__name__
COMPAT = "telemetry.compat.django_prometheus.middleware."
STATUS = "django_http_responses_total_by_status_total"
BY_METHOD = "django_http_requests_total_by_method_total"
BY_VIEW = "django_http_requests_total_by_view_transport_method_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method"
BODY = "django_http_requests_body_total_bytes"


@pytest.fixture(autouse=True)
def metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are made anew."""
    for cls in (Metrics, subclasses.Tenants, subclasses.Reckless, subclasses.ByItself):
        monkeypatch.setattr(cls, "_instance", None)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    with Recording() as recording:
        monkeypatch.setattr(_home, "home", Home(recording.store))
        yield recording


def own(recording: Recording) -> dict[str, dict[tuple[str, ...], float]]:
    """The families that a site's subclasses have on the page, by name and by the values of the sorted labels."""
    found = evaluate_all(_home.home.projections(), recording.store.read())
    return {
        each.family.name: {
            tuple(label for _, label in labels): value.count if isinstance(value, HistogramValue) else value
            for labels, value in each.series
        }
        for each in found
    }


class TestMetrics:
    def test_has_the_attributes_of_the_original(self, recording: Recording) -> None:
        from telemetry.tests.compat.originals import attributes

        ours = {
            name: (metric._name, metric._documentation, metric._labelnames)
            for name, metric in vars(Metrics.get_instance()).items()
        }
        assert attributes() == ours
        assert {*BEFORE_FAMILIES, *AFTER_FAMILIES} == set(ours)

    def test_each_class_has_one_instance_of_its_own(self, recording: Recording) -> None:
        base = Metrics.get_instance()
        assert base is Metrics.get_instance()

        class More(Metrics):
            pass

        assert type(More.get_instance()) is More
        assert base is Metrics.get_instance()

    def test_what_overriding_code_makes_by_itself_is_counted_here_too(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.ByItselfAfter"]):
            get("/ok")
        assert {("x", "200"): 1.0} == own(recording)[STATUS]
        assert {(): 1.0} == own(recording)["django_http_responses_body_total_bytes"]
        names = {each.name for each in prometheus_client.REGISTRY.collect()}
        assert "django_http_responses_total_by_charset" in names, "the built-in one, of the service"
        made = prometheus_client.REGISTRY._names_to_collectors
        assert not [name for name in made if name.startswith("django_http_")]

    def test_an_unchanged_family_is_what_is_added_by_hand(self, recording: Recording) -> None:
        Metrics.get_instance().responses_by_status.labels(status="299").inc(2)
        assert {} == own(recording)
        series = recording.store.read().tables[f"by_hand.{STATUS}"].series()
        assert {("299",): [2.0]} == series

    def test_kinds_and_registries_of_prometheus_client_stay_its_own(self, recording: Recording) -> None:
        registry = prometheus_client.CollectorRegistry()
        metrics = Metrics.get_instance()
        made = metrics.register_metric(prometheus_client.Counter, "apart", "Apart.", registry=registry)
        assert type(made) is prometheus_client.Counter
        info = metrics.register_metric(prometheus_client.Summary, "about", "About.", registry=registry)
        assert type(info) is prometheus_client.Summary
        assert {} == own(recording)


class TestAsTheyAre:
    def test_they_are_our_own(self) -> None:
        from telemetry import middleware as ours

        assert issubclass(middleware.PrometheusBeforeMiddleware, ours.PrometheusBeforeMiddleware)
        after = middleware.PrometheusAfterMiddleware(lambda request: HttpResponse(), http=Recording().http)
        assert type(after).__call__ is ours.PrometheusAfterMiddleware.__call__
        assert getattr(after.process_view, "__func__", None) is ours.PrometheusAfterMiddleware._view

    @pytest.mark.parametrize("path", ["/ok", "/boom", "/template", "/nowhere", "/stream"])
    @pytest.mark.parametrize(
        "listed",
        [
            [f"{COMPAT}PrometheusBeforeMiddleware", f"{COMPAT}PrometheusAfterMiddleware"],
            [BEFORE, f"{COMPAT}PrometheusBeforeMiddleware", f"{COMPAT}PrometheusAfterMiddleware", AFTER],
            [f"{COMPAT}PrometheusAfterMiddleware"],
        ],
        ids=["alone", "beside ours", "without the other"],
    )
    def test_they_record_what_ours_do_and_once(self, path: str, listed: list[str]) -> None:
        shown = []
        for middlewares in ([BEFORE, AFTER], listed):
            with Recording() as recording, override_settings(MIDDLEWARE=middlewares):
                response = Client(raise_request_exception=False).get(path)
                if response.streaming:
                    b"".join(response)
                shown.append({each.family.name: recording.values(each.family.name) for each in recording.families()})
        assert shown[0] == shown[1]

    @pytest.mark.parametrize("path", ["/ok", "/async", "/template"])
    def test_async_without_a_change_of_thread(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from concurrent.futures import ThreadPoolExecutor

        submitted: list[object] = []
        submit = ThreadPoolExecutor.submit

        def counting(self: ThreadPoolExecutor, *args: Any, **kwargs: Any) -> Any:
            submitted.append(args[0])
            return submit(self, *args, **kwargs)

        monkeypatch.setattr(ThreadPoolExecutor, "submit", counting)
        hops = []
        for after in ([], [f"{COMPAT}PrometheusAfterMiddleware"], [f"{HERE}.TenantsAfter"], [f"{HERE}.Grouped"]):
            with Recording() as recording, override_settings(MIDDLEWARE=after):
                monkeypatch.setattr(_home, "home", Home(recording.store))
                submitted.clear()
                asyncio.run(AsyncClient(headers={"X-Tenant": "a"}).get(path))
                hops.append(len(submitted))
        assert [hops[0]] * 4 == hops


@pytest.fixture(params=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Any:
    """A request in the one stack or the other; the stream is read to its end."""

    def synchronous(path: str, method: str = "GET", **headers: str) -> Any:
        response: Any = Client(raise_request_exception=False).generic(method, path, headers=headers)
        return b"".join(response) if response.streaming else response

    def asynchronous(path: str, method: str = "GET", **headers: str) -> Any:
        async def send() -> Any:
            response: Any = await AsyncClient(raise_request_exception=False).generic(method, path, headers=headers)
            if not response.streaming:
                return response
            return b"".join([part async for part in response] if response.is_async else list(response))

        return asyncio.run(send())

    return synchronous if request.param == "sync" else asynchronous


class TestLabelsOfASite:
    def test_a_family_without_labels_takes_some_too(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.TenantsAfter"]):
            get("/ok", **{"X-Tenant": "a", "X-Requested-With": "XMLHttpRequest"})
            get("/nowhere", **{"X-Tenant": "b"})
        found = own(recording)
        assert {("200", "a"): 1.0, ("404", "b"): 1.0} == found[STATUS]
        assert {("GET", "a"): 1.0, ("GET", "b"): 1.0} == found[BY_METHOD]
        assert {("a",): 1.0} == found["django_http_ajax_requests_total"]

    def test_labels_that_fail_cost_the_measurement_only(
        self, recording: Recording, get: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.TenantsAfter"]):
            response = get("/ok")
        assert 200 == response.status_code
        found = own(recording)
        assert {} == found[STATUS]
        assert {("GET", "ok"): 1.0} == found[LATENCY]
        assert [("compat.label_metric",)] == recording.dropped()
        assert 1 == sum("compat.label_metric" in record.getMessage() for record in caplog.records)

    def test_names_of_its_own_for_views_and_methods(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.Grouped"]):
            get("/ok")
            get("/boom", "FOO")
        found = own(recording)
        assert {("get", "http", "any"): 1.0, ("<invalid method>", "http", "any"): 1.0} == found[BY_VIEW]
        assert {("get", "any"): 1.0, ("<invalid method>", "any"): 1.0} == found[LATENCY]
        assert {("any",): 1.0} == found["django_http_exceptions_total_by_view_total"]
        assert {("200",): 1.0, ("500",): 1.0} == found[STATUS]
        assert set(AFTER_FAMILIES.values()) == set(found)

    def test_a_metric_that_was_at_hand_before_counts_there_too(self, recording: Recording, get: Any) -> None:
        child = Metrics.get_instance().responses_by_status.labels("299")
        with override_settings(MIDDLEWARE=[f"{HERE}.Grouped"]):
            get("/ok")
        Metrics.get_instance().responses_by_status.labels("299").inc()
        assert {("200",): 1.0, ("299",): 1.0} == own(recording)[STATUS]
        assert child is not Metrics.get_instance().responses_by_status.labels("299")

    def test_what_our_own_families_count_goes_on(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.TenantsAfter"]):
            get("/ok", **{"X-Tenant": "a"})
        assert 1 == recording.value(STATUS, "200")
        assert 0 == recording.in_flight()

    @pytest.mark.parametrize(("given", "size"), [("banana", 0.0), ("-5", 0.0), ("7", 7.0)])
    def test_a_hostile_length_is_harmless(self, recording: Recording, given: str, size: float) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.Grouped"]):
            response = Client().get("/ok", CONTENT_LENGTH=given)
        assert 200 == response.status_code
        (found,) = [
            each for each in evaluate_all(_home.home.projections(), recording.store.read()) if each.family.name == BODY
        ]
        ((_, value),) = found.series
        assert isinstance(value, HistogramValue)
        assert (1.0, size) == (value.count, value.sum)

    def test_a_stream_counts_to_its_end(self, recording: Recording) -> None:
        sizes = "django_http_responses_body_total_bytes"

        def stream(request: HttpRequest) -> StreamingHttpResponse:
            return StreamingHttpResponse(iter([b"one", b"two"]))

        request = HttpRequest()
        request.method = "GET"
        response: Any = Grouped(stream)(request)
        assert 0.0 == own(recording)[sizes][()]
        assert {("get", "any"): 0.0} == own(recording)[LATENCY]
        assert [b"one", b"two"] == list(response.streaming_content)
        assert {(): 1.0} == own(recording)[sizes]
        assert {("get", "any"): 1.0} == own(recording)[LATENCY]
        assert {(): 1.0} == own(recording)["django_http_responses_streaming_total"]

    def test_what_is_excluded_is_left_out(self, monkeypatch: pytest.MonkeyPatch, get: Any) -> None:
        excluded: Any = {"excluded_views": ("ok",), "exclude": lambda request: request.path == "/latin"}
        with Recording(**excluded) as recording, override_settings(MIDDLEWARE=[f"{HERE}.Grouped"]):
            monkeypatch.setattr(_home, "home", Home(recording.store))
            for path in ("/ok", "/latin", "/boom", "/nowhere"):
                get(path)
        found = own(recording)
        assert {("500",): 1.0, ("404",): 1.0} == found[STATUS]
        assert {("get",): 2.0} == found[BY_METHOD]

    def test_the_outer_families_take_no_labels_and_stay(
        self, recording: Recording, get: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.RecklessBefore", f"{HERE}.RecklessAfter"]):
            assert 200 == get("/ok").status_code
        assert set(AFTER_FAMILIES.values()) == set(own(recording))
        assert 1 == recording.value("django_http_requests_before_middlewares_total")
        warned = {record.args[0] for record in caplog.records if record.levelno == logging.WARNING and record.args}  # type: ignore[index]
        assert set(BEFORE_FAMILIES.values()) <= warned


class TestHooks:
    def test_methods_of_a_site_are_called(self, recording: Recording, get: Any) -> None:
        Hooked.seen.clear()
        with override_settings(MIDDLEWARE=[BEFORE, f"{HERE}.Hooked"]):
            response = get("/ok")
        assert "1" == response["X-Hooked"]
        assert ["request", "view", "response"] == [what for what, _ in Hooked.seen]
        assert {} == own(recording)
        assert 1 == recording.value(BY_VIEW, "GET", "http", "ok")

    def test_in_an_async_stack_they_are_called_in_a_thread(self, recording: Recording) -> None:
        Hooked.seen.clear()
        with override_settings(MIDDLEWARE=[BEFORE, f"{HERE}.Hooked"]):
            asyncio.run(AsyncClient().get("/async"))
        assert [("request", False), ("view", False), ("response", False)] == Hooked.seen

    def test_what_has_not_begun_has_no_latency(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.Passing"]):
            assert 200 == get("/ok").status_code
        found = own(recording)
        assert {(): 1.0} == found["django_http_requests_unknown_latency_total"]
        assert {("200",): 1.0} == found[STATUS]
        assert ({}, {}) == (found[LATENCY], found[BY_METHOD])

    def test_the_outer_one_may_answer(self, recording: Recording, get: Any) -> None:
        with override_settings(MIDDLEWARE=[f"{HERE}.HookedBefore", AFTER]):
            assert (418, "1") == ((early := get("/ok")).status_code, early["X-Outer"])
            assert "1" == get("/boom")["X-Outer"]
        assert {("418",): 1.0, ("500",): 1.0} == recording.values(STATUS)
        assert 2 == recording.value("django_http_responses_before_middlewares_total")

    def test_the_mode_follows_the_handler(self, recording: Recording) -> None:
        async def asynchronous(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        for cls in (Hooked, Grouped, HookedBefore):
            assert iscoroutinefunction(cls(asynchronous))
            assert not iscoroutinefunction(cls(lambda request: HttpResponse()))
