"""Caches: the records that their operations leave, and the families derived from them.

Names, types, labels and HELP of the four families by `backend` are those of django-prometheus
2.5.0; those by `alias` are our own, for which OpenTelemetry has no semantic conventions.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.exemplars import exemplars, sampled
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source, Take

HIT, MISS, STORED, REFUSED, OK, ERROR = "hit", "miss", "stored", "refused", "ok", "error"
YES, NO = "1", "0"

DURATION = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; a cache in memory answers in microseconds, one across a network in tenths of a millisecond."""


@dataclass(frozen=True, slots=True)
class CacheCatalogue:
    """The records of caches, and every family that is derived from them.

    - `operation`: an operation has ended, with its clock.
      `get`, `has_key`, `touch`, `delete`, `incr` and `decr` end in `hit` (the key was there) or
      `miss`; `add` in `stored` or `refused` (the key was there already); the others, and those whose
      backend tells nothing, in `ok`; every one of them may end in `error`.
    - `operation_sampled`: of these those of sampled requests, for their exemplars.
    - `looked_up`: keys that were asked for by `get_many`, by `hit`, `miss` or `error`.

    `by_hand` tells those that a project's own backend has counted by itself: they do not count again
    in the families by `backend`.
    """

    operation: Layout
    operation_sampled: Layout
    looked_up: Layout
    projections: tuple[Projection, ...]


def cache_catalogue() -> CacheCatalogue:
    """The catalogue of caches."""
    backend = ("backend",)
    operation = Layout(
        "cache.operation", Kind.HISTOGRAM, ("alias", "backend", "operation", "result", "by_hand"), DURATION
    )
    operation_sampled = sampled(operation, ("alias", "operation"))
    looked_up = Layout("cache.looked_up", Kind.SUM, ("alias", "backend", "result", "by_hand"))

    def keys(*results: str, by_hand: tuple[str, ...] = (NO,)) -> tuple[Source, ...]:
        """The keys asked for, one by one or many at once."""
        where = {"result": frozenset(results), "by_hand": frozenset(by_hand)}
        one = where | {"operation": frozenset({"get"})}
        return Source(operation, Take.COUNT, where=one), Source(looked_up, where=where)

    projections = (
        _counter("django_cache_get_total", "Total get requests on cache", backend, *keys(HIT, MISS, ERROR)),
        _counter("django_cache_get_hits_total", "Total hits on cache", backend, *keys(HIT)),
        _counter("django_cache_get_misses_total", "Total misses on cache", backend, *keys(MISS)),
        _counter("django_cache_get_fail_total", "Total get request failures by cache", backend, *keys(ERROR)),
        _counter(
            "django_cache_lookups_total",
            "Keys that get and get_many asked for, by cache alias and result.",
            ("alias", "backend", "result"),
            *keys(HIT, MISS, ERROR, by_hand=(NO, YES)),
        ),
        _counter(
            "django_cache_operations_total",
            "Cache operations, by cache alias, operation and result.",
            ("alias", "backend", "operation", "result"),
            Source(operation, Take.COUNT),
        ),
        Projection(
            Family(
                "django_cache_operation_duration_seconds",
                FamilyType.HISTOGRAM,
                "Duration of cache operations, by cache alias and operation.",
                ("alias", "operation"),
                DURATION,
            ),
            (Source(operation), exemplars(operation_sampled)),
        ),
    )
    return CacheCatalogue(operation, operation_sampled, looked_up, projections)


def _counter(name: str, text: str, labels: tuple[str, ...], *sources: Source) -> Projection:
    return Projection(Family(name, FamilyType.COUNTER, text, labels), sources)
