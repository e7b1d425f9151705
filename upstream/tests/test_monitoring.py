"""The product as its operators watch it: the endpoint, the families, the helpers, the middlewares and the checks."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import registry
from django.core.checks import run_checks as run
from django.db import connection
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.business import DROPPED
from telemetry.business.alerts import ALERT_CREATED
from telemetry.tests.business.harness import FAMILIES as BUSINESS
from upstream import metrics, monitoring_checks
from upstream.settings import base

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
AFTER = "telemetry.middleware.PrometheusAfterMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"

HTTP = {
    "django_http_requests_before_middlewares_total": "counter",
    "django_http_responses_before_middlewares_total": "counter",
    "django_http_requests_latency_including_middlewares_seconds": "histogram",
    "django_http_requests_unknown_latency_including_middlewares_total": "counter",
    "django_http_requests_latency_seconds_by_view_method": "histogram",
    "django_http_requests_unknown_latency_total": "counter",
    "django_http_ajax_requests_total": "counter",
    "django_http_requests_total_by_method_total": "counter",
    "django_http_requests_total_by_transport_total": "counter",
    "django_http_requests_total_by_view_transport_method_total": "counter",
    "django_http_requests_body_total_bytes": "histogram",
    "django_http_responses_total_by_templatename_total": "counter",
    "django_http_responses_total_by_status_total": "counter",
    "django_http_responses_total_by_status_view_method_total": "counter",
    "django_http_responses_body_total_bytes": "histogram",
    "django_http_responses_total_by_charset_total": "counter",
    "django_http_responses_streaming_total": "counter",
    "django_http_exceptions_total_by_type_total": "counter",
    "django_http_exceptions_total_by_view_total": "counter",
}
DB = {
    "django_db_new_connections_total": "counter",
    "django_db_new_connection_errors_total": "counter",
    "django_db_execute_total": "counter",
    "django_db_execute_many_total": "counter",
    "django_db_errors_total": "counter",
    "django_db_query_duration_seconds": "histogram",
}
"""What dashboards and alerts were built on: the names and types of django-prometheus."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def page() -> str:
    """What a scraper gets from the product itself, over the store that it records into."""
    return Client().get("/metrics").content.decode()


def types() -> dict[str, str]:
    """The type of each family of the page, by its name there."""
    lines = (line.split() for line in page().splitlines() if line.startswith("# TYPE "))
    return {name: kind for _, _, name, kind in lines}


def samples(*prefixes: str) -> Samples:
    """Every sample whose name begins so. Others are not parsed: earlier tests of the run may have left thousands."""
    lines = (line for line in page().splitlines(keepends=True) if line.removeprefix("# TYPE ").startswith(prefixes))
    text = "".join(lines)
    found = ((sample.name, sample.labels, sample.value) for family in parse_text(text) for sample in family.samples)
    return {(name, frozenset(labels.items())): value for name, labels, value in found}


def raised(before: Samples, prefix: str) -> Samples:
    """By how much each sample of these families differs from what it was."""
    now = samples(prefix)
    differences = {key: value - before.get(key, 0) for key, value in now.items()}
    return {key: difference for key, difference in differences.items() if difference}


class TestEndpoint:
    def test_answers_in_prometheus_text(self, client: Client) -> None:
        response = client.get("/metrics")
        assert (200, "text/plain; version=0.0.4; charset=utf-8") == (response.status_code, response["Content-Type"])

    def test_answers_in_openmetrics(self, client: Client) -> None:
        response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == response["Content-Type"]
        text = response.content.decode()
        assert text.endswith("\n# EOF\n")
        assert {"django_http_requests_before_middlewares", "upstream_alert_created"} <= {
            family.name
            for family in parse_openmetrics(text)  # type: ignore[no-untyped-call]
        }

    def test_the_exposition_is_valid(self) -> None:
        metrics.track_api_call("batches-list", "GET", 'quote " backslash \\ é')
        text = page()
        assert text.endswith("\n")
        declared = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
        assert len(declared) == len(set(declared)), "a family stands twice"
        # `le` as it is written: 1 and 1.0 would be two series of one bucket
        lines = [line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]
        assert len(lines) == len(set(lines)), "a series stands twice"
        families = list(parse_text(text))
        assert not [family.name for family in families if not family.documentation]
        assert 'quote " backslash \\ é' in {
            sample.labels.get("customer_id") for family in families for sample in family.samples
        }

    def test_histograms_are_cumulative_and_end_in_their_count(self, client: Client) -> None:
        client.get("/")
        metrics.track_alert_processing("DriftWatch", 0.7)
        for family in parse_text(page()):
            if family.type != "histogram":
                continue
            series: dict[frozenset[tuple[str, str]], list[float]] = {}
            counts = {}
            for sample in family.samples:
                labels = frozenset((name, value) for name, value in sample.labels.items() if name != "le")
                if sample.name.endswith("_bucket"):
                    series.setdefault(labels, []).append(sample.value)
                elif sample.name.endswith("_count"):
                    counts[labels] = sample.value
            assert counts == {labels: buckets[-1] for labels, buckets in series.items()}, family.name
            assert all(buckets == sorted(buckets) for buckets in series.values()), family.name


