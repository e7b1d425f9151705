"""Every family of the catalogue, by the section of the operators' page in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import ModuleType

from telemetry.business import Measure, measures
from telemetry.catalogue import own, process
from telemetry.catalogue.cache import cache_catalogue
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.migrations import migration_catalogue
from telemetry.catalogue.models import model_catalogue
from telemetry.catalogue.request_queries import request_queries_catalogue
from telemetry.catalogue.short_names import short_names
from telemetry.catalogue.tasks import CELERY, DJANGO, OUTCOMES, task_catalogue
from telemetry.spec import Family, Projection

OWN = "telemetry"
"""The owner of a metric that is declared as the business metrics are, but tells of this package."""


class Section(StrEnum):
    """The sections of the page; the values are the names in its markers."""

    HTTP = "http"
    SHORT = "short names"
    DATABASE = "database"
    CACHE = "cache"
    MODELS = "models"
    TASKS = "tasks"
    BUSINESS = "business"
    PROCESS = "process"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Entry:
    """One family as it is documented.

    `values` are all valid values of the labels that have a closed set; `open_values` the longest
    text and the budget of those that have not. The latter, like `owner`, `unit`, `question` and the
    `series` of one process, are known of business families only.
    """

    family: Family
    owner: str = ""
    unit: str = ""
    question: str = ""
    series: int = 0
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    open_values: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def entries() -> dict[Section, tuple[Entry, ...]]:
    """Every family, in the order of its declaration; buckets are the defaults."""
    http = http_catalogue()
    declared = [_business(measure) for measure in measures().values()]
    return {
        Section.HTTP: tuple(
            Entry(projection.family) for projection in (*http.projections, *request_queries_catalogue().projections)
        ),
        Section.SHORT: tuple(Entry(projection.family) for projection in short_names(http)),
        Section.DATABASE: tuple(Entry(projection.family) for projection in db_catalogue().projections),
        Section.CACHE: tuple(Entry(projection.family) for projection in cache_catalogue().projections),
        Section.MODELS: tuple(
            Entry(projection.family)
            for projection in (*model_catalogue().projections, *migration_catalogue().projections)
        ),
        Section.TASKS: tuple(_task(projection.family) for projection in task_catalogue().projections),
        Section.BUSINESS: tuple(entry for entry in declared if entry.owner != OWN),
        Section.PROCESS: tuple(map(Entry, _families(process))),
        Section.OWN: (*map(Entry, _families(own)), *(entry for entry in declared if entry.owner == OWN)),
    }


def _task(family: Family) -> Entry:
    closed = {"system": (CELERY, DJANGO), "outcome": OUTCOMES}
    return Entry(family, values={label: closed[label] for label in family.labels if label in closed})


def _business(measure: Measure[...]) -> Entry:
    labels = measure.labels.values()
    return Entry(
        measure.family,
        measure.owner,
        measure.unit,
        measure.question,
        measure.series_budget,
        {label.name: label.values for label in labels if label.values},
        {label.name: (label.length, label.budget) for label in labels if not label.values},
    )


def _families(module: ModuleType) -> Iterator[Family]:
    """The families that a module of the catalogue holds, alone or in tuples of projections."""
    for value in vars(module).values():
        if isinstance(value, Family):
            yield value
        elif isinstance(value, tuple):
            yield from (item.family for item in value if isinstance(item, Projection))
