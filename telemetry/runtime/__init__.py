"""The only global state: what `AppConfig.ready()` builds once a process, and what a scrape asks for.

It survives a fork: nothing here holds memory, files or threads of the parent (the store and the
publisher begin anew in the child).
"""

from __future__ import annotations

import atexit
import gzip
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import prometheus_client
from django.core.signals import request_started
from django.db import close_old_connections
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider

from telemetry import conf
from telemetry.conf import Config
from telemetry.errors import ConfigurationError
from telemetry.exposition import ForeignMetrics, Format, Renderer, choose, gzip_accepted
from telemetry.instrumentation import own, privacy, spans
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation
from telemetry.instrumentation.lifespan import end_with_lifespan
from telemetry.runtime._instruments import Instrumentations, extensions
from telemetry.runtime._publisher import Publisher
from telemetry.samples import FamilySamples, Reading
from telemetry.sdk import ending
from telemetry.sdk.cleaning import CleaningExporter, clean_exports
from telemetry.sdk.consumer import Limits
from telemetry.sdk.families import families
from telemetry.sdk.install import install_meter_provider
from telemetry.sdk.prometheus_reader import StorePrometheusReader
from telemetry.sdk.provider import publish
from telemetry.sdk.push import build_push
from telemetry.sdk.tracing import build_tracer_provider
from telemetry.spec import Family, Projection
from telemetry.store import Store, open_store

