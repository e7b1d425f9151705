"""Everything that records by itself, and the families that its records give."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.namespace import in_namespace
from telemetry.catalogue.short_names import short_names
from telemetry.conf import Config
from telemetry.instrumentation import own
from telemetry.instrumentation.db import DbInstrumentation
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation
from telemetry.instrumentation.process import ProcessInstrumentation
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, Reading
from telemetry.store import Store


class Instrumentations:
    """What watches requests, databases and the process itself; `start` has them watch."""

    def __init__(
        self, store: Store, config: Config, guard: Guard, exclude: Callable[[HttpRequest], bool] | None
    ) -> None:
        self._store = store
        limit = config.series_limit
        http, db = http_catalogue(config.latency_buckets), db_catalogue(config.latency_buckets)
        self.http = HttpInstrumentation(
            store, http, guard, exclude=exclude, short_circuits=config.short_circuits, limit=limit
        )
        self.db = DbInstrumentation(store, db, guard, limit=limit)
        self.process = ProcessInstrumentation(store, guard)
        self._projections = in_namespace((*http.projections, *db.projections), config.namespace)
        short = short_names(http, config.latency_buckets) if config.short_names else ()
        self._short_names = in_namespace(short, config.namespace)

    def start(self) -> None:
        """Watch from now on."""
        self.db.install()

    def publish(self) -> None:
        """Store what only this process can observe; never raises."""
        self.process.publish()

    def parts(self) -> dict[str, Callable[[Reading], list[FamilySamples]]]:
        """What stands on the page, by the name under which a failure of it is counted."""
        return {
            "scrape.projections": lambda reading: evaluate_all((*self._projections, *self._short_names), reading),
            "scrape.process": self.process.families,
            "scrape.own": self._own,
        }

    def portable(self, reading: Reading) -> list[FamilySamples]:
        """What other readers than the page get too: no second names, and none that prometheus_client has itself."""
        return [*evaluate_all(self._projections, reading), *self._own(reading)]

    def _own(self, reading: Reading) -> list[FamilySamples]:
        return own.families(reading, degraded=bool(self._store.degraded))