class TestFamilies:
    def test_of_http(self, client: Client) -> None:
        client.get("/")
        found = types()
        assert HTTP == {name: found.get(name) for name in HTTP}

    def test_of_the_database(self) -> None:
        found = types()
        assert DB == {name: found.get(name) for name in DB}

    def test_of_the_business(self) -> None:
        found = types()
        assert 24 == len(BUSINESS)
        assert {name: kind for name, (kind, *_) in BUSINESS.items()} == {name: found.get(name) for name in BUSINESS}

    def test_a_request_is_counted_once(self, client: Client) -> None:
        name = "django_http_responses_total_by_status_view_method_total"
        before = samples(name)
        client.get("/")
        moved = {key: value for key, value in raised(before, name).items() if ("view", "index") in key[1]}
        assert {(name, frozenset({("status", "200"), ("view", "index"), ("method", "GET")})): 1} == moved

    @pytest.mark.django_db
    def test_a_query_is_counted_once(self) -> None:
        connection.ensure_connection()
        before = samples("django_db_execute", "django_db_query_duration_seconds_count")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        labels = frozenset({("alias", "default"), ("vendor", connection.vendor)})
        assert {("django_db_execute_total", labels): 1} == raised(before, "django_db_execute")
        moved = raised(before, "django_db_query_duration_seconds_count")
        assert {("django_db_query_duration_seconds_count", labels): 1} == moved


class TestHelpers:
    def test_an_alert_raises_its_sample_by_exactly_1(self) -> None:
        labels = frozenset({("product", "DriftWatch"), ("severity", "high"), ("customer_id", "1")})
        for _ in range(2):
            before = samples("upstream_")
            metrics.track_alert_created("DriftWatch", "high", 1)
            assert {("upstream_alert_created_total", labels): 1} == raised(before, "upstream_")

    def test_a_customers_code_and_id_are_taken_alike(self) -> None:
        before = samples("upstream_")
        metrics.track_alert_created("DriftWatch", "high", "1")
        metrics.track_alert_created("DriftWatch", "high", 1)
        assert [2] == list(raised(before, "upstream_").values())

    @pytest.mark.parametrize("name", [name for name in vars(metrics) if name.startswith("track_")])
    @pytest.mark.parametrize("rubbish", [None, float("nan"), -1, "\ud800", b"\xff", [], {}, object(), 10**400])
    def test_never_raise(self, name: str, rubbish: object) -> None:
        helper = getattr(metrics, name)
        needed = [p for p in inspect.signature(helper).parameters.values() if p.default is p.empty]
        before = samples(DROPPED.family.name, "upstream_")
        helper(*[rubbish] * len(needed))
        assert [1] == list(raised(before, DROPPED.family.name).values())
        assert {} == raised(before, "upstream_")

    def test_never_raise_when_the_instrument_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(value: float, labels: object) -> None:
            raise RuntimeError("no room")

        monkeypatch.setattr(ALERT_CREATED, "_record", broken)
        before = samples(DROPPED.family.name)
        metrics.track_alert_created("DriftWatch", "high", 1)
        dropped = frozenset({("family", "upstream_alert_created_total"), ("reason", "failed")})
        assert {(DROPPED.family.name, dropped): 1} == raised(before, DROPPED.family.name)


class TestMiddleware:
    def test_is_first_and_last_of_what_the_settings_name(self) -> None:
        assert (BEFORE, AFTER) == (base.MIDDLEWARE[0], base.MIDDLEWARE[-1])

    def test_is_first_and_last_of_what_runs(self) -> None:
        assert (BEFORE, AFTER) == (settings.MIDDLEWARE[0], settings.MIDDLEWARE[-1])
        assert (1, 1) == (settings.MIDDLEWARE.count(BEFORE), settings.MIDDLEWARE.count(AFTER))

    def test_sees_what_is_refused_before_any_view(self, client: Client) -> None:
        name = "django_http_requests_before_middlewares_total"
        before = samples(name)
        assert 400 == client.get("/", headers={"Host": "elsewhere.example.com"}).status_code
        # the request, and the scrape that shows it
        assert {(name, frozenset()): 2} == raised(before, name)


