"""What the host decides: read, checked, and refused with the setting's name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from telemetry import conf
from telemetry.catalogue.buckets import LATENCY
from telemetry.errors import ConfigurationError


async def a_coroutine(*_: object) -> None:
    """No hook can be one: nobody would await it."""


class TestLoad:
    def test_defaults(self) -> None:
        config = conf.load({})
        assert LATENCY == config.latency_buckets
        assert (None, True, False, 2000) == (
            config.store_dir,
            config.count_scrapes,
            config.sdk_disabled,
            config.series_limit,
        )

    def test_short_names_are_off_until_switched_on(self) -> None:
        with override_settings():
            del settings.TELEMETRY_SHORT_NAMES
            assert not conf.load({}).short_names
        with override_settings(TELEMETRY_SHORT_NAMES=True):
            assert conf.load({}).short_names

    def test_a_test_run_has_a_private_store_unless_a_directory_is_named(self, tmp_path: Path) -> None:
        assert conf.load({}).private_store
        assert conf.load({"TELEMETRY_STORE_DIR": ""}).private_store
        named = conf.load({"TELEMETRY_STORE_DIR": str(tmp_path)})
        assert (tmp_path, False) == (named.store_dir, named.private_store)

    def test_the_setting_wins_over_the_variable(self, tmp_path: Path) -> None:
        with override_settings(TELEMETRY_STORE_DIR=tmp_path / "a"):
            assert tmp_path / "a" == conf.load({"TELEMETRY_STORE_DIR": str(tmp_path / "b")}).store_dir

    def test_the_settings_of_django_prometheus(self) -> None:
        with override_settings(
            PROMETHEUS_METRIC_NAMESPACE="acme",
            PROMETHEUS_EXPORT_MIGRATIONS=1,
            PROMETHEUS_METRICS_EXPORT_PORT="8001",
            PROMETHEUS_METRICS_EXPORT_PORT_RANGE=range(8001, 8003),
            PROMETHEUS_METRICS_EXPORT_ADDRESS="127.0.0.1",
        ):
            config = conf.load({})
        assert ("acme", True) == (config.namespace, config.export_migrations)
        assert (8001, (8001, 8002), "127.0.0.1") == (config.metrics_port, config.metrics_ports, config.metrics_address)

    @pytest.mark.parametrize(
        "environ",
        [
            {"DJANGO_SETTINGS_MODULE": "other.settings"},
            {"OTEL_SERVICE_NAME": "other"},
            {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=2,x=y"},
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=other"},
        ],
    )
    def test_what_tells_two_services_apart(self, environ: dict[str, str]) -> None:
        assert conf.load({}).identity != conf.load(environ).identity

    def test_the_project_tells_services_apart(self, tmp_path: Path) -> None:
        with override_settings(BASE_DIR=tmp_path):
            other = conf.load({}).identity
        assert conf.load({}).identity != other

    def test_otel_variables(self) -> None:
        config = conf.load(
            {
                "OTEL_SDK_DISABLED": "True",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "django, sqlite3",
                "OTEL_PYTHON_EXCLUDED_URLS": "health",
            }
        )
        assert (True, frozenset({"django", "sqlite3"}), "health") == (
            config.sdk_disabled,
            config.disabled_instrumentations,
            config.excluded_urls,
        )

    def test_variables_of_the_stock_instrumentation_of_django(self) -> None:
        config = conf.load({"OTEL_PYTHON_DJANGO_INSTRUMENT": "False", "OTEL_PYTHON_DJANGO_MIDDLEWARE_POSITION": "2"})
        assert (frozenset({"django"}), 2) == (config.disabled_instrumentations, config.middleware_position)
        config = conf.load({"OTEL_PYTHON_DJANGO_INSTRUMENT": "True", "OTEL_PYTHON_DJANGO_MIDDLEWARE_POSITION": "x"})
        assert (frozenset(), 0) == (config.disabled_instrumentations, config.middleware_position)

    def test_hooks_are_functions_or_their_paths(self) -> None:
        with override_settings(TELEMETRY_REQUEST_HOOK="os.path.join", TELEMETRY_RESPONSE_HOOK=print):
            config = conf.load({})
        assert (os.path.join, print) == (config.request_hook, config.response_hook)

    @pytest.mark.parametrize(
        ("given", "expected"), [(False, None), (True, {}), ({"db_driver": False}, {"db_driver": False})]
    )
    def test_comments_on_queries(self, given: Any, expected: Any) -> None:
        with override_settings(TELEMETRY_SQLCOMMENTER=given):
            assert expected == conf.load({}).sqlcommenter

    def test_infinity_is_implied_in_buckets(self) -> None:
        with override_settings(PROMETHEUS_LATENCY_BUCKETS=(1, 2, float("inf"))):
            assert (1.0, 2.0) == conf.load({}).latency_buckets

    @pytest.mark.parametrize(
        ("name", "value", "valid"),
        [
            ("TELEMETRY_STORE_DIR", 7, "path"),
            ("PROMETHEUS_LATENCY_BUCKETS", "fast", "numbers"),
            ("PROMETHEUS_LATENCY_BUCKETS", (), "at least one"),
            ("PROMETHEUS_LATENCY_BUCKETS", (2, 1), "rising"),
            ("PROMETHEUS_LATENCY_BUCKETS", (1, float("nan")), "finite"),
            ("TELEMETRY_COUNT_SCRAPES", "no", "True or False"),
            ("TELEMETRY_SHORT_NAMES", 1, "True or False"),
            ("TELEMETRY_SERIES_LIMIT", 0, "at least 1"),
            ("TELEMETRY_SERIES_LIMIT", True, "whole number"),
            ("TELEMETRY_LABEL_BUDGETS", ["customer_id"], "dict"),
            ("TELEMETRY_LABEL_BUDGETS", {"customer_id": 0}, "at least 1"),
            ("TELEMETRY_OBSERVABLE_SCOPES", {"queue": "nobody"}, "process"),
            ("PROMETHEUS_METRIC_NAMESPACE", "my-shop", "[a-zA-Z_:]"),
            ("PROMETHEUS_METRIC_NAMESPACE", 7, "[a-zA-Z_:]"),
            ("PROMETHEUS_METRICS_EXPORT_PORT", 70_000, "65535"),
            ("PROMETHEUS_METRICS_EXPORT_PORT", True, "whole number"),
            ("PROMETHEUS_METRICS_EXPORT_PORT", "8001-8010", "whole number"),
            ("PROMETHEUS_METRICS_EXPORT_PORT_RANGE", 8001, "range(8001, 8011)"),
            ("PROMETHEUS_METRICS_EXPORT_PORT_RANGE", "8001", "range(8001, 8011)"),
            ("PROMETHEUS_METRICS_EXPORT_PORT_RANGE", (8001, None), "whole number"),
            ("PROMETHEUS_METRICS_EXPORT_ADDRESS", 1, "127.0.0.1"),
            ("TELEMETRY_MODELS", "shop.Order", "list"),
            ("TELEMETRY_MODELS", [7], "shop.Order"),
            ("TELEMETRY_EXCLUDED_URLS", ["^/(health"], "regular expression"),
            ("TELEMETRY_EXCLUDED_URLS", "^/health", "list"),
            ("TELEMETRY_EXCLUDED_URLS", ["x*"], "every text"),
            ("TELEMETRY_PRIVATE_NAMES", "customer", "list"),
            ("TELEMETRY_PUBLIC_PARAMETERS", "fields", "list"),
            ("TELEMETRY_PRIVATE_PATTERNS", ["("], "regular expression"),
            ("TELEMETRY_EXCEPTION_MESSAGES", "no", "True or False"),
            ("TELEMETRY_RESPONSE_HEADER", "X-Trace", "traceresponse"),
            ("TELEMETRY_REQUEST_HOOK", "shop.hooks.missing", "cannot be imported"),
            ("TELEMETRY_REQUEST_HOOK", 7, "a span and a request"),
            ("TELEMETRY_RESPONSE_HOOK", "django.VERSION", "a span, a request and a response"),
            ("TELEMETRY_RESPONSE_HOOK", a_coroutine, "a function"),
            ("TELEMETRY_SQLCOMMENTER", "yes", "True, False"),
            ("TELEMETRY_SQLCOMMENTER", {"db_driver": 1}, "booleans"),
            ("TELEMETRY_EXCLUDED_VIEWS", ("",), "shop:detail"),
            ("TELEMETRY_SHORT_CIRCUITS", None, "True or False"),
            ("TELEMETRY_PUSH_DJANGO_NAMES", "yes", "True or False"),
            ("TELEMETRY_REPEATED_QUERIES", 0, "at least 1"),
        ],
    )
    def test_a_wrong_setting_is_named(self, name: str, value: Any, valid: str) -> None:
        with override_settings(**{name: value}), pytest.raises(ConfigurationError) as refused:
            conf.load({})
        assert name in str(refused.value)
        assert valid in str(refused.value)
