"""The only reader of Django settings and of the environment: everything else gets a `Config`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import global_settings, settings

from telemetry.catalogue.buckets import LATENCY
from telemetry.conf import _values
from telemetry.errors import ConfigurationError

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
AFTER = "telemetry.middleware.PrometheusAfterMiddleware"
COMPAT_BEFORE = "telemetry.compat.django_prometheus.middleware.PrometheusBeforeMiddleware"
COMPAT_AFTER = "telemetry.compat.django_prometheus.middleware.PrometheusAfterMiddleware"

Network = _values.Network


@dataclass(frozen=True, slots=True)
class Config:
    """What the host decided, checked. Lengths of time are in seconds."""

    identity: tuple[str, ...]
    """What tells this service's store from another's on the same machine."""
    store_dir: Path | None = None
    private_store: bool = False
    latency_buckets: tuple[float, ...] = LATENCY
    count_scrapes: bool = True
    namespace: str = ""
    """What stands before the names of the `django_*` families, with an underscore; empty for nothing."""
    short_names: bool = False
    """Whether the page has the families of `catalogue/short_names.py` too."""
    models: tuple[str, ...] = ()
    """Whose operations are counted: `app.Model`, `app.*` or `*`."""
    export_migrations: bool = False
    metrics_port: int | None = None
    metrics_ports: tuple[int, ...] = ()
    """Ports of which the first free one serves the metrics; they win over `metrics_port`."""
    metrics_address: str = ""
    """Where those ports are; empty: everywhere."""
    excluded_paths: tuple[re.Pattern[str], ...] = ()
    """Requests whose path one of these is found in leave no HTTP metrics."""
    excluded_views: tuple[str, ...] = ()
    """Views, by the value of the label `view`, whose requests leave no HTTP metrics."""
    short_circuits: bool = True
    """Whether what a middleware answers counts among the views' responses."""
    repeated_queries: int = 10
    """How often one statement may run in a request before the request counts as repeating itself."""
    series_limit: int = 2000
    label_budgets: Mapping[str, int] = field(default_factory=dict)
    push_django_names: bool = False
    """Whether OTLP gets the `django_*` families too, beside those of the semantic conventions."""
    observable_scopes: Mapping[str, str] = field(default_factory=dict)
    excluded_urls: str | None = None
    sdk_disabled: bool = False
    disabled_instrumentations: frozenset[str] = frozenset()
    private_names: tuple[str, ...] = ()
    """Names of query parameters, headers and attributes whose values leave the process in no span."""
    public_parameters: tuple[str, ...] = ()
    """Names of query parameters whose values may be seen, beside those that are known to be harmless."""
    private_patterns: tuple[re.Pattern[str], ...] = ()
    """What is masked wherever text is."""
    exception_messages: bool = False
    """Whether the messages of exceptions stay in spans, masked."""
    request_hook: Callable[..., Any] | None = None
    """Called with a request's span and the request when it begins."""
    response_hook: Callable[..., Any] | None = None
    """Called with a request's span, the request and its response."""
    sqlcommenter: Mapping[str, bool] | None = None
    """Parts that comments on PostgreSQL's queries have or have not; None for no comments."""
    middleware_position: int = 0
    """How many of the project's middlewares are around the one of spans."""
    response_header: str = ""
    """The header that tells a client its trace: `traceresponse`, `server-timing`, or none."""
    metrics_token: str = field(default="", repr=False)
    """What a scraper must know; empty: nothing."""
    metrics_networks: tuple[Network, ...] = ()
    """Where a scraper must be; empty: anywhere."""
    metrics_proxy_header: str = ""
    """The header in which a proxy names its clients, who must be in the networks too; empty: none is looked at."""


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read settings and environment.

    Raises:
        ConfigurationError: a setting has a wrong type or value; the message names it.
    """
    directory = getattr(settings, "TELEMETRY_STORE_DIR", None) or environ.get("TELEMETRY_STORE_DIR")
    if directory is not None and not isinstance(directory, (str, os.PathLike)):
        raise ConfigurationError(f"TELEMETRY_STORE_DIR: {directory!r} is not a path; give a str or a pathlib.Path")
    return Config(
        identity=_identity(environ),
        store_dir=Path(directory) if directory else None,
        private_store=not directory and under_tests(),
        latency_buckets=_values.buckets("PROMETHEUS_LATENCY_BUCKETS", LATENCY),
        count_scrapes=_values.boolean("TELEMETRY_COUNT_SCRAPES", default=True),
        namespace=_values.namespace(),
        short_names=_values.boolean("TELEMETRY_SHORT_NAMES", default=False),
        models=_values.names("TELEMETRY_MODELS", "shop.Order"),
        export_migrations=_values.flag("PROMETHEUS_EXPORT_MIGRATIONS"),
        metrics_port=_values.port("PROMETHEUS_METRICS_EXPORT_PORT"),
        metrics_ports=_values.ports("PROMETHEUS_METRICS_EXPORT_PORT_RANGE"),
        metrics_address=_values.address("PROMETHEUS_METRICS_EXPORT_ADDRESS"),
        excluded_paths=_values.patterns("TELEMETRY_EXCLUDED_URLS", "^/health"),
        excluded_views=_values.names("TELEMETRY_EXCLUDED_VIEWS", "shop:detail"),
        short_circuits=_values.boolean("TELEMETRY_SHORT_CIRCUITS", default=True),
        repeated_queries=_values.positive("TELEMETRY_REPEATED_QUERIES", default=10),
        series_limit=_values.positive("TELEMETRY_SERIES_LIMIT", 2000),
        label_budgets=_values.label_budgets(),
        push_django_names=_values.boolean("TELEMETRY_PUSH_DJANGO_NAMES", default=False),
        observable_scopes=_values.observable_scopes(),
        excluded_urls=environ.get("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", environ.get("OTEL_PYTHON_EXCLUDED_URLS")),
        sdk_disabled=environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        disabled_instrumentations=_disabled(environ),
        private_names=_values.names("TELEMETRY_PRIVATE_NAMES", "customer_id"),
        public_parameters=_values.names("TELEMETRY_PUBLIC_PARAMETERS", "fields"),
        private_patterns=_values.patterns("TELEMETRY_PRIVATE_PATTERNS", r"\bMRN-\d+"),
        exception_messages=_values.boolean("TELEMETRY_EXCEPTION_MESSAGES", default=False),
        request_hook=_values.hook("TELEMETRY_REQUEST_HOOK", "with a span and a request"),
        response_hook=_values.hook("TELEMETRY_RESPONSE_HOOK", "with a span, a request and a response"),
        sqlcommenter=_values.sqlcommenter(),
        middleware_position=_position(environ),
        response_header=_values.choice("TELEMETRY_RESPONSE_HEADER", ("", "traceresponse", "server-timing")),
        metrics_token=_values.token(),
        metrics_networks=_values.networks(),
        metrics_proxy_header=_values.proxy_header(),
    )


def under_tests() -> bool:
    """Whether this process is a test run: its numbers must not reach a running service's store."""
    return ("PYTEST_VERSION" in os.environ and "pytest" in sys.modules) or sys.argv[1:2] == ["test"]


