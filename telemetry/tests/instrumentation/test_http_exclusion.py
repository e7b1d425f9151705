from __future__ import annotations

import asyncio
import re
from typing import Any
from unittest import mock

import pytest
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path, reverse

from telemetry.catalogue.http import UNNAMED_VIEW
from telemetry.instrumentation import exclusion
from telemetry.instrumentation.exclusion import excluding, is_scrape
from telemetry.tests.instrumentation.recording import Recording
from telemetry.tests.project import views

BEGUN = "django_http_requests_before_middlewares_total"
OUTER_LATENCY = "django_http_requests_latency_including_middlewares_seconds"

urlpatterns = [
    path("ok", views.ok, name="ok"),
    path("elsewhere/", include("telemetry.urls")),
]


def records(recording: Recording) -> dict[str, Any]:
    """Every series of HTTP that has been written, by its record."""
    tables = recording.store.read().tables
    return {name: table.living for name, table in tables.items() if name.startswith("http.") and table.living}


class TestExcludedPaths:
    @pytest.mark.parametrize(
        ("patterns", "asked", "excluded"),
        [
            (["^/health$"], "/health", True),
            (["^/health$"], "/health/deep", False),
            (["^/health$"], "/health?deep=1", True),
            (["health"], "/api/health/deep", True),
            (["deep=1"], "/health?deep=1", False),
            (["^/a", "(?i)^/B"], "/b", True),
            ([r"^/(a)\1$", r"^/(b)\1$"], "/bb", True),
            (["^/a", "^/b"], "/c", False),
        ],
    )
    def test_a_pattern_is_searched_in_the_path(
        self, rf: RequestFactory, patterns: list[str], asked: str, excluded: bool
    ) -> None:
        exclude = excluding([re.compile(pattern) for pattern in patterns])
        assert exclude is not None
        assert excluded is exclude(rf.get(asked))

    def test_the_scripts_prefix_is_part_of_the_path(self, rf: RequestFactory) -> None:
        exclude = excluding([re.compile("^/mounted/ok$")])
        assert exclude is not None
        assert exclude(rf.get("/ok", SCRIPT_NAME="/mounted"))

    def test_another_reason(self, rf: RequestFactory) -> None:
        exclude = excluding([re.compile("^/a$")], lambda request: request.method == "PUT")
        assert exclude is not None
        assert [True, True, False] == [exclude(rf.get("/a")), exclude(rf.put("/b")), exclude(rf.get("/b"))]

    def test_without_patterns_nothing_is_asked_but_the_other_reason(self) -> None:
        assert excluding([]) is None
        assert is_scrape is excluding([], is_scrape)


class TestTheScrape:
    @override_settings(ROOT_URLCONF="telemetry.urls")
    def test_its_path(self, rf: RequestFactory) -> None:
        assert is_scrape(rf.get("/metrics"))
        assert not is_scrape(rf.get("/metrics/"))
        assert not is_scrape(rf.get("/ok"))

    @override_settings(ROOT_URLCONF="telemetry.tests.postgres.urls")
    def test_a_project_without_one(self, rf: RequestFactory) -> None:
        assert not is_scrape(rf.get("/metrics"))

    def test_the_urlconf_of_the_request_decides(self) -> None:
        with Recording(exclude=is_scrape) as recording:
            for urlconf in ("telemetry.tests.postgres.urls", __name__, "telemetry.tests.postgres.urls"):
                with override_settings(ROOT_URLCONF=urlconf, MIDDLEWARE=STACK):
                    Client(raise_request_exception=False).get("/elsewhere/metrics")
            assert 2 == recording.value(BEGUN)

    def test_the_url_is_looked_up_once(self, rf: RequestFactory) -> None:
        exclusion._scrape_path.cache_clear()
        with mock.patch.object(exclusion, "reverse", wraps=reverse) as asked:
            for _ in range(5):
                is_scrape(rf.get("/ok"))
        assert 1 == asked.call_count