class TestChecks:
    def test_the_product_passes_its_own(self) -> None:
        registered: list[Any] = registry.registry.get_checks()
        assert {check for name, check in vars(monitoring_checks).items() if name.startswith("check_")} <= set(
            registered
        )
        assert [] == run(tags=[monitoring_checks.TAG, "telemetry"])

    def test_the_app_registers_them_without_manage_py(self) -> None:
        said = production("-m", "django", "check", "--tag", monitoring_checks.TAG)
        assert "System check identified no issues (0 silenced).\n" == said

    def test_without_the_telemetry_app(self, settings: Any) -> None:
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "telemetry"]
        assert not apps.is_installed("telemetry")
        assert [monitoring_checks.W001] == monitoring_checks.check_app(None)

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ([BEFORE, COMMON, AFTER], []),
            ([COMMON], [monitoring_checks.W002]),
            ([], [monitoring_checks.W002]),
            ([COMMON, BEFORE, AFTER], [monitoring_checks.W002]),
            ([BEFORE, AFTER, COMMON], [monitoring_checks.W002]),
        ],
    )
    def test_middlewares_that_the_settings_do_not_name(
        self, written: list[str], expected: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert expected == monitoring_checks.middleware(written)
        module = sys.modules[os.environ["DJANGO_SETTINGS_MODULE"]]
        monkeypatch.setattr(module, "MIDDLEWARE", written)
        assert expected == monitoring_checks.check_middleware(None)

    def test_business_metrics_without_an_instrument(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ALERT_CREATED, "_record", None)
        (message,) = monitoring_checks.check_business_metrics(None)
        assert "upstream.W003" == message.id
        assert message.msg.endswith(": upstream_alert_created_total.")

    def test_a_metrics_url_that_is_missing(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "upstream.urls"
        assert ["telemetry.W003"] == [message.id for message in run(tags=["telemetry"])]

    def test_a_middleware_that_was_moved(self, settings: Any) -> None:
        settings.MIDDLEWARE = [COMMON, BEFORE, AFTER]
        assert ["telemetry.W002"] == [message.id for message in run(tags=["telemetry"])]

    @pytest.mark.django_db  # from Django 6.1 on, the check of JSON fields asks the database
    def test_an_open_endpoint_before_a_deployment(self) -> None:
        found = [message.id for message in run(include_deployment_checks=True)]
        assert "telemetry.W007" in found
        assert "telemetry.W007" not in [message.id for message in run()]


SCRAPES = """
import django
django.setup()
from django.test import Client
for address, headers in (
    ("10.1.2.3", {}),
    ("127.0.0.1", {}),
    ("203.0.113.9", {}),
    ("10.1.2.3", {"X-Forwarded-For": "203.0.113.9"}),
    ("10.1.2.3", {"Authorization": "Bearer s3cret"}),
    ("203.0.113.9", {"Authorization": "Bearer s3cret"}),
):
    headers = {"Host": "upstream.example.com", **headers}
    print(Client().get("/metrics", REMOTE_ADDR=address, headers=headers).status_code)
"""


def production(*command: str, **environ: str) -> str:
    """What a command prints under production's settings, in a process of its own."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "upstream.settings.production",
            "UPSTREAM_SECRET_KEY": "long-enough-and-with-many-different-letters-0123456789-abcdefgh",
            "UPSTREAM_ALLOWED_HOSTS": "upstream.example.com",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


class TestProduction:
    @pytest.mark.parametrize(
        "environ",
        [{}, {"UPSTREAM_METRICS_TOKEN": "s3cret"}, {"UPSTREAM_METRICS_NETWORKS": "10.0.0.0/8"}],
    )
    def test_passes_the_checks_of_a_deployment(self, environ: dict[str, str]) -> None:
        said = production("manage.py", "check", "--deploy", "--fail-level=INFO", **environ)
        assert "System check identified no issues (0 silenced).\n" == said

    @pytest.mark.parametrize(
        ("environ", "statuses"),
        [
            ({}, "200 200 403 403 200 403"),
            ({"UPSTREAM_METRICS_NETWORKS": "10.0.0.0/8"}, "200 403 403 403 200 403"),
            ({"UPSTREAM_METRICS_TOKEN": "s3cret"}, "401 401 401 401 200 200"),
            (
                {"UPSTREAM_METRICS_TOKEN": "s3cret", "UPSTREAM_METRICS_NETWORKS": "10.0.0.0/8"},
                "401 403 403 403 200 403",
            ),
        ],
    )
    def test_lets_in_who_may_scrape(self, environ: dict[str, str], statuses: str, tmp_path: Path) -> None:
        said = production("-c", SCRAPES, TELEMETRY_STORE_DIR=str(tmp_path / "store"), **environ)
        assert statuses.split() == [line for line in said.splitlines() if line.isdigit()], said

    def test_a_network_that_is_none_stops_the_start(self) -> None:
        said = production("manage.py", "check", UPSTREAM_METRICS_NETWORKS="intranet")
        assert "ConfigurationError: TELEMETRY_METRICS_ALLOWED_NETWORKS: 'intranet' is not a network" in said
