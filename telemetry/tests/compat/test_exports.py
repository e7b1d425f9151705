"""The exports under django-prometheus's names: the same calls, without its errors."""

from __future__ import annotations

import http.server
import inspect
import socket
from collections.abc import Generator
from pathlib import Path

import django_prometheus.exports as stock  # type: ignore[import-untyped]
import pytest
from django.test import RequestFactory, override_settings

from telemetry.compat.django_prometheus import exports
from telemetry.errors import ConfigurationError
from telemetry.tests.servers.harness import free_port, get

FAMILY = b"# TYPE django_http_requests_total_by_method_total counter"


@pytest.fixture(autouse=True)
def endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """What a test starts meets in a directory of its own and ends with the test."""
    monkeypatch.setattr("telemetry.endpoint.store_directory", lambda: tmp_path)
    monkeypatch.setattr("telemetry.endpoint.MetricsServer.timeout", 0.02)
    yield
    while exports._endpoints:
        exports._endpoints.popitem()[1].stop()


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["SetupPrometheusEndpointOnPort", "SetupPrometheusEndpointOnPortRange", "SetupPrometheusExportsFromConfig"],
    )
    def test_they_are_called_as_before(self, name: str) -> None:
        assert list(inspect.signature(getattr(stock, name)).parameters.values()) == [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in inspect.signature(getattr(exports, name)).parameters.values()
        ]

    def test_the_view_serves_the_page(self) -> None:
        response = exports.ExportToDjangoView(RequestFactory().get("/metrics"))
        assert (200, True) == (response.status_code, FAMILY in response.content)

    def test_the_thread_serves_the_server_it_is_given(self) -> None:
        with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as httpd:
            thread = exports.PrometheusEndpointServer(httpd, daemon=True)
            thread.start()
            assert 404 == get(httpd.server_port, "/no-such-file")[0]
            httpd.shutdown()
            thread.join()


class TestPort:
    def test_it_answers_when_the_call_returns_also_under_the_reloader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUN_MAIN", "true")
        port = free_port()
        exports.SetupPrometheusEndpointOnPort(port, addr="127.0.0.1")
        exports.SetupPrometheusEndpointOnPort(port, addr="127.0.0.1")
        status, body = get(port, "/metrics")
        assert (200, True) == (status, FAMILY in body)

    def test_a_taken_port_is_no_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            exports.SetupPrometheusEndpointOnPort(other.getsockname()[1], "127.0.0.1")


class TestPortRange:
    def test_the_first_free_one_is_taken_and_told(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = free_port()
            given = (port for port in [other.getsockname()[1], free, free_port()])
            assert free == exports.SetupPrometheusEndpointOnPortRange(given, "127.0.0.1")
            assert 200 == get(free, "/metrics")[0]

    def test_none_is_told_where_none_is_free(self) -> None:
        before = exports.SetupPrometheusEndpointOnPortRange([free_port()], "127.0.0.1")
        assert before
        exports._endpoints[(before,), "127.0.0.1"].stop()
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert None is exports.SetupPrometheusEndpointOnPortRange([other.getsockname()[1]], "127.0.0.1")

    def test_a_second_process_of_the_service_is_told_where_the_first_answers(self) -> None:
        first, second = free_port(), free_port()
        assert first == exports.SetupPrometheusEndpointOnPortRange([first], "127.0.0.1")
        # Claims exclude each other within a process too.
        assert first == exports.SetupPrometheusEndpointOnPortRange([second], "127.0.0.1")
        with pytest.raises(ConnectionRefusedError):
            get(second, "/metrics")


class TestFromConfig:
    def test_the_range_wins_over_the_port(self) -> None:
        port, first = free_port(), free_port()
        with override_settings(
            PROMETHEUS_METRICS_EXPORT_PORT=port,
            PROMETHEUS_METRICS_EXPORT_PORT_RANGE=[first],
            PROMETHEUS_METRICS_EXPORT_ADDRESS="127.0.0.1",
        ):
            exports.SetupPrometheusExportsFromConfig()
        assert 200 == get(first, "/metrics")[0]
        with pytest.raises(ConnectionRefusedError):
            get(port, "/metrics")

    def test_without_settings_nothing_listens(self) -> None:
        exports.SetupPrometheusExportsFromConfig()
        assert {} == exports._endpoints

    @override_settings(PROMETHEUS_METRICS_EXPORT_PORT="http")
    def test_a_setting_that_is_not_valid_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="PROMETHEUS_METRICS_EXPORT_PORT: 'http' is not a port"):
            exports.SetupPrometheusExportsFromConfig()