STACK = ["telemetry.middleware.PrometheusBeforeMiddleware", "telemetry.middleware.PrometheusAfterMiddleware"]
PATHS = {
    "ok": "/ok",
    "boom": "/boom",
    "missing": "/missing",
    "template": "/template",
    "template-broken": "/template/broken",
    "stream": "/stream",
    "shop:item": "/shop/item/7/",
    "telemetry.tests.project.views.ok": "/unnamed",
    "async": "/async",
    UNNAMED_VIEW: "/nowhere",
}


def served(response: Any) -> tuple[int, bytes]:
    return response.status_code, response.getvalue() if response.streaming else response.content


class TestExcludedViews:
    @pytest.mark.parametrize("view", PATHS)
    def test_a_request_of_theirs_leaves_no_record(self, view: str) -> None:
        client = Client(raise_request_exception=False)
        with Recording() as recording:
            expected = served(client.get(PATHS[view]))
            assert records(recording)
        with Recording(excluded_views=[view]) as recording:
            assert expected == served(client.get(PATHS[view]))
            assert {} == records(recording)

    @pytest.mark.parametrize("view", [view for view in PATHS if view != "stream"])
    def test_in_an_async_stack(self, view: str) -> None:
        with Recording(excluded_views=[view]) as recording:
            asyncio.run(AsyncClient(raise_request_exception=False).get(PATHS[view]))
            assert {} == records(recording)

    @pytest.mark.parametrize("how", [{}, {"short_circuits": False}])
    def test_all_others_count_as_ever(self, how: dict[str, Any]) -> None:
        def run(**options: Any) -> dict[str, Any]:
            client = Client(raise_request_exception=False)
            with Recording(**how, **options) as recording:
                for path_ in (*PATHS.values(), "/short/1", "/fail/", "/slashed"):
                    response = client.get(path_, HTTP_X_REQUESTED_WITH="XMLHttpRequest")
                    response.getvalue()
                client.post("/echo", b"x" * 100, content_type="text/plain")
                Client(enforce_csrf_checks=True).post("/echo")
                with pytest.raises(SystemExit):
                    client.get("/exit/")
                return {each.family.name: recording.values(each.family.name) for each in recording.families()}

        expected, actual = run(), run(excluded_views=["etag"])
        assert expected == actual

    def test_what_a_middleware_answers_is_for_no_view(self) -> None:
        with Recording(excluded_views=["ok"]) as recording:
            Client().get("/short/ok")
            assert 1 == recording.value(BEGUN)
            assert 1 == recording.value(OUTER_LATENCY)

    def test_a_post_that_is_rejected_on_the_way_to_an_excluded_view(self) -> None:
        with Recording(excluded_views=["echo"]) as recording:
            assert 403 == Client(enforce_csrf_checks=True).post("/echo").status_code
            assert {} == records(recording)

    def test_one_in_flight_counts_from_its_view_on(self, rf: RequestFactory) -> None:
        with Recording(excluded_views=["excluded"]) as recording:
            exchange = recording.http.begun(rf.get("/"))
            assert exchange is not None
            assert {} == records(recording)
            request = rf.get("/")
            exchange = recording.http.begun(request)
            recording.http.reached(request, self)
            recording.http.entered(request, self)
            assert 1 == recording.in_flight()

    def test_views_of_a_urlconf_that_a_middleware_chose(self) -> None:
        other = f"{__name__}.other_urlconf"
        with override_settings(MIDDLEWARE=[STACK[0], other, STACK[1]]), Recording(excluded_views=["ok"]) as recording:
            assert 200 == Client().get("/chosen").status_code
            assert {} == records(recording)


def other_urlconf(get_response: Any) -> Any:
    def serve(request: Any) -> Any:
        request.urlconf = (path("chosen", views.ok, name="ok"),)
        return get_response(request)

    return serve