_logger = logging.getLogger("telemetry")

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
        self.uncleaned: list[str] = []
        """What sees spans as they are made, and may export them so."""
        self._renderer = Renderer()
        privacy.configure(
            names=config.private_names,
            parameters=config.public_parameters,
            patterns=config.private_patterns,
            exception_messages=config.exception_messages,
        )
        if not config.sdk_disabled:
            self._build(config)

    def _build(self, config: Config) -> None:
        self.store = store = open_store(
            config.identity,
            config.store_dir,
            private=config.private_store,
            # a test run is read by nobody but itself, and has reasons to want no threads: forks, databases
            on_attach=None if config.private_store else lambda: self._publisher.start(),
        )
        self.guard = guard = Guard(store)
        self._publisher = Publisher(self._publish_and_keep_up, guard.failed)
        self.watching = Instrumentations(store, config, guard)
        self.watching.start()
        self.http = self.watching.http
        reader = StorePrometheusReader()
        self.provider = provider = install_meter_provider(
            store,
            reader,
            limits=Limits(series=config.series_limit, labels=config.label_budgets, declared=_budgets),
            scopes=config.observable_scopes,
            extra=self.watching.portable,
            declared=_declared,
        )
        self._foreign = ForeignMetrics(
            prometheus_client.REGISTRY,
            skip=lambda collector: collector is reader.collector or collector in _DEFAULT_COLLECTORS,
            multiproc_dir=conf.multiproc_dir(),
        )
        atexit.register(self._publish_last)
        self.watching.tasks.ending = self._end_of_pool_process
        names, namespace = config.push_django_names, config.namespace
        try:
            push = build_push(provider, store, guard.failed, django_names=names, namespace=namespace)
        except ConfigurationError as error:
            _logger.error("telemetry: no metrics are pushed: %s", error)
            return
        if push.wanted and not config.private_store:
            # Processes that serve or run tasks push; commands leave it to those.
            request_started.connect(lambda **_: push.start(), weak=False, dispatch_uid="telemetry.push")
            self.watching.tasks.running = push.start
            atexit.register(push.stop)
            end_with_lifespan(ending.end, guard.failed)

    def place_middleware(self) -> None:
        """Have our two middlewares first and last in `MIDDLEWARE`, and the one for spans where spans are on."""
        if self.store is None:
            return
        now = conf.get_middleware()
        wanted = list(now)
        if not {conf.BEFORE, conf.COMPAT_BEFORE} & {*wanted}:
            wanted.insert(0, conf.BEFORE)
        if not {conf.AFTER, conf.COMPAT_AFTER} & {*wanted}:
            wanted.append(conf.AFTER)
        if wanted != now:
            conf.set_middleware(wanted)
        spans.SpanMiddleware.response_header = self.config.response_header
        spans.install(
            self._tracer_provider(),
            disabled=self.config.disabled_instrumentations,
            excluded_urls=self.config.excluded_urls,
            get_middleware=conf.get_middleware,
            set_middleware=conf.set_middleware,
            failed=self.guard.failed,
            request_hook=self.config.request_hook,
            response_hook=self.config.response_hook,
            sqlcommenter=self.config.sqlcommenter,
            middleware_position=self.config.middleware_position,
        )

    def publish(self) -> None:
        """Store what only this process can observe; never raises."""
        if self.store is None:
            return
        try:
            self.watching.publish()
            publish(self.provider)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            self.guard.failed("runtime.publish", error)

    def _publish_last(self) -> None:
        """At exit; a process that has recorded nothing, as `manage.py check`, makes no file for its own costs."""
        try:
            publish(self.provider)
        except Exception as error:  # noqa: BLE001 - an exit hook has nobody to tell
            self.guard.failed("runtime.publish", error)
        if self._publisher.started:
            self.watching.publish()

    def _end_of_pool_process(self) -> None:
        """A process of Celery's pool ends without exit hooks."""
        self._publish_last()
        ending.end()

    def families(self) -> list[FamilySamples]:
        """Every family of the service, over one read of the store; no database is asked."""
        if self.store is None:
            return []
        self.publish()
        self.watching.ask()
        self.store.serve()
        start = perf_counter()
        reading = self.store.read()
        self.watching.read.observe((), perf_counter() - start)
        parts = {**self.watching.parts(), "scrape.instruments": self._instruments}
        found: list[FamilySamples] = []
        for name, part in parts.items():
            try:
                found += part(reading)
            except Exception as error:  # noqa: BLE001 - one part must not cost the page
                self.guard.failed(name, error)
        return [*found, own.series(found)]

    def scrape(self, accept: str | None = None, accept_encoding: str | None = None) -> Page:
        """The page for a scraper that sent these headers (RFC 9110, section 12.5)."""
        if self.store is None:
            return Page(b"", Format.TEXT.value)
        start, chosen = perf_counter(), choose(accept)
        body = self._renderer.render(self.families(), chosen, self._foreign.collect())
        page = Page(body, chosen.value)
        if gzip_accepted(accept_encoding):
            # the fastest level: a scrape is read once, by a neighbour
            page = Page(gzip.compress(body, compresslevel=1, mtime=0), chosen.value, "gzip")
        self.watching.scraped.observe((), perf_counter() - start)
        return page

    def _instruments(self, reading: Reading) -> list[FamilySamples]:
        return families(self.provider, reading)

    def _tracer_provider(self) -> trace.TracerProvider | None:
        current = trace.get_tracer_provider()
        if not isinstance(current, trace.ProxyTracerProvider):
            if not isinstance(current, trace.NoOpTracerProvider):
                clean_exports(current, self._cleaned, self._sees_all)
            return current
        try:
            provider = build_tracer_provider(store=self.store, clean=self._cleaned)
        except ConfigurationError as error:
            _logger.error("telemetry: no spans are recorded: %s", error)
            return None
        if provider is not None:
            trace.set_tracer_provider(provider)
            clean_exports(provider, self._cleaned, self._sees_all)
            end_with_lifespan(ending.end, self.guard.failed)
        return provider

    def _cleaned(self, exporter: Any) -> Any:
        return CleaningExporter(exporter, privacy, self.guard.failed)

    def _sees_all(self, name: str) -> None:
        if name not in self.uncleaned:
            self.uncleaned.append(name)
            _logger.warning(
                "telemetry: %s sees spans as they are made: what others than telemetry tell in theirs leaves uncleaned",
                name,
            )

    def _publish_and_keep_up(self) -> None:
        """The publisher's work, with what Django does around a request: no stale connection, no lost file."""
        self.publish()
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
        for projections in extensions:
            projections()
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


def extend(projections: Callable[[], Iterable[Projection]]) -> None:
    """Have these families on the page too, each instead of a built-in one of its name.

    They are asked for when the runtime has started, and at every scrape.
    """
    extensions.append(projections)


def declare(families: Mapping[str, Family], budgets: Mapping[tuple[str, str], Mapping[str, int]] | None = None) -> None:
    """Tell the types and labels of instruments (by instrument name), so that a label-less counter shows 0.

    `budgets` says how many distinct values of a label an instrument (by scope and name) keeps apart in one
    process, before it first records; TELEMETRY_LABEL_BUDGETS comes first.
    """
    _declared.update(families)
    _budgets.update(budgets or {})


_runtime: Runtime | None = None
_declared: dict[str, Family] = {}
_budgets: dict[tuple[str, str], Mapping[str, int]] = {}
