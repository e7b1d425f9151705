"""A Django project of one module, watched by nobody, by django-prometheus, by stock OpenTelemetry or by us."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

DEFAULT_MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""Those of `startproject`."""

BARE = "bare"
THEIRS = "django-prometheus"
THEIRS_MULTI = "django-prometheus, multi-process"
STOCK = {0.0: "OpenTelemetry, unsampled", 0.1: "OpenTelemetry, 10 %", 1.0: "OpenTelemetry, 100 %"}
OURS = "ours"
OURS_TRACED = {0.0: "ours, unsampled", 0.1: "ours, 10 %", 1.0: "ours, 100 %"}
OURS_DISABLED = "ours, disabled"
ALL = (BARE, THEIRS, THEIRS_MULTI, *STOCK.values(), OURS, *OURS_TRACED.values(), OURS_DISABLED)

_RATES = {name: rate for rates in (STOCK, OURS_TRACED) for rate, name in rates.items()}
_APPS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
)


def environ(contender: str, directory: str) -> dict[str, str]:
    """The variables that must stand before the contender's process starts; `directory` is its own."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PROMETHEUS_"))}
    # Nobody's modules are compiled at each start, as ours would be where a checkout may not keep what was compiled.
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    found["TELEMETRY_STORE_DIR"] = directory
    if contender == THEIRS_MULTI:
        found["PROMETHEUS_MULTIPROC_DIR"] = directory
    if contender == OURS_DISABLED:
        found["OTEL_SDK_DISABLED"] = "true"
    return found


def set_up(
    contender: str,
    *,
    urls: str = "telemetry.benchmarks.urls",
    middleware: Sequence[str] = DEFAULT_MIDDLEWARE,
    engine: str = "django.db.backends.sqlite3",
    database: dict[str, Any] | None = None,
    cache: str = "django.core.cache.backends.locmem.LocMemCache",
    unwatched: Callable[[], object] = lambda: None,
) -> Spans | None:
    """Django, as a user of the contender has it; the spans that are exported where it makes any.

    `unwatched` is called once there are settings, before anything watches.
    """
    from django.conf import settings

    spans = Spans(_RATES[contender]) if contender in _RATES else None
    apps, watched = list(_APPS), list(middleware)
    theirs = contender in (THEIRS, THEIRS_MULTI)
    if theirs:
        apps.append("django_prometheus")
        watched = [_THEIR_BEFORE, *watched, _THEIR_AFTER]
        engine = engine.replace("django.db", "django_prometheus.db")
        cache = cache.replace("django.core.cache", "django_prometheus.cache")
    if contender.startswith("ours"):
        apps.append("telemetry")
    settings.configure(
        SECRET_KEY="for benchmarks only",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF=urls,
        INSTALLED_APPS=apps,
        MIDDLEWARE=watched,
        DATABASES={"default": {"NAME": ":memory:", **(database or {}), "ENGINE": engine}},
        CACHES={"default": {"BACKEND": cache}},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        PROMETHEUS_EXPORT_MIGRATIONS=False,
    )
    unwatched()
    if contender in STOCK.values():
        _instrument_stock(engine)
    import django

    django.setup()
    return spans


class Spans:
    """The global tracer provider of a contender: a sampler by rate, the stock batch processor, and an exporter
    that only counts."""

    def __init__(self, rate: float) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
        from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased

        self.exported = exported = [0]

        class Counting(SpanExporter):
            def export(self, spans: Sequence[Any]) -> SpanExportResult:
                exported[0] += len(spans)
                return SpanExportResult.SUCCESS

        sampler = ParentBased(TraceIdRatioBased(rate)) if rate else ALWAYS_OFF
        self._provider = TracerProvider(sampler=sampler)
        # Room for a whole round: a span that is dropped costs less than one that is exported.
        self._provider.add_span_processor(BatchSpanProcessor(Counting(), max_queue_size=100_000))
        trace.set_tracer_provider(self._provider)

    def count(self) -> int:
        """How many spans have been exported, after a flush."""
        self._provider.force_flush()
        return self.exported[0]


def page(contender: str) -> Callable[[], str]:
    """What the contender shows to a scraper."""
    if contender.startswith("ours"):
        from telemetry import runtime

        return lambda: runtime.get().scrape().body.decode()
    import prometheus_client
    from prometheus_client import multiprocess

    if contender == THEIRS_MULTI:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return lambda: prometheus_client.generate_latest(registry).decode()
    return lambda: prometheus_client.generate_latest().decode()


def counted(contender: str, names: dict[str, str]) -> float:
    """The sum of one family's samples on the contender's page; `names` has the sample's name by the contender's."""
    from prometheus_client.parser import text_string_to_metric_families

    kind = "ours" if contender.startswith("ours") else "stock" if contender in STOCK.values() else "theirs"
    wanted = names[kind]
    parsed = text_string_to_metric_families(page(contender)())
    return sum(sample.value for family in parsed for sample in family.samples if sample.name == wanted)


def _instrument_stock(engine: str) -> None:
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider

    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    DjangoInstrumentor().instrument()
    if engine.endswith("sqlite3"):
        from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

        SQLite3Instrumentor().instrument()
    else:
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
        from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor

        Psycopg2Instrumentor().instrument()
        PsycopgInstrumentor().instrument()


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A directory for one contender's process, on a memory file system where there is one, as the store has it."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


_THEIR_BEFORE = "django_prometheus.middleware.PrometheusBeforeMiddleware"
_THEIR_AFTER = "django_prometheus.middleware.PrometheusAfterMiddleware"
