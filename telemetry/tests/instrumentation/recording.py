"""Our instrumentation on a store of its own, for one test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.request_queries import request_queries_catalogue
from telemetry.instrumentation import own
from telemetry.instrumentation.db import DbInstrumentation
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.http import HttpInstrumentation
from telemetry.instrumentation.request_queries import RequestQueries
from telemetry.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, HistogramValue
from telemetry.store import MemoryStore, Store

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
AFTER = "telemetry.middleware.PrometheusAfterMiddleware"


class Recording:
    """While the block runs, the middlewares record here, and so do all databases."""

    def __init__(self, store: Store | None = None, **options: Any) -> None:
        self.store = store or MemoryStore()
        self.guard = Guard(self.store)
        http, queries = http_catalogue(), request_queries_catalogue()
        self.catalogues = http, db_catalogue(), queries
        options.setdefault("queries", RequestQueries(self.store, queries))
        self.http = HttpInstrumentation(self.store, http, self.guard, **options)
        self.db = DbInstrumentation(self.store, self.catalogues[1], self.guard)

    def __enter__(self) -> Recording:
        PrometheusBeforeMiddleware.instrumentation = PrometheusAfterMiddleware.instrumentation = self.http
        self.db.install()
        return self

    def __exit__(self, *exc: object) -> None:
        PrometheusBeforeMiddleware.instrumentation = PrometheusAfterMiddleware.instrumentation = None
        self.db.uninstall()

    def families(self) -> list[FamilySamples]:
        reading = self.store.read()
        projections = [projection for catalogue in self.catalogues for projection in catalogue.projections]
        return [*evaluate_all(projections, reading), *own.families(reading, degraded=False)]

    def series(self, family: str) -> dict[tuple[str, ...], float | HistogramValue]:
        """The family's series by their label values, in the order of the sorted label names."""
        (found,) = (each for each in self.families() if each.family.name == family)
        return {tuple(value for _, value in labels): value for labels, value in found.series}

    def values(self, family: str) -> dict[tuple[str, ...], float]:
        """Every series' value, a histogram's count."""
        series = self.series(family).items()
        return {labels: value.count if isinstance(value, HistogramValue) else value for labels, value in series}

    def value(self, family: str, *labels: str) -> float:
        """One series' value, a histogram's count; 0 where there is no such series."""
        return self.values(family).get(labels, 0.0)

    def sum(self, family: str, *labels: str) -> float:
        """One histogram's sum."""
        value = self.series(family)[labels]
        assert isinstance(value, HistogramValue)
        return value.sum

    def in_flight(self) -> float:
        return sum(self.values("http_server_active_requests").values())

    def dropped(self) -> Sequence[tuple[str, ...]]:
        """The places that failed."""
        return list(self.series("telemetry_dropped_total"))