def get_middleware() -> list[str]:
    """A copy of `settings.MIDDLEWARE`."""
    return list(settings.MIDDLEWARE)


def set_middleware(middleware: Sequence[str]) -> None:
    """Assign a new list to `settings.MIDDLEWARE`: the old one may be shared with a settings override."""
    settings.MIDDLEWARE = list(middleware)


def root_urlconf() -> str | None:
    """`settings.ROOT_URLCONF`; None in a project without URLs."""
    return getattr(settings, "ROOT_URLCONF", None)


def multiproc_dir(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where `prometheus_client` keeps files for its own multi-process mode; None where that is off."""
    return environ.get("PROMETHEUS_MULTIPROC_DIR", environ.get("prometheus_multiproc_dir"))


def emptied_by_instrumentation() -> bool:
    """Whether `opentelemetry-instrument` has configured Django with empty settings.

    It does where `DJANGO_SETTINGS_MODULE` is not set before Python starts; the module that `manage.py` or
    `wsgi.py` names is never read then.
    """
    by_hand = settings.configured and getattr(settings, "default_settings", None) is global_settings
    return by_hand and "opentelemetry.instrumentation.auto_instrumentation" in sys.modules


def _disabled(environ: Mapping[str, str]) -> frozenset[str]:
    names = environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    # As the stock instrumentation of Django spells it.
    names += ["django"] if environ.get("OTEL_PYTHON_DJANGO_INSTRUMENT") == "False" else []
    return frozenset(name.strip() for name in names if name.strip())


def _position(environ: Mapping[str, str]) -> int:
    """As the stock instrumentation of Django does, 0 for what is no position."""
    given = environ.get("OTEL_PYTHON_DJANGO_MIDDLEWARE_POSITION", "").strip()
    return int(given) if given.isascii() and given.isdigit() else 0


def _identity(environ: Mapping[str, str]) -> tuple[str, ...]:
    attributes = dict(
        pair.split("=", 1) for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if "=" in pair
    )
    return (
        str(environ.get("DJANGO_SETTINGS_MODULE", "")),
        str(getattr(settings, "BASE_DIR", "")),
        environ.get("OTEL_SERVICE_NAME", attributes.get("service.name", "")).strip(),
        attributes.get("service.instance.id", "").strip(),
    )
