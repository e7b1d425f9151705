"""Our instrumentation of caches on a store of its own, for one test."""

from __future__ import annotations

from telemetry.catalogue.cache import cache_catalogue
from telemetry.instrumentation import own
from telemetry.instrumentation.cache import CacheInstrumentation
from telemetry.instrumentation.guard import Guard
from telemetry.projections import evaluate_all
from telemetry.samples import HistogramValue
from telemetry.store import MemoryStore

GETS = "django_cache_get_total"
HITS = "django_cache_get_hits_total"
MISSES = "django_cache_get_misses_total"
FAILS = "django_cache_get_fail_total"
BY_BACKEND = (GETS, HITS, MISSES, FAILS)
LOOKUPS = "django_cache_lookups_total"
OPERATIONS = "django_cache_operations_total"
DURATION = "django_cache_operation_duration_seconds"


class CacheRecording:
    """While the block runs, all caches record here."""

    def __init__(self, limit: int = 1000) -> None:
        self.store = MemoryStore()
        self.guard = Guard(self.store)
        self.catalogue = cache_catalogue()
        self.cache = CacheInstrumentation(self.store, self.catalogue, self.guard, limit=limit)

    def __enter__(self) -> CacheRecording:
        self.cache.install()
        return self

    def __exit__(self, *exc: object) -> None:
        self.cache.uninstall()

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """The family's series by label values in the order of the sorted label names; a histogram's counts."""
        reading = self.store.read()
        families = [*evaluate_all(self.catalogue.projections, reading), *own.families(reading, degraded=False)]
        (found,) = (each for each in families if each.family.name == name)
        return {
            tuple(each for _, each in labels): value.count if isinstance(value, HistogramValue) else value
            for labels, value in found.series
        }

    def counts(self, backend: str) -> tuple[float, float, float, float]:
        """Gets, hits, misses and failures of a kind of backend."""
        gets, hits, misses, fails = (self.values(name).get((backend,), 0.0) for name in BY_BACKEND)
        return gets, hits, misses, fails

    def operations(self, alias: str = "default") -> dict[str, float]:
        """How often each operation of a cache had which result: `{"get hit": 2}`."""
        found = self.values(OPERATIONS).items()
        return {f"{operation} {result}": count for (name, _, operation, result), count in found if name == alias}

    def dropped(self) -> list[tuple[str, ...]]:
        """The places that failed."""
        return list(self.values("telemetry_dropped_total"))
