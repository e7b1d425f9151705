"""The only global state: what `AppConfig.ready()` builds once a process, and what a scrape asks for.

It survives a fork: nothing here holds memory, files or threads of the parent (the store and the
publisher begin anew in the child).
"""

from __future__ import annotations

import atexit
import gzip
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import prometheus_client
from django.db import close_old_connections
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider

from telemetry import conf
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.short_names import short_names
from telemetry.conf import Config
from telemetry.errors import ConfigurationError
from telemetry.exposition import ForeignMetrics, Format, Renderer, choose, gzip_accepted
from telemetry.instrumentation import own, spans
from telemetry.instrumentation.db import DbInstrumentation
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation
from telemetry.instrumentation.process import ProcessInstrumentation
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, Reading
from telemetry.sdk.consumer import Limits
from telemetry.sdk.families import families
from telemetry.sdk.install import install_meter_provider
from telemetry.sdk.prometheus_reader import StorePrometheusReader
from telemetry.sdk.provider import publish
from telemetry.sdk.tracing import build_tracer_provider
from telemetry.spec import Family
from telemetry.store import Store, open_store

_logger = logging.getLogger("telemetry")

PUBLISH_SECONDS = 15.0
"""How often a process publishes the values that only it can observe."""

_DEFAULT_COLLECTORS = (
    prometheus_client.PROCESS_COLLECTOR,
    prometheus_client.PLATFORM_COLLECTOR,
    prometheus_client.GC_COLLECTOR,
)


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a scrape; `encoding` is the Content-Encoding, empty for none."""

    body: bytes
    content_type: str
    encoding: str = ""


class Runtime:
    """Everything that records and everything that is asked in this process.

    `http` and `store` are None where `OTEL_SDK_DISABLED` is true: then nothing records.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store: Store | None = None
        self.http: HttpInstrumentation | None = None
        self.provider: MeterProvider | None = None
        self._renderer = Renderer()
        self._publisher_pid = 0
        if not config.sdk_disabled:
            self._build(config)

    def _build(self, config: Config) -> None:
        self.store = store = open_store(
            config.identity,
            config.store_dir,
            private=config.private_store,
            # a test run is read by nobody but itself, and has reasons to want no threads: forks, databases
            on_attach=None if config.private_store else self._start_publisher,
        )
        self.guard = guard = Guard(store)
        http, db = http_catalogue(config.latency_buckets), db_catalogue(config.latency_buckets)
        self._projections = (*http.projections, *db.projections)
        self._short_names = short_names(http, config.latency_buckets) if config.short_names else ()
        exclude = None if config.count_scrapes else _is_scrape
        self.http = HttpInstrumentation(store, http, guard, exclude=exclude, limit=config.series_limit)
        self.db = DbInstrumentation(store, db, guard, limit=config.series_limit)
        self.db.install()
        self._process = ProcessInstrumentation(store, guard)
        reader = StorePrometheusReader()
        self.provider = install_meter_provider(
            store,
            reader,
            limits=Limits(series=config.series_limit, labels=config.label_budgets),
            scopes=config.observable_scopes,
            extra=self._extra,
            declared=_declared,
        )
        self._foreign = ForeignMetrics(
            prometheus_client.REGISTRY,
            skip=lambda collector: collector is reader.collector or collector in _DEFAULT_COLLECTORS,
        )
        atexit.register(self._publish_last)

    def place_middleware(self) -> None:
        """Have our two middlewares first and last in `MIDDLEWARE`, and the one for spans where spans are on."""
        if self.store is None:
            return
        now = conf.get_middleware()
        wanted = list(now)
        if conf.BEFORE not in wanted:
            wanted.insert(0, conf.BEFORE)
        if conf.AFTER not in wanted:
            wanted.append(conf.AFTER)
        if wanted != now:
            conf.set_middleware(wanted)
        spans.install(
            self._tracer_provider(),
            disabled=self.config.disabled_instrumentations,
            excluded_urls=self.config.excluded_urls,
            get_middleware=conf.get_middleware,
            set_middleware=conf.set_middleware,
            failed=self.guard.failed,
        )

    def publish(self) -> None:
        """Store what only this process can observe; never raises."""
        if self.store is None:
            return
        try:
            self._process.publish()
            publish(self.provider)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            self.guard.failed("runtime.publish", error)

    def _publish_last(self) -> None:
        """At exit; a process that has recorded nothing, as `manage.py check`, makes no file for its own costs."""
        try:
            publish(self.provider)
        except Exception as error:  # noqa: BLE001 - an exit hook has nobody to tell
            self.guard.failed("runtime.publish", error)
        if self._publisher_pid == os.getpid():
            self._process.publish()

    def families(self) -> list[FamilySamples]:
        """Every family of the service, over one read of the store; no database is asked."""
        if self.store is None:
            return []
        self.publish()
        self.store.serve()
        reading = self.store.read()
        parts: dict[str, Callable[[], list[FamilySamples]]] = {
            "scrape.projections": lambda: evaluate_all((*self._projections, *self._short_names), reading),
            "scrape.instruments": lambda: families(self.provider, reading),
            "scrape.process": lambda: self._process.families(reading),
            "scrape.own": lambda: self._own(reading),
        }
        found: list[FamilySamples] = []
        for name, part in parts.items():
            try:
                found += part()
            except Exception as error:  # noqa: BLE001 - one part must not cost the page
                self.guard.failed(name, error)
        return found

    def scrape(self, accept: str | None = None, accept_encoding: str | None = None) -> Page:
        """The page for a scraper that sent these headers (RFC 9110, section 12.5)."""
        if self.store is None:
            return Page(b"", Format.TEXT.value)
        chosen = choose(accept)
        body = self._renderer.render(self.families(), chosen, self._foreign.collect())
        if gzip_accepted(accept_encoding):
            # the fastest level: a scrape is read once, by a neighbour
            return Page(gzip.compress(body, compresslevel=1, mtime=0), chosen.value, "gzip")
        return Page(body, chosen.value)

    def _own(self, reading: Reading) -> list[FamilySamples]:
        return own.families(reading, degraded=bool(self.store and self.store.degraded))

    def _extra(self, reading: Reading) -> Iterable[FamilySamples]:
        return [*evaluate_all(self._projections, reading), *self._own(reading)]

    def _tracer_provider(self) -> trace.TracerProvider | None:
        current = trace.get_tracer_provider()
        if not isinstance(current, trace.ProxyTracerProvider):
            return current
        try:
            provider = build_tracer_provider()
        except ConfigurationError as error:
            _logger.error("telemetry: no spans are recorded: %s", error)
            return None
        if provider is not None:
            trace.set_tracer_provider(provider)
        return provider

    def _start_publisher(self) -> None:
        """One thread a process, from the first record on; called under the store's lock."""
        if self._publisher_pid == os.getpid():
            return
        self._publisher_pid = os.getpid()
        thread = threading.Thread(target=self._publish_for_ever, name="telemetry-publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be had, or the interpreter is ending
            self.guard.failed("runtime.publisher", error)

    def _publish_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(PUBLISH_SECONDS):
            self.publish()
            self._keep_up()

    def _keep_up(self) -> None:
        """What Django does around a request and we around a publication: no stale connection, no lost file."""
        try:
            close_old_connections()
            if self.store is not None:
                self.store.attach()
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self.guard.failed("runtime.publisher", error)


def start(config: Config) -> Runtime:
    """Build the runtime of this process, once; later calls only see to `MIDDLEWARE`."""
    global _runtime
    if _runtime is None:
        _runtime = Runtime(config)
    _runtime.place_middleware()
    return _runtime


def get() -> Runtime:
    """The runtime of this process.

    Raises:
        ConfigurationError: the app has not been started.
    """
    if _runtime is None:
        raise ConfigurationError('telemetry is not started; put "telemetry" into INSTALLED_APPS')
    return _runtime


def declare(families: Mapping[str, Family]) -> None:
    """Tell the types and labels of instruments (by instrument name), so that a label-less counter shows 0."""
    _declared.update(families)


def _is_scrape(request: HttpRequest) -> bool:
    try:
        return request.path == reverse("prometheus-django-metrics")
    except NoReverseMatch:
        return False


_runtime: Runtime | None = None
_declared: dict[str, Family] = {}
