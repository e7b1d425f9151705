"""Everything that records by itself, and the families that its records give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from telemetry.catalogue.by_hand import with_by_hand
from telemetry.catalogue.cache import cache_catalogue
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.migrations import migration_catalogue
from telemetry.catalogue.models import model_catalogue
from telemetry.catalogue.namespace import in_namespace
from telemetry.catalogue.own import READ, SCRAPE
from telemetry.catalogue.request_queries import request_queries_catalogue
from telemetry.catalogue.short_names import short_names
from telemetry.catalogue.tasks import task_catalogue
from telemetry.conf import Config
from telemetry.instrumentation import own
from telemetry.instrumentation.cache import CacheInstrumentation
from telemetry.instrumentation.db import DbInstrumentation
from telemetry.instrumentation.exclusion import excluding, is_scrape
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation
from telemetry.instrumentation.migrations import MigrationInstrumentation
from telemetry.instrumentation.models import ModelInstrumentation, declared, name_models
from telemetry.instrumentation.process import ProcessInstrumentation
from telemetry.instrumentation.request_queries import RequestQueries
from telemetry.instrumentation.rest_framework import RestFrameworkInstrumentation
from telemetry.instrumentation.tasks import TaskInstrumentation
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, Reading
from telemetry.spec import Projection
from telemetry.store import Store

extensions: list[Callable[[], Iterable[Projection]]] = []
"""Each gives families under their final names; all are asked at every scrape."""


class Instrumentations:
    """What watches requests, databases, caches, models, tasks and the process itself; `start` has them watch."""

    def __init__(self, store: Store, config: Config, guard: Guard) -> None:
        self._store = store
        limit = config.series_limit
        http, db = http_catalogue(config.latency_buckets), db_catalogue(config.latency_buckets)
        cache, migrations = cache_catalogue(), migration_catalogue()
        request_queries, tasks = request_queries_catalogue(), task_catalogue()
        named = name_models(config.models)
        models = model_catalogue([*declared(), *named.values()])
        self.http = HttpInstrumentation(
            store,
            http,
            guard,
            exclude=excluding(config.excluded_paths, None if config.count_scrapes else is_scrape),
            excluded_views=config.excluded_views,
            short_circuits=config.short_circuits,
            limit=limit,
            queries=RequestQueries(store, request_queries, threshold=config.repeated_queries),
        )
        self.rest_framework = RestFrameworkInstrumentation(self.http, guard)
        self.db = DbInstrumentation(store, db, guard, limit=limit)
        self.cache = CacheInstrumentation(store, cache, guard, limit=limit)
        self.models = ModelInstrumentation(store, models, guard, named, limit=limit)
        self.tasks = TaskInstrumentation(store, tasks, guard, limit=limit)
        # A test run has its reasons to ask no database and to start no thread.
        enabled = config.export_migrations and not config.private_store
        self.migrations = MigrationInstrumentation(store, migrations, guard, enabled=enabled, leave=self.db.leave)
        self.process = ProcessInstrumentation(store, guard)
        self.scraped, self.read = store.table(SCRAPE), store.table(READ)
        catalogues = (http, request_queries, db, cache, models, migrations, tasks)
        every = with_by_hand(each for one in catalogues for each in one.projections)
        self._projections = in_namespace(every, config.namespace)
        short = short_names(http, config.latency_buckets) if config.short_names else ()
        self._short_names = in_namespace(short, config.namespace)

    def start(self) -> None:
        """Watch from now on."""
        self.rest_framework.install()
        self.db.install()
        self.cache.install()
        self.models.install()
        self.tasks.install()

    def ask(self) -> None:
        """Have looked up, beside the scrapes and not by them, what only a database knows; never waits."""
        self.migrations.ask()

    def publish(self) -> None:
        """Store what only this process can observe; never raises."""
        self.process.publish()
        self.db.publish()

    def parts(self) -> dict[str, Callable[[Reading], list[FamilySamples]]]:
        """What stands on the page, by the name under which a failure of it is counted."""
        return {
            "scrape.projections": lambda reading: evaluate_all((*self._shown(), *self._short_names), reading),
            "scrape.process": self.process.families,
            "scrape.own": self._own,
        }

    def portable(self, reading: Reading) -> list[FamilySamples]:
        """What other readers than the page get too: no second names, and none that prometheus_client has itself."""
        return [*evaluate_all(self._shown(), reading), *self._own(reading)]

    def _shown(self) -> tuple[Projection, ...]:
        """The built-in families, and the project's own, which take the place of those with their names."""
        added = {each.family.name: each for projections in extensions for each in projections()}
        return (*(each for each in self._projections if each.family.name not in added), *added.values())

    def _own(self, reading: Reading) -> list[FamilySamples]:
        return own.families(reading, degraded=bool(self._store.degraded))
